package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// patience is how long anything may take before the show is off.
const patience = 15 * time.Second

// call calls the admin API and decodes its answer into out, if that is not nil.
func (s *stage) call(ctx context.Context, method, path, body string, out any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.admin+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode >= 300:
		return resp.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	case out != nil:
		err = json.Unmarshal(text, out)
	}
	return resp.StatusCode, err
}

// awaitReady waits until the gateway says that it is.
func (s *stage) awaitReady(ctx context.Context) error {
	var last error
	for began := time.Now(); time.Since(began) < patience; {
		if _, last = s.call(ctx, http.MethodGet, "/readyz", "", nil); last == nil {
			return nil
		}
		if s.gateway.gone() {
			return errors.New("the gateway did not start")
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the gateway is not ready: %w", last)
}

// awaitStatus waits until the API gives the origin that status, and shows what it says of all of them.
func (s *stage) awaitStatus(ctx context.Context, o *origin, want string, since time.Time) error {
	var list struct {
		Data []struct{ Address, Name, Status string }
	}
	for time.Since(since) < patience {
		if _, err := s.call(ctx, http.MethodGet, "/services", "", &list); err != nil {
			return err
		}
		for _, instance := range list.Data {
			if instance.Address != o.address || instance.Status != want {
				continue
			}
			took := time.Since(since)
			for _, i := range list.Data {
				fmt.Printf("   %s   %s   %s\n", i.Name, i.Address, i.Status)
			}
			fmt.Printf("\n   %s after %.1f s\n", want, took.Seconds())
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s is not %s after %v", o.address, want, patience)
}
