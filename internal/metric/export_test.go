package metric

import "github.com/prometheus/client_golang/prometheus"

// Described returns what every collector of a Set says of its metrics.
func Described(s *Set) []*prometheus.Desc {
	to := make(chan *prometheus.Desc)
	go func() {
		defer close(to)
		s.registry.Describe(to)
	}()
	var all []*prometheus.Desc
	for d := range to {
		all = append(all, d)
	}
	return all
}
