package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
)

// completeTimeout bounds what a person waits for after the tabulator key.
const completeTimeout = time.Second

// A completion completes an argument of a command.
type completion = func(cmd *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective)

// complete completes the first argument by names that the running gateway knows. Without a gateway there are none.
func (a *app) complete(names func(context.Context, *client.Client) ([]string, error)) completion {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.names(cmd, names), cobra.ShellCompDirectiveNoFileComp
	}
}

// names asks the gateway for names, and is silent if there is no answer.
func (a *app) names(cmd *cobra.Command, names func(context.Context, *client.Client) ([]string, error)) []string {
	c, err := a.remote.client(cmd, completeTimeout)
	if err != nil {
		return nil
	}
	defer c.Close()
	list, err := names(context.Background(), c)
	if err != nil {
		return nil
	}
	return list
}

// completeInstance completes a service and, after it, an instance of that service.
func (a *app) completeInstance(cmd *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return a.complete(serviceNames)(cmd, args, begin)
	}
	ids := a.names(cmd, func(ctx context.Context, c *client.Client) ([]string, error) {
		all, err := c.ServiceInstances(ctx, args[0])
		ids := make([]string, len(all))
		for i, in := range all {
			ids[i] = in.ID + "\t" + in.Address
		}
		return ids, err
	})
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// registrationIDs are what deregister takes; what each stands for is shown beside it.
func registrationIDs(ctx context.Context, c *client.Client) ([]string, error) {
	all, err := c.Registrations(ctx)
	ids := make([]string, len(all))
	for i, r := range all {
		ids[i] = r.ID + "\t" + r.Host + " at " + r.Address
	}
	return ids, err
}
