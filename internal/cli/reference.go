package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/filter"
)

// Reference returns the reference of the command line as a page of Markdown: a section for each command, in the order of
// their names.
func Reference(kinds *filter.Catalog) []byte {
	root := (&app{kinds: kinds}).root()
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Command line\n\n%s\n\n", fenced(root.Long))
	b.WriteString("| command | does |\n| --- | --- |\n")
	commands(root, func(c *cobra.Command) {
		path := c.CommandPath()
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", path, strings.ReplaceAll(path, " ", "-"), c.Short)
	})
	if flags := root.PersistentFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(&b, "\nEvery command takes\n\n```\n%s```\n", flags)
	}
	b.WriteString("\nThe exit code is 0 for success, 1 for failure and 2 for a command line that cannot be understood.\n")
	commands(root, func(c *cobra.Command) { describe(&b, c) })
	return b.Bytes()
}

// commands calls do for each command that does something itself and is shown.
func commands(parent *cobra.Command, do func(*cobra.Command)) {
	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() && c.Runnable() {
			do(c)
		}
		commands(c, do)
	}
}

func describe(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n```\n%s\n```\n", c.CommandPath(), strings.TrimSuffix(c.Short, "."), c.UseLine())
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", fenced(c.Long))
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```\n%s\n```\n", strings.TrimRight(c.Example, "\n"))
	}
	if flags := c.LocalNonPersistentFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(b, "\n```\n%s```\n", flags)
	}
}

// fenced makes the indented paragraphs of a help text blocks of code.
func fenced(text string) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		if strings.HasPrefix(p, "  ") {
			paragraphs[i] = "```\n" + p + "\n```"
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
