package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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

// An instance is one of GET /services.
type instance struct{ Address, Name, Status string }

// awaitStatus waits until the API gives the origin that status, and returns what it says of all of them then.
func (s *stage) awaitStatus(ctx context.Context, o *origin, want string) ([]instance, error) {
	for began := time.Now(); time.Since(began) < patience; {
		var list struct{ Data []instance }
		if _, err := s.call(ctx, http.MethodGet, "/services", "", &list); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list.Data, func(i instance) bool { return i.Address == o.address && i.Status == want }) {
			return list.Data, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s is not %s after %v", o.address, want, patience)
}
