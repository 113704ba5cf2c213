package filtertest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filter/filtertest"
)

// A greeting answers some paths itself.
type greeting struct {
	// Path that is greeted.
	Path string `json:"path" default:"/hello"`
	// Name to greet.
	Name string `json:"name" required:"true"`
}

func (g *greeting) Wrap(_ *filter.Build, next exchange.Handler) (exchange.Handler, error) {
	if g.Name == "nobody" {
		return nil, errors.New("name: there is nobody to greet")
	}
	return exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
		if x.Path == g.Path {
			x.Note(exchange.StageFilter, "greeting", "greets", g.Name)
			rec := httptest.NewRecorder()
			_, _ = rec.WriteString("hello " + g.Name)
			return rec.Result(), nil
		}
		x.Request.Header.Set("X-Greeted", g.Name)
		return next.Handle(x)
	}), nil
}

func kind() filter.Kind {
	return filter.Kind{Name: "greeting", New: func() filter.Filter { return new(greeting) }}
}

func TestRun(t *testing.T) {
	res := filtertest.Run(t, kind(), "name: Ana", httptest.NewRequest(http.MethodGet, "/hello", http.NoBody))
	if res.Seen != nil || res.Body != "hello Ana" || len(res.Steps) != 1 {
		t.Errorf("answered by the filter: %+v", res)
	}
	res = filtertest.Run(t, kind(), "{name: Ana, path: /ciao}", nil)
	if res.Seen == nil || res.Seen.Request.Header.Get("X-Greeted") != "Ana" || res.Body != "ok" {
		t.Errorf("passed on: %+v", res)
	}
}

func TestProblems(t *testing.T) {
	for config, want := range map[string][]string{
		"name: Ana":              nil,
		"":                       {"name: is required"},
		"{nme: Ana, path: [/a]}": {"name: is required", `nme: unknown key "nme": did you mean "name"?`, "path: want a string, got a list"},
		"name: nobody":           {"name: there is nobody to greet"},
		"name: a: b":             {"mapping values are not allowed in this context"},
	} {
		got := filtertest.Case{Kind: kind(), Config: config}.Problems()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", config, diff)
		}
	}
}
