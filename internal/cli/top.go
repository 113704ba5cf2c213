package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

// A top is what the command of that name was told.
type top struct {
	service, sort string
	interval      time.Duration
	most          int
}

// showQuiet is up to how many services are worth showing although they have had no request.
const showQuiet = 500

func sorts() []string { return []string{"rate", "errors", "p99", "name"} }

func (a *app) topCommand() *cobra.Command {
	var o top
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show services and instances as they work",
		Long: `Show the services of the running gateway and their instances as they work: requests a second, answers with a 5xx (ERRORS)
and requests that got no answer (FAILED) a second, percentiles of the time to the head of the answer, open requests, those
that wait for a place, and what is wrong. Everything is of the interval that has just passed.

Times of a service include the wait for a place, retries and hedges; those of an instance are of one attempt. The body of
the answer is part of neither.

On a terminal the view is renewed until q or Ctrl-C. Otherwise, and with -o json, it is one view of one interval.`,
		Example: "  sallyport top\n  sallyport top --service orders --interval 10s\n  sallyport top --sort p99 -n 5 -o json",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case !slices.Contains(sorts(), o.sort):
				return usagef("--sort %q: want rate, errors, p99 or name%s", o.sort, spec.DidYouMean(o.sort, sorts()))
			case o.interval < 100*time.Millisecond || o.interval > time.Hour:
				return usagef("--interval %v: want a time from 100ms to 1h", o.interval)
			case o.most < 0:
				return usagef("--services %d: want a number of services, or 0 for all", o.most)
			}
			return a.top(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.service, "service", "", "show only this service")
	f.StringVar(&o.sort, "sort", "rate", "what comes first: rate, errors, p99, name")
	f.DurationVar(&o.interval, "interval", 2*time.Second, "how long is looked at, and how often the view is renewed")
	f.IntVarP(&o.most, "services", "n", 0, "show that many services; 0 is all there is room for")
	completeFlag(cmd, "sort", sorts())
	a.completeNames(cmd, "service", serviceNames)
	a.remote.flags(cmd)
	return cmd
}

// A poll is what the gateway said at one moment.
type poll struct {
	at       time.Time
	status   *client.Status
	services []client.ServiceTraffic
}

// ask asks the gateway what it has had to do.
func (o *top) ask(ctx context.Context, c *client.Client) (*poll, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	p := &poll{status: status}
	p.services, err = c.Traffic(ctx, client.TrafficFilter{Service: o.service, Quiet: status.Counts.Services <= showQuiet})
	p.at = time.Now()
	return p, err
}

// top shows one interval, or one after the other on a terminal.
func (a *app) top(cmd *cobra.Command, o top) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), endSignals...)
	defer stop()
	c, err := a.remote.client(cmd, callTimeout)
	if err != nil {
		return err
	}
	defer c.Close()
	first, err := o.ask(ctx, c)
	if err != nil {
		return ended(ctx, callError(c.Address(), err))
	}
	if f, ok := a.out.(*os.File); ok && a.output != "json" && isTerminal(f) && os.Getenv("TERM") != "dumb" {
		s := &screen{out: f, in: os.Stdin, paint: paint(colourful(f))}
		return s.show(ctx, first, &o, c)
	}
	if !sleep(ctx, o.interval) {
		return nil
	}
	second, err := o.ask(ctx, c)
	if err != nil {
		return ended(ctx, callError(c.Address(), err))
	}
	v := newView(first, second, &o)
	if a.output == "json" {
		return a.printJSON(v)
	}
	fmt.Fprintln(a.out, v.summary())
	fmt.Fprintln(a.out)
	v.table().print(a.out, "no service has had any request")
	return nil
}

// sleep waits, and reports false if somebody ended it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
