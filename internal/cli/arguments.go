package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/asynched/api-gateway/spec"
)

// wants takes exactly the arguments that are named; those in brackets, at the end, may be left out, and one that ends in
// ... may be there several times.
func wants(names ...string) cobra.PositionalArgs {
	least, most := 0, len(names)
	for _, name := range names {
		if !strings.HasPrefix(name, "[") {
			least++
		}
		if strings.HasSuffix(name, "...") {
			most = -1
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s: %s is missing: want %s", cmd.CommandPath(), names[len(args)], usageOf(cmd))
		case most >= 0 && len(args) > most:
			return usagef("%s: unexpected argument %q%s: want %s", cmd.CommandPath(), args[most], suggested(cmd, args), usageOf(cmd))
		}
		return nil
	}
}

// usageOf returns the line that says how a command is used, without the words that say nothing.
func usageOf(cmd *cobra.Command) string { return strings.TrimSuffix(cmd.UseLine(), " [flags]") }

// suggested returns what may have been meant by the first argument of a command that has commands below it.
func suggested(cmd *cobra.Command, args []string) string {
	if !cmd.HasAvailableSubCommands() {
		return ""
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return `: did you mean "` + near[0] + `"?`
	}
	return ""
}

// rootArgs refuses a command that there is not.
func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("unknown command %q%s", args[0], suggested(cmd, args))
}

// suggestedFlag returns which flag may have been meant by one that is not known.
func suggestedFlag(cmd *cobra.Command, err error) string {
	word, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := spec.Suggest(word, names); near != "" {
		return ": did you mean --" + near + "?"
	}
	return ""
}
