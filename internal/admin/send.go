package admin

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
)

// fail answers with a problem.
func (s *Server) fail(c *call, r *refusal) {
	h := c.w.Header()
	for name, values := range r.header {
		h[name] = values
	}
	p := r.problem(c.id)
	h.Set("Content-Type", "application/problem+json")
	writeJSON(c.w, p.Status, p)
}

// send answers, and returns the status. An answer with a tag gets an ETag, and is not sent again to who has it already.
func (s *Server) send(c *call, a *answer) int {
	h := c.w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	status := max(a.status, http.StatusOK)
	text := a.text
	h.Set("Content-Type", a.kind)
	if text == nil {
		h.Set("Content-Type", "application/json")
		text = marshal(a.body)
	}
	if a.tag != "" {
		tag := entityTag(a.tag, text)
		h.Set("ETag", tag)
		h.Set("Cache-Control", "no-cache, private")
		if c.r.Method == http.MethodGet && holds(c.r.Header.Values("If-None-Match"), tag) {
			h.Del("Content-Type")
			c.w.WriteHeader(http.StatusNotModified)
			return http.StatusNotModified
		}
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(text) // who does not read has gone
	return status
}

// entityTag is the tag of the part that can be written, a dot, and that of the whole answer: so a condition on a change
// is about the former, and what is live does not break it.
func entityTag(tag string, text []byte) string {
	sum := sha256.Sum256(text)
	return strings.TrimSuffix(tag, `"`) + "." + hex.EncodeToString(sum[:6]) + `"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text := marshal(v)
	w.WriteHeader(status)
	_, _ = w.Write(text) // who does not read has gone
}

// marshal writes a value for people and programs alike: indented, without escapes that only HTML needs.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil { // the types of the API have a JSON form
		return []byte("{}\n")
	}
	return b.Bytes()
}

// requestID returns the id that the caller gave, if it is a sane one, or a new one. It protects nothing.
func requestID(r *http.Request) string {
	const longest = 128
	given := r.Header.Get("X-Request-ID")
	sane := given != "" && len(given) <= longest &&
		strings.IndexFunc(given, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' }) < 0
	if sane {
		return given
	}
	return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
}
