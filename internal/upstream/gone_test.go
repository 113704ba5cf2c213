package upstream_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
)

// A client that leaves when its body has arrived is gone, and the instance is told and not to blame. The engine closes each
// body that it has sent, which must not look as if it had let go of it.
func TestClientGoneAfterItsUpload(t *testing.T) {
	for _, protocol := range []string{"http", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			arrived, told := make(chan struct{}), make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				close(arrived)
				<-r.Context().Done()
				close(told)
			}))
			p := new(http.Protocols)
			p.SetHTTP1(true)
			p.SetUnencryptedHTTP2(true)
			server.Config.Protocols = p
			server.Start()
			t.Cleanup(server.Close)
			r := newRig(t)
			s := r.service(func(c *config.Service) { c.Protocol = protocol }, strings.TrimPrefix(server.URL, "http://"))
			x := newExchange(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 1000)))
			ctx, leave := context.WithCancel(t.Context())
			x.Request = x.Request.WithContext(ctx)
			go func() {
				<-arrived
				time.Sleep(20 * time.Millisecond)
				leave()
			}()
			if _, err := do(t, s, x); reason(err) != exchange.ClientGone {
				t.Errorf("it ended with %v", err)
			}
			select {
			case <-told:
			case <-time.After(5 * time.Second):
				t.Error("the instance was not told")
			}
			if got := r.scrape("sallyport_upstream_failures_total"); got != "" {
				t.Error(got)
			}
		})
	}
}
