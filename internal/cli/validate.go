package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/spec"
)

// load reads, decodes and builds a configuration without a gateway. The snapshot is nil if there are errors.
func (a *app) load(path string, env snapshot.Env) (*snapshot.Snapshot, spec.Errors) {
	src, errs := a.readConfig(path)
	if src == nil {
		return nil, errs
	}
	doc, more := config.Decode(src.Tree, a.kinds)
	if errs = append(errs, more...); len(errs) > 0 {
		return nil, snapshot.AllErrors(doc, errs, env)
	}
	snap, errs := snapshot.Build(doc, env)
	return snap, errs
}

func (a *app) validateCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "validate FILE|DIR",
		Short: "Check a configuration and report everything that is wrong with it",
		Long: `Check a configuration file with its includes, or all files of a directory, as the gateway would read it. Each error
is a line: file:line:col: path: message. Warnings do not make it fail, unless --strict is given. - is the standard input.`,
		Example: "  sallyport validate sallyport.yaml\n  sallyport validate --strict conf/",
		Args:    wants("FILE|DIR"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.validate(args[0], strict) },
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "fail on warnings too")
	return cmd
}

// validate prints what is wrong with a configuration.
func (a *app) validate(path string, strict bool) error {
	snap, errs := a.load(path, snapshot.OfflineEnv())
	var warnings spec.Errors
	if snap != nil {
		warnings = snap.Warnings()
	}
	failed := len(errs) > 0 || strict && len(warnings) > 0
	if a.output == "json" {
		err := a.printJSON(struct {
			Valid    bool        `json:"valid"`
			Errors   spec.Errors `json:"errors"`
			Warnings spec.Errors `json:"warnings"`
		}{!failed, orEmpty(errs), orEmpty(warnings)})
		if err == nil && failed {
			err = silentError{errs}
		}
		return err
	}
	for _, e := range errs {
		fmt.Fprintln(a.err, e)
	}
	for _, w := range warnings {
		fmt.Fprintln(a.err, "warning:", w)
	}
	if failed {
		return silentError{errs}
	}
	if path == "-" {
		path = stdin
	}
	c := snap.Config
	fmt.Fprintf(a.out, "%s is valid: %s, %s, %s\n", path,
		count(len(c.Listeners), "listener"), count(len(c.Services), "service"), count(len(c.Routes), "route"))
	return nil
}

func orEmpty(errs spec.Errors) spec.Errors {
	if errs == nil {
		return spec.Errors{}
	}
	return errs
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
