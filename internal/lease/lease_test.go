package lease_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/asynched/api-gateway/internal/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A thing is a value that tells when it is closed.
type thing struct {
	name   string
	closed int
	log    *[]string
	err    error
}

func (t *thing) Close() error {
	t.closed++
	if t.log != nil {
		*t.log = append(*t.log, t.name)
	}
	return t.err
}

func opening(t *thing) func() (*thing, error) {
	return func() (*thing, error) { return t, nil }
}

func unwanted(t *testing.T) func() (*thing, error) {
	return func() (*thing, error) {
		t.Error("opened again although it is on loan")
		return nil, errors.New("unwanted")
	}
}

func TestSharedUntilLastRelease(t *testing.T) {
	l := lease.New()
	old, next := l.Borrower(), l.Borrower()
	pool := &thing{name: "pool"}
	first, err := lease.Borrow(old, "pool", opening(pool))
	if err != nil || first != pool {
		t.Fatalf("first borrow: %v, %v", first, err)
	}
	for _, b := range []*lease.Borrower{old, next, next} {
		if again, err := lease.Borrow(b, "pool", unwanted(t)); again != pool || err != nil {
			t.Fatalf("later borrow: %v, %v", again, err)
		}
	}
	if err := old.Release(); err != nil || pool.closed != 0 {
		t.Fatalf("after the first release: closed %d times, %v", pool.closed, err)
	}
	if err := old.Release(); err != nil || pool.closed != 0 {
		t.Fatalf("releasing twice gave back what others hold: closed %d times, %v", pool.closed, err)
	}
	if got := l.Keys(); !slices.Equal(got, []string{"pool"}) || l.Len() != 1 {
		t.Fatalf("keys %v, len %d", got, l.Len())
	}
	if err := next.Release(); err != nil || pool.closed != 1 {
		t.Fatalf("after the last release: closed %d times, %v", pool.closed, err)
	}
	if l.Len() != 0 {
		t.Fatalf("still on loan: %v", l.Keys())
	}
}

func TestReleaseInReverse(t *testing.T) {
	l := lease.New()
	b := l.Borrower()
	var log []string
	_, err := lease.Borrow(b, "outer", func() (*thing, error) {
		_, err := lease.Borrow(b, "inner", opening(&thing{name: "inner", log: &log, err: io.ErrClosedPipe}))
		return &thing{name: "outer", log: &log}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Release()
	if !slices.Equal(log, []string{"outer", "inner"}) {
		t.Errorf("closed in the order %v", log)
	}
	if !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), `close "inner"`) {
		t.Errorf("error of close: %v", err)
	}
}

func TestTypeClash(t *testing.T) {
	b := lease.New().Borrower()
	defer b.Release()
	if _, err := lease.Borrow(b, "k", opening(&thing{})); err != nil {
		t.Fatal(err)
	}
	_, err := lease.Borrow(b, "k", func() (io.Closer, error) { return &thing{}, nil })
	if want := `borrow "k": it is a *lease_test.thing, not a io.Closer`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNilInterface(t *testing.T) {
	l := lease.New()
	b := l.Borrower()
	v, err := lease.Borrow(b, "k", func() (io.Closer, error) { return nil, nil })
	if v != nil || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
	if err := b.Release(); err != nil || l.Len() != 0 {
		t.Errorf("release: %v, %d left", err, l.Len())
	}
}

func TestFailureIsNotKept(t *testing.T) {
	l := lease.New()
	b := l.Borrower()
	if _, err := lease.Borrow(b, "k", func() (*thing, error) { return nil, io.EOF }); err != io.EOF {
		t.Fatalf("got %v", err)
	}
	if l.Len() != 0 {
		t.Fatal("a failure is on loan")
	}
	if _, err := lease.Borrow(b, "k", opening(&thing{})); err != nil {
		t.Fatalf("second try: %v", err)
	}
	b.Release()
	if _, err := lease.Borrow(b, "k", unwanted(t)); !errors.Is(err, lease.ErrReleased) {
		t.Errorf("after release: %v", err)
	}
}

func TestConcurrentBorrowOpensOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lease.New()
		gate := make(chan struct{})
		var opens atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				b := l.Borrower()
				_, err := lease.Borrow(b, "k", func() (*thing, error) {
					opens.Add(1)
					<-gate
					return &thing{}, nil
				})
				if err != nil {
					t.Error(err)
				}
				t.Cleanup(func() { b.Release() })
			})
		}
		synctest.Wait()
		other := l.Borrower()
		if _, err := lease.Borrow(other, "other", opening(&thing{})); err != nil { // not held up by k
			t.Error(err)
		}
		other.Release()
		close(gate)
		wg.Wait()
		if opens.Load() != 1 {
			t.Errorf("opened %d times", opens.Load())
		}
	})
}

func TestPanickingOpenFreesWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lease.New()
		gate := make(chan struct{})
		go func() {
			defer func() { _ = recover() }()
			_, _ = lease.Borrow(l.Borrower(), "k", func() (*thing, error) { <-gate; panic("boom") })
		}()
		synctest.Wait()
		got := make(chan error)
		go func() {
			_, err := lease.Borrow(l.Borrower(), "k", unwanted(t))
			got <- err
		}()
		synctest.Wait()
		close(gate)
		if err := <-got; err == nil {
			t.Error("a waiter got a value that was never opened")
		}
		if l.Len() != 0 {
			t.Error("the key is not free")
		}
	})
}

type slowCloser struct{ gate chan struct{} }

func (s slowCloser) Close() error { <-s.gate; return nil }

func TestBorrowWaitsForClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lease.New()
		old, next := l.Borrower(), l.Borrower()
		gate := make(chan struct{})
		open := func() (slowCloser, error) { return slowCloser{gate}, nil }
		if _, err := lease.Borrow(old, "port", open); err != nil {
			t.Fatal(err)
		}
		go old.Release()
		synctest.Wait()
		opened := false
		go func() {
			_, _ = lease.Borrow(next, "port", func() (slowCloser, error) { opened = true; return open() })
		}()
		synctest.Wait()
		if opened {
			t.Error("opened anew while the former value is still closing")
		}
		close(gate)
		synctest.Wait()
		if !opened {
			t.Error("not opened after the former value was closed")
		}
		next.Release()
	})
}

// TestCounts drives random borrowers against a count of who holds what.
func TestCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := lease.New()
		borrowers := []*lease.Borrower{l.Borrower(), l.Borrower(), l.Borrower()}
		live := map[string]*thing{}
		holds := map[string]map[int]bool{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, 2).Draw(t, "borrower")
			if rapid.IntRange(0, 3).Draw(t, "action") == 0 {
				borrowers[i].Release()
				borrowers[i] = l.Borrower()
				for key, who := range holds {
					if delete(who, i); len(who) == 0 {
						if live[key].closed != 1 {
							t.Fatalf("%s closed %d times after its last borrower", key, live[key].closed)
						}
						delete(holds, key)
						delete(live, key)
					}
				}
			} else {
				key := fmt.Sprint("k", rapid.IntRange(0, 3).Draw(t, "key"))
				v, err := lease.Borrow(borrowers[i], key, opening(&thing{name: key}))
				if err != nil {
					t.Fatal(err)
				}
				if holds[key] == nil {
					holds[key], live[key] = map[int]bool{}, v
				}
				holds[key][i] = true
				if v != live[key] {
					t.Fatalf("%s is not shared", key)
				}
			}
			for key, v := range live {
				if v.closed != 0 {
					t.Fatalf("%s closed while borrowed", key)
				}
			}
			if l.Len() != len(live) {
				t.Fatalf("%d on loan, want %d", l.Len(), len(live))
			}
		}
	})
}

func TestRace(t *testing.T) {
	l := lease.New()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				b := l.Borrower()
				v, err := lease.Borrow(b, fmt.Sprint("k", (i+j)%3), func() (*thing, error) { return &thing{}, nil })
				if err != nil || v.closed != 0 {
					t.Errorf("borrowed %v, %v", v, err)
				}
				b.Release()
			}
		})
	}
	wg.Wait()
	if l.Len() != 0 {
		t.Errorf("left on loan: %v", l.Keys())
	}
}
