package cli

import (
	"context"
	"os"
	"os/signal"
	"slices"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/internal/daemon"
)

func (a *app) runCommand() *cobra.Command {
	var opts daemon.Options
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway",
		Long: `Run the gateway. Without a configuration it listens on :8080, serves the admin API on 127.0.0.1:9190, and keeps what is
registered in sallyport.db.

TERM and INT drain: nothing new is accepted, open exchanges may finish within drain_timeout; a second one ends at once.
HUP reads the configuration again and opens the access log anew.`,
		Example: "  sallyport run\n  sallyport run --config sallyport.yaml --data /var/lib/sallyport",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			fromEnv(cmd, "config", &opts.Config, "SALLYPORT_CONFIG")
			fromEnv(cmd, "data", &opts.Data, "SALLYPORT_DATA")
			opts.Kinds, opts.Log = a.kinds, a.err
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVarP(&opts.Config, "config", "c", "", "configuration file or directory [$SALLYPORT_CONFIG]")
	cmd.Flags().StringVar(&opts.Data, "data", "", "directory of the store, by default the working directory [$SALLYPORT_DATA]")
	return cmd
}

// run starts the gateway and serves until a signal ends it. The first signal to end drains, or breaks off the start; the
// second one ends the process where it stands.
func run(ctx context.Context, opts daemon.Options) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, append(slices.Clone(endSignals), reloadSignals...)...)
	defer signal.Stop(signals)
	ignoreSignals()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reload := make(chan struct{}, 1)
	go func() {
		for s := range signals {
			switch {
			case !slices.Contains(endSignals, s):
				select {
				case reload <- struct{}{}:
				default: // one is waiting, which will read what is there then
				}
			case ctx.Err() != nil:
				os.Exit(exitFailed)
			default:
				cancel()
			}
		}
	}()
	d, err := daemon.Start(ctx, opts)
	if err != nil {
		return err
	}
	go func() {
		for {
			select {
			case <-reload:
				d.Reload(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return d.Run(ctx)
}
