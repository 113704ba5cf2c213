package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

// statuses are those that an instance can have.
func statuses() []string { return []string{"unknown", "healthy", "unhealthy"} }

func (a *app) instancesCommand() *cobra.Command {
	var status string
	cmd := &cobra.Command{
		Use:   "instances [SERVICE]",
		Short: "List the instances of all services, or of one",
		Long: `List the instances of all services of the running gateway, or of one, and how each of them is. Those of a file or of DNS
can be shown; those that were registered can be drained, enabled, changed and removed, too.`,
		Example:           "  sallyport instances\n  sallyport instances orders --status unhealthy",
		Args:              wants("[SERVICE]"),
		ValidArgsFunction: a.complete(serviceNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if status != "" && !slices.Contains(statuses(), status) {
				return usagef("--status %q: want unknown, healthy or unhealthy%s", status, spec.DidYouMean(status, statuses()))
			}
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				list, err := listInstances(ctx, c, args, status)
				return list, func() { a.printInstances(list, len(args) == 0) }, err
			})
		},
	}
	cmd.Flags().StringVar(&status, "status", "", "list only those of this status: unknown, healthy, unhealthy")
	completeFlag(cmd, "status", statuses())
	a.remote.flags(cmd)
	cmd.AddCommand(a.putInstanceCommand(), a.removeInstanceCommand(), a.heartbeatCommand(),
		a.drainingCommand("drain", "Send no new requests to an instance", "is draining: it gets no new requests, and those that are open finish",
			(*client.Client).Drain),
		a.drainingCommand("enable", "Let an instance that was drained have requests again", "gets requests again", (*client.Client).Enable))
	return cmd
}

// listInstances asks for the instances of one service, which must be there, or of all.
func listInstances(ctx context.Context, c *client.Client, service []string, status string) ([]client.InstanceInfo, error) {
	if len(service) == 0 {
		return c.Instances(ctx, client.Filter{Status: status})
	}
	list, err := c.ServiceInstances(ctx, service[0])
	return slices.DeleteFunc(list, func(i client.InstanceInfo) bool { return status != "" && i.Status != status }), err
}

// printInstances prints instances as a table, with the service of each if they are of several.
func (a *app) printInstances(list []client.InstanceInfo, service bool) {
	head := []string{"SERVICE", "ID", "ADDRESS", "WEIGHT", "STATUS", "SINCE", "OPEN", "REQUESTS", "FAILURES", "LATENCY", "SOURCE", "WHY"}
	if !service {
		head = head[1:]
	}
	t := newTable(head...)
	for _, i := range list {
		latency := ""
		if i.Latency > 0 {
			latency = i.Latency.Std().Round(time.Millisecond / 100).String()
		}
		cells := []string{
			i.Service, i.ID, i.Address, strconv.Itoa(i.Weight), instanceState(&i), ago(i.Since), strconv.Itoa(i.Open),
			strconv.FormatUint(i.Requests, 10), strconv.FormatUint(i.Failures, 10), latency, i.Source, against(&i),
		}
		if !service {
			cells = cells[1:]
		}
		t.add(cells...)
	}
	t.print(a.out, "there are no such instances")
}

// against is what speaks against an instance: what its checks found, and why it is ejected for how long.
func against(i *client.InstanceInfo) string {
	if i.EjectedUntil == nil {
		return i.Reason
	}
	why := "ejected until " + i.EjectedUntil.Format(time.RFC3339)
	if i.EjectedFor != "" {
		why += ": " + i.EjectedFor
	}
	if i.Reason != "" {
		why += "; " + i.Reason
	}
	return why
}

// instanceState is the status of an instance with what else keeps traffic from it.
func instanceState(i *client.InstanceInfo) string {
	parts := []string{i.Status}
	for what, is := range map[string]bool{"draining": i.Draining, "ejected": i.EjectedUntil != nil, "shadowed": i.Shadowed} {
		if is {
			parts = append(parts, what)
		}
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, ",")
}

