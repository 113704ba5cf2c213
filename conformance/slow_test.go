package conformance_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// The limits are shorter than the defaults where that saves time: the grace of min_rate cannot be.
const slowConfig = `
listeners:
  web: {address: "127.0.0.1:0", timeouts: {header: $header, write: 5s}}
  secure: {address: "127.0.0.1:0", timeouts: {header: $header}, tls: {certificates: [{cert: $dir/cert.pem, key: $dir/key.pem}]}}
services: {origin: {instances: [{address: "$origin"}], retries: {attempts: 1}}}
routes: {all: {service: origin}}
`

// A dawdle is a way to be slow. After begin a byte of rest is sent each second, over and over, or nothing if it is "".
type dawdle struct {
	limit  time.Duration // when the gateway may end it
	secure bool
	begin  string
	rest   string
}

func dawdles(header time.Duration) map[string]dawdle {
	const grace = 10 * time.Second
	byData := "\x00\x00\x01\x00\x00\x00\x00\x00\x01x" // DATA with a byte
	return map[string]dawdle{
		"nothing":              {header, false, "", ""},
		"head":                 {header, false, "GET / HTTP/1.1\r\nHost: a.test\r\nX-Slow: ", "x"},
		"head in fields":       {header, false, "GET / HTTP/1.1\r\nHost: a.test\r\n", "X: y\r\n"},
		"body":                 {grace, false, "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n", "x"},
		"chunks":               {grace, false, "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
		"handshake":            {header, true, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "x"},
		"HTTP/2 preface":       {header, false, http2.ClientPreface[:10], ""},
		"HTTP/2 head":          {header, false, string(opened(1, 0)), ""},
		"HTTP/2 head by bytes": {min(header, grace), false, http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x40\x00\x01\x00\x00\x00\x00\x01", " "},
		"HTTP/2 body":          {grace, false, string(opened(1, 4)), byData},
		"HTTP/2 frame":         {grace, false, string(opened(1, 4)) + "\x00\x40\x00\x00\x00\x00\x00\x00\x01", "x"},
	}
}

// Thousands of clients that send or read by the byte are ended at their limit, and others do not notice. SLOW is how many
// there are.
func TestSlowClients(t *testing.T) {
	clients, header := often(400, 4000), time.Duration(often(3, 10))*time.Second
	if n, err := strconv.Atoi(os.Getenv("SLOW")); err == nil {
		clients = n
	}
	clients = min(clients, openFiles()-500)
	origin := serve(t, "http", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	g := start(t, slowConfig, "$header", header.String(), "$origin", origin)
	g.abused = true
	other := start(t, slowConfig, "$header", header.String(), "$origin", origin)
	quiet, _ := latency(t, g, other, 4*time.Second)
	memory := g.resident(t)
	crowd, peak := besiege(t, g, dawdles(header), clients), memory
	var busy, beside []time.Duration
	for !crowd.gone() {
		here, there := latency(t, g, other, time.Second)
		busy, beside = append(busy, here...), append(beside, there...)
		peak = max(peak, g.resident(t))
	}
	t.Logf("%d slow clients; requests beside them: p50 %v, p99 %v; at the same time through a gateway without them: p50 %v, p99 %v; "+
		"before: p50 %v, p99 %v; memory %d MiB, then %d MiB", clients, at99(busy, 50), at99(busy, 99), at99(beside, 50), at99(beside, 99),
		at99(quiet, 50), at99(quiet, 99), memory>>20, peak>>20)
	crowd.judge(t)
	if p, q := at99(busy, 99), at99(beside, 99); p > 2*q && p > 10*time.Millisecond {
		t.Errorf("the p99 of others was %v, and without slow clients %v", p, q)
	}
	if each := (peak - memory) / clients; each > 64<<10 && peak-memory > 64<<20 {
		t.Errorf("a slow client costs %d KiB", each>>10)
	}
}

// A siege is many slow clients.
type siege struct {
	mu    sync.Mutex
	took  map[string][]time.Duration
	still map[string]*atomic.Int64
	kinds map[string]dawdle
}

// besiege lets slow clients come, some 800 a second: who lets them come is to be no load itself.
func besiege(t *testing.T, g *gateway, kinds map[string]dawdle, clients int) *siege {
	coming := max(time.Second, time.Duration(clients)*time.Second/800)
	s := &siege{took: make(map[string][]time.Duration), still: make(map[string]*atomic.Int64), kinds: kinds}
	for name, kind := range kinds {
		s.still[name] = new(atomic.Int64)
		n := clients / len(kinds)
		s.still[name].Store(int64(n))
		for i := range n {
			go func() {
				time.Sleep(time.Duration(i) * coming / time.Duration(n))
				s.dawdle(t, g, name, kind)
			}()
		}
	}
	return s
}

func (s *siege) dawdle(t *testing.T, g *gateway, name string, kind dawdle) {
	defer s.still[name].Add(-1)
	address := g.web
	if kind.secure {
		address = g.secure
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer c.Close()
	began := time.Now()
	_, _ = io.WriteString(c, kind.begin)
	over := make(chan struct{})
	defer close(over)
	if kind.rest != "" {
		go func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-over:
					return
				case <-tick.C:
					_, _ = io.WriteString(c, kind.rest) // it is closed when it cannot be written to
				}
			}
		}()
	}
	_ = c.SetReadDeadline(began.Add(kind.limit + 20*time.Second))
	err = untilEnded(c, strings.HasPrefix(kind.begin, "PRI"))
	took := time.Since(began)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		took = -1
	}
	s.mu.Lock()
	s.took[name] = append(s.took[name], took)
	s.mu.Unlock()
}

