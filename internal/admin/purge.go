package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/filters/cache"
	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/internal/route"
	"github.com/asynched/api-gateway/internal/snapshot"
)

// A purgePlan is what a call wants to be purged: by what, and each of these.
type purgePlan struct {
	by     string
	what   []string
	counts []objects.Query // together they are about all of it
	do     func(ctx context.Context, one string, soft bool) error
}

// maxCounted is how many objects a dry run counts.
const maxCounted = 100_000

func purgeCache(s *Server, c *call) (*answer, error) {
	var p client.CachePurge
	if err := decode(c, &p); err != nil {
		return nil, err
	}
	snap, leave, err := s.cached()
	if err != nil {
		return nil, err
	}
	defer leave()
	plan, err := planPurge(c, snap, &p)
	if err != nil {
		return nil, err
	}
	done := client.CachePurged{By: plan.by, What: plan.what, Soft: p.Soft, DryRun: c.dryRun}
	if c.dryRun {
		err = plan.count(c, snap.Cache, &done)
		return &answer{body: done}, err
	}
	if p.All {
		n := snap.Cache.Stats().Objects
		done.Objects = &n
	}
	for _, one := range orAll(plan.what) {
		if err := plan.do(c.r.Context(), one, p.Soft); err != nil {
			return nil, notPurged(err)
		}
	}
	s.opts.Log.Info("cache purged", "by", plan.by, "what", plan.what, "soft", p.Soft, "remote", c.r.RemoteAddr,
		"client", subject(c.r), "request_id", c.id)
	return &answer{body: done}, nil
}

// orAll returns what there is to purge one after another: once, without a name, for everything.
func orAll(what []string) []string {
	if len(what) == 0 {
		return []string{""}
	}
	return what
}

// notPurged says what it means that a purge failed.
func notPurged(err error) error {
	if errors.Is(err, objects.ErrDisk) {
		return &refusal{
			reason: cannotApply, cause: err,
			detail: fmt.Sprintf("it is purged, but that could not be written to the disk and is forgotten at the next start: %v", err),
		}
	}
	return err
}

// planPurge reads what is to be purged.
func planPurge(c *call, snap *snapshot.Snapshot, p *client.CachePurge) (*purgePlan, error) {
	given := 0
	for _, is := range []bool{p.URL != "", p.Prefix != "", len(p.Tags) > 0, p.Host != "", p.All} {
		if is {
			given++
		}
	}
	if given != 1 {
		return nil, refuse(invalidBody, "body: want exactly one of url, prefix, tags, host and all, got %d of them", given)
	}
	control := snap.Cache
	plan := &purgePlan{by: "all", counts: []objects.Query{{}}, do: func(ctx context.Context, _ string, soft bool) error { return control.PurgeAll(ctx, soft) }}
	var err error
	switch {
	case p.URL != "":
		plan.by = "url"
		plan.do = func(ctx context.Context, one string, soft bool) error {
			return control.PurgePrefix(ctx, cache.KeyPrefix(one), soft)
		}
		if plan.what, _, err = cachedAs(c, snap, p.URL); err != nil {
			return nil, refuse(invalidField, "url: %v", err)
		}
		plan.counts = queries(plan.what, func(one string) objects.Query { return objects.Query{Prefix: cache.KeyPrefix(one)} })
	case p.Prefix != "":
		plan.by, plan.do = "prefix", control.PurgePrefix
		if plan.what, err = snapshot.CacheURLs(p.Prefix); err != nil {
			return nil, refuse(invalidField, "prefix: %v", err)
		}
		plan.counts = queries(plan.what, func(one string) objects.Query { return objects.Query{Prefix: one} })
	case len(p.Tags) > 0:
		plan.by, plan.do, plan.what = "tag", control.PurgeTag, p.Tags
		plan.counts = []objects.Query{{Tags: p.Tags}}
		if i := slices.IndexFunc(p.Tags, func(tag string) bool { return !isTag(tag) }); i >= 0 {
			return nil, refuse(invalidField, "tags: %q is none: want 1 to %d characters without spaces and commas", p.Tags[i], objects.MaxTag)
		}
	case p.Host != "":
		plan.by, plan.do = "host", control.PurgeHost
		host, err := cacheHost(p.Host)
		if err != nil {
			return nil, refuse(invalidField, "host: %v", err)
		}
		plan.what, plan.counts = []string{host}, []objects.Query{{Host: host}}
	}
	return plan, nil
}

func isTag(tag string) bool {
	return tag != "" && len(tag) <= objects.MaxTag && !strings.ContainsAny(tag, ", \t")
}

// cacheHost returns a host in the form in which answers have it.
func cacheHost(text string) (string, error) {
	if strings.ContainsAny(text, "/?#@") {
		return "", fmt.Errorf("%q is a URL: want the host alone", text)
	}
	return route.CanonicalHost(text)
}

func queries(what []string, query func(string) objects.Query) []objects.Query {
	list := make([]objects.Query, len(what))
	for i, one := range what {
		list[i] = query(one)
	}
	return list
}

// count says how many objects the purge is about.
func (p *purgePlan) count(c *call, in *cache.Control, into *client.CachePurged) error {
	n := int64(0)
	for _, q := range p.counts {
		more, err := in.Count(c.r.Context(), q, maxCounted+1-int(n))
		if err != nil {
			return err
		}
		n += int64(more)
	}
	into.More = n > maxCounted
	n = min(n, maxCounted)
	into.Objects = &n
	return nil
}
