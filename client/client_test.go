package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec/specdoc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryFieldHasAComment(t *testing.T) {
	for _, of := range []reflect.Type{
		reflect.TypeFor[client.Registration](), reflect.TypeFor[client.Registered](), reflect.TypeFor[client.Message](),
		reflect.TypeFor[client.GatewayHealth](), reflect.TypeFor[client.Placement](), reflect.TypeFor[client.InstanceInfo](),
		reflect.TypeFor[client.Heartbeat](), reflect.TypeFor[client.Result](), reflect.TypeFor[client.Status](),
		reflect.TypeFor[client.ConfigInfo](), reflect.TypeFor[client.Question](), reflect.TypeFor[client.Problem](),
	} {
		specdoc.CheckComments(t, of, client.Docs())
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		opts client.Options
		want string
	}{
		{client.Options{Address: "ftp://a"}, `address "ftp://a": want the URL of the admin API, such as http://127.0.0.1:9190`},
		{client.Options{Address: "http://"}, `address "http://"`},
		{client.Options{Address: "http://a b"}, `address "http://a b"`},
		{client.Options{Address: "http://me:secret@a"}, "want the URL"},
		{client.Options{Token: "a\nb"}, "token: holds a line break"},
	} {
		_, err := client.New(c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.opts, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for given, want := range map[string]string{
		"": "http://127.0.0.1:9190", "localhost:1": "http://localhost:1", ":9190": "http://127.0.0.1:9190",
		"0.0.0.0:9190": "http://127.0.0.1:9190", "https://a/": "https://a", "[::1]:9190": "http://[::1]:9190",
	} {
		c, err := client.New(client.Options{Address: given})
		if err != nil || c.Address() != want {
			t.Errorf("%q: %v, %v", given, c, err)
		}
	}
}

// serve returns a client of a server that answers by f.
func serve(t *testing.T, o client.Options, f http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	o.Address = s.URL
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestWhatIsSent(t *testing.T) {
	var got *http.Request
	c := serve(t, client.Options{Token: "s3cret", UserAgent: "me/1"}, func(w http.ResponseWriter, r *http.Request) {
		got = r
		fmt.Fprint(w, `{"changes":[]}`)
	})
	if _, err := c.DeleteService(t.Context(), "a/b c", client.Write{Match: `"x"`, DryRun: true}); err != nil {
		t.Fatal(err)
	}
	if got.Method != "DELETE" || got.URL.EscapedPath() != "/v1/services/a%2Fb%20c" || got.URL.RawQuery != "dry_run=true" ||
		got.Header.Get("Authorization") != "Bearer s3cret" || got.Header.Get("User-Agent") != "me/1" || got.Header.Get("If-Match") != `"x"` ||
		got.Header.Get("Content-Type") != "" {
		t.Errorf("sent %s %s %v", got.Method, got.URL, got.Header)
	}
	if _, err := c.PutConfig(t.Context(), []byte("version: 1"), client.YAML, client.Write{New: true}); err != nil {
		t.Fatal(err)
	}
	if got.Header.Get("Content-Type") != "application/yaml" || got.Header.Get("If-None-Match") != "*" || got.ContentLength != 10 {
		t.Errorf("sent %v", got.Header)
	}
}

func TestProblems(t *testing.T) {
	c := serve(t, client.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(422)
		fmt.Fprint(w, `{"status":422,"reason":"invalid_config","detail":"1 error","errors":[{"file":"a.yaml","line":3,"col":5,"path":"routes.a","message":"goes nowhere"}]}`)
	})
	_, err := c.Reload(t.Context(), client.Write{})
	var p *client.Problem
	if !errors.As(err, &p) || p.Reason != "invalid_config" {
		t.Fatalf("got %v", err)
	}
	if want := "1 error (422 invalid_config)\n  a.yaml:3:5: routes.a: goes nowhere"; p.Error() != want {
		t.Errorf("got %q, want %q", p.Error(), want)
	}
}

func TestAnswersOfSomebodyElse(t *testing.T) {
	for name, f := range map[string]http.HandlerFunc{
		"not found": http.NotFound,
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other.example.com/", http.StatusFound)
		},
		"page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{`)
		},
	} {
		c := serve(t, client.Options{}, f)
		_, err := c.Status(t.Context())
		var p *client.Problem
		if err == nil || errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestContextEndsACall(t *testing.T) {
	c := serve(t, client.Options{}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAllPagesAreRead(t *testing.T) {
	c := serve(t, client.Options{}, func(w http.ResponseWriter, r *http.Request) {
		page := map[string]any{"data": []map[string]any{{"name": "a"}}, "next": "x y"}
		if r.URL.Query().Get("after") == "x y" {
			page = map[string]any{"data": []map[string]any{{"name": "b"}}}
		}
		_ = json.NewEncoder(w).Encode(page)
	})
	all, err := c.Services(t.Context())
	if err != nil || len(all) != 2 || all[1].Name != "b" {
		t.Errorf("got %+v, %v", all, err)
	}
}
