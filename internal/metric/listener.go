package metric

import "github.com/prometheus/client_golang/prometheus"

// A Listener counts the connections of one listener. It is safe for concurrent use.
type Listener struct {
	set   *Set
	name  string
	open  prometheus.Gauge
	total prometheus.Counter
	cuts  children[string]
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

// Cut counts a connection that was closed for what its client did. The cause is from a fixed list.
func (l *Listener) Cut(cause string) {
	n := l.cuts.find(cause)
	if n == nil {
		l.set.mu.Lock()
		n = l.cuts.add(cause, l.set.listeners[l.name] != l, l.set.connectionsCut, l.name, cause)
		l.set.mu.Unlock()
	}
	n.Inc()
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
		l.cuts.each(func(cause string) { s.connectionsCut.DeleteLabelValues(l.name, cause) })
	}
	return nil
}
