package config

import (
	"errors"
	"fmt"
	"mime"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/spec"
)

// Errors say in what form failures are answered. Without any the answers of the gateway are problem documents, or HTML or
// plain text for clients that would rather have that, and an instance's own errors pass untouched.
type Errors struct {
	// Pages take the place of the built-in forms. Of those that fit an error and have the same type the first is taken;
	// the pages of a route come before those for everything. A client gets the type that it prefers by its Accept field.
	Pages []ErrorPage `json:"pages,omitempty" maxitems:"100"`
	// Intercept lists the statuses of instances whose answer is thrown away, and answered like an error of the gateway
	// with that status and the reason upstream_error. On a route it takes the place of the list for everything; an empty
	// one intercepts nothing. gRPC, upgrades, redirects and fixed answers are never intercepted.
	Intercept []ErrorStatuses `json:"intercept,omitzero"`
}

// ErrorPage is the answer to some errors in one media type. Its text is a template of Go with the fields .Status,
// .StatusText, .Title, .Detail, .Reason, .RequestID, .Host, .Path, .Source, .RetryAfter and .Type.
type ErrorPage struct {
	// Statuses that the page is for; without any it is for all.
	Statuses []ErrorStatuses `json:"statuses,omitempty"`
	// Reasons that it is for, as a further condition; without any it is for all.
	Reasons []string `json:"reasons,omitempty"`
	// Type is the media type of the page. HTML is escaped by itself; other text is not: use the functions json and html.
	// A type of text gets the charset UTF-8 if it names none.
	Type string `json:"type" default:"text/html"`
	// File holds the template, at most 1 MiB; it is read again at each reload, and when it changes. What the admin API
	// makes cannot name a file.
	File string `json:"file,omitempty"`
	// Body is the template itself.
	Body string `json:"body,omitempty"`
	// Headers are further fields of the answer. Each takes the place of the field that the answer would have; Set-Cookie
	// and Vary are added.
	Headers map[string]string `json:"headers,omitempty"`
	// Default gives the page to clients without a preference as well: no Accept field, or */*. Otherwise they get a
	// problem document.
	Default bool `json:"default,omitempty"`
}

// Check reports a page that is not exactly one of file and body, reasons that there are not, a type that is none, and
// fields that are not the page's to set.
func (p *ErrorPage) Check(c *spec.Checks) {
	switch {
	case p.File == "" && p.Body == "" && !c.Written("body"):
		if c.OK("") {
			c.Errorf("", "want file or body")
		}
	case p.File != "" && c.Written("body"):
		c.Errorf("body", "a page has a file or a body, not both")
	case p.File != "" && c.Pos("file").File == APIFile:
		c.Errorf("file", "only a configuration file may name a file, or the admin API could show any: use body")
	}
	var known []string
	for _, info := range exchange.Reasons() {
		known = append(known, string(info.Reason))
	}
	for i, reason := range p.Reasons {
		if exchange.Reason(reason).Info().Reason != exchange.Reason(reason) {
			c.Errorf(spec.Index("reasons", i), "there is no reason %q%s", reason, spec.DidYouMean(reason, known))
		}
	}
	media, params, err := mime.ParseMediaType(p.Type)
	kind, sub, whole := strings.Cut(media, "/")
	switch {
	case err != nil || !whole || kind == "" || sub == "" || strings.Contains(media, "*"):
		c.Errorf("type", "%q is not a media type such as text/html", p.Type)
	case params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8"):
		c.Errorf("type", "pages are written in UTF-8, not in %s", params["charset"])
	}
	checkHeaders(c, "headers", p.Headers)
	for name := range p.Headers {
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case "Content-Type":
			c.Errorf(spec.Key("headers", name), "is the type of the page: use type")
		case "Proxy-Status", "X-Request-Id", "Content-Encoding":
			c.Errorf(spec.Key("headers", name), "is set by the gateway itself")
		}
	}
}

// MediaType returns the type with its charset.
func (p *ErrorPage) MediaType() string {
	if strings.HasPrefix(strings.ToLower(p.Type), "text/") && !strings.Contains(strings.ToLower(p.Type), "charset") {
		return p.Type + "; charset=utf-8"
	}
	return p.Type
}

// ErrorStatuses is a status of an error, a class of them or a range, both ends included: 404, 5xx, 500-504.
type ErrorStatuses struct{ Statuses }

var errNoErrorStatus = errors.New("want a status from 400 to 599 such as 404, a class such as 5xx, or a range such as 500-504")

// UnmarshalText reads a status, a class or a range.
func (s *ErrorStatuses) UnmarshalText(text []byte) error {
	t := string(text)
	if class, ok := strings.CutSuffix(strings.ToLower(t), "xx"); ok && len(class) == 1 {
		t = class + "00-" + class + "99"
	}
	r, ok := ParseStatuses(t)
	if !ok || r.From < 400 {
		return errNoErrorStatus
	}
	s.Statuses = r
	return nil
}

// MarshalText writes it as short as it can be.
func (s ErrorStatuses) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the text form.
func (s ErrorStatuses) String() string {
	switch {
	case s.From == s.To:
		return strconv.Itoa(s.From)
	case s.From%100 == 0 && s.To == s.From+99:
		return strconv.Itoa(s.From/100) + "xx"
	}
	return fmt.Sprintf("%d-%d", s.From, s.To)
}

// SpecType says how statuses of errors are written.
func (*ErrorStatuses) SpecType() spec.TypeInfo {
	return spec.TypeInfo{
		Name: "statuses", Noun: "a status", Example: "5xx", Number: true,
		Pattern:     `^([45][0-9][0-9](-[45][0-9][0-9])?|[45][xX][xX])$`,
		Description: "A status of an error, a class of them, or a range: 404, 5xx, 500-504.",
	}
}

// errorsAt returns every errors object by its path: that for everything, and those of routes.
func (c *Config) errorsAt() map[string]*Errors {
	all := map[string]*Errors{"errors": &c.Errors}
	for name, r := range c.Routes {
		if r.Errors != nil {
			all[spec.Key("routes", name)+".errors"] = r.Errors
		}
	}
	return all
}

// PageFiles returns the files of error pages, which are read when a snapshot is built: a change of one is a change of the
// configuration.
func (d *Document) PageFiles() []string {
	seen := make(map[string]bool)
	for _, e := range d.Config.errorsAt() {
		for i := range e.Pages {
			if e.Pages[i].File != "" {
				seen[e.Pages[i].File] = true
			}
		}
	}
	return sortedKeys(seen)
}
