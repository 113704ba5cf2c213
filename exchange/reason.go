package exchange

import "net/http"

// A Reason is the stable name of one way to fail. Clients, alerts and runbooks may depend on it.
type Reason string

// The reasons of answers that the gateway makes itself. docs/errors.md is generated from Reasons.
const (
	BadRequest          Reason = "bad_request"
	BadHost             Reason = "bad_host"
	BadPath             Reason = "bad_path"
	PurgeRefused        Reason = "purge_refused"
	NoRoute             Reason = "no_route"
	MethodNotAllowed    Reason = "method_not_allowed"
	BodyTooLarge        Reason = "body_too_large"
	TooManyHeaders      Reason = "too_many_headers"
	ClientTimeout       Reason = "client_timeout"
	ClientGone          Reason = "client_gone"
	NoInstance          Reason = "no_instance"
	NoHealthyInstance   Reason = "no_healthy_instance"
	UpstreamOverloaded  Reason = "upstream_overloaded"
	CircuitOpen         Reason = "circuit_open"
	UpstreamConnect     Reason = "upstream_connect"
	UpstreamTLS         Reason = "upstream_tls"
	UpstreamReset       Reason = "upstream_reset"
	NotCached           Reason = "not_cached"
	UpstreamTimeout     Reason = "upstream_timeout"
	UpstreamProtocol    Reason = "upstream_protocol"
	RequestTimeout      Reason = "request_timeout"
	UpstreamError       Reason = "upstream_error"
	UpgradeNotSupported Reason = "upgrade_not_supported"
	FaultInjected       Reason = "fault_injected"
	GatewayOverloaded   Reason = "gateway_overloaded"
	GatewayStopped      Reason = "gateway_stopped"
	Internal            Reason = "internal"
)

// ReasonInfo is what is known of a reason: how it is answered, what causes it and what cures it.
type ReasonInfo struct {
	Reason Reason
	Status int
	Source Source
	// Proxy is the error type of RFC 9209, for Proxy-Status; "" where the instance has answered, and its status is told.
	Proxy string
	Title string
	Cause string
	Cure  string
}

// Info returns the entry of r in Reasons, or that of Internal if r is not listed.
func (r Reason) Info() ReasonInfo {
	if info, ok := reasonIndex[r]; ok {
		return info
	}
	return reasonIndex[Internal]
}

var reasonIndex = func() map[Reason]ReasonInfo {
	m := make(map[Reason]ReasonInfo)
	for _, info := range Reasons() {
		m[info.Reason] = info
	}
	return m
}()

