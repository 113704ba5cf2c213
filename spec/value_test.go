package spec_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/spec"
)

// valueTypes are all types with a text form of their own.
func valueTypes() []spec.SpecTyper {
	return []spec.SpecTyper{
		new(spec.Duration), new(spec.Size), new(spec.ByteRate), new(spec.Percent), new(spec.Rate), new(spec.CIDR),
		new(spec.Secret),
	}
}

func TestValues(t *testing.T) {
	tests := map[string]map[string]string{ // type: what is written: what it is, "" for an error
		"spec.Duration": {
			"250ms": "250ms", "5s": "5s", "1h": "1h", "60m": "1h", "90s": "1m30s",
			"1h30m": "1h30m", "-5s": "-5s", "0": "0s",
			"1.5h": "1h30m", "36h5s": "36h0m5s", "100s": "1m40s", "10m": "10m",
			"5": "", "": "", "soon": "", "1d": "", "5 s": "",
		},
		"spec.Size": {
			"512": "512B", "0": "0B", "64KiB": "64KiB", "10MiB": "10MiB", "1GiB": "1GiB", "2TiB": "2TiB",
			"1024B": "1KiB",
			"10MB":  "10MB", "1kB": "1KB", "1KB": "1KB", "1.5KiB": "1536B", "0.5GB": "500MB",
			"9223372036854775807": "9223372036854775807B",
			"0.3B":                "", "1.0005KB": "", "-1": "", "64kib": "", "64K": "",
			"1 MiB": "", "": "", "B": "", ".5KB": "", "5.KB": "",
			"9223372036854775808": "", "8388608TiB": "", "99999999999.5TiB": "", "+5": "", "1e3": "",
		},
		"spec.ByteRate": {
			"240B/s": "240B/s", "1KiB/s": "1KiB/s", "0": "0B/s", "0B/s": "0B/s", "240/s": "240B/s",
			"240": "", "1KiB": "", "1KiB/m": "", "-1B/s": "", "": "",
		},
		"spec.Percent": {
			"50%": "50%", "12.5%": "12.5%", "0%": "0%", "100%": "100%", "0": "0%",
			"50": "", "0.5": "", "101%": "", "-1%": "", "NaN%": "", "1e1%": "", "%": "", "": "", ".5%": "",
		},
		"spec.Rate": {
			"100/s": "100/s", "5/m": "5/m", "1000/h": "1000/h", "1/d": "1/d",
			"100": "", "0/s": "", "-1/s": "", "+1/s": "", "1/w": "",
			"1.5/s": "", "/s": "", "": "", "1/s/s": "", "99999999999/s": "",
		},
		"spec.CIDR": {
			"10.0.0.0/8": "10.0.0.0/8", "192.0.2.1": "192.0.2.1", "192.0.2.1/32": "192.0.2.1",
			"2001:db8::/32": "2001:db8::/32",
			"::1":           "::1", "::ffff:10.0.0.1": "10.0.0.1", "0.0.0.0/0": "0.0.0.0/0",
			"10.0.0.1/8": "", "10.0.0.0/33": "", "fe80::1%eth0": "",
			"x": "", "": "", "::ffff:10.0.0.0/104": "", "10.0.0/8": "",
		},
	}
	for _, v := range valueTypes() {
		typ := reflect.TypeOf(v).Elem()
		pattern := regexp.MustCompile(v.SpecType().Pattern)
		for text, want := range tests[typ.String()] {
			t.Run(typ.Name()+" "+text, func(t *testing.T) {
				v := reflect.New(typ).Interface()
				err := v.(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
				got := fmt.Sprint(reflect.ValueOf(v).Elem())
				if (err != nil) != (want == "") || err == nil && got != want {
					t.Errorf("got %s, %v, want %q", got, err, want)
				}
				number := strings.Trim(text, "0123456789") == "" && text != ""
				if err == nil && !pattern.MatchString(text) && !number {
					t.Errorf("the pattern of the schema, %s, does not take it", pattern)
				}
			})
		}
	}
}

func TestValueInfo(t *testing.T) {
	for _, v := range valueTypes() {
		info := v.SpecType()
		if err := v.(encoding.TextUnmarshaler).UnmarshalText([]byte(info.Example)); err != nil {
			t.Errorf("%s: the example %q: %v", info.Name, info.Example, err)
		}
		if !regexp.MustCompile(info.Pattern).MatchString(info.Example) || info.Noun == "" || info.Description == "" {
			t.Errorf("%+v", info)
		}
	}
}

// Whatever a value is, its text form says it, in JSON and when it is decoded.
func TestValuesSurviveJSON(t *testing.T) {
	type all struct {
		Duration spec.Duration `json:"duration" min:"-2562047h"`
		Size     spec.Size     `json:"size"`
		ByteRate spec.ByteRate `json:"byte_rate"`
		Percent  spec.Percent  `json:"percent"`
		Rate     spec.Rate     `json:"rate"`
		CIDR     []spec.CIDR   `json:"cidr"`
		Text     string        `json:"text"`
		Map      map[string]int64
		Float    float64 `json:"float"`
		Uint     uint64  `json:"uint"`
	}
	rapid.Check(t, func(t *rapid.T) {
		units := []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour}
		addr := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "addr")))
		prefix := netip.PrefixFrom(addr, rapid.IntRange(0, 32).Draw(t, "bits"))
		longest := int64(2562047 * time.Hour)
		in := all{
			Duration: spec.Duration(rapid.Int64Range(-longest, longest).Draw(t, "duration")),
			Size:     spec.Size(rapid.Int64Range(0, 1<<62).Draw(t, "size")),
			ByteRate: spec.ByteRate(rapid.Int64Range(0, 1<<20).Draw(t, "rate") << rapid.IntRange(0, 40).Draw(t, "by")),
			Percent:  spec.Percent(rapid.Float64Range(0, 100).Draw(t, "percent")),
			Rate: spec.Rate{
				Count: rapid.Int64Range(1, 1e6).Draw(t, "count"), Per: rapid.SampledFrom(units).Draw(t, "per"),
			},
			CIDR:  []spec.CIDR{{Prefix: prefix.Masked()}},
			Text:  rapid.StringMatching(`[ -~é\n]*`).Draw(t, "text"),
			Map:   rapid.MapOf(rapid.StringMatching(`[a-z."<]*`), rapid.Int64()).Draw(t, "map"),
			Float: rapid.Float64().Draw(t, "float"),
			Uint:  rapid.Uint64().Draw(t, "uint"),
		}
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		n, errs := spec.ParseJSON("", text)
		if errs != nil {
			t.Fatal(errs)
		}
		yaml, errs := spec.ParseYAML("", text) // JSON is YAML
		if errs != nil {
			t.Fatal(errs)
		}
		for _, n := range []*spec.Node{n, yaml} {
			var out all
			if errs := spec.Decode(n, &out, spec.Options{}); errs != nil || !reflect.DeepEqual(in, out) {
				t.Fatalf("%s\nin  %+v\nout %+v\n%v", text, in, out, errs)
			}
		}
	})
}

