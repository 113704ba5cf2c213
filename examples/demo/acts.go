package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// How the load looks: so many at once, for so long.
const (
	workers  = 24
	someTime = 1500 * time.Millisecond
)

func heading(n int, text string) { fmt.Printf("\n%d. %s\n\n", n, text) }

// register makes the origins known over the API.
func (s *stage) register(ctx context.Context) error {
	heading(1, "Register three instances of "+host)
	for _, o := range s.origins {
		body := fmt.Sprintf(`{"tag":"mail","host":"%s","address":"%s","name":"Mail %s"}`, host, o.address, o.name)
		status, err := s.call(ctx, http.MethodPost, "/services", body, nil)
		if err != nil {
			return err
		}
		fmt.Printf("   POST /services %s  %d\n", body, status)
	}
	return nil
}

// balance sends load over all of them.
func (s *stage) balance(ctx context.Context) error {
	heading(2, fmt.Sprintf("Send load for %v, %d requests at once", someTime, workers))
	load := s.startLoad(ctx)
	if err := pause(ctx, someTime); err != nil {
		return err
	}
	load.stop()
	most := 1
	for _, o := range s.origins {
		most = max(most, load.before[o.name])
	}
	for _, o := range s.origins {
		n := load.before[o.name]
		fmt.Printf("   %s  %-40s %6d\n", o.name, strings.Repeat("=", n*40/most), n)
		if n == 0 {
			return fmt.Errorf("origin %s got no request", o.name)
		}
	}
	return load.verdict()
}

// killOne takes an origin away under load, by SIGKILL, and shows that no request was lost and that the API tells.
func (s *stage) killOne(ctx context.Context) error {
	victim := s.origins[1]
	heading(3, "The same load, and origin "+victim.name+" is killed in the middle (kill -9)")
	load := s.startLoad(ctx)
	if err := pause(ctx, someTime); err != nil {
		return err
	}
	if err := victim.kill(); err != nil {
		return err
	}
	load.turn()
	killed := time.Now()
	list, err := s.awaitStatus(ctx, victim, "unhealthy")
	if err != nil {
		return err
	}
	noticed := time.Since(killed)
	if err := pause(ctx, someTime-noticed); err != nil {
		return err
	}
	load.stop()
	fmt.Printf("   %-8s %8s %8s\n", "", "before", "after")
	for _, o := range s.origins {
		fmt.Printf("   %-8s %8d %8d\n", o.name, load.before[o.name], load.after[o.name])
	}
	if err := load.verdict(); err != nil {
		return err
	}
	heading(4, fmt.Sprintf("What GET /services said %.1f s after the kill", noticed.Seconds()))
	show(list)
	return nil
}

// bringBack starts the origin again.
func (s *stage) bringBack(ctx context.Context) error {
	victim := s.origins[1]
	if err := s.startOrigin(victim); err != nil {
		return err
	}
	began := time.Now()
	list, err := s.awaitStatus(ctx, victim, "healthy")
	if err != nil {
		return err
	}
	heading(5, fmt.Sprintf("Origin %s is started again, and %.1f s later", victim.name, time.Since(began).Seconds()))
	show(list)
	return nil
}

func show(list []instance) {
	for _, i := range list {
		fmt.Printf("   %-8s %-18s %s\n", i.Name, i.Address, i.Status)
	}
}

// invite says what to try.
func (s *stage) invite() {
	fmt.Printf(`
All of it stays up. Try

   curl http://%[1]s/ -H 'Host: %[3]s'
   curl http://%[1]s/echo -H 'Host: %[3]s'
   curl -N http://%[1]s/stream -H 'Host: %[3]s'
   curl http://%[1]s/ -H 'Host: nobody.example.com'
   curl http://%[2]s/services
   curl http://%[2]s/metrics
   bin/sallyport explain --address http://%[2]s GET http://%[3]s/

Ctrl-C stops everything and leaves nothing behind.
`, s.traffic, s.admin, host)
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
