package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
)

// admit says who may call: not a page in somebody's browser, whether it is open about its origin or has made its name
// point to this machine, and, if there is a token, only who has it. Such a page cannot have the token, and over TLS the
// certificate is not for its name; so the Host matters only where there is neither.
func (s *Server) admit(r *http.Request) *refusal {
	token := s.token()
	if token == "" && r.TLS == nil && !s.ownHost(r) {
		return refuse(hostRefused, "the Host %q is not the admin API: want %s; with admin.token set any would do",
			r.Host, strings.Join(s.ownHosts(), ", "))
	}
	if err := ownOrigin(r); err != nil {
		return err
	}
	carried, shown := bearer(r)
	if token == "" || same(token, carried) {
		return nil
	}
	challenge := `Bearer realm="sallyport admin"`
	e := refuse(unauthorized, "this admin API wants its token: send Authorization: Bearer TOKEN")
	if shown {
		challenge += `, error="invalid_token"`
		e.detail = "the token is not the one of this admin API"
	}
	e.header = http.Header{"Www-Authenticate": {challenge}}
	return e
}

// token returns the token that calls must carry, "" for none. It may change with the configuration.
func (s *Server) token() string {
	if state := s.opts.Control.State(); state != nil {
		return state.Document.Config.Admin.Token.Reveal()
	}
	return s.opts.Token
}

// bearer returns the token that a call carries, and whether it carries any.
func bearer(r *http.Request) (token string, shown bool) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", scheme != ""
	}
	return strings.TrimSpace(rest), true
}

// same compares two tokens in a time that tells nothing of either, their length included.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// ownHost reports whether the Host of a call names this admin API: a loopback name or address, the host of the
// configured address, or the very address the call came in at. A page whose name was made to point here (DNS rebinding)
// has its own name there. Over TLS the certificate sees to that.
func (s *Server) ownHost(r *http.Request) bool {
	host := hostOf(r.Host)
	if isLoopback(host) {
		return true
	}
	if configured := hostOf(s.opts.Address); configured != "" && strings.EqualFold(host, configured) {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && host != "" && host == hostOf(local.String())
}

// ownHosts are the hosts to suggest.
func (s *Server) ownHosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "[::1]"}
	if h := hostOf(s.opts.Address); h != "" && !isLoopback(h) {
		hosts = append(hosts, h)
	}
	return hosts
}

// ownOrigin refuses calls of web pages other than the admin API's own.
func ownOrigin(r *http.Request) *refusal {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, scheme+r.Host) {
			return refuse(originRefused, "a page of %q may not call the admin API: want no Origin, or %s%s", origin,
				scheme, r.Host)
		}
	}
	site := r.Header.Get("Sec-Fetch-Site")
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !reads && site != "" && site != "same-origin" && site != "none" {
		return refuse(originRefused, "a page of another site may not call the admin API (Sec-Fetch-Site: %s)", site)
	}
	return nil
}

// hostOf returns the host of host:port or host, lower case, without brackets and trailing dot.
func hostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// subject names the client certificate of a call, "" if it has none.
func subject(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return r.TLS.PeerCertificates[0].Subject.String()
}

type idKey struct{}

func withID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

func idOf(ctx context.Context) string {
	id, _ := ctx.Value(idKey{}).(string)
	return id
}

func stack() []byte { return debug.Stack() }
