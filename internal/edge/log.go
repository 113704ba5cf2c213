package edge

import (
	"sync"
	"time"

	"github.com/asynched/api-gateway/internal/accesslog"
)

// entries lends the entries of access log lines.
var entries = sync.Pool{New: func() any { return new(accesslog.Entry) }}

// writeLog writes the line of the exchange.
func (v *visit) writeLog(took time.Duration) {
	out := v.snap.AccessLog
	if out == nil {
		return
	}
	e := entries.Get().(*accesslog.Entry)
	defer entries.Put(e)
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
	if v.fault != nil {
		e.Reason, e.Error = v.fault.Reason, v.fault.Error()
	}
	out.Write(e)
}
