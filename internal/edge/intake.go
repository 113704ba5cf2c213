package edge

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/route"
)

// admit turns the request into an exchange: it judges what decides where the request ends and where it goes, removes
// what is only for this connection and what the client has no right to say, and adds what the gateway knows.
func (v *visit) admit() *exchange.Error {
	x, r := &v.x, v.x.Request
	identify(x)
	if err := v.target(); err != nil {
		return err
	}
	if err := v.strip(r.Header); err != nil {
		return err
	}
	v.forward()
	via(r.Header, r.ProtoMajor, r.ProtoMinor)
	return v.takeBody()
}

// maxMethod is longer than any method that is registered.
const maxMethod = 64

// target judges the method, the host and the path.
func (v *visit) target() *exchange.Error {
	x, r := &v.x, v.x.Request
	switch s := r.URL.Scheme; {
	case r.Method == http.MethodConnect:
		return exchange.Errorf(exchange.BadRequest, "CONNECT is not served here")
	case len(r.Method) > maxMethod || !httpguts.ValidHeaderFieldName(r.Method): // a method is a token, as a field name is
		return exchange.Errorf(exchange.BadRequest, "the method is malformed or longer than %d characters", maxMethod)
	case s != "" && s != "http" && s != "https":
		return exchange.Errorf(exchange.BadRequest, "the scheme %q is not served here", s)
	case s != "" && r.URL.Host == "":
		return exchange.Errorf(exchange.BadHost, "the URL of the request line has no host")
	case len(r.Header["Content-Length"]) > 1:
		return exchange.Errorf(exchange.BadRequest, "content-length is there more than once")
	case r.ContentLength == 0 && strings.Trim(r.Header.Get("Content-Length"), "0") != "":
		// Where there is no body, the engine for HTTP/2 does not look at the length.
		return exchange.Errorf(exchange.BadRequest, "content-length is not the length of the body")
	}
	host, err := route.CanonicalHost(r.Host)
	if err != nil {
		return exchange.Errorf(exchange.BadHost, "%v", err)
	}
	x.Host = host
	raw := rawPath(r)
	if raw == "*" && r.Method == http.MethodOptions {
		x.Path, x.RawPath, v.path = raw, raw, raw
		return nil
	}
	v.path = raw
	if x.Path, x.RawPath, err = route.CanonicalPath(raw); err != nil {
		return exchange.Errorf(exchange.BadPath, "%v", err)
	}
	v.path = x.Path
	return nil
}

// rawPath returns the path as it was sent. The parsed URL has lost which bytes were escaped.
func rawPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	if p := r.URL.EscapedPath(); p != "" {
		return p
	}
	return "/"
}

// hopByHop reports whether a field speaks of one connection only (RFC 9110, 7.6.1), apart from those that Connection names.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Te", "Transfer-Encoding", "Upgrade",
		"Proxy-Authenticate", "Proxy-Authorization", "Http2-Settings":
		return true
	}
	return false
}

// strip removes hop-by-hop fields and those that only the gateway may set, and counts the rest. It notes an upgrade
// before it forgets it.
func (v *visit) strip(h http.Header) *exchange.Error {
	upgrade, connection := upgradeOf(v.x.Request), h["Connection"]
	trailers := httpguts.HeaderValuesContainsToken(h["Te"], "trailers")
	fields := 0
	for name, values := range h {
		fields += len(values)
		if hopByHop(name) || reserved(name) {
			delete(h, name)
		}
	}
	if limit := v.config.Limits.Headers; limit > 0 && fields > limit {
		return exchange.Errorf(exchange.TooManyHeaders, "the request has %d header fields, and %d are allowed", fields, limit)
	}
	v.x.Upgrade = upgrade
	dropListed(h, connection)
	if trailers {
		h["Te"] = teTrailers
	}
	return nil
}

var teTrailers = []string{"trailers"}

// dropConnectionFields removes what must not go further than this connection.
func dropConnectionFields(h http.Header) {
	connection := h["Connection"]
	for name := range h {
		if hopByHop(name) {
			delete(h, name)
		}
	}
	dropListed(h, connection)
}

// dropListed removes the fields that a Connection field lists.
func dropListed(h http.Header, connection []string) {
	for _, list := range connection {
		for name := range strings.SplitSeq(list, ",") {
			// What ends a message, or says where it goes, is not the sender's to hide.
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" && name != "Host" && name != "Content-Length" {
				delete(h, name)
			}
		}
	}
}

// reserved reports whether a field says who the client is. Instances take such a field for the gateway's word, so one
// that comes from outside is dropped. Many servers read '_' as '-', so that spelling is dropped too, for the forwarding
// fields as well.
func reserved(name string) bool {
	if len(name) > 0 && (name[0] == 'X' || name[0] == 'x') && len(name) > 10 && strings.EqualFold(dashed(name[:11]), "X-Consumer-") {
		return true
	}
	if strings.IndexByte(name, '_') < 0 {
		return false
	}
	switch http.CanonicalHeaderKey(dashed(name)) {
	case fieldFor, fieldProto, fieldHost, fieldRealIP, fieldForwarded, "X-Forwarded-Port", "X-Forwarded-Prefix",
		"Content-Length", "Transfer-Encoding", "Host":
		return true
	}
	return false
}

func dashed(name string) string {
	if strings.IndexByte(name, '_') < 0 {
		return name
	}
	return strings.ReplaceAll(name, "_", "-")
}

// upgradeOf returns the protocol that the client asks to switch to, in lower case, or "". HTTP/2 in the clear is known
// in advance or not at all (RFC 9113, 3.1), and an instance must never get to see a request for it.
func upgradeOf(r *http.Request) string {
	if r.ProtoMajor != 1 || r.ProtoMinor == 0 || !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade") {
		return ""
	}
	protocol := strings.ToLower(strings.TrimSpace(r.Header.Get("Upgrade")))
	if protocol == "h2c" || !httpguts.ValidHeaderFieldName(strings.ReplaceAll(protocol, "/", "")) {
		return ""
	}
	return protocol
}
