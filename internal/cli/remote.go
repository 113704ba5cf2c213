package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/internal/version"
)

// callTimeout bounds one call of the admin API.
const callTimeout = 30 * time.Second

// A remote is where the admin API is and how to be let in, as flags and the environment say.
type remote struct {
	address, token, tokenFile string
	ca, cert, key             string
}

// flags adds the flags of a command that calls the admin API.
func (r *remote) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.address, "address", "", "URL of the admin API [$SALLYPORT_ADDRESS] (default "+client.DefaultAddress+")")
	f.StringVar(&r.token, "token", "", "token of the admin API [$SALLYPORT_TOKEN]")
	f.StringVar(&r.tokenFile, "token-file", "", "file that holds the token, which other users cannot see then [$SALLYPORT_TOKEN_FILE]")
	f.StringVar(&r.ca, "ca", "", "PEM file of the authorities to trust for https [$SALLYPORT_CA]")
	f.StringVar(&r.cert, "cert", "", "PEM file of a certificate to show, where the admin API has a client_ca [$SALLYPORT_CERT]")
	f.StringVar(&r.key, "key", "", "PEM file of the key of --cert [$SALLYPORT_KEY]")
}

// client returns a client for the admin API; a call of it takes at most timeout.
func (r remote) client(cmd *cobra.Command, timeout time.Duration) (*client.Client, error) {
	if err := r.environ(cmd); err != nil {
		return nil, err
	}
	secure, err := r.tls()
	if err != nil {
		return nil, err
	}
	if secure != nil {
		if r.address == "" {
			r.address = strings.Replace(client.DefaultAddress, "http://", "https://", 1)
		}
		if strings.HasPrefix(r.address, "http://") {
			return nil, usagef("--ca and --cert are for https, and the address is %s", r.address)
		}
	}
	c, err := client.New(client.Options{
		Address: r.address, Token: r.token, TLS: secure, Timeout: timeout, UserAgent: "sallyport/" + version.String(),
	})
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// environ takes from the environment what no flag says, and reads the file of the token.
func (r *remote) environ(cmd *cobra.Command) error {
	flags := cmd.Flags()
	if flags.Changed("token") && flags.Changed("token-file") {
		return usagef("--token and --token-file: want only one of them")
	}
	fromEnv(cmd, "address", &r.address, "SALLYPORT_ADDRESS")
	fromEnv(cmd, "ca", &r.ca, "SALLYPORT_CA")
	fromEnv(cmd, "cert", &r.cert, "SALLYPORT_CERT")
	fromEnv(cmd, "key", &r.key, "SALLYPORT_KEY")
	if !flags.Changed("token") && !flags.Changed("token-file") {
		if fromEnv(cmd, "token", &r.token, "SALLYPORT_TOKEN"); r.token == "" {
			fromEnv(cmd, "token-file", &r.tokenFile, "SALLYPORT_TOKEN_FILE")
		}
	}
	if r.tokenFile == "" {
		return nil
	}
	text, err := os.ReadFile(r.tokenFile)
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	if r.token = strings.TrimSpace(string(text)); r.token == "" {
		return fmt.Errorf("token file %s: is empty", r.tokenFile)
	}
	return nil
}

// fromEnv gives a value that its flag did not: that of the variable, if it is set.
func fromEnv(cmd *cobra.Command, flag string, value *string, name string) {
	if text := os.Getenv(name); text != "" && !cmd.Flags().Changed(flag) {
		*value = text
	}
}

// tls returns how to speak HTTPS, nil for the system's way.
func (r *remote) tls() (*tls.Config, error) {
	if r.ca == "" && r.cert == "" && r.key == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.ca != "" {
		text, err := os.ReadFile(r.ca)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM form", r.ca)
		}
	}
	if (r.cert == "") != (r.key == "") {
		return nil, usagef("--cert and --key belong together: one of them is missing")
	}
	if r.cert != "" {
		pair, err := tls.LoadX509KeyPair(r.cert, r.key)
		if err != nil {
			return nil, fmt.Errorf("cert: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// A call is what a command does with the admin API. What it returns is printed: as JSON, or by table.
type call func(ctx context.Context, c *client.Client) (result any, table func(), err error)

// call calls the admin API and prints what comes of it.
func (a *app) call(cmd *cobra.Command, do call) error {
	c, err := a.remote.client(cmd, callTimeout)
	if err != nil {
		return err
	}
	defer c.Close()
	result, table, err := do(cmd.Context(), c)
	if err != nil {
		return callError(c.Address(), err)
	}
	if a.output == "json" {
		return a.printJSON(result)
	}
	table()
	return nil
}

// callError says why a call of the admin API came to nothing.
func callError(address string, err error) error {
	var problem *client.Problem
	var dial *net.OpError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &problem):
		return errors.New(problemText(problem))
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("cannot reach the gateway at %s: is it running? (%w)", address, rootOf(err))
	case errors.As(err, &unknown):
		return fmt.Errorf("cannot trust the gateway at %s: %w: --ca names the file of its authority", address, unknown)
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return fmt.Errorf("the gateway at %s does not answer", address)
	}
	return err
}

// rootOf returns what a failed connection came to, without the addresses that were told already.
func rootOf(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	var dial *net.OpError
	if errors.As(err, &dial) {
		return dial.Err
	}
	return err
}

// problemText says why the gateway refused a call: one line, or one more for each place where something is wrong.
func problemText(p *client.Problem) string {
	head, _, places := strings.Cut(p.Detail, ", the first: ")
	switch {
	case places: // the first of the places again
		head = strings.ToLower(p.Title) + ": " + head
	case p.Reason == "invalid_body" && len(p.Errors) > 0:
		head = strings.ToLower(p.Title)
	case len(p.Errors) == 1, p.Reason == "invalid_field":
		p.Errors = nil // the detail says the same
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d %s)", head, p.Status, p.Reason)
	for _, f := range p.Errors {
		if f.File == "(body)" { // which nobody has seen
			f.File, f.Line = "", 0
		}
		b.WriteString("\n" + f.String())
	}
	if p.Reason == "unauthorized" {
		b.WriteString("\nset --token, --token-file or SALLYPORT_TOKEN")
	}
	return b.String()
}

// remoteCommands returns the commands that call the admin API, explain apart, which can do without.
func (a *app) remoteCommands() []*cobra.Command {
	return []*cobra.Command{
		a.statusCommand(), a.reloadCommand(), a.configCommand(), a.listenersCommand(), a.routesCommand(), a.servicesCommand(),
		a.instancesCommand(), a.registerCommand(), a.deregisterCommand(), a.cacheCommand(), a.tailCommand(), a.topCommand(),
	}
}
