package health

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// httpProbe returns a probe that sends GET and looks at the status. Each probe makes a connection of its own and says
// that it will close it.
func httpProbe(d *dialer, secure *tls.Config, http2 bool, path string, expected statuses) probe {
	ask := http1(d, secure, path)
	if http2 {
		ask = overHTTP2(d, secure, path)
	}
	return func(ctx context.Context, address string) error {
		status, err := ask(ctx, address)
		if err == nil && !expected.has(status) {
			return finding(fmt.Sprintf("answered %d, expected %s", status, expected.text))
		}
		return err
	}
}

// http1 asks in HTTP/1.1, in the simplest way there is: a thousand instances are asked again and again.
func http1(d *dialer, secure *tls.Config, path string) func(ctx context.Context, address string) (int, error) {
	return func(ctx context.Context, address string) (int, error) {
		conn, err := d.dial(ctx, address, secure)
		if err != nil {
			return 0, err
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // fails only when closed
		defer func() {
			stop()
			_ = conn.Close() // the answer is known
		}()
		_, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+address+"\r\nUser-Agent: "+userAgent+
			"\r\nAccept: */*\r\nConnection: close\r\n\r\n")
		if err != nil {
			return 0, err
		}
		return readStatus(conn)
	}
}

// readStatus reads the head of the final answer, and of the body what arrives at once, so that an instance with a short
// answer can finish it.
func readStatus(conn net.Conn) (int, error) {
	from := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	for range 10 {
		resp, err := http.ReadResponse(from, nil)
		if err != nil {
			return 0, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			_ = conn.SetReadDeadline(time.Now().Add(drainTime)) // fails only when closed
			_, _ = io.Copy(io.Discard, resp.Body)               // the status has been seen
			return resp.StatusCode, resp.Body.Close()
		}
	}
	return 0, finding("answered with interim statuses only")
}

// drainTime is how long a probe waits for the body of an answer whose status it has seen.
const drainTime = 100 * time.Millisecond

// overHTTP2 asks in HTTP/2, with prior knowledge or over TLS.
func overHTTP2(d *dialer, secure *tls.Config, path string) func(ctx context.Context, address string) (int, error) {
	t := transport2(d, secure)
	return func(ctx context.Context, address string) (int, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme(secure)+"://"+address+path, http.NoBody)
		if err != nil {
			return 0, err
		}
		req.Header.Set("User-Agent", userAgent)
		resp, err := t.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
}

// transport2 returns a transport that speaks nothing but HTTP/2 and keeps no connection.
func transport2(d *dialer, secure *tls.Config) *http.Transport {
	t := &http.Transport{
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxAnswer,
		Protocols:              new(http.Protocols),
		DialContext:            d.DialContext,
	}
	if secure == nil {
		t.Protocols.SetUnencryptedHTTP2(true)
		return t
	}
	t.Protocols.SetHTTP2(true)
	t.DialTLSContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		c := secure.Clone()
		c.NextProtos = []string{"h2"}
		conn, err := d.dial(ctx, address, c)
		if over, ok := conn.(*tls.Conn); ok && over.ConnectionState().NegotiatedProtocol != "h2" {
			_ = conn.Close() // of no use
			return nil, finding("does not speak HTTP/2 over TLS")
		}
		return conn, err
	}
	return t
}

func scheme(secure *tls.Config) string {
	if secure != nil {
		return "https"
	}
	return "http"
}
