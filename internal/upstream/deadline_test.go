package upstream_test

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/upstream"
)

func TestGRPCTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1H": time.Hour, "20M": 20 * time.Minute, "3S": 3 * time.Second, "99999999m": 99999999 * time.Millisecond,
		"0u": 0, "7n": 7, "99999999H": math.MaxInt64,
		"": -1, "1": -1, "S": -1, "1s": -1, "-1S": -1, "+1S": -1, "1.5S": -1, "999999999S": -1, " 1S": -1,
	} {
		got, ok := upstream.GRPCTimeout(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, ok, want)
		}
	}
}

// An instance that resets a call whose deadline is over is not to blame. One that does so earlier is.
func TestGRPCDeadlineIsOver(t *testing.T) {
	for timeout, want := range map[string]exchange.Reason{"1m": exchange.RequestTimeout, "1M": exchange.UpstreamReset} {
		rig := newRig(t)
		instance := func() string {
			return rawH2(t, func(f *http2.Framer, stream uint32) {
				time.Sleep(10 * time.Millisecond)
				_ = f.WriteRSTStream(stream, http2.ErrCodeCancel)
			})
		}
		s := rig.service(func(c *config.Service) {
			c.Protocol, c.Health.Passive.ConsecutiveErrors = "grpc", 1
		}, instance(), instance())
		x := newExchange(http.MethodPost, "/", strings.NewReader("x"))
		x.Timings.Start = time.Now()
		x.Request.Header.Set("Grpc-Timeout", timeout)
		_, err := s.Handle(x)
		var e *exchange.Error
		if !errors.As(err, &e) || e.Reason != want {
			t.Errorf("timeout %s: %v, want %s", timeout, err, want)
		}
		if ejected := len(rig.seen()) > 0; ejected != (want == exchange.UpstreamReset) {
			t.Errorf("timeout %s: ejected %v", timeout, ejected)
		}
	}
}

// A silent is the body of a client that says a word and falls silent, until it is closed.
type silent struct {
	word   io.Reader
	closed chan struct{}
	once   sync.Once
}

func (s *silent) Read(p []byte) (int, error) {
	if n, err := s.word.Read(p); err == nil {
		return n, nil
	}
	<-s.closed
	return 0, io.ErrClosedPipe
}

func (s *silent) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// The client is silent and the instance goes: that must be noticed before the client speaks again. So must the end of an
// answer that the client does not want.
func TestSilentClient(t *testing.T) {
	t.Run("the instance goes", func(t *testing.T) {
		s := newRig(t).service(h2c, rawH2(t, func(f *http2.Framer, stream uint32) {
			answerHead(f, stream)
			_ = f.WriteRawFrame(http2.FrameRSTStream, 0, 0, []byte("a breach"))
		}))
		resp := speak(t, s)
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("an answer that was cut looks whole")
		}
		_ = resp.Body.Close()
	})
	t.Run("nobody wants the rest", func(t *testing.T) {
		s := newRig(t).service(h2c, rawH2(t, answerHead))
		_ = speak(t, s).Body.Close()
	})
}

func answerHead(f *http2.Framer, stream uint32) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: []byte{0x88}, EndHeaders: true})
}

// speak sends a request whose body does not end. Everything must be over within a few seconds.
func speak(t *testing.T, s *upstream.Service) *http.Response {
	t.Helper()
	body := &silent{word: strings.NewReader("word"), closed: make(chan struct{})}
	late := time.AfterFunc(3*time.Second, func() {
		t.Error("nothing was noticed until the client went away")
		_ = body.Close()
	})
	t.Cleanup(func() {
		late.Stop()
		_ = body.Close()
	})
	x := newExchange(http.MethodPost, "/", body)
	x.Request.ContentLength = -1
	resp, err := s.Handle(x)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
