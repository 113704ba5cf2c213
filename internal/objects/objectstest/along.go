package objectstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/asynched/api-gateway/internal/objects"
)

// testReadAlong: those who read along get everything, at their own pace, whenever they came.
func testReadAlong(t *testing.T, s objects.Storage) {
	for _, n := range []int{0, 10, 50_000, 1_000_000} {
		body := Body(n, n)
		w := begin(t, s, Spec("a"))
		var wg sync.WaitGroup
		join := func(pace int) {
			o := w.Object()
			wg.Go(func() {
				defer o.Release()
				r := o.Reader(t.Context(), 0, -1)
				defer func() { _ = r.Close() }()
				var got bytes.Buffer
				if _, err := io.CopyBuffer(&got, struct{ io.Reader }{&r}, make([]byte, pace)); err != nil || !bytes.Equal(got.Bytes(), body) {
					t.Errorf("%d bytes, reading along by %d: %d, %v", n, pace, got.Len(), err)
				}
				if err := o.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		join(100)
		for i := 0; i < n; i += 5000 {
			_, _ = w.Write(body[i:min(n, i+5000)])
			if i%100_000 == 0 {
				join(3000 + i)
			}
		}
		join(64 << 10)
		if err := w.Commit(t.Context(), nil); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		wg.Wait()
		want(t, s, "a", body)
	}
}

// testReadAlongInVain: who reads along gets what there was, and then the error.
func testReadAlongInVain(t *testing.T, s objects.Storage) {
	cause := errors.New("origin gone")
	w := begin(t, s, Spec("a"))
	_, _ = w.Write(Body(1, 30_000))
	o := w.Object()
	defer o.Release()
	r := o.Reader(t.Context(), 0, -1)
	defer func() { _ = r.Close() }()
	w.Abort(cause)
	got, err := io.ReadAll(struct{ io.Reader }{&r})
	if !errors.Is(err, cause) || !bytes.Equal(got, Body(1, 30_000)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := o.Wait(t.Context()); !errors.Is(err, cause) {
		t.Errorf("Wait: %v", err)
	}
}

// testOutlive: nothing that happens to an object reaches those who read it.
func testOutlive(t *testing.T, s objects.Storage) {
	body := Body(1, 500_000)
	Put(t, s, Spec("a", "t"), body)
	o := find(t, s, "a")
	r := o.Reader(t.Context(), 0, -1)
	defer func() { _ = r.Close() }()
	head := make([]byte, 100_000)
	if _, err := io.ReadFull(&r, head); err != nil {
		t.Fatal(err)
	}
	purge(t, s, objects.Purge{Scope: objects.ByTag, Text: "t"})
	want(t, s, "a", nil)
	for i := range 20 {
		Put(t, s, Spec("a"), Body(2+i, 500_000))
	}
	rest, err := io.ReadAll(struct{ io.Reader }{&r})
	if err != nil || !bytes.Equal(append(head, rest...), body) {
		t.Errorf("%d bytes, %v", len(head)+len(rest), err)
	}
}

// testEndWaiting: the context ends waiting, and only that.
func testEndWaiting(t *testing.T, s objects.Storage) {
	w := begin(t, s, Spec("a"))
	_, _ = w.Write([]byte("begin"))
	o := w.Object()
	defer o.Release()
	ctx, cancel := context.WithCancel(t.Context())
	r := o.Reader(ctx, 0, -1)
	defer func() { _ = r.Close() }()
	cancel()
	got, err := io.ReadAll(struct{ io.Reader }{&r})
	if string(got) != "begin" || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", got, err)
	}
	if err := o.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	if err := w.Commit(t.Context(), nil); err != nil {
		t.Error(err)
	}
	want(t, s, "a", []byte("begin"))
}
