// Command demo shows a gateway at work: three origins behind it, load over them, one of them killed. It needs nothing
// but Go. With DEMO_ONCE=1 it ends after the show, with 1 if anything was not as it should be.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// host is what the origins serve.
const host = "mail.example.com"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Getenv("DEMO_ONCE") != "")
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Println("\nstopped")
	default:
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// run gives the show and stays until ctx is done, unless it is to be given once. What it started is gone when it
// returns.
func run(ctx context.Context, once bool) (err error) {
	dir, err := os.MkdirTemp("", "sallyport-demo-")
	if err != nil {
		return err
	}
	s := &stage{dir: dir}
	defer func() {
		if err != nil && ctx.Err() == nil {
			s.showLog()
		}
		err = errors.Join(err, s.close())
	}()
	fmt.Print("\nSallyport: one door in front of many services\n\n")
	if err := s.open(ctx); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{s.register, s.balance, s.killOne, s.bringBack} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	if once {
		return nil
	}
	s.invite()
	<-ctx.Done()
	return ctx.Err()
}

// A stage is everything that runs for the show.
type stage struct {
	dir     string
	gateway *process
	origins []*origin
	// Where the gateway listens.
	traffic, admin string
}

// An origin is one sample service.
type origin struct {
	*process
	name, address string
}

// open builds and starts the gateway and the origins.
func (s *stage) open(ctx context.Context) error {
	gateway, sample := filepath.Join("bin", "sallyport"+exe), filepath.Join(s.dir, "origin"+exe)
	if _, err := os.Stat(gateway); err != nil {
		return fmt.Errorf("%w: run it by make demo, which builds the gateway first", err)
	}
	if err := build(ctx, sample, "./examples/origin"); err != nil {
		return err
	}
	for i, name := range []string{"a", "b", "c"} {
		o := &origin{name: name, address: pickAddress("origin "+name, 3001+i)}
		if err := s.startOrigin(o); err != nil {
			return err
		}
		s.origins = append(s.origins, o)
	}
	s.traffic, s.admin = pickAddress("the gateway", 8080), pickAddress("its admin API", 9190)
	config := filepath.Join(s.dir, "demo.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(configText, s.traffic, s.admin)), 0o600); err != nil {
		return err
	}
	var err error
	if s.gateway, err = start(s.logPath(), gateway, "run", "--config", config, "--data", s.dir); err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	fmt.Printf("  gateway  http://%s   admin API  http://%s\n  origins ", s.traffic, s.admin)
	for _, o := range s.origins {
		fmt.Printf(" %s %s  ", o.name, o.address)
	}
	fmt.Println()
	return nil
}

// configText makes the checks quicker than a gateway needs by default, because people wait for them here.
const configText = `version: 1
listeners: {web: {address: "%s"}}
admin: {address: "%s"}
log: {format: text}
access_log: {path: ""}
defaults: {service: {health: {active: {interval: 500ms, timeout: 500ms, rise: 1, fall: 2}}}}
`

func (s *stage) startOrigin(o *origin) (err error) {
	o.process, err = start(filepath.Join(s.dir, "origin-"+o.name+".log"), filepath.Join(s.dir, "origin"+exe), "-addr", o.address, "-name", o.name)
	return err
}

func (s *stage) logPath() string { return filepath.Join(s.dir, "gateway.log") }

// close ends what was started, the gateway first so that it can drain, and removes what was written.
func (s *stage) close() error {
	if s.gateway != nil {
		s.gateway.stop(5 * time.Second)
	}
	for _, o := range s.origins {
		o.stop(time.Second)
	}
	return os.RemoveAll(s.dir)
}

// showLog prints the end of the gateway's log, for a show that went wrong.
func (s *stage) showLog() {
	if text, err := os.ReadFile(s.logPath()); err == nil && len(text) > 0 {
		fmt.Fprintf(os.Stderr, "\nthe end of the gateway's log:\n%s", text[max(0, len(text)-4000):])
	}
}
