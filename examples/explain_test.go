package examples_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/snapshot"
)

// What the comments in the examples promise.
func TestExamplesRouteAsTheySay(t *testing.T) {
	tests := []struct {
		file, url string
		header    http.Header
		route     string
		notes     []string
	}{
		{"basic.yaml", "http://shop.example.com/api/orders", nil, "api", []string{
			"/api/orders becomes /orders", "sets X-Client", "removes Server, removes X-Powered-By",
		}},
		{"basic.yaml", "http://shop.example.com/", nil, "pages", nil},
		{"basic.yaml", "http://any.example.com/ping", nil, "ping", nil},
		{"basic.yaml", "http://store.example.com/a?b", nil, "old-name", []string{"https://shop.example.com/a?b"}},
		{"canary.yaml", "http://shop.example.com/api/orders/7", nil, "orders", nil},
		{"canary.yaml", "http://shop.example.com/api/orders/7", http.Header{"X-Canary": {"yes"}}, "orders-asked-for", []string{"sets X-Version"}},
		{"grpc.yaml", "http://any.example.com/helloworld.Greeter/SayHello", nil, "greeter", nil},
	}
	for _, tt := range tests {
		e, err := load(t, tt.file).Explain(t.Context(), http.MethodGet, tt.url, tt.header)
		if err != nil {
			t.Fatal(err)
		}
		if e.Route != tt.route || e.Reason != "" || !strings.HasSuffix(strings.SplitN(tt.url, "?", 2)[0], e.Host+e.Path) {
			t.Errorf("%s: %s: %+v, want the route %s", tt.file, tt.url, e, tt.route)
		}
		var whys strings.Builder
		for _, step := range e.Steps {
			whys.WriteString(step.Why + "\n")
		}
		for _, note := range tt.notes {
			if !strings.Contains(whys.String(), note) {
				t.Errorf("%s: %s: nothing says %q:\n%s", tt.file, tt.url, note, &whys)
			}
		}
	}
}

// load builds a snapshot of an example that opens nothing.
func load(t *testing.T, file string) *snapshot.Snapshot {
	t.Helper()
	kinds, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		t.Fatal(err)
	}
	source, errs := config.Read(file, os.LookupEnv)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	doc, errs := config.Decode(source.Tree, kinds)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	env := snapshot.OfflineEnv()
	snap, errs := snapshot.Build(doc, env)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if warnings := snap.Warnings(); len(warnings) > 0 {
		t.Errorf("%s: %v", file, warnings)
	}
	snap.Populate(env.Groups)
	t.Cleanup(func() {
		if err := snap.Discard(); err != nil {
			t.Error(err)
		}
	})
	return snap
}