func TestSecretIsNotShown(t *testing.T) {
	s := spec.Secret("hunter2")
	holder := struct {
		Password spec.Secret
		List     []spec.Secret
	}{s, []spec.Secret{s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10s"} {
		fmt.Fprintf(&out, verb+" ", s)
		fmt.Fprintf(&out, verb+" ", holder)
		fmt.Fprintf(&out, verb+" ", &holder)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "s", s, "h", holder)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "s", s, "h", holder)
	if err := json.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"hunter", "68756e746572"} {
		if strings.Contains(out.String(), form) {
			t.Errorf("shown: %s", out.String())
		}
	}
	if s.Reveal() != "hunter2" || s.String() != "***" || spec.Secret("").String() != "" {
		t.Error("a secret is not itself")
	}
}

func TestRate(t *testing.T) {
	r := spec.Rate{Count: 120, Per: time.Minute}
	if r.Interval() != 500*time.Millisecond || r.PerSecond() != 2 || r.IsZero() {
		t.Errorf("got %v, %v", r.Interval(), r.PerSecond())
	}
	var none spec.Rate
	if none.Interval() != 0 || none.PerSecond() != 0 || !none.IsZero() || none.String() != "" {
		t.Error("the zero rate is no rate")
	}
}

func TestNamedChecks(t *testing.T) {
	tests := map[string]struct{ good, bad []string }{
		"hostport": {
			[]string{"localhost:3001", "127.0.0.1:1", "[::1]:65535", "a_b.internal:80", "x.:1"},
			[]string{
				"", "x", "x:", ":80", "x:0", "x:65536", "x:+1", "x:01",
				"::1:80", "a b:80", "-x:1", "1.2.3:80", "http://x:1", "x:80/",
			},
		},
		"listen": {
			[]string{":8080", ":0", "127.0.0.1:9190", "[::]:80", "localhost:1"},
			[]string{"", "8080", ":", ":65536", ":http", "x y:1"},
		},
		"host": {
			[]string{
				"a", "shop.example.com", "a-b.c", "10.0.0.1",
				"::1", "xn--bcher-kva.example", "3com.example", "x.",
			},
			[]string{
				"", ".", "a..b", "-a", "a-", "a b", "a/b", "10.0.0.256",
				"1", "é.example", strings.Repeat("a", 64), "*.x",
			},
		},
		"host-pattern": {[]string{"*.example.com", "example.com"}, []string{"*", "*.", "a.*.b", "**.x", "*x.y"}},
		"cidr":         {[]string{"10.0.0.0/8", "::1"}, []string{"10.0.0.1/8", "x", ""}},
		"ip":           {[]string{"10.0.0.1", "::1"}, []string{"10.0.0.0/8", "x", ""}},
		"url": {
			[]string{"http://x", "https://example.com:8443/a?b"},
			[]string{"", "x", "/x", "ftp://x", "http://", "http://%zz"},
		},
		"path":        {[]string{"/", "/a/b%20c"}, []string{"", "a", "/a?b", "/a#b", "/a b", "/a\\b"}},
		"header-name": {[]string{"X-Api-Key", "a"}, []string{"", "a b", "a:", "é"}},
		"method":      {[]string{"GET", "M-SEARCH"}, []string{"", "get", "G T"}},
		"name": {
			[]string{"a", "orders-2", "a.b_c", "2"},
			[]string{"", "-a", ".a", "a b", "a/b", "é", strings.Repeat("a", 254)},
		},
		"regexp": {[]string{"^a+$", ""}, []string{"(", "a**", "(?=x)"}},
	}
	for _, name := range spec.CheckNames() {
		tt, ok := tests[name]
		if !ok {
			t.Errorf("%s has no cases", name)
		}
		typ := reflect.StructOf([]reflect.StructField{{
			Name: "V", Type: reflect.TypeFor[[]string](),
			Tag: reflect.StructTag(fmt.Sprintf(`json:"v" check:%q`, name)),
		}})
		decode := func(text string) spec.Errors {
			n := &spec.Node{Kind: spec.Map, Fields: []spec.Field{{Key: "v", Value: &spec.Node{
				Kind: spec.List, Items: []*spec.Node{{Kind: spec.String, Text: text}},
			}}}}
			return spec.Decode(n, reflect.New(typ).Interface(), spec.Options{})
		}
		for _, text := range tt.good {
			if errs := decode(text); errs != nil {
				t.Errorf("%s: %v", name, errs)
			}
		}
		for _, text := range tt.bad {
			if errs := decode(text); len(errs) != 1 {
				t.Errorf("%s %q: got %v", name, text, errs)
			}
		}
	}
}

