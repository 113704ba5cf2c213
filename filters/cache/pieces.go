package cache

import (
	"context"
	"io"

	"github.com/asynched/api-gateway/internal/httpcache"
	"github.com/asynched/api-gateway/internal/objects"
)

// pieces are the body of an answer with several spans. It has a reference of the object.
type pieces struct {
	*hit
	s     *serving
	ctx   context.Context
	p     httpcache.Multipart
	spans []httpcache.Span
	text  []byte // what comes before the span that is read
	ended bool
}

// Read implements io.Reader.
func (p *pieces) Read(b []byte) (int, error) {
	for {
		if len(p.text) > 0 {
			n := copy(b, p.text)
			p.text = p.text[n:]
			return n, nil
		}
		if n, err := p.reader.Read(b); n > 0 || err != io.EOF && err != nil {
			return n, err
		}
		_ = p.reader.Close()
		p.reader = objects.Reader{}
		switch {
		case len(p.spans) > 0:
			span := p.spans[0]
			p.spans = p.spans[1:]
			p.text = p.p.AppendPart(nil, span)
			p.reader = p.s.obj.Reader(p.ctx, p.s.offset(span), span.Len())
		case !p.ended:
			p.ended = true
			p.text = p.p.AppendEnd(nil)
		default:
			return 0, io.EOF
		}
	}
}

// WriteTo hides that of the hit.
func (p *pieces) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{p})
}

// Close lets go of the object.
func (p *pieces) Close() error {
	if !p.closed {
		p.s.obj.Release()
	}
	return p.hit.Close()
}
