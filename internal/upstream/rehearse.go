package upstream

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
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
	r.rehearseHedge(x, i)
	if why := r.service.settings.ejection.String(); why != "" {
		x.Note(exchange.StageAttempt, i.ID, "watched", why)
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: http.NoBody, Request: x.Request,
	}, nil
}

// rehearseHedge notes when a second attempt would be made beside the first one.
func (r *route) rehearseHedge(x *exchange.Exchange, i *Instance) {
	s, rule := r.service, &r.retries.hedge
	if len(rule.methods) == 0 {
		return
	}
	after, which := rule.fixed, ""
	if s.recent != nil {
		after, which = s.recent.quantile(rule.share, s.group.now()), fmt.Sprintf(", the p%.0f of late", 100*rule.share)
	}
	verdict, why := "would hedge", fmt.Sprintf("without a head after %v%s", after, which)
	switch {
	case !slices.Contains(rule.methods, x.Request.Method):
		verdict, why = "no hedge", "the method is not among hedge.methods"
	case x.Upgrade != "" || x.Request.Body != nil && x.Request.Body != http.NoBody && x.Request.ContentLength != 0:
		verdict, why = "no hedge", "it has a body or asks for an upgrade"
	case s.settings.balance.sticky != nil:
		verdict, why = "no hedge", "clients stick to their instance"
	case s.group.Set().Len() < 2:
		verdict, why = "no hedge", "there is no other instance"
	case after == 0:
		verdict, why = "no hedge", "too few requests of late to tell how long they take"
	case rule.observe:
		verdict = "would only count a hedge"
	}
	x.Note(exchange.StageAttempt, i.ID, verdict, why)
}

// String says when an instance is ejected, "" for never.
func (e *Ejection) String() string {
	var rules []string
	if e.After > 0 {
		rules = append(rules, fmt.Sprintf("%d failures in a row", e.After))
	}
	o := &e.Outliers
	if o.Deviations > 0 {
		rules = append(rules, fmt.Sprintf("%v deviations below the mean of the instances within %v", o.Deviations, o.Interval))
	}
	if o.ErrorRate > 0 {
		rules = append(rules, fmt.Sprintf("%s of its requests failed within %v", percent(o.ErrorRate), o.Interval))
	}
	verb := "ejected"
	if e.Observe {
		verb = "only counted, not ejected,"
	}
	if len(rules) == 0 {
		return ""
	}
	return verb + " after " + strings.Join(rules, ", or ")
}

func limit(d time.Duration) string {
	if d <= 0 {
		return "none"
	}
	return d.String()
}
