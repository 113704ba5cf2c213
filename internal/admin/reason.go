package admin

import (
	"net/http"

	"github.com/asynched/api-gateway/exchange"
)

// A reason is the stable name of one way to be refused by the admin API.
type reason = exchange.Reason

const (
	badRequest       reason = "bad_request"
	invalidBody      reason = "invalid_body"
	invalidParameter reason = "invalid_parameter"
	invalidField     reason = "invalid_field"
	unauthorized     reason = "unauthorized"
	hostRefused      reason = "host_refused"
	originRefused    reason = "origin_refused"
	notFound         reason = "not_found"
	noCache          reason = "no_cache"
	unknownPath      reason = "unknown_path"
	methodNotAllowed reason = "method_not_allowed"
	readOnly         reason = "read_only"
	hostTaken        reason = "host_taken"
	inUse            reason = "in_use"
	cannotApply      reason = "cannot_apply"
	changedMeanwhile reason = "changed_meanwhile"
	bodyTooLarge     reason = "body_too_large"
	tooManyWatchers  reason = "too_many_watchers"
	invalidConfig    reason = "invalid_config"
	internal         reason = "internal"
	storeFailed      reason = "store_failed"
	notReady         reason = "not_ready"
)

// Reasons lists the reasons for which the admin API refuses a call, in the order of their status. Those that it shares
// with traffic have their own title here.
func Reasons() []exchange.ReasonInfo {
	entry := func(r reason, status int, title, cause, cure string) exchange.ReasonInfo {
		source := exchange.Downstream
		if status >= http.StatusInternalServerError {
			source = exchange.Gateway
		}
		return exchange.ReasonInfo{Reason: r, Status: status, Source: source, Title: title, Cause: cause, Cure: cure}
	}
	return []exchange.ReasonInfo{
		entry(badRequest, 400, "Bad request", "The call breaks a rule of HTTP.",
			"Correct the client; the detail names the rule."),
		entry(invalidBody, 400, "Invalid body", "The body is not what the call takes.",
			"`errors` names each key that is wrong, with line, column and a suggestion."),
		entry(invalidParameter, 400, "Invalid parameter",
			"A parameter of the query, a field of the head or a name in the path is not what the call takes.",
			"The detail names it and says what is allowed."),
		entry(invalidField, 400, "Invalid value",
			"A value cannot be what it says: a host that is no host name, an address that is no host:port.",
			"The detail names the key and says what is allowed."),
		entry(unauthorized, 401, "Token required",
			"The admin API has a token, and the call carries none or another one.",
			"Send `Authorization: Bearer TOKEN` with the value of `admin.token`."),
		entry(hostRefused, 403, "Host refused",
			"The Host of the call is not the address of the admin API: so looks a web page that tricked a browser by "+
				"DNS.",
			"Call the admin API by its own address or a loopback name, or set `admin.token`: then any will do."),
		entry(originRefused, 403, "Origin refused", "The call comes from a web page that is not the admin API's own.",
			"Call it from a program instead; such calls carry no Origin."),
		entry(notFound, 404, "Not found", "There is no object of that name.",
			"List the objects; the detail says how, and suggests a name."),
		entry(noCache, 404, "No cache", "No route has a `cache` filter, so there is nothing kept to look at or to purge.",
			"Add the filter to a route, or to `defaults`."),
		entry(unknownPath, 404, "Unknown path", "The admin API has no such path.",
			"The detail suggests one; `GET /v1/openapi.json` lists all."),
		entry(methodNotAllowed, 405, "Method not allowed", "The path is there, but takes other methods.",
			"Use one of those in the Allow field."),
		entry(readOnly, 409, "Owned by somebody else",
			"The object is declared in a file, resolved by DNS or implied by a registration.",
			"Change it there; the detail names the place."),
		entry(hostTaken, 409, "Host taken", "A configured route serves the host already.",
			"Add the instance to the service of that route; the detail has the call."),
		entry(inUse, 409, "In use",
			"Other objects refer to what is to be removed, or have the address or id that is asked for.",
			"Change those first; the detail or `errors` names them."),
		entry(cannotApply, 409, "Cannot be applied",
			"The change is right by itself but cannot take effect: a port is in use, a file cannot be read.",
			"The detail names the cause."),
		entry(changedMeanwhile, 412, "Changed meanwhile",
			"The object is not as If-Match or If-None-Match say it should be.",
			"Read it again, and decide anew."),
		entry(bodyTooLarge, 413, "Body too large", "The body is larger than the call takes.",
			"Send less; large configurations belong in files."),
		entry(invalidConfig, 422, "Invalid configuration",
			"The configuration that would result has errors. Nothing was changed.",
			"`errors` holds all of them, each with its place."),
		entry(tooManyWatchers, 429, "Too many watch", "As many streams of live requests are open as may be.",
			"End one of them: `sallyport tail` holds one as long as it runs."),
		entry(internal, 500, "Internal error", "The gateway failed. This is a defect in it.",
			"Report it with the request id and the log line."),
		entry(storeFailed, 503, "Store failed",
			"The store cannot keep the change: locked, full, read-only or damaged. Traffic goes on.",
			"The detail says what cures it; `GET /v1/status` shows how the store is."),
		entry(notReady, 503, "Not ready", "The configuration is not live yet, or the gateway is about to leave.",
			"Try again in a moment."),
	}
}

// info returns the entry of a reason.
func info(r reason) exchange.ReasonInfo {
	for _, i := range Reasons() {
		if i.Reason == r {
			return i
		}
	}
	return info(internal)
}