func TestOwnChecks(t *testing.T) {
	var v struct {
		Even string `json:"even" check:"even"`
	}
	n, _ := spec.ParseYAML("f", []byte("even: abc"))
	errs := spec.Decode(n, &v, spec.Options{Checks: map[string]func(string) error{"even": func(s string) error {
		if len(s)%2 != 0 {
			return fmt.Errorf("want an even number of letters")
		}
		return nil
	}}})
	if got, want := errs.Error(), `f:1:7: even: want an even number of letters, got "abc"`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestSuggest(t *testing.T) {
	from := []string{"address", "round-robin", "max_body", "tls", "dns", "hosts", "id"}
	tests := map[string]string{
		"adress": "address", "addres": "address", "addrses": "address", "round_robin": "round-robin",
		"maxBody": "max_body",
		"host":    "hosts", "tsl": "tls", "hots": "hosts", "bogus": "", "x": "", "": "", "ids": "id", "ip": "id",
		strings.Repeat("a", 1000): "",
	}
	for word, want := range tests {
		if got := spec.Suggest(word, from); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestPaths(t *testing.T) {
	path := spec.Key(spec.Index(spec.Key(spec.Key("", "routes"), "a.b"), 2), "rate-limit")
	if want := `routes["a.b"][2].rate-limit`; path != want {
		t.Errorf("got %s", path)
	}
	known := map[string]spec.Pos{
		"": {Line: 1}, "routes": {Line: 2}, `routes["a.]b"]`: {Line: 3},
		"routes.x[1]": {Line: 4},
	}
	for path, want := range map[string]int{
		`routes["a.]b"].c.d`: 3, `routes["a.]b"]["\"."].d`: 3, "routes.x[1].y": 4, "routes.x[2].y": 2, "other": 1,
	} {
		if got := spec.Place(known, path).Line; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}
