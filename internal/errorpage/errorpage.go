// Package errorpage writes the body of an error: a page of the configuration or one of three built-in forms, whichever
// the client prefers. It sends nothing and decides no status; that is edge's. It also holds what puts a page in the place
// of an instance's own error. Its main type is Set.
package errorpage

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// Options describe one page.
type Options struct {
	// Statuses that the page is for; empty is every one.
	Statuses Statuses
	// Reasons that it is for, as a further condition; empty is every one.
	Reasons []exchange.Reason
	// Type is the media type, with parameters.
	Type string
	// Text is the template, at most MaxText bytes. The page may share it with others.
	Text string
	// Header holds further fields of the answer; nil for none.
	Header http.Header
	// Default takes the page for clients without a preference, too.
	Default bool
	// Name says which page it is, for the log.
	Name string
}

// A Page is one page, ready to be written. It is immutable but for what it remembers of its complaints.
type Page struct {
	Options
	media    string // the type without parameters, lower case
	template executor
	fixed    []byte // the body of a page that is always the same; nil if it has to be written
	told     atomic.Int64
}

// Compile makes a page. It has been written for each reason that it fits then, so that one that fails later is rare. The
// error is an *Error.
func Compile(o Options) (*Page, error) {
	media, _, _ := strings.Cut(o.Type, ";")
	p := &Page{Options: o, media: strings.ToLower(strings.TrimSpace(media))}
	if err := p.compile(); err != nil {
		return nil, err
	}
	return p, nil
}

// As returns the same page under other conditions: Text and Type of o must be those of p. It is for pages that several
// routes share, so that each is compiled once.
func (p *Page) As(o Options) *Page {
	return &Page{Options: o, media: p.media, template: p.template, fixed: p.fixed}
}

func (p *Page) fits(f *Facts) bool {
	return (p.Statuses.Empty() || p.Statuses.Has(f.Status)) &&
		(len(p.Reasons) == 0 || slices.Contains(p.Reasons, exchange.Reason(f.Reason)))
}

// A Set is the pages of a route or of everything else, those that come first before the others. It is immutable and may
// be used by many goroutines at once. A nil one has the built-in forms alone.
type Set struct {
	pages []*Page
	log   *slog.Logger
}

// NewSet returns the set of these pages, nil if there are none. Of those that fit an error and have the same media type
// the first is taken. A page that fails is reported to the log.
func NewSet(log *slog.Logger, pages ...*Page) *Set {
	if len(pages) == 0 {
		return nil
	}
	return &Set{pages: slices.Clone(pages), log: log}
}

// An Answer is what an error is answered with. Body and Header may be shared: they are not to be changed.
type Answer struct {
	Type   string
	Header http.Header // further fields; nil for none
	Body   []byte
}

// Answer writes the error in the form that the client prefers by its Accept fields.
func (s *Set) Answer(f *Facts, accept []string) Answer {
	var room [8]offer
	offers := room[:0]
	if s != nil {
		for _, p := range s.pages {
			if p.fits(f) && !offered(offers, p.media) {
				offers = append(offers, offer{media: p.media, page: p, rank: p.rank()})
			}
		}
	}
	for _, b := range builtins() {
		if !offered(offers, b.media) {
			offers = append(offers, b)
		}
	}
	best := prefer(offers, accept)
	if p := best.page; p != nil {
		body, err := p.write(f)
		if err == nil {
			return Answer{Type: p.Type, Header: p.Header, Body: body}
		}
		s.complain(p, f, err)
		forms := builtins()
		best = prefer(forms[:], accept)
	}
	return best.builtin(f)
}

// complainEvery is how often one page may say that it failed: a flood of errors is not to be one of the log.
const complainEvery = 10 * time.Second

// complain reports a page that could not be written.
func (s *Set) complain(p *Page, f *Facts, err error) {
	now := time.Now().UnixNano()
	told := p.told.Load()
	if told != 0 && now-told < int64(complainEvery) || !p.told.CompareAndSwap(told, now) {
		return
	}
	s.log.Error("an error page cannot be written, the built-in form is sent", "page", p.Name, "reason", f.Reason,
		"request_id", f.RequestID, "error", err)
}

// rank is where the page stands for a client that takes one form as gladly as another.
func (p *Page) rank() int {
	switch {
	case p.Default:
		return rankDefault
	case p.media == problemType:
		return rankProblem // in the place of the built-in one
	}
	return rankPage
}

// Statuses is a set of the statuses of errors, 400 to 599. The zero value is empty.
type Statuses struct{ bits [4]uint64 }

// Add adds a range with both ends. Other statuses than those of errors are left out.
func (s *Statuses) Add(from, to int) {
	for n := max(from, 400); n <= min(to, 599); n++ {
		s.bits[(n-400)/64] |= 1 << ((n - 400) % 64)
	}
}

// Has tells whether the status is one of the set.
func (s *Statuses) Has(status int) bool {
	n := status - 400
	return 0 <= n && n < 200 && s.bits[n/64]&(1<<(n%64)) != 0
}

// Empty tells whether there is none.
func (s *Statuses) Empty() bool { return s.bits == [4]uint64{} }

// first returns the least status, or the other one if the set is empty.
func (s *Statuses) first(otherwise int) int {
	for n := 400; n < 600; n++ {
		if s.Has(n) {
			return n
		}
	}
	return cmp.Or(otherwise, http.StatusInternalServerError)
}
