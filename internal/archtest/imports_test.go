package archtest_test

import (
	"slices"
	"strings"
	"testing"
)

// forbidden are packages that nothing here may import, tests included, and why.
func forbidden() map[string]string {
	return map[string]string{
		"expvar":                             "it registers itself on a mux that everybody shares",
		"io/ioutil":                          "io and os have it all",
		"math/rand":                          "math/rand/v2",
		"net/http/pprof":                     "it registers itself on a mux that everybody shares",
		"plugin":                             "a custom build is the way to add filters",
		"unsafe":                             "nothing here is worth it",
		"github.com/goccy/go-yaml":           "quadratic on types with UnmarshalText; go.yaml.in/yaml/v4",
		"github.com/pkg/errors":              "errors and fmt have it all",
		"github.com/sirupsen/logrus":         "log/slog",
		"github.com/stretchr/testify":        "testing, and go-cmp for differences",
		"go.uber.org/zap":                    "log/slog",
		"golang.org/x/exp":                   "it promises nothing; what is good there comes into the standard library",
		"golang.org/x/net/http2/h2c":         "deprecated; http.Protocols has h2c",
		"gopkg.in/yaml.v2":                   "go.yaml.in/yaml/v4",
		"gopkg.in/yaml.v3":                   "go.yaml.in/yaml/v4, which keeps the place of each value",
		"modernc.org/sqlite":                 "the store is bbolt",
		"google.golang.org/grpc":             "passing gRPC on needs no library",
		"github.com/golang/protobuf":         "google.golang.org/protobuf",
		"github.com/valyala/fasthttp":        "what is between the engines is net/http's",
		"github.com/gorilla/mux":             "net/http has patterns",
		"github.com/spf13/viper":             "spec decodes, strictly",
		"github.com/hashicorp/go-multierror": "errors.Join",
	}
}

// confined are packages that only these rooms may import outside of tests, so that they can be replaced in one place.
func confined() map[string][]string {
	return map[string][]string{
		"github.com/fsnotify/fsnotify":             {"internal/cert", "internal/watch"},
		"github.com/maypok86/otter/v2":             {"internal/objects"},
		"github.com/miekg/dns":                     {"internal/registry"},
		"github.com/pires/go-proxyproto":           {"internal/edge"},
		"github.com/prometheus/client_golang":      {"internal/metric"},
		"github.com/spf13/cobra":                   {"internal/cli"},
		"go.etcd.io/bbolt":                         {"internal/store"},
		"go.yaml.in/yaml/v4":                       {"config", "spec"},
		"log":                                      {"internal/admin", "internal/daemon", "internal/edge"}, // for http.Server, which wants one
		"net/http/httputil":                        {},
		"os/exec":                                  {"examples", "internal/gen"},
		"testing":                                  {"filter/filtertest", "internal/objects", "internal/store"},
		"github.com/google/go-cmp":                 {"internal/store"},
		"pgregory.net/rapid":                       {"internal/objects", "internal/store"},
		"go.uber.org/goleak":                       {},
		"github.com/coder/websocket":               {},
		"github.com/rogpeppe/go-internal":          {},
		"github.com/santhosh-tekuri/jsonschema/v6": {},
	}
}

// within reports whether an import is that package or, if that is a module, one of its packages.
func within(name, pkg string) bool {
	return name == pkg || strings.Contains(pkg, ".") && strings.HasPrefix(name, pkg+"/")
}

func TestImports(t *testing.T) {
	for _, f := range sources(t, func(*source) bool { return true }) {
		for _, name := range f.imports() {
			for pkg, why := range forbidden() {
				if within(name, pkg) {
					t.Errorf("%s imports %s: %s", f.path, name, why)
				}
			}
			for pkg, allowed := range confined() {
				if within(name, pkg) && !f.test && !slices.Contains(allowed, roomOf(f.dir)) {
					t.Errorf("%s imports %s, which only %v may, outside of tests", f.path, name, allowed)
				}
			}
		}
	}
}
