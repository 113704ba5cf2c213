package admin

import (
	"reflect"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

func cacheOperations() []*operation {
	text := &spec.JSONSchema{Type: "string"}
	return []*operation{
		{
			method: "GET", path: "/v1/cache", id: "getCache", topic: topicCache, summary: "Show how the cache is.",
			doc:      "What it holds and may hold, what it was asked for, and what left it for which reason, since it was opened.",
			refusals: []reason{noCache, notReady}, handle: cacheStats,
			replies: []reply{{status: 200, doc: "How it is.", typ: reflect.TypeFor[client.CacheStats]()}},
		},
		{
			method: "GET", path: "/v1/cache/objects", id: "listCacheObjects", topic: topicCache,
			summary: "List answers that are kept.",
			doc: "Those that match all that is asked for, in the order of their URLs. It looks at all that is kept, which takes " +
				"a moment, and counts as no use of it.",
			query: []parameter{
				{"prefix", "How their URLs begin, with scheme and host: `https://shop.example.com/img/`.", text},
				{"host", "The host of their URLs.", text},
				{"tag", "A tag that they have.", text},
				{
					"limit", "How many to return at most.",
					&spec.JSONSchema{Type: "integer", Minimum: "1", Maximum: "1000", Default: defaultLimit},
				},
			},
			refusals: []reason{invalidParameter, noCache, notReady}, handle: listCache,
			replies: []reply{{status: 200, doc: "The answers.", typ: reflect.TypeFor[client.CacheListing]()}},
		},
		{
			method: "GET", path: "/v1/cache/inspect", id: "inspectCache", topic: topicCache,
			summary: "Show what is kept for a URL, and why it is fresh or not.",
			doc: "All variants, and what would become of a GET without further fields now. Nothing is sent, counted or changed. " +
				"What is secret in an answer (`Set-Cookie` and the like) is shown as `***`.",
			query:    []parameter{{"url", "The URL, with scheme and host.", text}},
			refusals: []reason{invalidParameter, noCache, notReady}, handle: inspectCache,
			replies: []reply{{status: 200, doc: "What is kept.", typ: reflect.TypeFor[client.CacheInspection]()}},
		},
		{
			method: "POST", path: "/v1/cache/purge", id: "purgeCache", topic: topicCache,
			summary: "Purge by URL, prefix, tag or host, or everything.",
			doc: "When the answer comes, nothing of it is served any more, and nothing of it is stored that was on its way; this " +
				"takes as long for one answer as for all. The room is given back in the background. Only a dry run looks at all " +
				"that is kept, to count it, up to 100000.",
			changes: true, query: []parameter{dryRunParameter()},
			body: &payload{
				typ: reflect.TypeFor[client.CachePurge](), doc: "what to purge", limit: smallBody,
				example: client.CachePurge{Tags: []string{"product-17"}, Soft: true},
			},
			refusals: []reason{invalidBody, invalidField, invalidParameter, noCache, cannotApply, bodyTooLarge, notReady},
			handle:   purgeCache,
			replies:  []reply{{status: 200, doc: "What was purged.", typ: reflect.TypeFor[client.CachePurged](), dry: true}},
		},
	}
}
