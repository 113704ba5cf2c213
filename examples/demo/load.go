package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A load is many requests at once, until it is stopped. Its counts may be read after that.
type load struct {
	// before and after count the answers of each origin, by whether their request began before the turn.
	before, after map[string]int
	// lost are requests without an answer of an origin; why is what happened to the first.
	lost int
	why  error

	mu      sync.Mutex
	turned  atomic.Bool
	stopped atomic.Bool
	workers sync.WaitGroup
	began   time.Time
	took    time.Duration
}

// startLoad sends requests through the gateway.
func (s *stage) startLoad(ctx context.Context) *load {
	l := &load{before: make(map[string]int), after: make(map[string]int), began: time.Now()}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}, Timeout: 10 * time.Second}
	for range workers {
		l.workers.Go(func() {
			for !l.stopped.Load() && ctx.Err() == nil {
				turned := l.turned.Load()
				name, err := ask(ctx, client, "http://"+s.traffic+"/")
				if ctx.Err() == nil {
					l.count(turned, name, err)
				}
			}
		})
	}
	return l
}

// ask sends one request and returns which origin answered.
func ask(ctx context.Context, client *http.Client, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	r.Host = host
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, body)
	}
	return resp.Header.Get("X-Origin"), nil
}

func (l *load) count(turned bool, name string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		if l.lost++; l.why == nil {
			l.why = err
		}
	case turned:
		l.after[name]++
	default:
		l.before[name]++
	}
}

// turn makes requests that begin from now on count as after.
func (l *load) turn() { l.turned.Store(true) }

// stop waits for the last answer.
func (l *load) stop() {
	l.stopped.Store(true)
	l.workers.Wait()
	l.took = time.Since(l.began)
}

// verdict prints the sum, and returns an error if a request was lost.
func (l *load) verdict() error {
	answered := 0
	for _, counts := range []map[string]int{l.before, l.after} {
		for _, n := range counts {
			answered += n
		}
	}
	fmt.Printf("\n   %d answered, %d lost, %.0f a second\n", answered, l.lost, float64(answered)/l.took.Seconds())
	if l.lost > 0 {
		return fmt.Errorf("%d requests were lost, the first by: %w", l.lost, l.why)
	}
	return nil
}
