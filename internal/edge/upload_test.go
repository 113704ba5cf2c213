package edge_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An instance that dies while the client is still sending is the instance's failure: the client gets its answer, although
// the read of its body had to be broken off, which looks to the engine as if the client had gone.
func TestInstanceDiesWithinTheUpload(t *testing.T) {
	for _, protocol := range []string{"http", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			for range 6 { // it takes a race to go wrong over HTTP/2
				instanceDies(t, protocol)
			}
		})
	}
}

func instanceDies(t *testing.T, protocol string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	s := &http.Server{Protocols: p}
	s.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 10))
		_ = s.Close()
		panic(http.ErrAbortHandler)
	})
	go func() { _ = s.Serve(l) }()
	g := startAt(t, `
listeners: {web: {address: "127.0.0.1:0"}}
services: {s: {protocol: `+protocol+`, instances: [{address: "$origin"}], health: {active: {type: none}}}}
routes: {all: {service: s}}
`, l.Addr().String())
	c, err := net.Dial("tcp", g.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 1000))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(text), `"upstream_reset"`) {
		t.Fatalf("the client got %s, %s, %v", resp.Status, text, err)
	}
}