func (a *app) putInstanceCommand() *cobra.Command {
	var p client.Placement
	var weight int
	var w client.Write
	cmd := &cobra.Command{
		Use:   "put SERVICE ID ADDRESS",
		Short: "Make or replace an instance of a service",
		Long: `Make or replace an instance of a service. When the command is done the instance can be routed to. An ADDRESS without a
host, such as :3001, is on this machine. What a flag does not say has its default, also when an instance is replaced.`,
		Example:           "  sallyport instances put orders a 10.0.0.7:3001 --weight 2 --zone eu-1 --metadata version=1.4",
		Args:              wants("SERVICE", "ID", "ADDRESS"),
		ValidArgsFunction: a.completeInstance,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.Address, p.Weight = local(args[2]), &weight
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				done, err := writtenOf(c.PutInstance(ctx, args[0], args[1], p, w))
				if err != nil {
					return nil, nil, err
				}
				return a.wrote(done, fmt.Sprintf("instance %s of service %s", args[1], args[0]))
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&weight, "weight", 1, "share of requests relative to the other instances; 0 gets none")
	f.StringVar(&p.Zone, "zone", "", "where the instance runs")
	f.StringToStringVar(&p.Metadata, "metadata", nil, "labels that are kept and shown, key=value; may be given more than once")
	ttlFlag(cmd, &p.TTL)
	f.BoolVar(&w.New, "new", false, "refuse to replace: there must be no instance of that id")
	dryRunFlag(cmd, &w.DryRun)
	a.remote.flags(cmd)
	return cmd
}

func (a *app) removeInstanceCommand() *cobra.Command {
	var w client.Write
	cmd := &cobra.Command{
		Use:               "rm SERVICE ID",
		Short:             "Remove an instance that was made through the admin API",
		Long:              "Remove an instance that was made through the admin API. Requests that are open with it finish.",
		Example:           "  sallyport instances rm orders a",
		Args:              wants("SERVICE", "ID"),
		ValidArgsFunction: a.completeInstance,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				r, err := c.DeleteInstance(ctx, args[0], args[1], w)
				return r, func() { a.printResult(r, fmt.Sprintf("instance %s of service %s has been removed", args[1], args[0])) }, err
			})
		},
	}
	dryRunFlag(cmd, &w.DryRun)
	a.remote.flags(cmd)
	return cmd
}

func (a *app) heartbeatCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "heartbeat SERVICE ID",
		Short:             "Keep an instance that has a TTL for another TTL",
		Example:           "  sallyport instances heartbeat orders a",
		Args:              wants("SERVICE", "ID"),
		ValidArgsFunction: a.completeInstance,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				h, err := c.Heartbeat(ctx, args[0], args[1])
				return h, func() {
					fmt.Fprintf(a.out, "instance %s of service %s stays for another %s\n", h.ID, args[0], h.TTL)
				}, err
			})
		},
	}
	a.remote.flags(cmd)
	return cmd
}

// drainingCommand returns the command drain or enable.
func (a *app) drainingCommand(
	name, short, done string, set func(*client.Client, context.Context, string, string, client.Write) (*client.Written[client.InstanceInfo], error),
) *cobra.Command {
	var w client.Write
	cmd := &cobra.Command{
		Use:               name + " SERVICE ID",
		Short:             short,
		Long:              short + ". It stays so over a restart.",
		Example:           "  sallyport instances " + name + " orders a",
		Args:              wants("SERVICE", "ID"),
		ValidArgsFunction: a.completeInstance,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				r, err := set(c, ctx, args[0], args[1], w)
				if err != nil {
					return nil, nil, err
				}
				if r.Result != nil {
					return r.Result, func() { a.printResult(r.Result, "") }, nil
				}
				return r.Object, func() { fmt.Fprintf(a.out, "instance %s of service %s %s\n", args[1], args[0], done) }, nil
			})
		},
	}
	dryRunFlag(cmd, &w.DryRun)
	a.remote.flags(cmd)
	return cmd
}

// local puts this machine in the place of a host that is left out.
func local(address string) string {
	if strings.HasPrefix(address, ":") {
		return "localhost" + address
	}
	return address
}
