package admin

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/spec"
)

// The topics that calls stand under, in the order of the reference.
const (
	topicShort     = "Registrations"
	topicInstances = "Instances"
	topicServices  = "Services"
	topicRoutes    = "Routes"
	topicListeners = "Listeners"
	topicConfig    = "Configuration"
	topicTraffic   = "Traffic"
	topicCache     = "Cache"
	topicGateway   = "Gateway"
)

// operations returns the table of all calls.
func operations() []*operation {
	return slices.Concat(
		shortOperations(),
		instanceReads(),
		instanceWrites(),
		instanceSwitches(),
		objectOperations(services(), topicServices, listServices, reflect.TypeFor[client.ServiceInfo](),
			reflect.TypeFor[config.Service](), exampleService()),
		objectOperations(routes(), topicRoutes, listRoutes, reflect.TypeFor[client.RouteInfo](),
			reflect.TypeFor[config.Route](), exampleRoute()),
		objectOperations(listeners(), topicListeners, listListeners, reflect.TypeFor[client.ListenerInfo](),
			reflect.TypeFor[config.Listener](), exampleListener()),
		configOperations(),
		tailOperations(),
		cacheOperations(),
		gatewayOperations(),
		probeOperations(),
	)
}

// objectOperations are the calls of a collection of the configuration.
func objectOperations(
	k *collection, topic string, list func(*Server, *call) (*answer, error), info, object reflect.Type, example any,
) []*operation {
	path := "/v1/" + k.name
	one := path + "/{name}"
	capital := map[string]string{"service": "Service", "route": "Route", "listener": "Listener"}[k.one]
	result := reflect.TypeFor[client.Result]()
	return []*operation{
		{
			method: "GET", path: path, id: "list" + capital + "s", topic: topic,
			summary: "List all " + k.name + ", by name.",
			query:   pageParameters(), handle: list, refusals: []reason{invalidParameter, notReady},
			replies: []reply{{status: 200, doc: "A page of " + k.name + ".", typ: info, shape: page}},
		},
		{
			method: "GET", path: one, id: "get" + capital, topic: topic, summary: "Show one " + k.one + ".",
			tagged:   true,
			refusals: []reason{notFound, notReady},
			replies:  []reply{{status: 200, doc: "The " + k.one + ".", typ: info}},
			handle:   k.get,
		},
		{
			method: "PUT", path: one, id: "put" + capital, topic: topic, summary: "Make or replace a " + k.one + ".",
			doc: "The body is the " + k.one + " as it stands under `" + k.name +
				"` in a configuration file, in JSON or YAML. What it does " +
				"not say has its default. It is kept over a restart. A " + k.one + " of a file cannot be replaced.",
			changes: true, conditional: true, tagged: true, query: []parameter{dryRunParameter()},
			body: &payload{typ: object, doc: "the " + k.one, yaml: true, limit: configBody, example: example},
			refusals: []reason{
				invalidBody, invalidParameter, readOnly, cannotApply, changedMeanwhile, bodyTooLarge,
				invalidConfig, storeFailed, notReady,
			},
			replies: []reply{
				{status: 200, doc: "It has been replaced.", typ: info},
				{status: 201, doc: "It is new.", typ: info},
			},
			handle: k.put,
		},
		{
			method: "DELETE", path: one, id: "delete" + capital, topic: topic, summary: "Remove a " + k.one + ".",
			doc:     "Only one that was made through the API, and only if nothing refers to it.",
			changes: true, conditional: true, query: []parameter{dryRunParameter()},
			refusals: []reason{invalidParameter, notFound, readOnly, inUse, changedMeanwhile, storeFailed, notReady},
			replies:  []reply{{status: 200, doc: "It has been removed.", typ: result}},
			handle:   k.delete,
		},
	}
}

