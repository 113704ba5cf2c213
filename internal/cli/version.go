package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/version"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  sallyport version -o json",
		Args:    wants(),
		RunE: func(*cobra.Command, []string) error {
			if a.output == "json" {
				return a.printJSON(map[string]string{
					"version": version.String(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(a.out, "sallyport %s (%s, %s/%s)\n", version.String(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, for editors",
		Long: `Print the JSON Schema of the configuration, with the filters that this build has. An editor that knows it completes keys
and shows what they mean.`,
		Example: "  sallyport schema > sallyport.schema.json",
		Args:    wants(),
		RunE:    func(*cobra.Command, []string) error { return a.printJSON(config.Schema(a.kinds)) },
	}
}
