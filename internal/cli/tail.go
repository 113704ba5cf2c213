package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/tail"
)

// tailFlags are the conditions, by the key of the API; each is a flag with dashes.
func tailFlags() [][2]string {
	return [][2]string{
		{"status", "status codes: 500,502-504, 5xx, '!2xx'"},
		{"route", "routes"},
		{"service", "services"},
		{"instance", "instances, by id or address"},
		{"method", "methods"},
		{"host", "hosts: '*.example.com'"},
		{"path", "paths: '/api/*'"},
		{"source", "who made the answer or is at fault: upstream, gateway, client"},
		{"reason", "reasons of failures: upstream_timeout, 'upstream_*', '*' for all"},
		{"min_duration", "how long the request took at least: 250ms"},
		{"client", "addresses of clients: 192.0.2.7, 10.0.0.0/8"},
		{"request_id", "request ids"},
		{"sample", "share of these requests to show, from 0 to 1"},
	}
}

func (a *app) tailCommand() *cobra.Command {
	conditions := make(map[string]*string)
	var explain bool
	var most int
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show requests as they end",
		Long: `Show requests of the running gateway as they end, one to a line: time, status, what was asked for, which route, service and
instance served it, how long it took, and if it failed, why and by whose fault. All conditions must hold. A list has its
values separated by commas; a leading ! is all others, and * in a name stands for any text.

With --explain the decisions about each request stand below it. They are recorded for about a hundred requests a second at
most, of those that --method, --host, --path, --client and --request-id allow.

Traffic never waits for who watches: if lines come faster than they can be read some are lost, and standard error tells how
many. With -o json the lines are those of the access log.`,
		Example: "  sallyport tail --status 5xx --route orders --explain\n  sallyport tail --reason '*' -n 10 -o json\n" +
			"  sallyport tail --path '/api/*' --min-duration 250ms",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := tailQuery(cmd, conditions, explain)
			if err != nil {
				return err
			}
			if most < 0 {
				return usagef("--lines %d: want a number of lines, or 0 for no end", most)
			}
			return a.tail(cmd, query, most)
		},
	}
	f := cmd.Flags()
	for _, c := range tailFlags() {
		name := strings.ReplaceAll(c[0], "_", "-")
		conditions[c[0]] = f.String(name, "", c[1])
	}
	f.BoolVar(&explain, "explain", false, "show the decisions about each request below it")
	f.IntVarP(&most, "lines", "n", 0, "end after that many requests; 0 is never")
	a.completeTail(cmd)
	a.remote.flags(cmd)
	return cmd
}

// completeTail offers what the conditions can be.
func (a *app) completeTail(cmd *cobra.Command) {
	completeFlag(cmd, "status", []string{"2xx", "3xx", "4xx", "5xx", "!2xx"})
	completeFlag(cmd, "method", []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
	completeFlag(cmd, "source", []string{"upstream", "gateway", "client"})
	var reasons []string
	for _, i := range exchange.Reasons() {
		reasons = append(reasons, string(i.Reason))
	}
	completeFlag(cmd, "reason", reasons)
	a.completeNames(cmd, "route", routeNames)
	a.completeNames(cmd, "service", serviceNames)
}

// completeNames completes a flag by names that the running gateway knows.
func (a *app) completeNames(cmd *cobra.Command, flag string, names func(context.Context, *client.Client) ([]string, error)) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return a.names(cmd, names), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil { // the flag is not there: a programmer's error
		panic(err)
	}
}

// tailQuery makes the query of the flags. The error is about the command line.
func tailQuery(cmd *cobra.Command, conditions map[string]*string, explain bool) (url.Values, error) {
	query := make(url.Values)
	for key, value := range conditions {
		if cmd.Flags().Changed(strings.ReplaceAll(key, "_", "-")) {
			query.Set(key, *value)
		}
	}
	if explain {
		query.Set("explain", "true")
	}
	var wrong *tail.ValueError
	if _, err := tail.Parse(query); errors.As(err, &wrong) {
		return nil, usagef("--%s %q: want %s", strings.ReplaceAll(wrong.Key, "_", "-"), wrong.Value, wrong.Want)
	}
	return query, nil
}

// tail prints requests until it has printed as many as are wanted, or somebody ends it.
func (a *app) tail(cmd *cobra.Command, query url.Values, most int) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), endSignals...)
	defer stop()
	c, err := a.remote.client(cmd, callTimeout)
	if err != nil {
		return err
	}
	defer c.Close()
	stream, err := c.Tail(ctx, query)
	if err != nil {
		return ended(ctx, callError(c.Address(), err))
	}
	defer stream.Close()
	if isTerminal(a.err) && isTerminal(a.out) {
		fmt.Fprintf(a.err, "watching %s: Ctrl-C ends it\n", c.Address())
	}
	p := linePrinter{out: a.out, paint: paint(colourful(a.out)), json: a.output == "json"}
	for n := 0; most == 0 || n < most; {
		line, err := stream.Next()
		switch {
		case errors.Is(err, client.ErrLeaving):
			return err
		case err != nil:
			return ended(ctx, gone(c.Address(), err))
		case line.Lost > 0:
			fmt.Fprintf(a.err, "sallyport: %s lost: they came faster than they were read\n", were(line.Lost))
			continue
		}
		if err := p.print(line); err != nil {
			return err
		}
		n++
	}
	return nil
}

// ended forgives an error that only came because the person ended the command.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// gone says how a stream broke off.
func gone(address string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the gateway at %s has closed the connection", address)
	}
	return fmt.Errorf("the connection to the gateway at %s broke off: %w", address, err)
}

func were(lines int64) string {
	if lines == 1 {
		return "1 line was"
	}
	return fmt.Sprintf("%d lines were", lines)
}
