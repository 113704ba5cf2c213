package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
)

// A collection is one of the maps of named objects that the admin API can change: its commands show, put and remove.
type collection struct {
	name, one string
	example   string // of the name of an object
	names     func(ctx context.Context, c *client.Client) ([]string, error)
	list      func(ctx context.Context, c *client.Client) (any, func(), error)
	show      func(ctx context.Context, c *client.Client, name string) (any, func(), error)
	put       func(ctx context.Context, c *client.Client, name string, text []byte, w client.Write) (written, error)
	remove    func(ctx context.Context, c *client.Client, name string, w client.Write) (*client.Result, error)
}

// written is what became of an object that was put.
type written struct {
	object  any // nil for a dry run
	created bool
	result  *client.Result // of a dry run
}

func writtenOf[T any](w *client.Written[T], err error) (written, error) {
	if err != nil {
		return written{}, err
	}
	return written{w.Object, w.Created, w.Result}, nil
}

// collectionCommand returns the command of a collection, with those below it.
func (a *app) collectionCommand(k *collection, columns string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   k.name + " [NAME]",
		Short: "List the " + k.name + " of the running gateway, or show one",
		Long: fmt.Sprintf("List the %s of the running gateway, or show one with its configuration.\n\n%s", k.name, columns) +
			"\n\nWhat a file declares cannot be changed here; OWNER and WHERE tell where it can be.",
		Example:           fmt.Sprintf("  sallyport %s\n  sallyport %s %s -o json", k.name, k.name, k.example),
		Args:              wants("[NAME]"),
		ValidArgsFunction: a.complete(k.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				if len(args) == 1 {
					return k.show(ctx, c, args[0])
				}
				return k.list(ctx, c)
			})
		},
	}
	a.remote.flags(cmd)
	cmd.AddCommand(a.putCommand(k), a.removeCommand(k))
	return cmd
}

func (a *app) putCommand(k *collection) *cobra.Command {
	var w client.Write
	cmd := &cobra.Command{
		Use:   "put NAME FILE",
		Short: "Make or replace a " + k.one,
		Long: fmt.Sprintf("Make or replace a %s. The file holds it in YAML or JSON as it stands under `%s` and its name in a configuration;\n",
			k.one, k.name) + "- is the standard input. What it does not say has the gateway's default. It is kept over a restart.",
		Example: fmt.Sprintf("  sallyport %s put %s %s.yaml", k.name, k.example, k.example),
		Args:    wants("NAME", "FILE"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault // a file
			}
			return a.complete(k.names)(cmd, args, begin)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := a.objectInput(args[1], k.name, args[0])
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				done, err := k.put(ctx, c, args[0], in.text, w)
				if err != nil {
					return nil, nil, in.placed(err)
				}
				return a.wrote(done, k.one+" "+args[0])
			})
		},
	}
	cmd.Flags().BoolVar(&w.New, "new", false, "refuse to replace: there must be no "+k.one+" of that name")
	dryRunFlag(cmd, &w.DryRun)
	a.remote.flags(cmd)
	return cmd
}

// wrote returns what is printed of an object that was put.
func (a *app) wrote(w written, what string) (any, func(), error) {
	if w.result != nil {
		return w.result, func() { a.printResult(w.result, "") }, nil
	}
	return w.object, func() {
		if w.created {
			fmt.Fprintf(a.out, "%s has been made\n", what)
		} else {
			fmt.Fprintf(a.out, "%s has been replaced\n", what)
		}
	}, nil
}

func (a *app) removeCommand(k *collection) *cobra.Command {
	var w client.Write
	cmd := &cobra.Command{
		Use:               "rm NAME",
		Short:             "Remove a " + k.one + " that was made through the admin API",
		Example:           fmt.Sprintf("  sallyport %s rm %s", k.name, k.example),
		Args:              wants("NAME"),
		ValidArgsFunction: a.complete(k.names),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				r, err := k.remove(ctx, c, args[0], w)
				return r, func() { a.printResult(r, k.one+" "+args[0]+" has been removed") }, err
			})
		},
	}
	dryRunFlag(cmd, &w.DryRun)
	a.remote.flags(cmd)
	return cmd
}

// printConfig prints a part of the configuration in YAML, below what was printed of it so far.
func (a *app) printConfig(part any) {
	text, err := jsonText(part, "")
	if err == nil {
		var block []byte
		if block, err = config.YAML([]byte(text)); err == nil {
			fmt.Fprintf(a.out, "\n%s", block)
			return
		}
	}
	fmt.Fprintf(a.out, "\nthe configuration cannot be shown: %v\n", err)
}

// owner tells who may change an object, and where.
func owner(owner, where string) string {
	switch {
	case where != "":
		return owner + ", " + where
	case owner == "api":
		return "api, made through the admin API"
	case owner == "registration":
		return "registration, implied by what is registered"
	}
	return owner
}