// untilEnded reads until the gateway ends it: closes the connection, or over HTTP/2 answers or resets the stream.
func untilEnded(c net.Conn, isFrames bool) error {
	if !isFrames {
		_, err := io.Copy(io.Discard, c)
		return err
	}
	f := http2.NewFramer(io.Discard, c)
	for {
		fr, err := f.ReadFrame()
		if err != nil {
			return err
		}
		switch fr := fr.(type) {
		case *http2.DataFrame:
			if fr.StreamEnded() {
				return nil
			}
		case *http2.HeadersFrame:
			if fr.StreamEnded() {
				return nil
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return nil
		}
	}
}

// gone reports whether all clients have been ended.
func (s *siege) gone() bool {
	for _, n := range s.still {
		if n.Load() > 0 {
			return false
		}
	}
	return true
}

func (s *siege) judge(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, took := range s.took {
		slices.Sort(took)
		first, last := took[0], took[len(took)-1]
		t.Logf("%-22s limit %6v: %4d ended after %v to %v", name, s.kinds[name].limit, len(took), first.Round(10*time.Millisecond), last.Round(10*time.Millisecond))
		if first < 0 {
			t.Errorf("%s: some are still there", name)
		}
		if limit := s.kinds[name].limit; last > limit+15*time.Second {
			t.Errorf("%s: ended after %v, not within 15 s of %v", name, last, limit)
		}
	}
}

// latency sends requests at a steady pace through two gateways and returns how long each took. What the machine is busy with
// besides, the slow clients included, both have to bear.
func latency(t *testing.T, g, other *gateway, during time.Duration) (through, beside []time.Duration) {
	t.Helper()
	var mu sync.Mutex
	var workers sync.WaitGroup
	end := time.Now().Add(during)
	for n := range 8 {
		address, into := g.web, &through
		if n%2 == 1 {
			address, into = other.web, &beside
		}
		workers.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for time.Now().Before(end) {
				began := time.Now()
				resp, err := client.Get("http://" + address + "/")
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				took := time.Since(began)
				if resp.StatusCode != 200 {
					t.Error(resp.Status)
				}
				mu.Lock()
				*into = append(*into, took)
				mu.Unlock()
				time.Sleep(10*time.Millisecond - took)
			}
		})
	}
	workers.Wait()
	return through, beside
}

// at99 returns a percentile.
func at99(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*percent/100)].Round(10 * time.Microsecond)
}

// resident returns how much memory the process has, in bytes.
func (g *gateway) resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", g.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// openFiles returns how many files may be open.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return int(min(limit.Cur, 1<<20))
}

// Who asks for much and reads nothing, or a few bytes at a time, holds an answer for no longer than the write timeout.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{}, 1000)
	g := start(t, slowConfig, "$header", "10s", "$origin", serve(t, "http", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		defer func() { stopped <- struct{}{} }()
		for range 1 << 14 {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})))
	n := often(20, 500)
	began := time.Now()
	for i := range n {
		if i%2 == 0 {
			a := g.abuse(t, false)
			a.head("/", true)
			go func() { _ = untilEnded(a.c, true) }() // it reads what its window lets through, and opens that no further
			continue
		}
		c := dial(t, g.web)
		_ = c.SetReadBuffer(4 << 10)
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
		go func() {
			for range 20 {
				if _, err := c.Read(make([]byte, 16)); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
	}
	const write = 5 * time.Second
	for i := range n {
		select {
		case <-stopped:
		case <-time.After(time.Until(began.Add(write + write/4 + 15*time.Second))):
			t.Fatalf("%d of %d answers go on after %v", n-i, n, time.Since(began))
		}
	}
	until(t, 5*time.Second, "end of the connections over HTTP/1.1", func() bool { files, _ := g.held(); return files < n/2+40 })
	t.Logf("%d answers were ended within %v", n, time.Since(began).Round(10*time.Millisecond))
}

// Connections over TLS that send their head slowly are ended like others.
func TestSlowOverTLS(t *testing.T) {
	g := start(t, slowConfig, "$header", "1s", "$origin", lazyOrigin(t))
	g.abused = true
	for name, test := range map[string]struct{ alpn, text, want string }{
		"h1":         {"http/1.1", "GET / HTTP/1.1\r\nHost: a.te", "HTTP/1.1 408 "},
		"h1 nothing": {"http/1.1", "", ""},
		"h2":         {"h2", string(opened(1, 0)), "\x00\x00\x00\x0bslow_head"},
		"h2 nothing": {"h2", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tls.Client(dial(t, g.secure), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{test.alpn}})
			began := time.Now()
			_ = c.Handshake() // what fails is seen below
			_, _ = io.WriteString(c, test.text)
			answer, _ := io.ReadAll(c)
			if took := time.Since(began); took > 3*time.Second || took < 900*time.Millisecond || !strings.Contains(string(answer), test.want) {
				t.Errorf("after %v: %q", took, answer)
			}
		})
	}
}
