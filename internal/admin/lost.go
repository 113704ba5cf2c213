package admin

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/spec"
)

// lost says that nothing is at the path, or nothing with that method, and what may have been meant.
func (s *Server) lost(r *http.Request) *refusal {
	if allow := s.allowed(r); len(allow) > 0 {
		e := refuse(methodNotAllowed, "%s does not take %s: want %s", r.URL.Path, r.Method, strings.Join(allow, " or "))
		e.header = http.Header{"Allow": {strings.Join(allow, ", ")}}
		return e
	}
	paths, clean := s.near(r), path.Clean(r.URL.Path)
	hint := spec.DidYouMean(r.URL.Path, paths)
	for _, likely := range []string{"/v1" + clean, clean} {
		if slices.Contains(paths, likely) {
			hint = fmt.Sprintf(": did you mean %q?", likely)
		}
	}
	if hint == "" {
		hint = ": GET /v1/openapi.json lists what there is"
	}
	return refuse(unknownPath, "there is nothing at %s%s", r.URL.Path, hint)
}

// allowed returns the methods that the path takes.
func (s *Server) allowed(r *http.Request) []string {
	var methods []string
	for _, m := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut} {
		try := *r
		try.Method = m
		if _, pattern := s.mux.Handler(&try); s.calls[pattern] != nil && path.Clean(r.URL.Path) == r.URL.Path {
			methods = append(methods, m)
		}
	}
	return methods
}

// near returns paths that may have been meant: those with as many segments, the caller's own names in them.
func (s *Server) near(r *http.Request) []string {
	given := strings.Split(strings.TrimPrefix(path.Clean(r.URL.Path), "/v1"), "/")
	var paths []string
	for _, op := range s.calls {
		prefix := ""
		rest, versioned := strings.CutPrefix(op.path, "/v1")
		if versioned {
			prefix = "/v1"
		}
		want := strings.Split(rest, "/")
		if len(want) != len(given) {
			continue
		}
		for i := range want {
			if strings.HasPrefix(want[i], "{") {
				want[i] = given[i]
			}
		}
		paths = append(paths, prefix+strings.Join(want, "/"))
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(b, a) }) // the full form first
	return slices.Compact(paths)
}
