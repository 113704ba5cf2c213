package cache

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/spec"
)

const (
	methodPurge = "PURGE"
	fieldSoft   = "Sallyport-Soft-Purge"
)

// A purger answers requests with the method PURGE. They never reach the service.
type purger struct {
	from    []spec.CIDR
	key     *keyer
	exact   bool // all that is kept for a URL stands under one key, unless it varies
	objects objects.Storage
	log     *slog.Logger
	results [purgeResults]filter.Counter
}

// A purgeResult is what came of a request with PURGE.
type purgeResult uint8

const (
	purgedHard purgeResult = iota
	purgedSoft
	purgeRefused
	purgeInvalid
	purgeFailed
	purgeResults
)

// newPurger returns nil if nobody may purge.
func newPurger(f *Cache, c *cache, b *filter.Build) (*purger, error) {
	if len(f.Purge.From) == 0 {
		return nil, nil
	}
	p := &purger{
		from: f.Purge.From, key: c.key, exact: c.key.plain() && !c.methods[methodQuery], objects: c.store.objects, log: c.log,
	}
	for i, result := range [...]string{"purged", "softly purged", "refused", "invalid", "failed"} {
		var err error
		if p.results[i], err = b.Counter("cache_purge_requests_total", "Requests with the method PURGE, by what came of them.", "result", result); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// handle purges what is kept for the URL of the request, as HTTP and as HTTPS: who purges often comes another way than
// those for whom it was kept.
func (p *purger) handle(x *exchange.Exchange) (*http.Response, error) {
	if !p.admits(x.Client.Addr()) && !x.Rehearsal {
		p.results[purgeRefused].Inc()
		return nil, exchange.Errorf(exchange.PurgeRefused, "%s may not purge", x.Client.Addr())
	}
	soft, err := softly(x.Request.Header)
	if err != nil {
		p.results[purgeInvalid].Inc()
		return nil, err
	}
	list := p.urls(x)
	if x.Rehearsal {
		x.Note(exchange.StageCache, "cache", "would purge", strings.Join(list, ", ")+"; from addresses that may")
		return p.answer(x, list, soft), nil
	}
	for _, one := range list {
		if err := p.purge(x.Request.Context(), one+string(sep)+p.key.space, soft); err != nil {
			p.results[purgeFailed].Inc()
			return nil, exchange.Errorf(exchange.Internal, "the purge of %s failed: %v", one, err).Because(err)
		}
	}
	result := purgedHard
	if soft {
		result = purgedSoft
	}
	p.results[result].Inc()
	x.Note(exchange.StageCache, "cache", "purged", strings.Join(list, ", "))
	p.log.Info("cache purged", "by", "url", "what", list, "soft", soft, "client", x.Client.Addr().String(), "request_id", x.ID)
	return p.answer(x, list, soft), nil
}

// purge drops what has a key, and the variants of it. Without variants it does not cost what a purge by prefix does.
func (p *purger) purge(ctx context.Context, key string, soft bool) error {
	what := objects.Purge{Scope: objects.ByPrefix, Text: key, Soft: soft}
	if p.exact {
		obj, err := p.objects.Peek(ctx, []byte(key))
		varies := false
		if err == nil {
			_, varies = obj.Meta().Value.(*index)
			obj.Release()
		}
		if !varies {
			what.Scope = objects.ByKey
		}
	}
	return p.objects.Purge(ctx, what)
}

// admits reports whether a client may purge.
func (p *purger) admits(client netip.Addr) bool {
	client = client.Unmap().WithZone("")
	return slices.ContainsFunc(p.from, func(c spec.CIDR) bool { return c.Contains(client) })
}

// urls returns what the request is about, as keys have it.
func (p *purger) urls(x *exchange.Exchange) []string {
	var list []string
	u := x.Request.URL
	for _, scheme := range [...]string{"http", "https"} {
		b := appendURL(nil, scheme, hostBy(x, scheme), x.Path, p.key.query(u), u.ForceQuery)
		list = append(list, string(b[:len(b)-1]))
	}
	return list
}

// softly reports whether a request wants what it names to be marked stale, and not to be dropped.
func softly(h http.Header) (bool, error) {
	switch first(h, fieldSoft) {
	case "", "0":
		return false, nil
	case "1":
		return true, nil
	}
	return false, exchange.Errorf(exchange.BadRequest, "%s: want 1 or 0", fieldSoft)
}

// answer says what was purged.
func (p *purger) answer(x *exchange.Exchange, list []string, soft bool) *http.Response {
	text, _ := json.Marshal(struct { // strings have a JSON form
		Purged []string `json:"purged"`
		Soft   bool     `json:"soft"`
	}{list, soft})
	text = append(text, '\n')
	header := http.Header{
		"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}, "Content-Length": {strconv.Itoa(len(text))},
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Body: io.NopCloser(strings.NewReader(string(text))), ContentLength: int64(len(text)), Request: x.Request,
	}
}
