package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/internal/snapshot"
)

func (a *app) explainCommand() *cobra.Command {
	var file string
	var headers []string
	cmd := &cobra.Command{
		Use:   "explain METHOD URL",
		Short: "Say where a request would go, and why",
		Long: `Say what the gateway would do with a request: every route considered and why it lost, what each filter would do, the
service, and the instance it would pick. Nothing is sent. It asks the running gateway, or with --config looks at a
configuration offline, where no instance is known to be healthy or not.`,
		Example: "  sallyport explain GET http://shop.example.com/api/orders -H 'X-Api-Version: 2'\n" +
			"  sallyport explain --config sallyport.yaml GET http://shop.example.com/api/orders",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := parseHeaders(headers)
			if err != nil {
				return err
			}
			e, err := a.explain(cmd.Context(), file, strings.ToUpper(args[0]), args[1], h)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.printJSON(e)
			}
			a.printExplanation(e)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration to explain offline, instead of the running gateway's")
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "header field of the request, 'Name: value'; may be given more than once")
	a.remote.flags(cmd)
	return cmd
}

// explain asks the running gateway, or a snapshot of its own.
func (a *app) explain(ctx context.Context, file, method, url string, h http.Header) (*snapshot.Explanation, error) {
	if file == "" {
		return a.explainRemote(ctx, method, url, h)
	}
	snap, errs := a.load(file)
	if len(errs) > 0 {
		for _, e := range errs {
			fmt.Fprintln(a.err, e)
		}
		return nil, silentError{errs}
	}
	snap.Populate()
	return snap.Explain(ctx, method, url, h)
}

func parseHeaders(list []string) (http.Header, error) {
	h := make(http.Header)
	for _, line := range list {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, usagef("--header %q: want 'Name: value'", line)
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}

// printExplanation prints the decisions as a person reads them.
func (a *app) printExplanation(e *snapshot.Explanation) {
	fmt.Fprintf(a.out, "%s %s%s\n\n", e.Method, e.Host, e.Path)
	width := 0
	for _, s := range e.Steps {
		width = max(width, len(s.Subject))
	}
	for _, s := range e.Steps {
		fmt.Fprintf(a.out, "  %-8s  %-*s  %-11s  %s\n", s.Stage, width, s.Subject, s.Verdict, s.Why)
	}
	fmt.Fprintln(a.out)
	switch {
	case e.Reason != "":
		fmt.Fprintf(a.out, "The gateway would answer %d %s: %s.\n", e.Status, e.Reason, e.Detail)
	case e.Address != "":
		fmt.Fprintf(a.out, "Route %s would send it to %s, an instance of service %s.\n", e.Route, e.Address, e.Service)
	default:
		fmt.Fprintf(a.out, "Route %s would answer %d itself.\n", e.Route, e.Status)
	}
}

// callTimeout bounds one call of the admin API.
const callTimeout = 30 * time.Second
