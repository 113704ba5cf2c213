package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/asynched/api-gateway/exchange"
)

const errorsIntro = `# Errors

When Sallyport answers itself, because something failed, it says what, who is at fault and which request it was:

` + "```" + `
HTTP/1.1 503 Service Unavailable
Content-Type: application/problem+json
Proxy-Status: sallyport; error=destination_unavailable; details="no_healthy_instance"
X-Request-Id: 5f2c…

{"type": "…/docs/errors.md#no_healthy_instance", "title": "No healthy instance", "status": 503,
 "detail": "…", "reason": "no_healthy_instance", "request_id": "5f2c…"}
` + "```" + `

The body is that of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457), as HTML or plain text for a client that would
rather have those, or a [page of your own](error-pages.md); the field Proxy-Status is that of [RFC 9209](https://www.rfc-editor.org/rfc/rfc9209). A gRPC call gets
a gRPC status instead. ` + "`reason`" + ` is stable: alerts and runbooks may depend on it. The access log has it too, with the
request id, and with the cause, which clients are not told.

`

// errorsPage tells each reason under a heading of its own, so that the reason is the anchor. The admin API shares some
// with traffic: those are told once, and what is different about them is added.
func errorsPage(traffic, admin []exchange.ReasonInfo) []byte {
	var b bytes.Buffer
	b.WriteString(errorsIntro)
	b.WriteString("## Traffic\n\n")
	contents(&b, traffic)
	for _, r := range traffic {
		tell(&b, r)
		if i := slices.IndexFunc(admin, func(other exchange.ReasonInfo) bool { return other.Reason == r.Reason }); i >= 0 {
			fmt.Fprintf(&b, "- In the admin API: %s %s\n", admin[i].Cause, admin[i].Cure)
		}
	}
	b.WriteString("\n## Admin API\n\n")
	contents(&b, admin)
	for _, r := range admin {
		if !slices.ContainsFunc(traffic, func(other exchange.ReasonInfo) bool { return other.Reason == r.Reason }) {
			tell(&b, r)
		}
	}
	return b.Bytes()
}

func contents(b *bytes.Buffer, reasons []exchange.ReasonInfo) {
	b.WriteString("| reason | status | at fault |\n| --- | --- | --- |\n")
	for _, r := range reasons {
		fmt.Fprintf(b, "| [%s](#%s) | %d | %s |\n", r.Reason, r.Reason, r.Status, fault(r.Source))
	}
}

func tell(b *bytes.Buffer, r exchange.ReasonInfo) {
	fmt.Fprintf(b, "\n### %s\n\n**%d %s.** At fault: %s.", r.Reason, r.Status, r.Title, fault(r.Source))
	if r.Proxy != "" {
		fmt.Fprintf(b, " Proxy-Status: `%s`.", r.Proxy)
	}
	fmt.Fprintf(b, "\n\n- Cause: %s\n- Cure: %s\n", r.Cause, r.Cure)
}

// fault names a party in words.
func fault(s exchange.Source) string {
	switch s {
	case exchange.Downstream:
		return "the client"
	case exchange.Gateway:
		return "the gateway"
	case exchange.Upstream:
		return "the service"
	}
	return string(s)
}
