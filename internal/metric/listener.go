package metric

import "github.com/prometheus/client_golang/prometheus"

// A Listener counts the connections of one listener. It is safe for concurrent use.
type Listener struct {
	set   *Set
	name  string
	open  prometheus.Gauge
	total prometheus.Counter
}

// Opened counts a connection that was accepted.
func (l *Listener) Opened() {
	l.total.Inc()
	l.open.Inc()
	l.set.connected.Add(1)
}

// Closed is the other half of Opened.
func (l *Listener) Closed() {
	l.open.Dec()
	l.set.connected.Add(-1)
}

// Close forgets the listener: its series vanish from the next scrape. It returns nil.
func (l *Listener) Close() error {
	s := l.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners[l.name] == l {
		delete(s.listeners, l.name)
		s.connections.DeleteLabelValues(l.name)
		s.connectionsOpen.DeleteLabelValues(l.name)
	}
	return nil
}
