package metric

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// A Counter is one series of a metric that this package does not know by name, such as one of a filter. It is safe for
// concurrent use. It shows nothing before it has counted.
type Counter struct {
	set    *Set
	vector *prometheus.CounterVec
	values []string
	closed bool // guarded by set.mu
	series children[struct{}]
}

// An extra is a metric that was not known when the Set was made. It stays for good: without series it shows nothing.
type extra struct {
	help   string
	labels []string
	vector *prometheus.CounterVec
}

var counterName = regexp.MustCompile(`^[a-z][a-z0-9_]*_total$`)

// Counter returns a new counter of the metric sallyport_NAME: labels are given as name, value, name, value. The metric is
// made when it is first asked for; it is an error to ask for it with other labels or another help later, or for a name
// that is taken. There may be one open Counter for each series: lease it.
func (s *Set) Counter(name, help string, labels ...string) (*Counter, error) {
	if !counterName.MatchString(name) {
		return nil, fmt.Errorf("counter %q: want a name of lower case letters, digits and '_' that ends in _total", name)
	}
	if len(labels)%2 != 0 {
		return nil, fmt.Errorf("counter %s: the label %q has no value", name, labels[len(labels)-1])
	}
	c := &Counter{set: s}
	var names []string
	for i := 0; i < len(labels); i += 2 {
		names, c.values = append(names, labels[i]), append(c.values, clean(labels[i+1]))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.extras[name]
	if !ok {
		e = &extra{help, names, counters(name, help, names...)}
		if err := s.registry.Register(e.vector); err != nil {
			return nil, fmt.Errorf("counter %s: %w", name, err)
		}
		s.extras[name] = e
	}
	if e.help != help || !slices.Equal(e.labels, names) {
		return nil, fmt.Errorf("counter %s: it has the labels %q and the help %q already", name, e.labels, e.help)
	}
	c.vector = e.vector
	return c, nil
}

// Inc adds one. It allocates nothing but the first time.
func (c *Counter) Inc() {
	n := c.series.find(struct{}{})
	if n == nil {
		c.set.mu.Lock()
		n = c.series.add(struct{}{}, c.closed, c.vector, c.values...)
		c.set.mu.Unlock()
	}
	n.Inc()
}

// Sum returns what the series of the counter sallyport_NAME have come to, those with the same value of a label together. It
// is empty for a counter that nobody has asked for.
func (s *Set) Sum(name, label string) map[string]uint64 {
	sums := make(map[string]uint64)
	s.mu.Lock()
	e := s.extras[name]
	s.mu.Unlock()
	if e == nil {
		return sums
	}
	alone := prometheus.NewRegistry()
	if alone.Register(e.vector) != nil {
		return sums
	}
	families, err := alone.Gather()
	if err != nil {
		return sums
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			for _, l := range series.GetLabel() {
				if l.GetName() == label {
					sums[l.GetValue()] += uint64(series.GetCounter().GetValue())
				}
			}
		}
	}
	return sums
}

// Close forgets the counter: its series vanishes from the next scrape. It returns nil.
func (c *Counter) Close() error {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	c.closed = true
	c.vector.DeleteLabelValues(c.values...)
	return nil
}
