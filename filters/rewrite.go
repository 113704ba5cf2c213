package filters

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// Rewrite changes the path and the query that the instance gets. The path is changed by one of path, regex, and
// strip_prefix with add_prefix or one of them; the route is found before, by the path the client sent. A path that would
// come out unsafe, such as one with a dot segment, is answered with bad_path.
type Rewrite struct {
	// StripPrefix is taken away from the front of a path, whole segments only: /api makes /api/x into /x, and leaves
	// /apix alone.
	StripPrefix string `json:"strip_prefix,omitempty"`
	// AddPrefix is put in front of the path, after strip_prefix.
	AddPrefix string `json:"add_prefix,omitempty"`
	// Path replaces the whole path. It may hold {NAME}, a placeholder of the route's path, {path}, the path so far, and
	// {rest}, what the /* at the end of the route's path stands for.
	Path string `json:"path,omitempty"`
	// Regex replaces what an expression matches.
	Regex *RewriteRegex `json:"regex,omitempty"`
	// Query changes the query.
	Query QueryChanges `json:"query"`
}

// RewriteRegex replaces what an expression matches, each time it does.
type RewriteRegex struct {
	// From is an RE2 expression that is matched against the path in its canonical form. Begin it with ^ and end it with
	// $ to mean the whole path.
	From string `json:"from" required:"true" check:"regexp" maxlen:"1024"`
	// To is put in place of a match. $1 or ${1} is what the first group matched, ${name} what a named one did, and $$ a
	// dollar sign.
	To string `json:"to"`
}

// QueryChanges are made in this order: remove, set. Parameters that they do not name stay as they were written.
type QueryChanges struct {
	// Set gives parameters one value, in place of those they have. It may hold placeholders, as path may; their escapes
	// are translated.
	Set map[string]string `json:"set,omitempty"`
	// Remove takes parameters away.
	Remove []string `json:"remove,omitempty"`
}

// Check reports ways to change the path that exclude each other, and what cannot be the path of a request.
func (r *Rewrite) Check(c *spec.Checks) {
	var ways []string
	for _, way := range []struct {
		name  string
		given bool
	}{
		{"strip_prefix", r.StripPrefix != ""}, {"add_prefix", r.AddPrefix != ""}, {"path", r.Path != ""}, {"regex", r.Regex != nil},
	} {
		if way.given {
			ways = append(ways, way.name)
		}
	}
	switch {
	case len(ways) == 0 && len(r.Query.Set)+len(r.Query.Remove) == 0:
		c.Errorf("", "changes nothing: want strip_prefix, add_prefix, path, regex or query")
	case len(ways) > 1 && !slices.Equal(ways, []string{"strip_prefix", "add_prefix"}):
		c.Errorf(ways[1], "%s cannot be used together: want path, regex, or strip_prefix and add_prefix", strings.Join(ways, " and "))
	}
	checkPrefix(c, "strip_prefix", r.StripPrefix)
	checkPrefix(c, "add_prefix", r.AddPrefix)
	if r.Path != "" {
		if err := checkPathTemplate(r.Path); err != nil {
			c.Errorf("path", "%s", err)
		}
	}
	r.Query.check(c)
}

// Check reports a replacement that names groups the expression has not.
func (r *RewriteRegex) Check(c *spec.Checks) {
	if !c.OK("from") || r.From == "" {
		return
	}
	if _, err := compileSwap(r.From, r.To); err != nil {
		c.Errorf("to", "%s", err)
	}
}

func (q *QueryChanges) check(c *spec.Checks) {
	for _, name := range sortedKeys(q.Set) {
		at := spec.Key("query.set", name)
		if _, err := pathDialect().parse(q.Set[name]); err != nil {
			c.Errorf(at, "%s", err)
		}
		if slices.Contains(q.Remove, name) {
			c.Errorf(at, "is removed too: set takes the old values away by itself")
		}
	}
}

func checkPrefix(c *spec.Checks, key, prefix string) {
	switch {
	case prefix == "":
		return
	case !strings.HasPrefix(prefix, "/"):
		c.Errorf(key, "must begin with /")
	case strings.Trim(prefix, "/") == "":
		c.Errorf(key, "%s alone does nothing", prefix)
	case strings.Contains(prefix, "//"):
		c.Errorf(key, "holds //, and slashes are merged")
	default:
		if err := judgePath(prefix); err != nil {
			c.Errorf(key, "%q is no path in canonical form: %s", prefix, err)
		}
	}
}

