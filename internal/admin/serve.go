package admin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/spec"
)

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{w: w, r: r, id: requestID(r)}
	h := w.Header()
	h.Set("X-Request-ID", c.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, pattern := s.mux.Handler(r)
	op := s.calls[pattern]
	if op == nil || path.Clean(r.URL.Path) != r.URL.Path {
		op = nil // the mux would redirect to the clean path, which loses the body
	}
	if op == nil || !op.open {
		if err := s.admit(r); err != nil {
			s.opts.Log.Warn("admin call refused", "reason", err.reason, "detail", err.detail, "method", r.Method,
				"path", r.URL.Path, "remote", r.RemoteAddr, "request_id", c.id)
			s.fail(c, err)
			return
		}
	}
	if op == nil {
		s.fail(c, s.lost(r))
		return
	}
	s.mux.ServeHTTP(w, r.WithContext(withID(r.Context(), c.id)))
}

// perform answers a call that is let in.
func (s *Server) perform(w http.ResponseWriter, r *http.Request, op *operation) {
	c := &call{w: w, r: r, op: op, id: idOf(r.Context())}
	a, err := s.run(c)
	status, result := http.StatusOK, "done"
	switch {
	case err != nil:
		refused := translate(c, err)
		status, result = info(refused.reason).Status, string(refused.reason)
		if status >= http.StatusInternalServerError && refused.reason != notReady {
			s.opts.Log.Error("admin call failed", "call", op.id, "error", refused.origin(), "request_id", c.id)
		}
		s.fail(c, refused)
	case a != nil:
		status = s.send(c, a)
	}
	if op.changes {
		s.opts.Log.Info("admin call", "call", op.id, "method", r.Method, "path", r.URL.Path, "remote", r.RemoteAddr,
			"client", subject(r), "dry_run", c.dryRun, "status", status, "result", result, "request_id", c.id)
	}
}

// run reads what the call brings and lets its handler do it. A panic becomes an error: it is a defect, and no reason
// for the gateway to go down.
func (s *Server) run(c *call) (a *answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // it is this very value
				panic(p)
			}
			a, err = nil, &refusal{
				reason: internal, detail: "the gateway failed; its log has the cause under this request id",
				cause: fmt.Errorf("panic: %v\n%s", p, stack()),
			}
		}
	}()
	if err := c.readQuery(); err != nil {
		return nil, err
	}
	if err := c.readBody(); err != nil {
		return nil, err
	}
	return c.op.handle(s, c)
}

// readQuery holds the query against what the call takes: a misspelt dry_run must not make a change.
func (c *call) readQuery() error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return refuse(invalidParameter, "query: %v", err)
	}
	names := make([]string, 0, len(c.op.query))
	for _, p := range c.op.query {
		names = append(names, p.name)
	}
	for name, values := range query {
		if !slices.Contains(names, name) && !c.op.open {
			hint := spec.DidYouMean(name, names)
			if hint == "" && len(names) > 0 {
				hint = ": want one of " + strings.Join(names, ", ")
			}
			return refuse(invalidParameter, "unknown query parameter %q%s", name, hint)
		}
		if len(values) > 1 {
			return refuse(invalidParameter, "query parameter %q is there %d times", name, len(values))
		}
	}
	c.query = query
	if query.Has("dry_run") {
		if c.dryRun, err = strconv.ParseBool(query.Get("dry_run")); err != nil {
			return refuse(invalidParameter, "dry_run: want true or false, got %q", query.Get("dry_run"))
		}
	}
	return nil
}

// readBody reads the body, up to the limit of the call.
func (c *call) readBody() error {
	if c.op.body == nil {
		return nil
	}
	limit := c.op.body.limit
	tooLarge := refuse(bodyTooLarge, "the body is larger than %d KiB", limit>>10)
	if c.r.ContentLength > limit {
		c.w.Header().Set("Connection", "close")
		return tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, limit))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge
	case err != nil:
		return refuse(badRequest, "read the body: %v", err)
	case len(bytes.TrimSpace(body)) == 0:
		return refuse(invalidBody, "the body is empty: want %s", c.op.body.doc)
	}
	c.body = body
	return nil
}
