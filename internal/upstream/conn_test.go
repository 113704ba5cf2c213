package upstream

import (
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestIdleConnectionEnds(t *testing.T) {
	tests := map[string]struct {
		use  func(c *conn)
		ends time.Duration // between that and a third of idleTime earlier; 0 is never
	}{
		"never used": {func(*conn) {}, idleTime},
		"used": {func(c *conn) {
			c.open.Add(1)
			_, _ = c.Write([]byte("x"))
			time.Sleep(10 * time.Minute) // the instance takes its time
			c.open.Add(-1)
		}, 10*time.Minute + idleTime},
		"written to": {func(c *conn) {
			for range 10 {
				_, _ = c.Write([]byte("x"))
				time.Sleep(30 * time.Second) // more than one look, and less than makes it idle
			}
		}, 270*time.Second + idleTime},
		"in use": {func(c *conn) { c.open.Add(1) }, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, near) }()
				began := time.Now()
				c := new(dialer).conn(far, time.Now(), handshake{})
				var using sync.WaitGroup
				using.Go(func() { test.use(c) })
				if test.ends == 0 {
					time.AfterFunc(time.Hour, func() { _ = near.Close() })
				}
				_, err := c.Read(make([]byte, 1))
				at := time.Since(began)
				using.Wait()
				switch {
				case err != io.EOF:
					t.Errorf("the read ended with %v", err)
				case test.ends == 0 && at != time.Hour, test.ends > 0 && (at > test.ends || at < test.ends-idleTime/looksUntilIdle):
					t.Errorf("it ended after %v, and %v is right", at, test.ends)
				}
				_ = c.Close()
				_ = near.Close()
			})
		})
	}
}

// A reset that came while the instance was being sent to is told to the writer. Whoever reads must not take the end it then
// finds for that of an answer without a length.
func TestResetIsNoEnd(t *testing.T) {
	for name, test := range map[string]struct {
		head string
		want error
	}{
		"without a length": {"HTTP/1.1 200 OK\r\n\r\nhel", io.ErrUnexpectedEOF},
		"complete":         {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhel", io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			raw := &resetConn{answer: []byte(test.head)}
			c := &conn{Conn: raw, looks: true}
			c.answers.expect(false)
			_, _ = c.Write([]byte("POST / HTTP/1.1\r\n"))
			if _, err := c.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			raw.reset = true
			_, _ = c.Write([]byte("more of it"))
			if _, err := c.Read(make([]byte, 100)); err != test.want {
				t.Errorf("the reader is told %v, want %v", err, test.want)
			}
		})
	}
}

// A resetConn gives an answer, and then the reset to the writer alone.
type resetConn struct {
	net.Conn
	answer []byte
	reset  bool
}

func (c *resetConn) Read(p []byte) (int, error) {
	if len(c.answer) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.answer)
	c.answer = c.answer[n:]
	return n, nil
}

func (c *resetConn) Write(p []byte) (int, error) {
	if c.reset {
		return 0, syscall.ECONNRESET
	}
	return len(p), nil
}
