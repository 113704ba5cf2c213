package admin

import (
	"reflect"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

func tailOperations() []*operation {
	return []*operation{
		{
			method: "GET", path: "/v1/tail", id: "tail", topic: topicTraffic,
			summary: "Show requests as they end.",
			doc: "The answer goes on: a line of JSON for each request, as in the access log, whether there is one or not. " +
				"With `Accept: text/event-stream` they are server-sent events. All conditions must hold. A list has its " +
				"values separated by commas, a leading `!` is all others, and `*` in a name stands for any text: " +
				"`reason=*` is what failed, `reason=!*` what did not. Who reads too slowly loses lines, and traffic never " +
				"waits: `{\"event\":\"lost\",\"lines\":12}` says how many. `{\"event\":\"heartbeat\"}` comes after 15 s " +
				"without a line, and `{\"event\":\"end\"}` when the gateway leaves. A line without `event` is a request.",
			query: tailParameters(), refusals: []reason{tooManyWatchers, notReady},
			replies: []reply{{status: 200, doc: "Lines, until one side ends it.", kind: "application/x-ndjson"}},
			handle:  watch,
		},
		{
			method: "GET", path: "/v1/traffic", id: "listTraffic", topic: topicTraffic,
			summary: "List what services and their instances have had to do, by service.",
			doc: "What counts, counts from when the service or instance became known: the difference of two answers is what " +
				"was between them, and percentiles are found in the difference of the buckets, within 7 %. Times of a service " +
				"are from when the request came to it to the head of the answer, with the wait for a place, retries and " +
				"hedges; of an instance, those of one attempt with making the connection. Bodies are not part of either.",
			query: pageParameters(
				parameter{"service", "Only this service.", &spec.JSONSchema{Type: "string"}},
				parameter{
					"quiet", "Also services that have had no request.",
					&spec.JSONSchema{Type: "boolean", Default: false},
				},
			),
			refusals: []reason{notFound},
			replies: []reply{{
				status: 200, doc: "A page of services.", typ: reflect.TypeFor[client.ServiceTraffic](), shape: page,
			}},
			handle: listTraffic,
		},
	}
}

func tailParameters() []parameter {
	var all []parameter
	add := func(name, doc string) {
		all = append(all, parameter{name, doc, &spec.JSONSchema{Type: "string"}})
	}
	add("status", "Status codes: `500,502-504`, `5xx`, `!2xx`.")
	add("route", "Routes.")
	add("service", "Services.")
	add("instance", "Instances, by id or address.")
	add("method", "Methods, in upper or lower case.")
	add("host", "Hosts: `*.example.com`.")
	add("path", "Paths: `/api/*`.")
	add("source", "Who made the answer or is at fault: `upstream`, `gateway`, `client`.")
	add("reason", "Reasons of failures: `upstream_timeout`, `upstream_*`, `*`.")
	add("min_duration", "How long it took at least: `250ms`.")
	add("client", "Addresses of clients: `192.0.2.7`, `10.0.0.0/8`.")
	add("request_id", "Request ids.")
	return append(
		all,
		parameter{
			"sample", "The share of these requests to show.",
			&spec.JSONSchema{Type: "number", Minimum: "0", Maximum: "1", Default: 1},
		},
		parameter{
			"explain", "Tell the decisions, too: `steps`. For about a hundred requests a second at most, of those that " +
				"method, host, path, client and request_id allow: other conditions are known only at the end.",
			&spec.JSONSchema{Type: "boolean", Default: false},
		},
	)
}
