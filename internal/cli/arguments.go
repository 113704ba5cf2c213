package cli

import (
	"errors"
	"fmt"
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
			return usagef("%s: %s is missing: want %s", nameOf(cmd), names[len(args)], usageOf(cmd))
		case most >= 0 && len(args) > most:
			return usagef("%s: unexpected argument %q%s: want %s", nameOf(cmd), args[most], suggested(cmd, args[0]), usageOf(cmd))
		}
		return nil
	}
}

// usageOf returns the line that says how a command is used, without the words that say nothing.
func usageOf(cmd *cobra.Command) string { return strings.TrimSuffix(cmd.UseLine(), " [flags]") }

// nameOf returns the name of a command as it is called, without that of the program unless it is the program.
func nameOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// suggested returns which command below cmd may have been meant by a word, "" if there is none like it.
func suggested(cmd *cobra.Command, word string) string {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return spec.DidYouMean(word, names)
}

// rootArgs refuses a command that there is not.
func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("unknown command %q%s", args[0], suggested(cmd, args[0]))
}

// shellArgs refuses a shell that there is no completion for.
func shellArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("%s: want bash, zsh, fish or powershell", nameOf(cmd))
	}
	return usagef("%s: unknown shell %q%s: want bash, zsh, fish or powershell", nameOf(cmd), args[0], suggested(cmd, args[0]))
}

// flagError says what is wrong with a flag, in the words of the other errors.
func flagError(cmd *cobra.Command, err error) error {
	var wrong *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	var text string
	switch {
	case errors.As(err, &wrong):
		text = fmt.Sprintf("--%s %q: %s", wrong.GetFlag().Name, wrong.GetValue(), wanted(wrong))
	case errors.As(err, &unknown):
		text = err.Error() + suggestedFlag(cmd, unknown.GetSpecifiedName())
	default:
		text = err.Error()
	}
	if cmd.HasParent() {
		text = nameOf(cmd) + ": " + text
	}
	return usageError{errors.New(text)}
}

// wanted says what a flag takes.
func wanted(wrong *pflag.InvalidValueError) string {
	switch wrong.GetFlag().Value.Type() {
	case "int":
		return "want a whole number"
	case "bool":
		return "want true or false"
	case "stringToString":
		return "want key=value"
	}
	return wrong.Unwrap().Error()
}

// suggestedFlag returns which flag may have been meant by one that is not known.
func suggestedFlag(cmd *cobra.Command, word string) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := spec.Suggest(word, names); near != "" {
		return ": did you mean --" + near + "?"
	}
	return ""
}
