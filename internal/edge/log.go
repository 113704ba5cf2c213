package edge

import (
	"net/http"
	"sync"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/accesslog"
	"github.com/asynched/api-gateway/internal/tail"
)

// entries lends the entries of access log lines.
var entries = sync.Pool{New: func() any { return new(accesslog.Entry) }}

// tell writes the line of the exchange, and hands it to those who are watching and want it.
func (v *visit) tell(took time.Duration) {
	out, watching := v.snap.AccessLog, v.conn.listener.edge.tail.Audience()
	if out == nil && watching == nil {
		return
	}
	e := entries.Get().(*accesslog.Entry)
	defer entries.Put(e)
	v.fill(e, took)
	var wanted tail.Selection
	if watching != nil {
		wanted = watching.Match(e)
	}
	if out == nil && wanted == 0 {
		return
	}
	if v.fault != nil {
		e.Error = v.fault.Error()
	}
	if out != nil {
		out.Write(e)
	}
	if wanted != 0 {
		watching.Publish(wanted, e, v.x.Record, accesslog.Query(v.snap.Config.AccessLog.Query))
	}
}

// fill says in the entry what there is to say of the exchange, but for the text of its error, which has to be made.
func (v *visit) fill(e *accesslog.Entry, took time.Duration) {
	*e = accesslog.Entry{}
	x := &v.x
	e.Fill(x)
	r := x.Request
	e.Duration, e.Proto = took, r.Proto
	e.Method, e.Path, e.Query = v.method, v.path, v.query // as the client sent them; filters may have changed the request
	e.UserAgent, e.Referer = r.Header.Get("User-Agent"), r.Header.Get("Referer")
	if r.TLS != nil {
		e.TLS = r.TLS.Version
	}
	e.Status, e.BytesIn, e.BytesOut, e.Source = int(v.status), v.body.taken(), v.out, v.source()
	e.AnsweredBy, e.Cut = v.author().String(), v.sent && v.abort
	if isGRPC(r.Header) {
		e.GRPCStatus = v.grpcStatus()
	}
	if v.fault != nil {
		e.Reason = v.fault.Reason
	}
}

// explain has the decisions about the exchange recorded, if somebody is watching who wants to know them.
func (v *visit) explain() {
	watching := v.conn.listener.edge.tail.Audience()
	if watching == nil {
		return
	}
	x := &v.x
	if watching.Explain(&tail.Head{Method: v.method, Host: x.Host, Path: v.path, ID: x.ID, Client: x.Client.Addr()}) {
		x.Record = new(exchange.Record)
	}
}

// grpcStatus returns the status of a gRPC call as it was sent: in the trailers, or in the head of an answer without a
// message. It is "" if there was none.
func (v *visit) grpcStatus() string {
	h := v.w.Header()
	for _, name := range [...]string{"Grpc-Status", http.TrailerPrefix + "Grpc-Status"} {
		if values := h[name]; len(values) > 0 {
			return values[0]
		}
	}
	return ""
}
