package cli

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"time"

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

TERM and INT drain: nothing new is accepted, open exchanges may finish within drain_timeout. A second one cuts them, and
a third one ends the process where it stands. HUP reads the configuration again and opens the access log anew.`,
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

// sameSignal is within what time a second signal to end is the first one told twice: `timeout`, some shells and some inits
// signal the process and its group.
const sameSignal = 300 * time.Millisecond

// run starts the gateway and serves until a signal ends it. The first signal to end drains, or breaks off the start; the
// second one cuts what is still open; the third one ends the process where it stands.
func run(ctx context.Context, opts daemon.Options) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, append(slices.Clone(endSignals), reloadSignals...)...)
	defer signal.Stop(signals)
	ignoreSignals()
	ctx, end := context.WithCancel(ctx)
	defer end()
	hurry, cut := context.WithCancel(context.Background())
	defer cut()
	reload := make(chan struct{}, 1)
	go follow(signals, reload, end, cut)
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
	return d.Run(ctx, hurry)
}

// follow does what the signals say.
func follow(signals <-chan os.Signal, reload chan<- struct{}, end, cut func()) {
	ends := 0
	var last time.Time
	for s := range signals {
		if !slices.Contains(endSignals, s) {
			select {
			case reload <- struct{}{}:
			default: // one is waiting, which will read what is there then
			}
			continue
		}
		if now := time.Now(); ends == 0 || now.Sub(last) >= sameSignal {
			ends++
			last = now
		}
		switch ends {
		case 1:
			end()
		case 2:
			cut()
		default:
			os.Exit(exitFailed)
		}
	}
}
