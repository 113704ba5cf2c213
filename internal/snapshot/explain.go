package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/route"
)

// An Explanation is what would become of a request, and why.
type Explanation struct {
	// Method, Host and Path are what is judged: the host and path in their canonical form.
	Method string `json:"method"`
	Host   string `json:"host"`
	Path   string `json:"path"`
	// Route, Service, Instance and Address are what would serve it; empty if nothing would.
	Route    string `json:"route,omitempty"`
	Service  string `json:"service,omitempty"`
	Instance string `json:"instance,omitempty"`
	Address  string `json:"address,omitempty"`
	// Status and Reason are the gateway's own answer, where it would answer itself. Reason is empty for one that a route
	// asks for.
	Status int             `json:"status,omitempty"`
	Reason exchange.Reason `json:"reason,omitempty"`
	Detail string          `json:"detail,omitempty"`
	// Cached is true if the answer would come out of the cache. CacheURL is the URL under which that was looked for; "" if
	// the request meets no cache.
	Cached   bool   `json:"cached,omitempty"`
	CacheURL string `json:"cache_url,omitempty"`
	// Steps are the decisions, in their order.
	Steps []exchange.Step `json:"steps"`
}

// Explain rehearses a request: every step runs as it would and says what it decides, but nothing is sent, counted or
// logged. The URL must be absolute. An error means that there is no such request.
func (s *Snapshot) Explain(ctx context.Context, method, rawURL string, header http.Header) (*Explanation, error) {
	x, err := rehearsal(ctx, method, rawURL, header)
	if err != nil {
		return nil, err
	}
	path := x.Path // filters may rewrite it
	resp, err := s.Handle(x)
	e := &Explanation{
		Method: method, Host: x.Host, Path: path, Route: x.Route, Service: x.Service, Instance: x.Instance, Address: x.Address, Steps: x.Record.Steps,
		Cached: x.Cached, CacheURL: x.Record.CacheURL,
	}
	var failed *exchange.Error
	switch {
	case errors.As(err, &failed):
		e.Status, e.Reason, e.Detail = failed.Status, failed.Reason, failed.Detail
	case err != nil:
		return nil, err
	case x.Instance == "":
		e.Status = resp.StatusCode
	}
	if resp != nil {
		_, _ = io.Copy(io.Discard, resp.Body) // made here, a few bytes
		_ = resp.Body.Close()
	}
	return e, nil
}

// rehearsal makes the exchange of a request that nobody sent.
func rehearsal(ctx context.Context, method, rawURL string, header http.Header) (*exchange.Exchange, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q: want a URL with scheme and host, such as http://shop.example.com/api", rawURL)
	}
	r, err := http.NewRequestWithContext(ctx, method, rawURL, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, rawURL, err)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	x := &exchange.Exchange{
		Request: r, Scheme: u.Scheme, Record: new(exchange.Record), Rehearsal: true, Listener: "(explain)",
		Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0), ID: "explain",
	}
	x.Timings.Start = time.Now()
	if x.Host, err = route.CanonicalHost(r.Host); err != nil {
		return nil, fmt.Errorf("host %q: %w", r.Host, err)
	}
	path := u.EscapedPath()
	if rest := strings.TrimPrefix(rawURL[strings.Index(rawURL, "://")+3:], u.Host); strings.HasPrefix(rest, "/") {
		path, _, _ = strings.Cut(rest, "?") // as it was written: parsing loses what was escaped
	}
	if path == "" {
		path = "/"
	}
	if x.Path, x.RawPath, err = route.CanonicalPath(path); err != nil {
		return nil, fmt.Errorf("path %q: %w", path, err)
	}
	if x.Path != path {
		x.Note(exchange.StageEdge, "path", "made canonical", fmt.Sprintf("%s is judged as %s", path, x.Path))
	}
	return x, nil
}

// noteVerdicts notes what became of each route, and of the registered host: the winner first, then the others in the
// order of the table.
func (s *Snapshot) noteVerdicts(x *exchange.Exchange, q *route.Query) {
	destination, _ := s.hosts(x.Host)
	registered, verdicts := destination != nil, s.table.Explain(q)
	byHost := len(verdicts) > 0 && verdicts[0].Won && verdicts[0].ByHost
	if registered && !byHost {
		x.Note(exchange.StageMatch, x.Host, "won", registeredWon)
	}
	for i, v := range verdicts {
		verdict := "lost"
		switch {
		case v.Won && registered && !byHost:
			v.Why = "a registered host comes before a route that names no host"
		case v.Won:
			verdict = "won"
		}
		if v.Route.Where != "" {
			v.Why += " (" + v.Route.Where + ")"
		}
		x.Note(exchange.StageMatch, v.Route.Name, verdict, v.Why)
		if registered && byHost && i == 0 {
			x.Note(exchange.StageMatch, x.Host, "lost", "the host is registered, but comes after a route that names it")
		}
	}
}

// registeredWon is why a registered host takes a request.
const registeredWon = "the host is registered, and no route names it"

// noteWinner notes what takes a live request: a route, or the registered host if that is nil. The others are not looked
// at, because that takes time in proportion to the table.
func (s *Snapshot) noteWinner(x *exchange.Exchange, q *route.Query, won *route.Route) {
	if !x.Explaining() || x.Rehearsal {
		return
	}
	if won == nil {
		x.Note(exchange.StageMatch, x.Host, "won", registeredWon)
		return
	}
	why := s.table.Why(q, won)
	if won.Where != "" {
		why += " (" + won.Where + ")"
	}
	x.Note(exchange.StageMatch, won.Name, "won", why)
}

// noteMiss notes that nothing takes a live exchange. Why each route was passed over is for a rehearsal to say, which may
// take its time.
func noteMiss(x *exchange.Exchange, miss route.Miss) {
	if !x.Explaining() || x.Rehearsal {
		return
	}
	why := "no route and no registered host takes it"
	if miss.Any() {
		why = "routes take it, but not by this method"
	}
	x.Note(exchange.StageMatch, x.Host, "lost", why+"; `sallyport explain` tells why each one was passed over")
}
