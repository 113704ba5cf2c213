package httpcache

import (
	"strconv"
	"strings"
	"time"
)

// A ForwardReason is why a request went to the origin (RFC 9211, 2.2).
type ForwardReason string

// The reasons to forward.
const (
	ForwardBypass   ForwardReason = "bypass"    // the cache is not to handle it
	ForwardMethod   ForwardReason = "method"    // the method wants the origin
	ForwardURIMiss  ForwardReason = "uri-miss"  // nothing is stored for the URI
	ForwardVaryMiss ForwardReason = "vary-miss" // the request selects none of what is stored
	ForwardMiss     ForwardReason = "miss"      // nothing that could be used is stored
	ForwardRequest  ForwardReason = "request"   // what is stored is fresh, but the client wants more
	ForwardStale    ForwardReason = "stale"     // what is stored is stale
	ForwardPartial  ForwardReason = "partial"   // only a part is stored, and not what is asked for
)

// Forward returns the reason of RFC 9211 for one of Reuse.
func (r Reason) Forward() ForwardReason {
	switch r {
	case OtherMethod:
		return ForwardMethod
	case OriginPrecondition, RequestNoCache, RequestMaxAge, RequestMinFresh:
		return ForwardRequest
	case PartMissing:
		return ForwardPartial
	case IsStale, ResponseNoCache, StaleRevalidate, StaleAllowed:
		return ForwardStale
	}
	return ForwardMiss
}

// A CacheStatus is one member of Cache-Status: what one cache did with a request (RFC 9211, 2).
type CacheStatus struct {
	// Cache is the name of the cache.
	Cache string
	// Hit is true if the origin was not asked; then the fields from Forward to Collapsed are not written (2.1).
	Hit bool
	// Forward is why it was asked, ForwardStatus what it answered, if another status than the one that is sent; zero
	// for none (2.3). Stored tells whether the answer is stored (2.5), Collapsed whether another request was waited for
	// (2.6).
	Forward           ForwardReason
	ForwardStatus     int
	Stored, Collapsed bool
	// Left is how long the answer is fresh, negative for stale ones; written if HasLeft is true (2.4).
	Left    time.Duration
	HasLeft bool
	// Key is the key, Detail whatever else there is to know (2.7, 2.8); "" for none.
	Key, Detail string
}

// String returns the member.
func (s CacheStatus) String() string { return string(s.Append(nil)) }

// Append appends the member to b.
func (s CacheStatus) Append(b []byte) []byte {
	b = appendName(b, s.Cache)
	if s.Hit {
		b = append(b, "; hit"...)
	} else if s.Forward != "" {
		b = append(append(b, "; fwd="...), s.Forward...)
		if s.ForwardStatus != 0 {
			b = strconv.AppendInt(append(b, "; fwd-status="...), int64(s.ForwardStatus), 10)
		}
	}
	if s.HasLeft {
		b = strconv.AppendInt(append(b, "; ttl="...), floorSeconds(s.Left), 10)
	}
	if !s.Hit && s.Stored {
		b = append(b, "; stored"...)
	}
	if !s.Hit && s.Collapsed {
		b = append(b, "; collapsed"...)
	}
	if s.Key != "" {
		b = appendString(append(b, "; key="...), s.Key)
	}
	if s.Detail != "" {
		b = appendName(append(b, "; detail="...), s.Detail)
	}
	return b
}

// floorSeconds rounds down, so that what is stale never looks fresh.
func floorSeconds(d time.Duration) int64 {
	n := int64(d / time.Second)
	if d < 0 && d%time.Second != 0 {
		n--
	}
	return min(maxDelta, max(-maxDelta, n))
}

// appendName appends a Token if s is one, and a String if not (RFC 9651, 3.3).
func appendName(b []byte, s string) []byte {
	if s == "" || !isLower(s[0]|0x20) && s[0] != '*' {
		return appendString(b, s)
	}
	for i := 0; i < len(s); i++ {
		if !isTokenByte(s[i]) && s[i] != ':' && s[i] != '/' {
			return appendString(b, s)
		}
	}
	return append(b, s...)
}

// appendString appends a String. What a String cannot hold becomes a question mark.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c < 0x20 || c > 0x7e:
			c = '?'
		case strings.IndexByte(`"\`, c) >= 0:
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
