package errorpage

import (
	"net/http"
	"reflect"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// reference is where each reason is explained; the reason is the fragment.
const reference = "https://github.com/asynched/api-gateway/blob/main/docs/errors.md#"

// Facts are what a page may say of an error: all of it is for the client. Templates see the fields and nothing else, so
// what only the operator may know, such as the cause, the service or the instance, does not belong here.
type Facts struct {
	Status     int    // of the answer: 503
	StatusText string // the name of the status: Service Unavailable
	Title      string // of the reason: No healthy instance
	Detail     string // a sentence
	Reason     string // the stable name: no_healthy_instance
	RequestID  string
	Host       string // canonical; "" if the request has none that is right
	Path       string // as the client sent it, without the query: canonical and escaped unless that is what is wrong
	Source     string // who is at fault: client, gateway or upstream
	RetryAfter int    // seconds until another try is worth while; 0 is not known
	Type       string // the address of what is told of the reason
}

// FactsOf returns what is said of the error of a request with that id, host and path.
func FactsOf(e *exchange.Error, id, host, path string) Facts {
	return Facts{
		Status: e.Status, StatusText: http.StatusText(e.Status), Title: e.Reason.Info().Title, Detail: e.Detail,
		Reason: string(e.Reason), RequestID: id, Host: host, Path: path, Source: string(e.Source),
		RetryAfter: Seconds(e.RetryAfter), Type: reference + string(e.Reason),
	}
}

// Seconds rounds a wait up to whole seconds.
func Seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// FactNames are the names that templates have for the facts.
func FactNames() []string {
	t := reflect.TypeFor[Facts]()
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Name
	}
	return names
}

// samples returns errors that a page is tried with: each reason it fits as it usually is, and then one with nothing in
// it that may be missing and one with everything that breaks a form which is not escaped.
func (p *Page) samples() []Facts {
	var list []Facts
	for _, info := range exchange.Reasons() {
		f := sample(info)
		if info.Reason == exchange.FaultInjected || info.Reason == exchange.UpstreamError {
			f.Status = p.Statuses.first(info.Status) // they come with any status
		}
		if p.fits(&f) {
			list = append(list, f)
		}
	}
	if len(list) == 0 { // a filter of a build of one's own may fail like that
		f := sample(exchange.Internal.Info())
		f.Status = p.Statuses.first(f.Status)
		list = append(list, f)
	}
	bare, wild := list[0], list[0]
	bare.Host, bare.Path, bare.Detail, bare.StatusText, bare.RetryAfter = "", "", "", "", 0
	wild.Path, wild.Detail = `/a"b\c<d>&'`, "a \"quoted\" \\ <b> & 'c'\nand a line"
	return append(list, bare, wild)
}

func sample(info exchange.ReasonInfo) Facts {
	e := exchange.Errorf(info.Reason, "%s", info.Cause)
	e.RetryAfter = time.Second
	return FactsOf(e, "5f2c1e0b9a7d4c3e8f6a1b2c3d4e5f60", "shop.example.com", "/api/orders/17")
}
