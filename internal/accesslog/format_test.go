package accesslog_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/accesslog"
)

const ms = time.Millisecond

// full returns an entry with every field set.
func full() accesslog.Entry {
	start := time.Date(2026, 11, 2, 3, 4, 5, 678_901_234, time.FixedZone("", -7*3600))
	return accesslog.Entry{
		Timings: exchange.Timings{
			Start: start, First: 250 * time.Microsecond, Sent: 4 * ms, Connected: 7 * ms, Wrote: 9 * ms, Head: 12 * ms,
			Queued: 200 * time.Microsecond, TLS: 2 * ms, Reading: 1500 * time.Microsecond, Writing: 2 * ms,
		},
		Duration: 15*time.Millisecond + 7*time.Microsecond,
		ID:       "01J", Client: netip.MustParseAddrPort("[2001:db8::1]:0"), Peer: netip.MustParseAddrPort("10.0.0.2:5000"),
		Listener: "secure", TLS: tls.VersionTLS13,
		Scheme: "https", Method: "GET", Host: "shop.example.com", Path: "/api/orders/7", Proto: "HTTP/1.1",
		Query: "page=2&token=s3cret&flag", Upgrade: "websocket",
		UserAgent: `curl/8 "x"`, Referer: "https://a.example/login?code=s3cret",
		Status: 502, GRPCStatus: "14", AnsweredBy: "gateway", Cut: true, BytesIn: 10, BytesOut: 2326,
		Route: "orders", Service: "orders", Instance: "a1", Address: "127.0.0.1:3001",
		Consumer: "ana", Attempts: 2, Tries: []exchange.Try{
			{Instance: "b2", Address: "127.0.0.1:3002", Kind: exchange.Replayed, Reason: exchange.UpstreamReset},
			{Instance: "b2", Address: "127.0.0.1:3002", Status: 503, Took: 3 * ms},
			{Instance: "a1", Address: "127.0.0.1:3001", Kind: exchange.Hedged, Beaten: true, Took: 8 * ms},
		}, Cache: "Sallyport; fwd=miss",
		Source: exchange.Upstream, Reason: exchange.UpstreamReset, Error: "read: connection reset\nby peer",
	}
}

func TestJSON(t *testing.T) {
	e := full()
	want := `{"time":"2026-11-02T10:04:05.678901Z","id":"01J","client":"2001:db8::1","peer":"10.0.0.2:5000",` +
		`"listener":"secure","tls":"1.3","scheme":"https","method":"GET","host":"shop.example.com",` +
		`"path":"/api/orders/7","query":"page=*&token=*&*","proto":"HTTP/1.1","upgrade":"websocket",` +
		`"user_agent":"curl/8 \"x\"","referer":"https://a.example/login?code=*",` +
		`"status":502,"grpc_status":14,"bytes_in":10,"bytes_out":2326,"duration_ms":15.007,` +
		`"wait_ms":0.250,"queue_ms":0.200,"retry_ms":3.750,"connect_ms":3.000,"tls_ms":2.000,` +
		`"send_ms":2.000,"send_client_ms":1.500,"first_byte_ms":3.000,"transfer_ms":3.007,"transfer_client_ms":2.000,` +
		`"route":"orders","service":"orders","instance":"a1","address":"127.0.0.1:3001","consumer":"ana","attempts":2,` +
		`"tries":[{"instance":"b2","address":"127.0.0.1:3002","kind":"replay","reason":"upstream_reset","took_ms":0.000},` +
		`{"instance":"b2","address":"127.0.0.1:3002","status":503,"took_ms":3.000},` +
		`{"instance":"a1","address":"127.0.0.1:3001","kind":"hedge","beaten":true,"took_ms":8.000}],` +
		`"cache":"Sallyport; fwd=miss","answered_by":"gateway","cut":true,"source":"upstream","reason":"upstream_reset",` +
		`"error":"read: connection reset\u000aby peer"}` + "\n"
	got := string(accesslog.Append(nil, accesslog.JSON, accesslog.QueryMasked, &e))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(got, "s3cret") {
		t.Error("a secret is in the log")
	}
}

