package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

func (a *app) registerCommand() *cobra.Command {
	var r client.Registration
	cmd := &cobra.Command{
		Use:   "register HOST ADDRESS",
		Short: "Let an instance serve a host",
		Long: `Let an instance serve a host. When the command is done, requests for the host can reach it. The same host and address
again changes the labels and keeps the id. An ADDRESS without a host, such as :3001, is on this machine.

With --ttl the registration ends unless ` + "`sallyport instances heartbeat HOST ID`" + ` renews it in time.`,
		Example: "  sallyport register mail.example.com :3001 --name Mail --tag mail\n" +
			"  sallyport register mail.example.com 10.0.0.7:3001 --ttl 30s",
		Args:              wants("HOST", "ADDRESS"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Host, r.Address = args[0], local(args[1])
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				got, created, err := c.Register(ctx, r)
				return got, func() {
					again := ""
					if !created {
						again = " again"
					}
					fmt.Fprintf(a.out, "registered%s as %s: %s serves %s\n", again, got.ID, got.Address, got.Host)
				}, err
			})
		},
	}
	cmd.Flags().StringVar(&r.Name, "name", "", "name of the service, a label")
	cmd.Flags().StringVar(&r.Tag, "tag", "", "tag of the service, a label")
	ttlFlag(cmd, &r.TTL)
	a.remote.flags(cmd)
	return cmd
}

func (a *app) deregisterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deregister ID",
		Short: "Remove a registered instance",
		Long: "Remove a registered instance, by the id that register printed and `sallyport instances` lists. Requests that are open\n" +
			"with it finish.",
		Example:           "  sallyport deregister 7c1e3a90f2",
		Args:              wants("ID"),
		ValidArgsFunction: a.complete(registrationIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				err := c.Deregister(ctx, args[0])
				m := client.Message{Message: args[0] + " has been deregistered"}
				return m, func() { fmt.Fprintln(a.out, m.Message) }, err
			})
		},
	}
	a.remote.flags(cmd)
	return cmd
}

// ttlFlag adds --ttl.
func ttlFlag(cmd *cobra.Command, ttl *spec.Duration) {
	cmd.Flags().Var((*durationFlag)(ttl), "ttl", "leave without a heartbeat within this time, such as 30s; 0s is never")
}

// A durationFlag is a flag that is written as durations are in a configuration.
type durationFlag spec.Duration

// Set reads a duration.
func (d *durationFlag) Set(text string) error { return (*spec.Duration)(d).UnmarshalText([]byte(text)) }

// String returns the duration.
func (d *durationFlag) String() string { return spec.Duration(*d).String() }

// Type names the type in help texts.
func (*durationFlag) Type() string { return "duration" }
