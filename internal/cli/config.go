package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/spec"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show, compare and change the configuration of the running gateway",
		Args:  wants(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.configShowCommand(), a.configDiffCommand(), a.configApplyCommand())
	return cmd
}

func (a *app) configShowCommand() *cobra.Command {
	var view string
	views := []string{"effective", "api"}
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration that is running",
		Long: `Print the configuration that is running, in YAML: all of it with its defaults, or with --view api what was made through
the admin API. Secrets are shown as ***.`,
		Example:           "  sallyport config show\n  sallyport config show --view api > made-by-api.yaml",
		Args:              wants(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if view != "effective" && view != "api" {
				return usagef("--view %q: want effective or api%s", view, spec.DidYouMean(view, views))
			}
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				read := c.Config
				if view == "api" {
					read = c.APIConfig
				}
				info, err := read(ctx)
				if err != nil {
					return nil, nil, err
				}
				text, err := config.YAML(info.Config)
				return info, func() { fmt.Fprintf(a.out, "# revision %d\n%s", info.Revision, text) }, err
			})
		},
	}
	cmd.Flags().StringVar(&view, "view", "effective", "effective is all of it, api what was made through the admin API")
	completeFlag(cmd, "view", views)
	a.remote.flags(cmd)
	return cmd
}

func (a *app) configDiffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff FILE",
		Short: "Compare a configuration with the one that is running",
		Long: `Compare a configuration with the one that is running, as if it were all there is: a file with its includes, a directory,
or - for the standard input. References are resolved here. Nothing is changed.`,
		Example: "  sallyport config diff sallyport.yaml",
		Args:    wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := a.configInput(args[0])
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				r, err := c.DiffConfig(ctx, in.text, client.JSON)
				return r, func() { a.printResult(r, "") }, in.placed(err)
			})
		},
	}
	a.remote.flags(cmd)
	return cmd
}

func (a *app) configApplyCommand() *cobra.Command {
	var w client.Write
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Make a configuration all that the admin API has configured",
		Long: `Make a configuration all that the admin API has configured: what it made before and is not in there is removed. Objects
of the gateway's own files may stand in it if they say what the file says. FILE is a file with its includes, a directory,
or - for the standard input; references are resolved here.`,
		Example: "  sallyport config apply sallyport.yaml --dry-run",
		Args:    wants("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := a.configInput(args[0])
			if err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				r, err := c.PutConfig(ctx, in.text, client.JSON, w)
				return r, func() { a.printResult(r, fmt.Sprintf("applied: revision %d is running", r.Revision)) }, in.placed(err)
			})
		},
	}
	dryRunFlag(cmd, &w.DryRun)
	a.remote.flags(cmd)
	return cmd
}
