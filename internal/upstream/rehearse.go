package upstream

import (
	"fmt"
	"net/http"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// rehearse picks an instance and notes what would be sent. Nothing is sent or counted.
func (r *route) rehearse(x *exchange.Exchange) (*http.Response, *exchange.Error) {
	i, nobody := r.service.pick(x, nil)
	if nobody != nil {
		return nil, nobody
	}
	x.Instance, x.Address = i.ID, i.Address
	url := r.service.settings.scheme + "://" + i.Address + x.Path
	if q := x.Request.URL; q.RawQuery != "" || q.ForceQuery {
		url += "?" + q.RawQuery
	}
	host := i.Address
	if r.preserveHost {
		host = x.Request.Host
	}
	x.Note(exchange.StageAttempt, i.ID, "would send", fmt.Sprintf(
		"%s %s with Host %s and %d header fields; timeouts: response %s, idle %s, request %s; up to %d attempts",
		x.Request.Method, url, host, len(x.Request.Header),
		limit(r.timeouts.response), limit(r.timeouts.idle), limit(r.timeouts.request), r.retries.attempts))
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: http.NoBody, Request: x.Request,
	}, nil
}

func limit(d time.Duration) string {
	if d <= 0 {
		return "none"
	}
	return d.String()
}