func configOperations() []*operation {
	whole, result := reflect.TypeFor[config.Config](), reflect.TypeFor[client.Result]()
	return []*operation{
		{
			method: "GET", path: "/v1/config", id: "getConfig", topic: topicConfig,
			summary: "Show the configuration that is running.", tagged: true,
			doc: "With `view=api` only what was made through the API, without defaults. Secrets are shown as `***`.",
			query: []parameter{{
				"view", "`effective` is all of it, `api` what was made through the API.",
				&spec.JSONSchema{Type: "string", Enum: []any{"effective", "api"}, Default: "effective"},
			}},
			replies: []reply{{
				status: 200, doc: "The configuration and who owns its objects.",
				typ: reflect.TypeFor[client.ConfigInfo](),
			}},
			refusals: []reason{invalidParameter, notReady}, handle: getConfig,
		},
		{
			method: "PUT", path: "/v1/config", id: "putConfig", topic: topicConfig,
			summary: "Replace what was made through the API.",
			doc: "Objects of files may stand in it if they say what the file says: what was read can be edited and " +
				"sent back. A secret " +
				"that is shown as `***` must be written out or left away.",
			changes: true, conditional: true, query: []parameter{dryRunParameter()},
			body: &payload{
				typ: whole, doc: "the configuration", yaml: true, limit: configBody,
				example: exampleConfig(),
			},
			refusals: []reason{
				invalidBody, invalidParameter, readOnly, cannotApply, changedMeanwhile, bodyTooLarge,
				invalidConfig, storeFailed, notReady,
			},
			replies: []reply{{status: 200, doc: "What has changed.", typ: result}}, handle: putConfig,
		},
		{
			method: "POST", path: "/v1/config/diff", id: "diffConfig", topic: topicConfig,
			summary: "Compare a configuration with the one that is running.",
			doc: "The body is checked as a file would be, and nothing is changed. The answer is what would " +
				"change if it were all there is.",
			body: &payload{
				typ: whole, doc: "the configuration", yaml: true, limit: configBody,
				example: exampleConfig(),
			},
			refusals: []reason{invalidBody, bodyTooLarge, invalidConfig, notReady},
			replies:  []reply{{status: 200, doc: "What would change.", typ: result}}, handle: diffConfig,
		},
		{
			method: "POST", path: "/v1/config/reload", id: "reloadConfig", topic: topicConfig,
			summary: "Read the configuration files again.",
			doc:     "All or nothing: if anything is wrong the running configuration goes on.",
			changes: true, query: []parameter{dryRunParameter()},
			refusals: []reason{cannotApply, invalidConfig, notReady},
			replies:  []reply{{status: 200, doc: "What has changed.", typ: result}}, handle: reloadConfig,
		},
		{
			method: "GET", path: "/v1/schema", id: "getSchema", topic: topicConfig,
			summary: "The JSON Schema of the configuration.", tagged: true,
			doc: "For editors, and for checks before the gateway has seen a file. It includes the filters that " +
				"this gateway was built with.",
			replies: []reply{{status: 200, doc: "A JSON Schema of draft 2020-12.", kind: "application/schema+json"}},
			handle:  getSchema,
		},
	}
}

func gatewayOperations() []*operation {
	return []*operation{
		{
			method: "GET", path: "/v1/status", id: "getStatus", topic: topicGateway, summary: "How the gateway is.",
			replies: []reply{{
				status: 200, doc: "Version, configuration, listeners, store and counts.",
				typ: reflect.TypeFor[client.Status](),
			}},
			refusals: []reason{notReady}, handle: getStatus,
		},
		{
			method: "POST", path: "/v1/explain", id: "explain", topic: topicGateway,
			summary: "Tell what would become of a request, and why.",
			doc:     "Every step runs as it would and says what it decides; nothing is sent, counted or logged.",
			body: &payload{
				typ: reflect.TypeFor[client.Question](), doc: "the request", limit: smallBody,
				example: client.Question{
					Method: "GET", URL: "http://shop.example.com/api/orders",
					Headers: map[string][]string{"X-Canary": {"1"}},
				},
			},
			refusals: []reason{invalidBody, invalidField, bodyTooLarge, notReady},
			replies:  []reply{{status: 200, doc: "The decisions.", typ: reflect.TypeFor[client.Explanation]()}},
			handle:   explain,
		},
		{
			method: "GET", path: "/v1/openapi.json", id: "getOpenAPI", topic: topicGateway,
			summary: "This description.", tagged: true,
			replies: []reply{{
				status: 200, doc: "An OpenAPI 3.1 document.",
				kind: "application/vnd.oai.openapi+json;version=3.1",
			}}, handle: getOpenAPI,
		},
	}
}

func probeOperations() []*operation {
	const text = "text/plain; charset=utf-8"
	return []*operation{
		{
			method: "GET", path: "/livez", id: "livez", topic: topicGateway, summary: "Whether the process lives.",
			open:    true,
			doc:     "Needs no token.",
			replies: []reply{{status: 200, doc: "It does.", kind: text}}, handle: livez,
		},
		{
			method: "GET", path: "/readyz", id: "readyz", topic: topicGateway,
			summary: "Whether traffic should be sent here.", open: true,
			doc: "Needs no token, and never waits for instances.",
			replies: []reply{
				{status: 200, doc: "It should.", kind: text},
				{status: 503, doc: "No configuration is live yet, or the gateway is about to leave; the body says " +
					"which.", kind: text},
			},
			handle: readyz,
		},
		{
			method: "GET", path: "/metrics", id: "metrics", topic: topicGateway, summary: "Metrics for Prometheus.",
			doc: "Needs the token, if there is one: the names of routes, services and instances are in it.",
			replies: []reply{{
				status: 200, doc: "Metrics in the text format, or the one that the scraper asks for.",
				kind: "text/plain",
			}}, handle: metrics,
			refusals: []reason{notFound},
		},
	}
}

// common are the reasons for which any call may be refused that is not open.
func common() []reason {
	return []reason{badRequest, unauthorized, hostRefused, originRefused, internal}
}

// reasons returns all reasons for which the call may be refused, each once, in the order of Reasons.
func (o *operation) reasons() []reason {
	all := slices.Clone(o.refusals)
	if !o.open {
		all = append(all, common()...)
	}
	if len(o.query) > 0 || o.method != http.MethodGet {
		all = append(all, invalidParameter)
	}
	var ordered []reason
	for _, i := range Reasons() {
		if slices.Contains(all, i.Reason) {
			ordered = append(ordered, i.Reason)
		}
	}
	return ordered
}