func TestJSONOfLittle(t *testing.T) {
	e := accesslog.Entry{Timings: exchange.Timings{Start: time.Unix(0, 0), First: ms, Sent: ms}, Status: 400}
	want := `{"time":"1970-01-01T00:00:00.000000Z","status":400,"bytes_in":0,"bytes_out":0,` +
		`"duration_ms":0.000,"wait_ms":1.000}` + "\n"
	if got := string(accesslog.Append(nil, accesslog.JSON, "", &e)); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// TestPhasesAddUp holds that the phases of a line are its duration, and what is left out of it.
func TestPhasesAddUp(t *testing.T) {
	at := func(first, sent, connected, wrote, head time.Duration) exchange.Timings {
		return exchange.Timings{Start: time.Unix(0, 0), First: first, Sent: sent, Connected: connected, Wrote: wrote, Head: head}
	}
	queued := func(t exchange.Timings, d time.Duration) exchange.Timings {
		t.Queued = d
		return t
	}
	for name, tt := range map[string]struct {
		timings exchange.Timings
		want    map[string]float64
	}{
		"plain":           {at(ms, ms, ms, ms, 4*ms), map[string]float64{"wait_ms": 1, "first_byte_ms": 3, "transfer_ms": 6}},
		"a first request": {at(ms, ms, 2*ms, 2*ms, 4*ms), map[string]float64{"wait_ms": 1, "connect_ms": 1, "first_byte_ms": 2, "transfer_ms": 6}},
		"a retry":         {at(ms, 3*ms, 3*ms, 4*ms, 4*ms), map[string]float64{"wait_ms": 1, "retry_ms": 2, "send_ms": 1, "first_byte_ms": 0, "transfer_ms": 6}},
		"no attempt":      {exchange.Timings{Start: time.Unix(0, 0)}, map[string]float64{}},
		"refused":         {queued(exchange.Timings{Start: time.Unix(0, 0)}, 9*ms), map[string]float64{"queue_ms": 9}},
	} {
		e := accesslog.Entry{Timings: tt.timings, Duration: 10 * ms}
		var line map[string]any
		if err := json.Unmarshal(accesslog.Append(nil, accesslog.JSON, "", &e), &line); err != nil {
			t.Fatal(err)
		}
		got, sum := make(map[string]float64), 0.0
		for key, value := range line {
			if strings.HasSuffix(key, "_ms") && key != "duration_ms" {
				got[key] = value.(float64)
				sum += value.(float64)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || len(got) > 1 && sum != 10 {
			t.Errorf("%s: the sum is %v\n%s", name, sum, diff)
		}
	}
}

func TestGRPCStatus(t *testing.T) {
	for status, want := range map[string]string{
		"0": `"grpc_status":0,`, "14": `"grpc_status":14,`, "": "", "x": "", "01": "", "1234": "", "-1": "", "1\"": "",
	} {
		e := accesslog.Entry{GRPCStatus: status}
		line := string(accesslog.Append(nil, accesslog.JSON, "", &e))
		if !strings.Contains(line, want) || want == "" && strings.Contains(line, "grpc") {
			t.Errorf("%q: %s", status, line)
		}
	}
}

func TestCombined(t *testing.T) {
	const stamp = " [02/Nov/2026:03:04:05 -0700] "
	tests := map[string]struct {
		change func(*accesslog.Entry)
		want   string
	}{
		"full": {
			func(*accesslog.Entry) {},
			`2001:db8::1 - ana` + stamp + `"GET /api/orders/7?page=*&token=*&* HTTP/1.1" 502 2326 ` +
				`"https://a.example/login?code=*" "curl/8 \"x\""`,
		},
		"nothing known": {
			func(e *accesslog.Entry) { *e = accesslog.Entry{Timings: e.Timings, Status: 400} },
			`- - -` + stamp + `"-" 400 - "-" "-"`,
		},
		"hostile": {
			func(e *accesslog.Entry) {
				*e = accesslog.Entry{
					Timings: e.Timings, Client: netip.MustParseAddrPort("[::ffff:10.1.2.3]:9"), Status: 200, BytesOut: 1,
					Method: "GET", Path: "/", Proto: "HTTP/2.0", UserAgent: "a\\\n\r\t\v\b\x00\x7f\u00e9",
				}
			},
			`10.1.2.3 - -` + stamp + `"GET / HTTP/2.0" 200 1 "-" "a\\\n\r\t\v\b\x00\x7f\xc3\xa9"`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := full()
			test.change(&e)
			got := string(accesslog.Append(nil, accesslog.Combined, accesslog.QueryMasked, &e))
			if diff := cmp.Diff(test.want+"\n", got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestQuery(t *testing.T) {
	tests := []struct{ query, masked string }{
		{"a=1", "a=*"},
		{"a=1&b=", "a=*&b=*"},
		{"eyJhbGciOi", "*"},
		{"a=b=c&&x", "a=*&&*"},
		{"&", ""},
		{"a&", "*"},
		{"=x", "=*"},
	}
	for _, test := range tests {
		e := accesslog.Entry{Query: test.query, Referer: "http://r/?" + test.query}
		for q, want := range map[accesslog.Query]string{
			accesslog.QueryMasked: test.masked, accesslog.QueryFull: test.query, accesslog.QueryOff: "",
		} {
			var line struct{ Query, Referer string }
			if err := json.Unmarshal(accesslog.Append(nil, accesslog.JSON, q, &e), &line); err != nil {
				t.Fatal(err)
			}
			referer := "http://r/"
			if q != accesslog.QueryOff {
				referer += "?" + want
			}
			if line.Query != want || line.Referer != referer {
				t.Errorf("%s, %s: query %q, referer %q; want %q", test.query, q, line.Query, line.Referer, want)
			}
		}
	}
}

func TestLongTextIsCut(t *testing.T) {
	e := accesslog.Entry{UserAgent: strings.Repeat("\x01", 1<<20), Error: strings.Repeat("x", accesslog.MaxText+1)}
	line := accesslog.Append(nil, accesslog.JSON, "", &e)
	var got struct {
		UserAgent string `json:"user_agent"`
		Error     string
	}
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.UserAgent) != accesslog.MaxText || len(got.Error) != accesslog.MaxText {
		t.Errorf("cut to %d and %d bytes", len(got.UserAgent), len(got.Error))
	}
}

// FuzzLine holds that every line is one line, and that a JSON line gives back each text as encoding/json would.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", "/x", "a\nb", "\xff\xc0\"\\", "\u2028\u009b\u00e9\U0001F600", "\xe2\x80", "=&?\x00"} {
		f.Add(seed, "q="+seed, int64(1_700_000_000), 200)
	}
	f.Fuzz(func(t *testing.T, text, query string, at int64, status int) {
		e := accesslog.Entry{
			Timings: exchange.Timings{Start: time.Unix(at%(1<<33), 0), First: time.Duration(status), Sent: time.Duration(status), Head: time.Duration(at)},
			ID:      text, Method: text, Host: text, Path: text, Query: query, Proto: text, UserAgent: text, Referer: query,
			Status: status, Duration: time.Duration(at), BytesIn: at, Consumer: text, Error: text, GRPCStatus: text,
			Tries: []exchange.Try{{Instance: text, Address: text}},
		}
		for _, q := range []accesslog.Query{accesslog.QueryMasked, accesslog.QueryFull} {
			for _, format := range []accesslog.Format{accesslog.JSON, accesslog.Combined} {
				line := accesslog.Append(nil, format, q, &e)
				if bytes.IndexByte(line, '\n') != len(line)-1 || !utf8.Valid(line) {
					t.Fatalf("not one line of UTF-8: %q", line)
				}
				if i := bytes.IndexFunc(line[:len(line)-1], func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }); i >= 0 {
					t.Fatalf("a control code at %d: %q", i, line)
				}
			}
		}
		if len(text) > accesslog.MaxText || len(query) > accesslog.MaxText {
			return
		}
		var got map[string]any
		if err := json.Unmarshal(accesslog.Append(nil, accesslog.JSON, accesslog.QueryFull, &e), &got); err != nil {
			t.Fatal(err)
		}
		for key, text := range map[string]string{"path": text, "error": text, "query": query, "referer": query} {
			quoted, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			var want string
			if err := json.Unmarshal(quoted, &want); err != nil {
				t.Fatal(err)
			}
			if s, _ := got[key].(string); s != want {
				t.Errorf("%s: %q, want %q", key, s, want)
			}
		}
	})
}
