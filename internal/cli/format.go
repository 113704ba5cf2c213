package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/config"
)

func (a *app) fmtCommand() *cobra.Command {
	var write, check bool
	cmd := &cobra.Command{
		Use:   "fmt FILE...",
		Short: "Print configuration files in the usual form",
		Long: `Print a configuration file in the usual form: two spaces of indent, keys of the top level in their usual order,
comments where they are. What it says does not change. Use - for the standard input.`,
		Example: "  sallyport fmt -w sallyport.yaml\n  sallyport fmt --check conf/*.yaml",
		Args:    wants("FILE..."),
		RunE: func(_ *cobra.Command, args []string) error {
			if write && check {
				return usagef("--write and --check: want only one of them")
			}
			var failed error
			for _, name := range args {
				if err := a.format(name, write, check); err != nil {
					failed = err
				}
			}
			return failed
		},
	}
	cmd.Flags().BoolVarP(&write, "write", "w", false, "write the result to the file instead of printing it")
	cmd.Flags().BoolVar(&check, "check", false, "print the names of files that would change, and fail if there are any")
	return cmd
}

// format brings one file into the usual form.
func (a *app) format(name string, write, check bool) error {
	shown, text, err := a.readInput(name)
	if err != nil {
		return err
	}
	formatted, errs := config.Format(shown, text)
	switch {
	case len(errs) > 0:
		for _, e := range errs {
			fmt.Fprintln(a.err, e)
		}
		return silentError{errs}
	case check && !bytes.Equal(text, formatted):
		fmt.Fprintln(a.out, shown)
		return silentError{fmt.Errorf("%s is not in the usual form", shown)}
	case check:
		return nil
	case !write || name == "-":
		_, err = a.out.Write(formatted)
		return err
	case bytes.Equal(text, formatted):
		return nil
	}
	return replaceFile(name, formatted)
}

// replaceFile writes a file aside and renames it, so that nobody ever reads half of it.
func replaceFile(name string, text []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	aside, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = aside.Write(text)
	if err == nil {
		err = aside.Chmod(info.Mode().Perm())
	}
	if closed := aside.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(aside.Name(), name)
	}
	if err != nil {
		_ = os.Remove(aside.Name()) // it is of no use
	}
	return err
}
