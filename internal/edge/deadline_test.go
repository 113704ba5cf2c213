package edge

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// counted counts how often the deadline of the socket is moved.
type counted struct {
	net.Conn
	moved int
}

func (c *counted) SetReadDeadline(t time.Time) error {
	c.moved++
	return c.Conn.SetReadDeadline(t)
}

func TestReadDeadline(t *testing.T) {
	// Each step is at its second. The read begins at 1 and ends, if it does, at the second that is wanted.
	tests := map[string]struct {
		before time.Duration // the deadline when the read begins; 0 is none
		at     time.Duration // when it is moved within the read; 0 is never
		to     time.Duration // where to; 0 is nowhere
		want   time.Duration // when the read fails; 0 is never
	}{
		"none":                  {},
		"kept":                  {before: 10 * time.Second, want: 10 * time.Second},
		"over before":           {before: time.Nanosecond, want: time.Second},
		"later":                 {before: 10 * time.Second, at: 5 * time.Second, to: 20 * time.Second, want: 20 * time.Second},
		"earlier":               {before: 10 * time.Second, at: 5 * time.Second, to: 7 * time.Second, want: 7 * time.Second},
		"taken away":            {before: 10 * time.Second, at: 5 * time.Second},
		"given":                 {at: 5 * time.Second, to: 7 * time.Second, want: 7 * time.Second},
		"the engine's wake-up":  {before: 10 * time.Second, at: 5 * time.Second, to: time.Nanosecond, want: 5 * time.Second},
		"a wake-up out of none": {at: 5 * time.Second, to: time.Nanosecond, want: 5 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				near, far := net.Pipe()
				defer near.Close()
				c := &conn{Conn: far}
				move := func(to time.Duration) {
					var end time.Time
					if to > 0 {
						end = began.Add(to)
					}
					if err := c.SetReadDeadline(end); err != nil {
						t.Error(err)
					}
				}
				move(test.before)
				time.Sleep(time.Second)
				if test.at > 0 {
					time.AfterFunc(test.at-time.Second, func() { move(test.to) })
				}
				go func() {
					time.Sleep(time.Minute)
					_, _ = near.Write([]byte("x")) // it waits for the second read, if the first is over
				}()
				_, err := c.Read(make([]byte, 1))
				at := time.Since(began)
				if test.want == 0 {
					if err != nil {
						t.Errorf("the read failed after %v: %v", at, err)
					}
					return
				}
				if !errors.Is(err, os.ErrDeadlineExceeded) || at != test.want {
					t.Errorf("the read ended after %v with %v, not after %v", at, err, test.want)
				}
				move(0) // what woke one read does not end the next
				if _, err := c.Read(make([]byte, 1)); err != nil {
					t.Errorf("the next read: %v", err)
				}
			})
		})
	}
}

// What the engine does for a request moves the deadline of the socket twice: to wait for the request, and to wake up
// what looks whether the client goes away.
func TestReadDeadlineIsMovedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		socket := &counted{Conn: far}
		c := &conn{Conn: socket}
		const requests = 10
		for range requests {
			go func() { _, _ = near.Write([]byte("GET /")) }()
			_ = c.SetReadDeadline(time.Now().Add(time.Minute)) // for the next request
			if _, err := c.Read(make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Time{})
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second)) // for its head
			_ = c.SetReadDeadline(time.Time{})
			c.heads.end()
			woken := make(chan error)
			go func() {
				_, err := c.Read(make([]byte, 1))
				woken <- err
			}()
			synctest.Wait()
			_ = c.SetReadDeadline(time.Unix(1, 0))
			if err := <-woken; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Time{})
			c.heads.next()
		}
		if socket.moved > 2*requests {
			t.Errorf("moved %d times for %d requests", socket.moved, requests)
		}
	})
}
