// Package cli is the command line: it reads flags, calls the daemon or the admin API, and prints. It decides nothing
// itself. Its main function is Main.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// The exit codes; scripts may depend on them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// A usageError is a command line that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// A silentError has been told to the person already.
type silentError struct{ error }

// An app is one call of the command line.
type app struct {
	in       io.Reader
	out, err io.Writer
	kinds    *filter.Catalog
	remote   remote
	output   string
}

// Main runs the command line and returns the exit code.
func Main(args []string, in io.Reader, out, err io.Writer, kinds []filter.Kind) int {
	catalog, bad := filter.NewCatalog(kinds...)
	if bad != nil {
		fmt.Fprintln(err, "sallyport:", bad)
		return exitFailed
	}
	a := &app{in: in, out: out, err: err, kinds: catalog}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(err)
	return a.exit(root.ExecuteContext(context.Background()))
}

// exit tells an error and returns the exit code for it.
func (a *app) exit(err error) int {
	var usage usageError
	var silent silentError
	var places spec.Errors
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &silent):
		return exitFailed
	case errors.As(err, &places):
		fmt.Fprintln(a.err, places) // as they are: editors jump to them
		return exitFailed
	case errors.As(err, &usage), isCobraUsage(err):
		fmt.Fprintf(a.err, "sallyport: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(a.err, "sallyport: %v\n", err)
	return exitFailed
}

// isCobraUsage reports whether the library found the command line wrong where it cannot be told what to say: in commands
// of its own. It has no type for that.
func isCobraUsage(err error) bool { return strings.HasPrefix(err.Error(), "unknown command") }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sallyport",
		Short: "An API gateway: one entry for the clients of many services",
		Long: `Sallyport is an API gateway. It routes requests to services by host, path, method and header, keeps a registry of
their instances, checks their health and balances load over the healthy ones.

  sallyport run                                    start with an embedded store, no configuration needed
  sallyport register mail.example.com :3001        let localhost:3001 serve mail.example.com
  sallyport explain GET http://mail.example.com/   say where a request would go, and why`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          rootArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "form of what is printed: table or json")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.output != "table" && a.output != "json" {
			return usagef("--output %q: want table or json", a.output)
		}
		return nil
	}
	completeFlag(root, "output", []string{"table", "json"})
	root.AddCommand(a.runCommand(), a.validateCommand(), a.fmtCommand(), a.schemaCommand(), a.versionCommand(), a.explainCommand())
	root.AddCommand(a.remoteCommands()...)
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Args, completion.RunE = shellArgs, func(*cobra.Command, []string) error { return nil }
	}
	return root
}

// completeFlag offers the values that a flag can have.
func completeFlag(cmd *cobra.Command, flag string, values []string) {
	completeBy(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeBy lets a function offer the values of a flag.
func completeBy(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil { // the flag is not there: a programmer's error
		panic(err)
	}
}
