package edge

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/overload"
	"github.com/asynched/api-gateway/internal/snapshot"
)

// statusClientGone stands in logs and metrics for a client that left before it had its answer. It is never sent.
const statusClientGone = 499

// A visit is one exchange on its way through the edge: what came in, what went out, and what is to be said of it. It is
// one allocation of 840 bytes, with its header in a size class of the runtime of 896.
type visit struct {
	x      exchange.Exchange
	snap   *snapshot.Snapshot
	conn   *conn
	config *config.Listener
	w      http.ResponseWriter
	body   *body // nil if the request has none

	method, path, query string // as the client sent them, the path canonical; filters may change the request's

	out    int64           // bytes of the body that were sent
	fault  *exchange.Error // what went wrong, if anything did
	status int32
	sent   bool // the head of the final answer is on its way
	passed bool // it is that of a response, not of an error
	abort  bool // the answer cannot be completed: the connection must not look as if it was
}

// ServeHTTP carries one request through the current snapshot and back. It is what the engine calls for each request.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := connOf(r)
	c.heads.end()
	r.TLS = c.tls
	e := l.edge
	snap := e.enter(c.shard)
	v := &visit{snap: snap, conn: c, w: w, method: r.Method, query: r.URL.RawQuery}
	t := l.terms.Load()
	if v.config = snap.Config.Listeners[t.name]; v.config == nil {
		v.config = t.Listener // the listener is gone from the configuration, its open connections are not
	}
	v.x.Request, v.x.Listener, v.x.Peer, v.x.Client = r, t.name, c.peer, c.peer
	v.x.Inform = v.inform
	v.x.Timings.Start = time.Now()
	e.metrics.Started()
	defer v.conclude()
	defer v.recovered()
	if level := e.memory.Level(); level >= overload.Close || e.draining.Load() {
		w.Header()["Connection"] = closing
		if level >= overload.Refuse {
			v.refuse()
			return
		}
	}
	if err := v.admit(); err != nil {
		v.fail(err)
		return
	}
	v.explain()
	resp, err := snap.Handle(&v.x)
	if err != nil {
		v.fail(asError(err))
		return
	}
	v.answer(resp)
}

var closing = []string{"close"}

// recovered turns a panic of a filter into an answer and a line in the log.
func (v *visit) recovered() {
	p := recover()
	if p == nil {
		return
	}
	v.conn.listener.edge.log.Error("a handler panicked", "route", v.x.Route, "request_id", v.x.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	v.fail(exchange.Errorf(exchange.Internal, "the gateway failed to handle the request").Because(fmt.Errorf("panic: %v", p)))
}

// conclude ends the exchange: it stops reading what nobody wants any more, counts and logs, and lets the snapshot go.
// An answer that was cut is cut for the client too, by the one panic that the engine takes for that.
func (v *visit) conclude() {
	v.body.end()
	took := v.x.Since()
	e := v.conn.listener.edge
	if v.x.Stats == nil {
		v.x.Stats = e.unmatched
	}
	if !v.passed {
		v.x.Timings.Reading = v.body.kept()
	}
	v.x.Stats.Observe(v.method, int(v.status), v.author(), took, v.body.taken(), v.out)
	if v.fault != nil {
		v.x.Stats.Error(string(v.fault.Reason), string(v.fault.Source))
	}
	v.tell(took)
	e.metrics.Ended()
	v.snap.Leave(v.conn.shard)
	if v.abort {
		panic(http.ErrAbortHandler)
	}
}

// author returns who made the answer that the client got, whoever is at fault.
func (v *visit) author() metric.Author {
	switch {
	case !v.sent:
		return metric.Nobody
	case v.passed && v.x.Cached:
		return metric.Cache
	case v.passed && v.x.Instance != "":
		return metric.Upstream
	}
	return metric.Gateway
}

// source returns who is at fault, or if nobody is, who made the answer.
func (v *visit) source() exchange.Source {
	switch {
	case v.fault != nil:
		return v.fault.Source
	case v.x.Instance == "":
		return exchange.Gateway
	}
	return exchange.Upstream
}

// asError returns err as an exchange.Error. A handler that returns anything else is a defect, and is answered as one.
func asError(err error) *exchange.Error {
	var e *exchange.Error
	if errors.As(err, &e) {
		return e
	}
	return exchange.Errorf(exchange.Internal, "the gateway failed to handle the request").Because(err)
}
