package spec_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/spec"
)

func FuzzParseYAML(f *testing.F) {
	for _, text := range []string{
		"a: 1\nb: [x, 'y', \"z\", ~]\n", "a: &a {b: 1}\nc: {<<: *a, d: [*a, *a]}",
		"? [x]\n: y", "- &a [*a]", "a: |\n x\n", "{a: ${X}}",
		"---\na: !!int x\n---\n", "\ufeffé: 0x1F", "a: 1\na: 2", "[.inf, 1e3, 010, 1_0, 99999999999999999999, -0, +.5]",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, errs := spec.ParseYAML("f", data)
		if (n == nil) == (len(errs) == 0) {
			t.Fatalf("got %v and %v", n, errs)
		}
		survivesJSON(t, n)
		for _, e := range errs {
			if e.Pos.Line < 1 || e.Pos.Col < 1 || e.Msg == "" {
				t.Errorf("no place: %v", e)
			}
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	for _, text := range []string{
		`{"a": [1, -2.5e3, true, null, "\u00e9\ud800"], "b": {}}`, `{"a": 1, "a": 2}`,
		`[] []`, "\ufeff\"x\"", `{"a" 1}`, `[1,]`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, errs := spec.ParseJSON("f", data)
		if (n == nil) == (len(errs) == 0) {
			t.Fatalf("got %v and %v", n, errs)
		}
		if n != nil && !json.Valid(bytes.TrimPrefix(data, []byte("\ufeff"))) {
			t.Fatal("takes what is no JSON")
		}
		survivesJSON(t, n)
	})
}

// survivesJSON asserts that the JSON form of a tree is JSON and says the same tree.
func survivesJSON(t *testing.T, n *spec.Node) {
	t.Helper()
	if n == nil {
		return
	}
	text, err := n.MarshalJSON()
	if err != nil || !json.Valid(text) {
		t.Fatalf("%s: %v", text, err)
	}
	again, errs := spec.ParseJSON("f", text)
	if errs != nil {
		t.Fatalf("%s: %v", text, errs)
	}
	if second, _ := again.MarshalJSON(); !bytes.Equal(text, second) {
		t.Fatalf("%s became %s", text, second)
	}
}

func FuzzExpand(f *testing.F) {
	for _, text := range []string{"${A}", "$${A}${B:-x}", "${file:/t}$", "${", "${A:-${B}}", "$$${A}", "${a b}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		env, files := map[string]string{"A": "1", "B": "${A}"}, map[string]string{"/t": "x\n"}
		n := &spec.Node{Kind: spec.String, Text: text}
		errs := spec.Expand(n, lookupIn(env), readIn(files))
		if errs == nil && !strings.Contains(text, "${") && n.Text != text {
			t.Errorf("%q became %q", text, n.Text)
		}
		if want := len(text) + 4*strings.Count(text, "${"); len(n.Text) > want {
			t.Errorf("%q became %q", text, n.Text)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		"{version: 1, services: {a: {address: 'x:1', timeouts: {connect: 1s}, tls: {cert: x}, statuses: ['500']}}}",
		"{version: 1, routes: {r: {service: a, filters: [{cache: {header: X}}, {cors: ~}]}}, trusted: ['::1']}",
		"{version: '${V}', token: '***', sample: .5, services: {'a b': ~}}", "[1]", "x: {y: [1, {z: ~}]}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, errs := spec.ParseYAML("f", data)
		if errs != nil {
			return
		}
		errs = spec.Expand(n, lookupIn(map[string]string{"V": "1"}), nil)
		s := new(shop)
		spec.Defaults(s)
		errs = append(errs, spec.Decode(n, s, spec.Options{Values: []any{[]string{"cache"}}})...)
		for _, e := range errs {
			if e.Pos.Line < 1 || e.Msg == "" {
				t.Errorf("no place: %v", e)
			}
		}
		if len(errs) == 0 && (s.Version != 1 || s.Sample < 0 || s.Sample > 1) {
			t.Errorf("got %+v", s)
		}
	})
}
