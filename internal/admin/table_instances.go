package admin

import (
	"reflect"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

// shortOperations are registrations in the form that the project's users have always known. Their shape is a promise:
// nothing may be added to it.
func shortOperations() []*operation {
	one := reflect.TypeFor[client.Registered]()
	message := reflect.TypeFor[client.Message]()
	return []*operation{
		{
			method: "POST", path: "/services", id: "register", topic: topicShort,
			summary: "Register an instance of the service that serves a host.",
			doc: "When the answer comes the instance can be routed to. The same host and address again is no error: " +
				"labels are updated, " +
				"the id stays, and the status is 200 instead of 201. The body is read as JSON whatever the " +
				"Content-Type says.",
			changes: true,
			body: &payload{
				typ:   reflect.TypeFor[client.Registration](),
				doc:   "an object with host and address, and name, tag and ttl if need be",
				limit: smallBody, example: exampleRegistration(),
			},
			refusals: []reason{invalidBody, invalidField, hostTaken, cannotApply, bodyTooLarge, storeFailed, notReady},
			replies: []reply{
				{status: 201, doc: "It is a new one.", typ: one, shape: data, example: exampleRegistered()},
				{status: 200, doc: "It was registered before.", typ: one, shape: data},
			},
			handle: register,
		},
		{
			method: "GET", path: "/services", id: "listRegistrations", topic: topicShort,
			summary: "List all registered instances.",
			replies: []reply{{status: 200, doc: "All of them, the oldest first.", typ: one, shape: many}},
			handle:  listRegistrations,
		},
		{
			method: "GET", path: "/services/{id}", id: "getRegistration", topic: topicShort,
			summary:  "Show one registered instance.",
			refusals: []reason{notFound},
			replies:  []reply{{status: 200, doc: "The instance.", typ: one, shape: data}}, handle: getRegistration,
		},
		{
			method: "DELETE", path: "/services/{id}", id: "deregister", topic: topicShort,
			summary: "Deregister an instance.",
			doc:     "Requests that are open with it finish.", changes: true, refusals: []reason{notFound, storeFailed},
			replies: []reply{{status: 200, doc: "It has been removed.", typ: message, example: exampleMessage()}}, handle: deregister,
		},
		{
			method: "GET", path: "/health/check", id: "health", topic: topicShort, summary: "The gateway's own health.",
			open:    true,
			doc:     "Needs no token.",
			replies: []reply{{status: 200, doc: "It is up.", typ: reflect.TypeFor[client.GatewayHealth]()}},
			handle:  health,
		},
	}
}

// The paths of instances in their full form.
const (
	instancesPath = "/v1/services/{name}/instances"
	instancePath  = instancesPath + "/{id}"
)

// instanceReads show instances in their full form.
func instanceReads() []*operation {
	instance := reflect.TypeFor[client.InstanceInfo]()
	status := &spec.JSONSchema{Type: "string", Enum: []any{"unknown", "healthy", "unhealthy"}}
	return []*operation{
		{
			method: "GET", path: "/v1/instances", id: "listInstances", topic: topicInstances,
			summary: "List the instances of all services.",
			query: pageParameters(
				parameter{"service", "Only those of this service.", &spec.JSONSchema{Type: "string"}},
				parameter{"status", "Only those of this status.", status},
			),
			refusals: []reason{invalidParameter},
			replies: []reply{{
				status: 200, doc: "A page of instances, by service and id.", typ: instance,
				shape: page,
			}}, handle: listInstances,
		},
		{
			method: "GET", path: instancesPath, id: "listServiceInstances", topic: topicInstances,
			summary:  "List the instances of a service, by id.",
			query:    pageParameters(parameter{"status", "Only those of this status.", status}),
			refusals: []reason{invalidParameter, notFound, notReady},
			replies:  []reply{{status: 200, doc: "A page of instances.", typ: instance, shape: page}},
			handle:   listServiceInstances,
		},
		{
			method: "GET", path: instancePath, id: "getInstance", topic: topicInstances,
			summary: "Show one instance, as it is at this moment.", tagged: true,
			refusals: []reason{notFound, notReady},
			replies:  []reply{{status: 200, doc: "The instance.", typ: instance}}, handle: getInstance,
		},
	}
}

// instanceWrites change them.
func instanceWrites() []*operation {
	instance, result := reflect.TypeFor[client.InstanceInfo](), reflect.TypeFor[client.Result]()
	return []*operation{
		{
			method: "PUT", path: instancePath, id: "putInstance", topic: topicInstances,
			summary: "Make or replace an instance.",
			doc: "For services of the configuration and for registered hosts alike. When the answer comes the " +
				"instance can be routed to. " +
				"Health and open requests stay as they are if the address does. An instance of a file or of DNS " +
				"cannot be replaced.",
			changes: true, conditional: true, tagged: true, query: []parameter{dryRunParameter()},
			body: &payload{
				typ:   reflect.TypeFor[client.Placement](),
				doc:   "an object with the address, and weight, zone, metadata and ttl if need be",
				limit: smallBody, example: client.Placement{
					Address: "10.0.0.7:3001", Weight: new(1), Zone: "a",
					Metadata: map[string]string{"version": "42"},
				},
			},
			refusals: []reason{
				invalidBody, invalidField, notFound, readOnly, cannotApply, changedMeanwhile,
				bodyTooLarge, storeFailed, notReady,
			},
			replies: []reply{
				{status: 200, doc: "It has been replaced.", typ: instance},
				{status: 201, doc: "It is new.", typ: instance},
			},
			handle: putInstance,
		},
		{
			method: "DELETE", path: instancePath, id: "deleteInstance", topic: topicInstances,
			summary: "Remove an instance.",
			doc:     "Requests that are open with it finish.", changes: true, conditional: true,
			query:    []parameter{dryRunParameter()},
			refusals: []reason{notFound, readOnly, changedMeanwhile, storeFailed, notReady},
			replies:  []reply{{status: 200, doc: "It has been removed.", typ: result}}, handle: deleteInstance,
		},
		{
			method: "PUT", path: instancePath + "/heartbeat", id: "heartbeat", topic: topicInstances,
			summary:  "Keep an instance with a TTL for another TTL.",
			doc:      "Nothing is written to disk. An instance that has left the registry is 404: register it again. One without a TTL has nothing to keep up: 400.",
			refusals: []reason{notFound, readOnly, invalidField, storeFailed},
			replies:  []reply{{status: 200, doc: "It stays for another TTL.", typ: reflect.TypeFor[client.Heartbeat]()}},
			handle:   heartbeat,
		},
	}
}

// instanceSwitches let an instance get requests or not, by PUT, and by POST for those who find that more natural.
func instanceSwitches() []*operation {
	instance := reflect.TypeFor[client.InstanceInfo]()
	var ops []*operation
	for _, method := range []string{"PUT", "POST"} {
		suffix := ""
		if method == "POST" {
			suffix = "ByPost"
		}
		ops = append(ops,
			&operation{
				method: method, path: instancePath + "/drain", id: "drainInstance" + suffix, topic: topicInstances,
				summary: "Send an instance no new requests.",
				doc:     "Requests that are open with it finish. It stays so over a restart, until it is enabled.",
				changes: true, conditional: true, tagged: true,
				query:    []parameter{dryRunParameter()},
				refusals: []reason{notFound, readOnly, changedMeanwhile, storeFailed, notReady},
				replies:  []reply{{status: 200, doc: "It is draining.", typ: instance}}, handle: drainInstance,
			},
			&operation{
				method: method, path: instancePath + "/enable", id: "enableInstance" + suffix, topic: topicInstances,
				summary: "Send an instance requests again.",
				doc:     "The opposite of drain.", changes: true, conditional: true, tagged: true,
				query:    []parameter{dryRunParameter()},
				refusals: []reason{notFound, readOnly, changedMeanwhile, storeFailed, notReady},
				replies:  []reply{{status: 200, doc: "It gets requests.", typ: instance}}, handle: enableInstance,
			},
		)
	}
	return ops
}
