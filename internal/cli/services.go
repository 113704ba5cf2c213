package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
)

func (a *app) servicesCommand() *cobra.Command {
	return a.collectionCommand(&collection{
		name: "services", one: "service", example: "orders", names: serviceNames, list: a.listServices, show: a.showService,
		put: func(ctx context.Context, c *client.Client, name string, text []byte, w client.Write) (written, error) {
			return writtenOf(c.PutServiceText(ctx, name, text, w))
		},
		remove: func(ctx context.Context, c *client.Client, name string, w client.Write) (*client.Result, error) {
			return c.DeleteService(ctx, name, w)
		},
	}, "ELIGIBLE counts the instances that get traffic now. A registered host is a service of its own.")
}

func serviceNames(ctx context.Context, c *client.Client) ([]string, error) {
	all, err := c.Services(ctx)
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Name
	}
	return names, err
}

func (a *app) listServices(ctx context.Context, c *client.Client) (any, func(), error) {
	all, err := c.Services(ctx)
	return all, func() {
		heads := []string{"NAME", "PROTOCOL", "INSTANCES", "ELIGIBLE", "UNHEALTHY", "OWNER", "WHERE"}
		broken := slices.ContainsFunc(all, func(s client.ServiceInfo) bool { return breaking(&s) })
		if broken {
			heads = append(heads, "BREAKER")
		}
		t := newTable(heads...)
		for _, s := range all {
			n := s.Instances
			row := []string{s.Name, s.Protocol, strconv.Itoa(n.Total), strconv.Itoa(n.Eligible), strconv.Itoa(n.Unhealthy), s.Owner, s.Where}
			if broken {
				row = append(row, s.Breaker)
			}
			t.add(row...)
		}
		t.print(a.out, "there are no services yet: sallyport register HOST ADDRESS makes one")
	}, err
}

func (a *app) showService(ctx context.Context, c *client.Client, name string) (any, func(), error) {
	s, err := c.Service(ctx, name)
	if err != nil || a.output == "json" {
		return s, nil, err
	}
	members, err := c.ServiceInstances(ctx, name)
	return s, func() {
		facts := []fact{
			{"name", s.Name}, {"owner", owner(s.Owner, s.Where)}, {"protocol", s.Protocol}, {"instances", counts(s.Instances)},
		}
		if s.Breaker != "" {
			facts = append(facts, fact{"breaker", s.Breaker})
		}
		printFacts(a.out, facts)
		if len(members) > 0 {
			fmt.Fprintln(a.out)
			a.printInstances(members, false)
		}
		a.printConfig(s.Config)
	}, err
}

// breaking tells whether the circuit breaker of a service is worth a word.
func breaking(s *client.ServiceInfo) bool { return s.Breaker != "" && s.Breaker != "closed" }

// counts tells how instances are: all, and what there is to say of them.
func counts(n client.Counts) string {
	if n.Total == 0 {
		return "none"
	}
	parts := []string{fmt.Sprintf("%d eligible", n.Eligible)}
	for _, part := range []struct {
		n    int
		what string
	}{{n.Healthy, "healthy"}, {n.Unhealthy, "unhealthy"}, {n.Unknown, "unknown"}, {n.Draining, "draining"}, {n.Ejected, "ejected"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return fmt.Sprintf("%d: %s", n.Total, strings.Join(parts, ", "))
}
