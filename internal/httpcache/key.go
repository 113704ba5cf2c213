package httpcache

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strings"
)

// Key returns the primary key of a URI (2): GET, HEAD and the POST that is as good as a GET share it, so the method is
// not part of it. Scheme and host are in lower case, the path is escaped and canonical, the query is without its
// question mark; an empty query is another URI than none, which hasQuery tells.
func Key(scheme, host, path, query string, hasQuery bool) string {
	var b strings.Builder
	b.Grow(len(scheme) + len(host) + len(path) + len(query) + len("://?"))
	b.WriteString(scheme)
	b.WriteString("://")
	b.WriteString(host)
	b.WriteString(path)
	if hasQuery {
		b.WriteByte('?')
		b.WriteString(query)
	}
	return b.String()
}

// A ContentKey makes the key of a QUERY out of its URI's key and its content, byte by byte as it is written to it. The
// content and what its bytes mean belong to the key (draft-ietf-httpbis-safe-method-w-body, 2.7). No URI has such a
// key.
type ContentKey struct {
	uri  string
	hash hash.Hash
}

// NewContentKey begins a key for the URI's key and the header of the request.
func NewContentKey(uri string, header http.Header) *ContentKey {
	k := &ContentKey{uri: uri, hash: sha256.New()}
	for _, name := range [...]string{"Content-Type", "Content-Encoding", "Content-Language"} {
		for one := range splitList(joined(header, name)) {
			_, _ = io.WriteString(k.hash, one+"\x01") // a hash never fails
		}
		_, _ = io.WriteString(k.hash, "\x00")
	}
	return k
}

// Write adds bytes of the content. It never fails.
func (k *ContentKey) Write(b []byte) (int, error) { return k.hash.Write(b) }

// Key returns the key of what has been written.
func (k *ContentKey) Key() string { return k.uri + " QUERY " + hex.EncodeToString(k.hash.Sum(nil)) }