// Reasons lists every reason in the order of their status.
func Reasons() []ReasonInfo {
	return []ReasonInfo{
		{
			BadRequest, http.StatusBadRequest, Downstream, "http_request_error", "Bad request",
			"The request breaks a rule of HTTP that decides where it ends or where it goes.",
			"Correct the client; the detail names the rule.",
		},
		{
			BadHost, http.StatusBadRequest, Downstream, "http_request_error", "Bad Host",
			"The Host field is missing, given twice or not a host name.",
			"Send one Host field with a name or an address and, if need be, a port.",
		},
		{
			BadPath, http.StatusBadRequest, Downstream, "http_request_error", "Bad path",
			"The path holds a control byte, a broken escape, or something that would turn into a dot segment if it were decoded once more.",
			"Escape each byte once; resolve dot segments before sending.",
		},
		{
			PurgeRefused, http.StatusForbidden, Downstream, "http_request_denied", "Purging not allowed",
			"The request has the method PURGE, and comes from an address that the `cache` filter does not list in `purge.from`.",
			"Purge from an address that is listed, or through the admin API.",
		},
		{
			NoRoute, http.StatusNotFound, Downstream, "destination_not_found", "No route",
			"No route and no registered host serves this host and path.",
			"Check the Host field; `sallyport routes` lists what is served and `sallyport explain` tells why a route was passed over.",
		},
		{
			MethodNotAllowed, http.StatusMethodNotAllowed, Downstream, "http_request_denied", "Method not allowed",
			"Routes match this host and path, but none takes this method.",
			"Use one of the methods in the Allow field, or add the method to the route.",
		},
		{
			ClientTimeout, http.StatusRequestTimeout, Downstream, "http_request_error", "Client too slow",
			"The client stopped sending its request, or sent it below the least rate.",
			"Send faster, or raise `timeouts.body` or lower `min_rate` of the listener.",
		},
		{
			BodyTooLarge, http.StatusRequestEntityTooLarge, Downstream, "http_request_error", "Body too large",
			"The body of the request is larger than the listener takes.",
			"Send less, or raise `limits.body` of the listener.",
		},
		{
			TooManyHeaders, http.StatusRequestHeaderFieldsTooLarge, Downstream, "http_request_error", "Too many header fields",
			"The request has more header fields, or more bytes of them, than the listener takes.",
			"Send fewer (cookies are the usual cause), or raise `limits.headers` or `limits.header_bytes` of the listener.",
		},
		{
			ClientGone, 499, Downstream, "http_request_error", "Client gone",
			"The client closed the connection before it had its answer. Seen in logs and metrics only.",
			"Look for timeouts in the client that are shorter than the service takes.",
		},
		{
			Internal, http.StatusInternalServerError, Gateway, "proxy_internal_error", "Internal error",
			"The gateway failed. This is a defect in it.",
			"Report it with the request id and the log line.",
		},
		{
			UpstreamError, http.StatusInternalServerError, Upstream, "", "The service answered with an error",
			"An instance answered with an error, and `errors.intercept` puts a page of the gateway in the place of its answer. The status is the instance's.",
			"Look in the log of the instance for the request id. To pass its answers on as they are, take the status off `errors.intercept`.",
		},
		{
			GatewayStopped, http.StatusServiceUnavailable, Gateway, "proxy_internal_error", "Gateway stopped",
			"The gateway stopped, or the listener was taken away, and the request was not done when `drain_timeout` was over. The connection was closed; seen in logs and metrics only.",
			"Raise `drain_timeout` if requests may take that long.",
		},
		{
			UpgradeNotSupported, http.StatusNotImplemented, Downstream, "http_upgrade_failed", "Upgrade not supported",
			"The client asked to switch to a protocol over a connection or towards a service that cannot carry it.",
			"Use HTTP/1.1 for upgrades, and a service with protocol http or https.",
		},
		{
			UpstreamConnect, http.StatusBadGateway, Upstream, "connection_refused", "Cannot connect to the service",
			"No connection to an instance could be made: refused, unreachable (`destination_ip_unroutable`), or the name does not resolve (`dns_error`).",
			"`sallyport instances` shows each address with its health; check that the service listens there.",
		},
		{
			UpstreamTLS, http.StatusBadGateway, Upstream, "tls_protocol_error", "TLS with the service failed",
			"The TLS handshake with an instance failed: its certificate is not trusted, expired or for another name.",
			"Set `tls.ca` and `tls.server_name` of the service to what the instance presents.",
		},
		{
			UpstreamReset, http.StatusBadGateway, Upstream, "connection_terminated", "The service hung up",
			"An instance closed the connection before it had answered.",
			"Look in the log of the instance at this time; a crash and an idle timeout shorter than the gateway's are usual causes.",
		},
		{
			UpstreamProtocol, http.StatusBadGateway, Upstream, "http_protocol_error", "The service does not speak HTTP as it should",
			"The answer of an instance breaks a rule of HTTP, or is of another protocol than the service is configured for.",
			"Check `protocol` of the service (http, https, h2c, h2, grpc, grpcs) against what the instance speaks.",
		},
		{
			NoInstance, http.StatusServiceUnavailable, Upstream, "destination_unavailable", "No instance",
			"The service has no instance at all, or each is draining.",
			"Register one: POST /services, or PUT /v1/services/{name}/instances/{id}.",
		},
		{
			NoHealthyInstance, http.StatusServiceUnavailable, Upstream, "destination_unavailable", "No healthy instance",
			"Every instance of the service is unhealthy.",
			"`sallyport instances` shows the reason for each and since when.",
		},
		{
			CircuitOpen, http.StatusServiceUnavailable, Upstream, "destination_unavailable", "The service is given a rest",
			"So many requests to the service failed or were slow that its circuit breaker is open; it was not asked.",
			"Come back after `Retry-After`. The gateway's log says what opened it; `sallyport services` shows whether it is still open.",
		},
		{
			UpstreamOverloaded, http.StatusServiceUnavailable, Upstream, "connection_limit_reached", "The service is overloaded",
			"As many requests or connections are open towards the service as its configuration allows, and the request found no place in time.",
			"Come back after `Retry-After`. If it lasts: make the service faster, add instances, or raise the cap of the service that the log line names.",
		},
		{
			GatewayOverloaded, http.StatusServiceUnavailable, Gateway, "proxy_internal_error", "The gateway is overloaded",
			"The gateway itself is short of memory, or of file descriptors for a connection to the service; the detail says which. The service is not to blame.",
			"Come back after `Retry-After`. If it lasts: `sallyport status` shows how much is used and what the limit is; raise it (`overload.memory.limit` and that of the container, `LimitNOFILE` or `ulimit -n`), or run more gateways.",
		},
		{
			FaultInjected, http.StatusServiceUnavailable, Gateway, "proxy_internal_response", "Failure on purpose",
			"A `fault` filter of the route made this request fail, to rehearse a failure; the status is the one it is configured with. The service was not asked.",
			"Nothing is broken. Take the `fault` filter off the route, lower its `share`, or set `observe: true`.",
		},
		{
			NotCached, http.StatusGatewayTimeout, Downstream, "http_request_denied", "Not in the cache",
			"The client said `Cache-Control: only-if-cached`, and the cache has no answer that it may have.",
			"Ask without only-if-cached.",
		},
		{
			UpstreamTimeout, http.StatusGatewayTimeout, Upstream, "http_response_timeout", "The service did not answer in time",
			"An instance took longer than `timeouts.response` to send the head of its answer, or longer than `timeouts.connect` to accept a connection (`connection_timeout`).",
			"Find out what the instance was doing; raise the timeout of the service if it is slow by design.",
		},
		{
			RequestTimeout, http.StatusGatewayTimeout, Upstream, "http_response_timeout", "The request took too long",
			"All attempts together took longer than `timeouts.request`.",
			"As for upstream_timeout; fewer or faster attempts may help.",
		},
	}
}
