package upstream

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// A sticky keeps a client on its instance by a cookie. The value is a hash of the instance's id: it tells nothing of
// where the instance is, and who makes one up gets another instance at best.
type sticky struct {
	cookie string
	ttl    time.Duration
}

// value returns the value of the cookie for an instance.
func (s *sticky) value(i *Instance) string {
	sum := sha256.Sum256([]byte("sallyport instance\x00" + i.Service + "\x00" + i.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// stuck returns the instance that the client's cookie names, or nil if there is none that may be picked.
func (p *picker) stuck(x *exchange.Exchange, s *sticky) *Instance {
	if s == nil {
		return nil
	}
	return p.sticky[cookieOf(x.Request.Header["Cookie"], s.cookie)]
}

// set puts the cookie for an instance on a response, unless the client has it.
func (s *sticky) set(x *exchange.Exchange, i *Instance, h http.Header) {
	value := s.value(i)
	if cookieOf(x.Request.Header["Cookie"], s.cookie) == value {
		return
	}
	line := s.cookie + "=" + value + "; Path=/"
	if s.ttl > 0 {
		line += "; Max-Age=" + strconv.FormatInt(int64((s.ttl+time.Second-1)/time.Second), 10)
	}
	line += "; HttpOnly; SameSite=Lax"
	if x.Scheme == "https" {
		line += "; Secure"
	}
	h.Add("Set-Cookie", line)
}
