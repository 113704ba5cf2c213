package cli

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/admin"
	"github.com/asynched/api-gateway/internal/snapshot"
)

func (a *app) explainCommand() *cobra.Command {
	var file string
	var headers []string
	var all bool
	cmd := &cobra.Command{
		Use:   "explain METHOD URL",
		Short: "Say where a request would go, and why",
		Long: `Say what the gateway would do with a request: every route considered and why it lost, what each filter would do, the
service, and the instance it would pick. Nothing is sent. It asks the running gateway, or with --config looks at a
configuration offline, where no instance is known to be healthy or not.`,
		Example: "  sallyport explain GET http://shop.example.com/api/orders -H 'X-Api-Version: 2'\n" +
			"  sallyport explain --config sallyport.yaml GET http://shop.example.com/api/orders",
		Args:              wants("METHOD", "URL"),
		ValidArgsFunction: completeMethod,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := question(args[0], args[1], headers)
			if err != nil {
				return err
			}
			if file == "" {
				return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
					e, err := c.Explain(ctx, q)
					return e, func() { a.printExplanation(e, all) }, err
				})
			}
			e, err := a.explainOffline(cmd.Context(), file, q)
			if err != nil {
				return err
			}
			if a.output == "json" {
				return a.printJSON(e)
			}
			a.printExplanation(e, all)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration to explain offline, instead of the running gateway's")
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "header field of the request, 'Name: value'; may be given more than once")
	cmd.Flags().BoolVarP(&all, "all", "v", false, "show all routes that lost, not only the first")
	a.remote.flags(cmd)
	return cmd
}

// explainOffline explains a request against a configuration, without a gateway.
func (a *app) explainOffline(ctx context.Context, file string, q client.Question) (*client.Explanation, error) {
	env := snapshot.OfflineEnv()
	snap, errs := a.load(file, env)
	if len(errs) > 0 {
		return nil, errs
	}
	snap.Populate(env.Groups)
	e, err := snap.Explain(ctx, q.Method, q.URL, q.Headers)
	if err != nil {
		return nil, err
	}
	return admin.Explanation(e), nil
}

// question reads the request that is asked about.
func question(method, rawURL string, headers []string) (q client.Question, err error) {
	q = client.Question{Method: strings.ToUpper(method), URL: rawURL, Headers: make(http.Header)}
	if !httpguts.ValidHeaderFieldName(q.Method) { // both are tokens
		return q, usagef("METHOD %q: want a method of HTTP, such as GET", method)
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return q, usagef("URL %q: want one with scheme and host, such as http://shop.example.com/api", rawURL)
	}
	for _, line := range headers {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || !httpguts.ValidHeaderFieldName(name):
			return q, usagef("--header %q: want 'Name: value'", line)
		case !httpguts.ValidHeaderFieldValue(value):
			return q, usagef("--header %q: the value holds a byte that cannot stand in a header", line)
		}
		http.Header(q.Headers).Add(name, value)
	}
	return q, nil
}

func completeMethod(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, cobra.ShellCompDirectiveNoFileComp
}