// checkPathTemplate tries a template with its placeholders filled and empty: the literal parts must be a path either way.
func checkPathTemplate(text string) error {
	t, err := pathDialect().parse(text)
	if err != nil {
		return err
	}
	if strings.ContainsAny(text, "?#") {
		return fmt.Errorf("a path holds no ? or #: parameters stand under query")
	}
	for _, filler := range []string{"x", ""} {
		var try strings.Builder
		for i, p := range t.parts {
			switch {
			case p.from == fromLiteral:
				try.WriteString(p.text)
			case p.from == fromPath && i == 0:
				try.WriteString("/" + filler)
			default:
				try.WriteString(filler)
			}
		}
		if err := judgePath(try.String()); err != nil {
			return fmt.Errorf("%q makes no path in canonical form: %w, as for %s", text, err, try.String())
		}
	}
	return nil
}

// Wrap compiles the changes.
func (r *Rewrite) Wrap(b *filter.Build, next exchange.Handler) (exchange.Handler, error) {
	f := &rewrite{strip: strings.TrimSuffix(r.StripPrefix, "/"), add: strings.TrimSuffix(r.AddPrefix, "/"), next: next}
	if r.Path != "" {
		t, err := pathDialect().parse(r.Path)
		if err == nil {
			err = t.bind(b)
		}
		if err != nil {
			return nil, fmt.Errorf("path: %w", err)
		}
		f.path = &t
	}
	if r.Regex != nil {
		s, err := compileSwap(r.Regex.From, r.Regex.To)
		if err != nil {
			return nil, fmt.Errorf("regex: %w", err)
		}
		f.swap = s
	}
	var err error
	f.query, err = r.Query.compile(b)
	return f, err
}

func (q *QueryChanges) compile(b *filter.Build) (*queryEdit, error) {
	if len(q.Set)+len(q.Remove) == 0 {
		return nil, nil
	}
	e := &queryEdit{drop: make(map[string]bool)}
	for _, name := range q.Remove {
		e.drop[name] = true
	}
	for _, name := range sortedKeys(q.Set) {
		t, err := pathDialect().parse(q.Set[name])
		if err == nil {
			err = t.bind(b)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", spec.Key("query.set", name), err)
		}
		e.drop[name] = true
		e.set = append(e.set, queryValue{url.QueryEscape(name) + "=", t})
	}
	return e, nil
}

// rewrite is the filter at work.
type rewrite struct {
	strip, add string
	path       *template // nil if the path is not replaced
	swap       *swap     // nil if there is no expression
	query      *queryEdit
	next       exchange.Handler
}

// Handle changes the request on its way in. The * of an OPTIONS request is no path and stays.
func (r *rewrite) Handle(x *exchange.Exchange) (*http.Response, error) {
	if strings.HasPrefix(x.Path, "/") {
		if err := r.rewritePath(x); err != nil {
			return nil, err
		}
	}
	if r.query != nil {
		r.query.apply(x)
	}
	return r.next.Handle(x)
}

func (r *rewrite) rewritePath(x *exchange.Exchange) error {
	var path string
	switch {
	case r.path != nil:
		path = r.path.fill(x)
	case r.swap != nil:
		path = r.swap.replace(x.Path)
	default:
		path = replacePrefix(x.Path, r.strip, r.add)
	}
	if path == x.Path {
		if r.path != nil || r.swap != nil || r.strip != "" {
			x.Note(exchange.StageFilter, "rewrite", "leaves the path", x.Path)
		}
		return nil
	}
	if !strings.Contains(x.Path, "//") {
		path = mergeSlashes(path)
	}
	if err := judgePath(path); err != nil {
		return exchange.Errorf(exchange.BadPath, "the path cannot be rewritten: %s", err)
	}
	if x.Explaining() {
		x.Note(exchange.StageFilter, "rewrite", "changes the path", x.Path+" becomes "+path)
	}
	x.Path, x.RawPath = path, path
	return nil
}

// replacePrefix takes strip from the front of a path, where it ends at the end of a segment, and puts add there.
func replacePrefix(path, strip, add string) string {
	if after, ok := strings.CutPrefix(path, strip); ok && (after == "" || after[0] == '/') {
		path = after
	}
	if path = add + path; path == "" {
		return "/"
	}
	return path
}
