package upstream

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
)

// target fills in the request. The path is sent as it stands, byte for byte: an opaque URL is not escaped once more.
func (a *attempt) target(preserveHost bool) {
	r, u := a.x.Request, &a.url
	u.Scheme, u.Host = a.route.service.settings.scheme, a.instance.Address
	u.RawQuery, u.ForceQuery = r.URL.RawQuery, r.URL.ForceQuery
	if strings.HasPrefix(a.x.Path, "//") { // opaque would be taken for an authority
		u.RawPath = a.x.Path
		u.Path, _ = url.PathUnescape(a.x.Path)
	} else {
		u.Opaque = a.x.Path
	}
	ctx := a.begins(r)
	if g := a.route.service.guard; g != nil {
		ctx = g.asking(ctx)
	}
	a.trace.GotConn = a.gotConn
	if a.route.service.settings.http2 {
		a.trace.WroteHeaders = a.wroteHeaders
	}
	if a.x.Inform != nil {
		a.trace.Got1xxResponse = a.got1xx
	}
	a.request = *(&http.Request{
		Method: r.Method, URL: u, Header: r.Header, Trailer: r.Trailer, ContentLength: r.ContentLength, Host: r.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(httptrace.WithClientTrace(ctx, &a.trace))
	if !preserveHost {
		a.request.Host = ""
	}
	a.attach()
}

// begins returns a context that ends when the exchange's does, or when the attempt is cancelled. But an end of the exchange's
// that only comes of a body that the engine for HTTP/2 has let go of is none: the answer may be under way.
func (a *attempt) begins(r *http.Request) (ctx context.Context) {
	if !a.route.service.settings.http2 || r.ProtoMajor != 1 || r.Body == nil || r.Body == http.NoBody {
		ctx, a.cancel = context.WithCancelCause(r.Context())
		return ctx
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	forget := context.AfterFunc(r.Context(), func() {
		if !a.out.dropped() {
			cancel(context.Cause(r.Context()))
		}
	})
	a.cancel = func(why error) {
		forget() // or each request would begin a goroutine when it ends
		cancel(why)
	}
	return ctx
}

// attach gives the request its body. Where the engine would otherwise send a request without one again by itself, although
// an instance may have acted upon it, it is kept from that: with HTTP/2, after a reset stream, by a body that is empty;
// with HTTP/1.1 by a spelling of the idempotency key that the engine does not look for.
func (a *attempt) attach() {
	r, http2 := a.x.Request, a.route.service.settings.http2
	a.out.attempt = a
	switch {
	case r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0:
		a.out.from = r.Body
		if s, ok := r.Body.(*spool); ok {
			a.out.from = s.play(a)
		}
		a.request.Body = &a.out
		if len(r.Trailer) > 0 && !http2 {
			a.request.ContentLength = -1 // trailers need chunks
		}
	case safe(r.Method):
	case http2:
		a.out.from = http.NoBody
		a.request.Body = &a.out
	case r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil:
		h := maps.Clone(r.Header)
		for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
			if values, ok := h[name]; ok {
				delete(h, name)
				h[strings.ToLower(name)] = values
			}
		}
		a.request.Header = h
	}
}

// safe tells whether the method asks for nothing to be changed (RFC 9110, 9.2.1).
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}
