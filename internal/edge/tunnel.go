package edge

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// tunnel carries an upgraded connection: the head of the 101, then bytes both ways until both sides are done, one of
// them fails, or both are silent for too long. It belongs to the exchange that asked for the upgrade, so the snapshot
// of that exchange lives on until then.
func (v *visit) tunnel(resp *http.Response) {
	far, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || v.x.Upgrade == "" {
		v.fail(exchange.Errorf(exchange.UpstreamProtocol, "the instance switched protocols without being asked to"))
		return
	}
	near, buffered, err := http.NewResponseController(v.w).Hijack()
	if err != nil {
		v.fail(exchange.Errorf(exchange.UpgradeNotSupported, "this connection cannot be upgraded").Because(err))
		return
	}
	v.sent, v.passed = true, true
	t := &tunnel{near: near, far: far, silence: time.Duration(v.config.Timeouts.Tunnel)}
	if !v.conn.listener.edge.tunnels.add(t) {
		t.close()
		return
	}
	defer v.conn.listener.edge.tunnels.remove(t)
	if err := writeSwitch(near, resp); err != nil {
		t.close()
		v.fault = exchange.Errorf(exchange.ClientGone, "the client left before the upgrade").Because(err)
		return
	}
	in, out := t.run(buffered.Reader)
	v.out = out
	v.body = v.body.and(in)
}

// writeSwitch writes the head of a 101. Upstream has checked that the instance switched to what was asked for.
func writeSwitch(to net.Conn, resp *http.Response) error {
	w := bufio.NewWriterSize(to, 4<<10)
	if _, err := w.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"); err != nil {
		return err
	}
	if err := resp.Header.WriteSubset(w, map[string]bool{"Connection": true}); err != nil {
		return err
	}
	if _, err := w.WriteString("\r\n"); err != nil {
		return err
	}
	return w.Flush()
}

// A tunnel is an upgraded connection: near is the client's end, far the instance's.
type tunnel struct {
	near    net.Conn
	far     io.ReadWriteCloser
	silence time.Duration
	last    atomic.Int64 // when a byte last passed, Unix nanoseconds
	once    sync.Once
}

// run copies until the tunnel ends and returns how many bytes came from the client and went to it. What the client sent
// together with its request stands in first.
func (t *tunnel) run(first *bufio.Reader) (in, out int64) {
	defer t.close()
	t.last.Store(time.Now().UnixNano())
	if t.silence > 0 {
		stop := make(chan struct{})
		defer close(stop)
		go t.watch(stop)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if n := first.Buffered(); n > 0 {
			early, _ := first.Peek(n)
			m, err := t.far.Write(early)
			in += int64(m)
			if err != nil {
				t.close()
				return
			}
		}
		in += t.copy(t.far, t.near)
	}()
	out = t.copy(t.near, t.far)
	<-done
	return in, out
}

// watch closes the tunnel once it has been silent for too long, and looks again when that may be the case.
func (t *tunnel) watch(stop <-chan struct{}) {
	timer := time.NewTimer(t.silence)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-timer.C:
		}
		left := t.silence - time.Duration(time.Now().UnixNano()-t.last.Load())
		if left <= 0 {
			t.close()
			return
		}
		timer.Reset(left)
	}
}

// copy moves bytes one way. At the end of a side, the other is told so if it can be; otherwise the tunnel is over.
func (t *tunnel) copy(to io.Writer, from io.Reader) (n int64) {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		m, err := from.Read(buf[:])
		if m > 0 {
			t.last.Store(time.Now().UnixNano())
			w, werr := to.Write(buf[:m])
			n += int64(w)
			if werr != nil {
				t.close()
				return n
			}
		}
		if err != nil {
			half, ok := to.(interface{ CloseWrite() error })
			if !errors.Is(err, io.EOF) || !ok || half.CloseWrite() != nil {
				t.close()
			}
			return n
		}
	}
}

func (t *tunnel) close() {
	t.once.Do(func() {
		_ = t.near.Close() // what fails here has failed before, where it was noticed
		_ = t.far.Close()
	})
}

// tunnels are the open tunnels of an edge; the engine does not know of them when it drains.
type tunnels struct {
	mu     sync.Mutex
	open   map[*tunnel]struct{}
	closed bool
	empty  chan struct{} // closed when the last one ends after drain
}

// add reports whether the tunnel may open: not any more once all were told to close.
func (ts *tunnels) add(t *tunnel) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return false
	}
	if ts.open == nil {
		ts.open = make(map[*tunnel]struct{})
	}
	ts.open[t] = struct{}{}
	return true
}

func (ts *tunnels) remove(t *tunnel) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.open, t)
	if len(ts.open) == 0 && ts.empty != nil {
		close(ts.empty)
		ts.empty = nil
	}
}

// drained returns a channel that is closed when no tunnel is open.
func (ts *tunnels) drained() <-chan struct{} {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.empty != nil {
		return ts.empty
	}
	empty := make(chan struct{})
	if len(ts.open) == 0 {
		close(empty)
		return empty
	}
	ts.empty = empty
	return empty
}

// closeAll ends every tunnel, and lets none open any more.
func (ts *tunnels) closeAll() {
	ts.mu.Lock()
	ts.closed = true
	all := make([]*tunnel, 0, len(ts.open))
	for t := range ts.open {
		all = append(all, t)
	}
	ts.mu.Unlock()
	for _, t := range all {
		t.close()
	}
}
