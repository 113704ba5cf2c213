package filtertest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/asynched/api-gateway/filter"
)

// Counts are the counters of a filter. The zero value has counted nothing. It is safe for concurrent use.
type Counts struct {
	mu sync.Mutex
	n  map[string]int
}

// Of returns what the counter of that name has counted with these labels, given as name, value, name, value; the label
// route is left out.
func (c *Counts) Of(name string, labels ...string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[series(name, labels)]
}

// Total returns what the counter of that name has counted with all its labels.
func (c *Counts) Total(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := 0
	for key, n := range c.n {
		if strings.HasPrefix(key, series(name, nil)) {
			total += n
		}
	}
	return total
}

// counter is what a filter gets as Build.Counter.
func (c *Counts) counter(name, _ string, labels ...string) (filter.Counter, error) {
	if len(labels)%2 != 0 {
		return nil, fmt.Errorf("counter %s: the label %q has no value", name, labels[len(labels)-1])
	}
	return &counter{c, series(name, labels)}, nil
}

func series(name string, labels []string) string { return name + "\x00" + strings.Join(labels, "\x00") }

type counter struct {
	counts *Counts
	key    string
}

// Inc adds one.
func (c *counter) Inc() {
	c.counts.mu.Lock()
	defer c.counts.mu.Unlock()
	if c.counts.n == nil {
		c.counts.n = make(map[string]int)
	}
	c.counts.n[c.key]++
}
