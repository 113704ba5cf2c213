package admin

import (
	"cmp"
	"net/http"
	"regexp"

	"golang.org/x/net/http/httpguts"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/snapshot"
)

var methodToken = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")

// explain rehearses a request against the running configuration.
func explain(s *Server, c *call) (*answer, error) {
	snap, leave, err := s.serving()
	if err != nil {
		return nil, err
	}
	defer leave()
	var q client.Question
	if err := decode(c, &q); err != nil {
		return nil, err
	}
	q.Method = cmp.Or(q.Method, http.MethodGet)
	if !methodToken.MatchString(q.Method) {
		return nil, refuse(invalidField, "method: %q is not an HTTP method", q.Method)
	}
	header := make(http.Header)
	for name, values := range q.Headers {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, refuse(invalidField, "headers: %q is not a header name", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return nil, refuse(invalidField, "headers.%s: the value holds a byte that cannot stand in a header",
					name)
			}
			header.Add(name, v)
		}
	}
	e, err := snap.Explain(c.r.Context(), q.Method, q.URL, header)
	if err != nil {
		return nil, &refusal{reason: invalidField, detail: "there is no such request: " + err.Error(), cause: err}
	}
	return &answer{body: Explanation(e)}, nil
}

// serving returns the snapshot that serves. It does not give back what it has borrowed until leave is called.
func (s *Server) serving() (snap *snapshot.Snapshot, leave func(), err error) {
	state, err := s.state()
	if err != nil {
		return nil, nil, err
	}
	snap = state.Snapshot
	snap.Enter(0)
	if now := s.opts.Control.State(); now.Snapshot != snap {
		snap.Leave(0)
		return nil, nil, refuse(notReady, "the configuration was just replaced: ask again")
	}
	return snap, func() { snap.Leave(0) }, nil
}

// Explanation returns an explanation in the form in which the API shows it.
func Explanation(e *snapshot.Explanation) *client.Explanation {
	steps := make([]client.Step, 0, len(e.Steps))
	for _, step := range e.Steps {
		steps = append(steps, client.Step(step))
	}
	return &client.Explanation{
		Method: e.Method, Host: e.Host, Path: e.Path, Route: e.Route, Service: e.Service, Instance: e.Instance,
		Address: e.Address,
		Status:  e.Status, Reason: string(e.Reason), Detail: e.Detail, Steps: steps,
		Cached: e.Cached, CacheURL: e.CacheURL,
	}
}
