package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
)

func (a *app) routesCommand() *cobra.Command {
	return a.collectionCommand(&collection{
		name: "routes", one: "route", example: "orders", names: routeNames, list: a.listRoutes, show: a.showRoute,
		put: func(ctx context.Context, c *client.Client, name string, text []byte, w client.Write) (written, error) {
			return writtenOf(c.PutRouteText(ctx, name, text, w))
		},
		remove: func(ctx context.Context, c *client.Client, name string, w client.Write) (*client.Result, error) {
			return c.DeleteRoute(ctx, name, w)
		},
	}, "The route that a registered host implies is among them.")
}

func routeNames(ctx context.Context, c *client.Client) ([]string, error) {
	all, err := c.Routes(ctx)
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.Name
	}
	return names, err
}

func (a *app) listRoutes(ctx context.Context, c *client.Client) (any, func(), error) {
	all, err := c.Routes(ctx)
	return all, func() {
		t := newTable("NAME", "HOSTS", "PATHS", "METHODS", "GOES TO", "OWNER", "WHERE")
		for _, r := range all {
			var m config.Match
			if r.Config != nil {
				m = r.Config.Match
			}
			t.add(r.Name, few(m.Hosts), few(m.Paths), few(m.Methods), destination(r.Config), r.Owner, r.Where)
		}
		t.print(a.out, "there are no routes yet")
	}, err
}

// few shows the first entries of a list; none at all is every one.
func few(list []string) string {
	const most = 2
	switch {
	case len(list) == 0:
		return "*"
	case len(list) > most:
		return fmt.Sprintf("%s+%d", strings.Join(list[:most], ","), len(list)-most)
	}
	return strings.Join(list, ",")
}

// destination tells where a route goes.
func destination(r *config.Route) string {
	switch {
	case r == nil:
		return ""
	case r.Redirect != nil:
		return fmt.Sprintf("redirect %d %s", r.Redirect.Status, r.Redirect.To)
	case r.Respond != nil:
		return fmt.Sprintf("respond %d", r.Respond.Status)
	case r.Service != "":
		return r.Service
	}
	shares := make([]string, len(r.Services))
	for i, s := range r.Services {
		shares[i] = fmt.Sprintf("%s:%d", s.Name, s.Weight)
	}
	return strings.Join(shares, ",")
}

func (a *app) showRoute(ctx context.Context, c *client.Client, name string) (any, func(), error) {
	r, err := c.Route(ctx, name)
	return r, func() {
		printFacts(a.out, []fact{{"name", r.Name}, {"owner", owner(r.Owner, r.Where)}, {"goes to", destination(r.Config)}})
		a.printConfig(r.Config)
	}, err
}

func (a *app) listenersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "listeners [NAME]",
		Short:             "List the listeners of the running gateway, or show one",
		Long:              "List the listeners of the running gateway, or show one with its configuration. ADDRESS is where it accepts connections,\nwith the real port where the configuration has port 0.",
		Example:           "  sallyport listeners\n  sallyport listeners web -o json",
		Args:              wants("[NAME]"),
		ValidArgsFunction: a.complete(listenerNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				if len(args) == 1 {
					return a.showListener(ctx, c, args[0])
				}
				return a.listListeners(ctx, c)
			})
		},
	}
	a.remote.flags(cmd)
	return cmd
}

func listenerNames(ctx context.Context, c *client.Client) ([]string, error) {
	all, err := c.Listeners(ctx)
	names := make([]string, len(all))
	for i, l := range all {
		names[i] = l.Name
	}
	return names, err
}

func (a *app) listListeners(ctx context.Context, c *client.Client) (any, func(), error) {
	all, err := c.Listeners(ctx)
	return all, func() {
		t := newTable("NAME", "ADDRESS", "PROTOCOLS", "TLS", "OWNER", "WHERE")
		for _, l := range all {
			t.add(l.Name, l.Address, strings.Join(l.Config.Protocols, ","), yes(l.Config.TLS != nil), l.Owner, l.Where)
		}
		t.print(a.out, "there are no listeners")
	}, err
}

func (a *app) showListener(ctx context.Context, c *client.Client, name string) (any, func(), error) {
	l, err := c.Listener(ctx, name)
	return l, func() {
		printFacts(a.out, []fact{{"name", l.Name}, {"address", l.Address}, {"owner", owner(l.Owner, l.Where)}})
		a.printConfig(l.Config)
	}, err
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
