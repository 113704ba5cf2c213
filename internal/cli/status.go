package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Say how the running gateway is",
		Long:    "Say how the running gateway is: its configuration and what was wrong with the last change, listeners, store, instances.",
		Example: "  sallyport status\n  sallyport status -o json --address https://gateway.internal:9190 --token-file admin.token",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				s, err := c.Status(ctx)
				return s, func() { printFacts(a.out, statusFacts(s)) }, err
			})
		},
	}
	a.remote.flags(cmd)
	return cmd
}

func statusFacts(s *client.Status) []fact {
	state := "ready"
	switch {
	case s.Draining:
		state = "draining: it is about to leave"
	case !s.Ready:
		state = "not ready"
	}
	n := s.Counts
	facts := []fact{
		{"version", s.Version},
		{"state", state + ", up for " + span(s.Uptime.Std())},
		{"config", fmt.Sprintf("revision %d, by %s %s", s.Config.Revision, s.Config.Source, ago(s.Config.Applied))},
		{"files", strings.Join(s.Config.Files, "\n")},
		{"listeners", pairs(s.Listeners)},
		{"resources", resourcesFact(s.Resources)},
		{"routes", fmt.Sprint(n.Routes)},
		{"services", fmt.Sprintf("%d, %d of them registered", n.Services, n.Hosts)},
		{"instances", counts(n.Instances)},
		{"store", fmt.Sprintf("%s %s, %s, %s", s.Store.Driver, s.Store.Path, count(s.Store.Entries, "record"), spec.Size(s.Store.Bytes))},
		{"store error", s.Store.Error},
		{"shadowed", strings.Join(s.Config.Shadowed, "\n")},
	}
	for i, w := range s.Config.Warnings {
		facts = append(facts, fact{first(i, "warnings"), w.String()})
	}
	if f := s.Config.Failure; f != nil {
		facts = append(facts, fact{"refused", fmt.Sprintf("the last change, by %s %s:\n%s", f.Source, ago(f.At), f.Message)})
	}
	return facts
}

// resourcesFact says what the gateway uses, and what is done about it if that is too much.
func resourcesFact(r client.Resources) string {
	text := fmt.Sprintf("memory: %d MiB in use, limit not known", r.MemoryUsed>>20)
	if r.MemoryLimit > 0 {
		text = fmt.Sprintf("memory: %d of %d MiB in use, limit by %s", r.MemoryUsed>>20, r.MemoryLimit>>20, r.MemoryLimitFrom)
	}
	switch r.Level {
	case "close":
		text += "; connections are closed after an answer"
	case "refuse":
		text += "; new requests are refused"
	case "full":
		text += "; new requests are refused, and no connections accepted"
	}
	if r.DescriptorsLimit > 0 {
		text += fmt.Sprintf("\nfile descriptors: %d of %d open", r.DescriptorsOpen, r.DescriptorsLimit)
	}
	return text
}

// first names the first of several facts; the others stand below it.
func first(i int, name string) string {
	if i > 0 {
		return ""
	}
	return name
}

func pairs(m map[string]string) string {
	lines := make([]string, 0, len(m))
	for _, name := range sortedKeys(m) {
		lines = append(lines, name+" on "+m[name])
	}
	return strings.Join(lines, "\n")
}

func (a *app) reloadCommand() *cobra.Command {
	var w client.Write
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running gateway read its configuration files again",
		Long: `Have the running gateway read its configuration files again, as HUP does. All or nothing: if anything is wrong, each error
is told with its place and the running configuration goes on.`,
		Example: "  sallyport reload --dry-run && sallyport reload",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				r, err := c.Reload(ctx, w)
				return r, func() { a.printResult(r, fmt.Sprintf("reloaded: revision %d is running", r.Revision)) }, err
			})
		},
	}
	dryRunFlag(cmd, &w.DryRun)
	a.remote.flags(cmd)
	return cmd
}
