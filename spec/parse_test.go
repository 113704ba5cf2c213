package spec_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/spec"
)

func TestParseYAML(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"scalars": {
			"[x, yes, TRUE, 1, 0x1F, 1_000, 1e3, 2.50, ~, null, '5', 2020-01-01, 60:30]",
			`["x","yes",true,1,31,1000,1000.0,2.5,null,null,"5","2020-01-01","60:30"]`,
		},
		"not in JSON": {
			"[.inf, .nan, 99999999999999999999, 18446744073709551615]",
			`[".inf",".nan",1e+20,18446744073709551615]`,
		},
		"order":        {"b: 1\na: {d: 2, c: 3}", `{"b":1,"a":{"d":2,"c":3}}`},
		"alias":        {"a: &x [1, &y z]\nb: *x\nc: *y", `{"a":[1,"z"],"b":[1,"z"],"c":"z"}`},
		"alias as key": {"&k a: 1\nb: {*k : 2}", `{"a":1,"b":{"a":2}}`},
		"merge":        {"a: &a {x: 1, y: 1}\nb: {y: 2, <<: *a, z: 3}", `{"a":{"x":1,"y":1},"b":{"y":2,"z":3,"x":1}}`},
		"merge list": {
			"a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}",
			`{"a":{"x":1},"b":{"x":2,"y":2},"c":{"x":1,"y":2}}`,
		},
		"quoted merge":  {"a: {'<<': 1}", `{"a":{"\u003c\u003c":1}}`},
		"tags":          {"a: !!str 5\nb: !!int '7'", `{"a":"5","b":7}`},
		"BOM":           {"\ufeffa: 1", `{"a":1}`},
		"multiline":     {"a: |\n  x\n  y\nb: >\n  x\n  y\n", `{"a":"x\ny\n","b":"x y\n"}`},
		"windows":       {"a: 1\r\nb: 2\r\n", `{"a":1,"b":2}`},
		"start and end": {"---\na: 1\n...\n", `{"a":1}`},
		"number as key": {"200: ok", `{"200":"ok"}`},
		"empty map":     {"{}", `{}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n, errs := spec.ParseYAML("f", []byte(tt.text))
			if errs != nil {
				t.Fatal(errs)
			}
			got, err := json.Marshal(n)
			if err != nil || strings.ReplaceAll(string(got), " ", "") != strings.ReplaceAll(tt.want, " ", "") {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestParseYAMLErrors(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":         {"", `f:1:1: the file is empty`},
		"comment":       {"# nothing\n", `f:1:1: the file is empty`},
		"null":          {"---\n", `f:1:1: the file is empty`},
		"two documents": {"a: 1\n---\nb: 2", `f:2:1: a second document begins here: a file holds one`},
		"second broken": {"a: 1\n---\nb: ]", `f:3:4: while parsing a block node: did not find expected node content`},
		"twice":         {"a: 1\nb: {c: 1, d: 2, c: 3}", `f:2:17: b.c: the key "c" is already set at f:2:5`},
		"twice each": {
			"a: 1\na: 2\nb: {c: 1, c: 1}",
			"f:2:1: a: the key \"a\" is already set at f:1:1\nf:3:11: b.c: the key \"c\" is already set at f:3:5",
		},
		"key":            {"a:\n  ? [x]\n  : y", `f:2:5: a: a key must be plain text`},
		"null key":       {"a: {~: 1}", `f:1:5: a: a key must be plain text`},
		"tag":            {"a: [1, !secret x]", `f:1:8: a[1]: unknown tag !secret`},
		"tag of list":    {"a: !bag [1]", `f:1:4: a: unknown tag !bag`},
		"unknown anchor": {"a: *x", `f:1:4: unknown anchor 'x' referenced`},
		"in itself":      {"- &a [*a]", `f:1:7: [0][0][0]: the anchor "a" contains itself`},
		"merge":          {"a: &a 5\nb: {<<: *a}", `f:2:9: b: << wants a map or a list of maps, got a number`},
		"open list": {
			"a: [1\nb: 2",
			`f:2:2: while parsing a flow sequence: did not find expected ',' or ']' (it began in line 1)`,
		},
		"colon": {"a: b: c", `f:1:5: mapping values are not allowed in this context`},
		"tab": {
			"\ta: 1",
			`f:1:1: a tab cannot indent: use spaces`,
		},
		"quote": {"é: 'x", `f:1:6: while scanning a quoted scalar: found unexpected end of stream`},
		"reference": {
			"{a: ${X}}",
			`f:1:6: while parsing a flow mapping: did not find expected ',' or '}': ` +
				`inside { } and [ ] a reference ${...} must be in quotes`,
		},
		"not UTF-8": {"a: 1\né: \xff", `f:2:4: the byte 0xff is not UTF-8`},
		"UTF-16":    {"\xff\xfea\x00", `f:1:1: the byte 0xff is not UTF-8`},
		"control":   {"a: 1\nb: \x01", `f:2:4: the control character U+0001 is not allowed`},
		"deep": {
			strings.Repeat("[", 102) + strings.Repeat("]", 102),
			`f:1:102: ` + strings.Repeat("[0]", 101) + `: nested deeper than 100`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n, errs := spec.ParseYAML("f", []byte(tt.text))
			if diff := cmp.Diff(tt.want, errs.Error()); diff != "" || n != nil {
				t.Error(n, diff)
			}
		})
	}
}

// A few lines of aliases of aliases stand for billions of values.
func TestParseYAMLBoundsAliases(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), i)
	}
	flat := "a: &a [1]\nb: [" + strings.Repeat("*a, ", 1<<16) + "]"
	for _, text := range []string{bomb, flat} {
		_, errs := spec.ParseYAML("f", []byte(text))
		if len(errs) != 1 || !strings.Contains(errs.Error(), "aliases make the file larger than 100000 values") {
			t.Errorf("got %d errors", len(errs))
		}
	}
}

func TestParseJSON(t *testing.T) {
	const text = "\ufeff {\"b\": [1, 2.5, -3e2, true, null, \"\\u00e9\\n\"],\n\t\"a\": {\"é\": {}, \"x\": 1}}\n"
	n, errs := spec.ParseJSON("f", []byte(text))
	if errs != nil {
		t.Fatal(errs)
	}
	got, err := json.Marshal(n)
	if want := `{"b":[1,2.5,-300.0,true,null,"é\n"],"a":{"é":{},"x":1}}`; err != nil || string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a, _ := n.Lookup("a")
	x, _ := a.Value.Lookup("x")
	b, _ := n.Lookup("b")
	for want, got := range map[string]spec.Pos{
		"f:1:2": n.Pos, "f:2:2": a.Pos, "f:2:7": a.Value.Pos, "f:2:17": x.Pos, "f:2:22": x.Value.Pos,
		"f:1:12": b.Value.Items[1].Pos,
	} {
		if got.String() != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestParseJSONErrors(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":     {" \n", `f:1:1: the file is empty`},
		"broken":    {"{\"a\": 1,\n}", `f:2:1: invalid character '}' looking for beginning of object key string`},
		"cut":       {`{"a": [1`, `f:1:8: unexpected end of JSON input`},
		"trailing":  {"{}\n{}", `f:2:1: invalid character '{' after top-level value`},
		"twice":     {`{"a": {"b": 1, "b": 2}}`, `f:1:16: a.b: the key "b" is already set at f:1:8`},
		"escaped":   {`{"a": 1, "\u0061": 2}`, `f:1:10: a: the key "a" is already set at f:1:2`},
		"not UTF-8": {"{\"a\": \"\xff\"}", `f:1:8: the byte 0xff is not UTF-8`},
		"deep": {
			strings.Repeat("[", 102) + strings.Repeat("]", 102),
			`f:1:101: ` + strings.Repeat("[0]", 100) + `: nested deeper than 100`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n, errs := spec.ParseJSON("f", []byte(tt.text))
			if diff := cmp.Diff(tt.want, errs.Error()); diff != "" || n != nil {
				t.Error(n, diff)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	env := map[string]string{"HOST": "db", "PORT": "5432", "EMPTY": "", "ON": "true"}
	files := map[string]string{"/token": "s3cret\r\n", "/big": strings.Repeat("x", 1<<20+1), "/raw": "\xff"}
	tests := map[string]struct{ text, want string }{
		"variable":       {"${HOST}", "db"},
		"several":        {"${HOST}:${PORT}/x", "db:5432/x"},
		"default":        {"${NONE:-a:-b}", "a:-b"},
		"default unused": {"${HOST:-x}", "db"},
		"empty":          {"<${EMPTY}>", "<>"},
		"empty, default": {"${EMPTY:-x}", "x"},
		"empty default":  {"<${NONE:-}>", "<>"},
		"file":           {"Bearer ${file:/token}", "Bearer s3cret"},
		"escaped":        {"$${HOST} ${HOST}", "${HOST} db"},
		"dollars":        {"^a$|$1|$$", "^a$|$1|$$"},
		"dollar before":  {"$$${HOST}", "$${HOST}"},
		"not again":      {"${NONE:-$${HOST}", "$${HOST"},
		"unset":          {"${NONE}", "!the variable NONE is not set: ${NONE:-default} makes it optional"},
		"syntax": {
			"${A B}",
			"!want ${NAME}, ${NAME:-default} or ${file:/path}, got \"${A B}\": $${ stands for ${ itself",
		},
		"no name": {
			"${}",
			"!want ${NAME}, ${NAME:-default} or ${file:/path}, got \"${}\": $${ stands for ${ itself",
		},
		"number": {
			"${1}",
			"!want ${NAME}, ${NAME:-default} or ${file:/path}, got \"${1}\": $${ stands for ${ itself",
		},
		"open":        {"x${HOST", "!the reference \"${HOST\" is not closed: $${ stands for ${ itself"},
		"no file":     {"${file:/none}", "!file /none: file does not exist"},
		"no path":     {"${file:}", "!want a path in ${file:/path}"},
		"big file":    {"${file:/big}", "!file /big: is larger than 1MiB"},
		"binary file": {"${file:/raw}", "!file /raw: is not UTF-8 text"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n := &spec.Node{Kind: spec.String, Text: tt.text, Pos: spec.Pos{File: "f", Line: 1, Col: 1}}
			errs := spec.Expand(n, lookupIn(env), readIn(files))
			got := n.Text
			if errs != nil {
				got = "!" + strings.TrimPrefix(errs.Error(), "f:1:1: ")
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestExpandThenDecode(t *testing.T) {
	n, errs := spec.ParseYAML("f", []byte(`
"${HOST}": 1
number: "${PORT}"
on: ${ON}
wrong: ${HOST}
port: ${HOST}
bad: [a, "${NONE}", "${NONE2}"]
required: ${NONE}
timeout: ${HOST}
cidr: ${CIDR}
`))
	if errs != nil {
		t.Fatal(errs)
	}
	var into struct {
		Key      int           `json:"${HOST}"`
		Number   int           `json:"number"`
		On       bool          `json:"on"`
		Wrong    bool          `json:"wrong"`
		Port     uint16        `json:"port"`
		Bad      []string      `json:"bad"`
		Required string        `json:"required" required:"true" check:"url"`
		Timeout  spec.Duration `json:"timeout"`
		CIDR     spec.CIDR     `json:"cidr"`
	}
	env := map[string]string{"HOST": "db", "PORT": "5432", "ON": "true", "CIDR": "10.1.1.1/8"}
	errs = append(spec.Expand(n, lookupIn(env), nil), spec.Decode(n, &into, spec.Options{})...)
	errs.Sort()
	want := `f:5:8: wrong: want true or false, got what ${HOST} stands for
f:6:7: port: want a whole number, got what ${HOST} stands for
f:7:10: bad[1]: the variable NONE is not set: ${NONE:-default} makes it optional
f:7:21: bad[2]: the variable NONE2 is not set: ${NONE2:-default} makes it optional
f:8:11: required: the variable NONE is not set: ${NONE:-default} makes it optional
f:9:10: timeout: want a duration such as 250ms, 5s or 1h, got what ${HOST} stands for
f:10:7: cidr: it has bits beyond its length: did you mean "10.0.0.0/8"?, got what ${CIDR} stands for`
	if diff := cmp.Diff(want, errs.Error()); diff != "" {
		t.Error(diff)
	}
	if into.Key != 1 || into.Number != 5432 || !into.On {
		t.Errorf("got %+v", into)
	}
}

func TestExpandNotAllowed(t *testing.T) {
	n, _ := spec.ParseJSON("f", []byte(`["${A}", "${file:/x}"]`))
	errs := spec.Expand(n, nil, nil)
	want := "f:1:2: [0]: variables such as ${A} are not allowed here\n" +
		"f:1:10: [1]: files such as ${file:/x} are not allowed here"
	if errs.Error() != want {
		t.Errorf("got %s", errs)
	}
}

// A file that is named often enough would fill the memory.
func TestExpandBoundsTheWhole(t *testing.T) {
	n := &spec.Node{Kind: spec.List}
	for range 20 {
		n.Items = append(n.Items, &spec.Node{Kind: spec.String, Text: "${file:/big}"})
	}
	errs := spec.Expand(n, nil, readIn(map[string]string{"/big": strings.Repeat("x", 1<<20)}))
	if len(errs) != 4 || !strings.Contains(errs.Error(), "references make the file larger by more than 16MiB") {
		t.Errorf("got %d errors: %v", len(errs), errs)
	}
}
