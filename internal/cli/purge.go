package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
)

func (a *app) cachePurgeCommand() *cobra.Command {
	var p client.CachePurge
	var dry, yes bool
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Purge by URL, prefix, tag or host, or everything",
		Long: `Purge by URL, prefix, tag or host, or everything. When the command is done nothing of it is served any more. With --soft the
answers stay and are stale: the service is asked before their next use, and they may be used in their graces.`,
		Example: "  sallyport cache purge --url https://shop.example.com/products/17\n" +
			"  sallyport cache purge --tag product-17 --tag prices --soft\n" +
			"  sallyport cache purge --prefix https://shop.example.com/img/ --dry-run",
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := purgeUsage(cmd, &p, dry, yes); err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				done, err := c.PurgeCache(ctx, p, dry)
				return done, func() { a.printPurged(done) }, err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.URL, "url", "", "all variants of a URL; scheme and query count")
	f.StringVar(&p.Prefix, "prefix", "", "all URLs that begin so, with scheme and host")
	f.StringSliceVar(&p.Tags, "tag", nil, "all answers with a tag; may be given more than once")
	f.StringVar(&p.Host, "host", "", "all URLs of a host, whatever the scheme and port")
	f.BoolVar(&p.All, "all", false, "everything; wants --yes")
	f.BoolVar(&p.Soft, "soft", false, "keep the answers, and make them stale")
	f.BoolVar(&dry, "dry-run", false, "say how many there are, but purge nothing")
	f.BoolVar(&yes, "yes", false, "purge everything indeed")
	a.remote.flags(cmd)
	a.completeCached(cmd)
	return cmd
}

// purgeUsage looks at what can be told without the gateway.
func purgeUsage(cmd *cobra.Command, p *client.CachePurge, dry, yes bool) error {
	var given []string
	for _, name := range []string{"url", "prefix", "tag", "host", "all"} {
		if cmd.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	switch {
	case len(given) == 0, given[0] == "--all" && !p.All:
		return usagef("cache purge: say what: --url, --prefix, --tag, --host or --all")
	case len(given) > 1:
		return usagef("%s: want only one of them", strings.Join(given, " and "))
	case p.All && !dry && !yes:
		return usagef("--all purges everything that is kept: say --yes too, or --dry-run")
	case p.URL+p.Prefix+p.Host == "" && len(p.Tags) == 0 && !p.All:
		return usagef("%s: is empty", given[0])
	}
	return nil
}

func (a *app) printPurged(done *client.CachePurged) {
	what := "everything"
	if len(done.What) > 0 {
		what = done.By + " " + strings.Join(done.What, ", ")
	}
	if done.DryRun {
		n := int64(0)
		if done.Objects != nil {
			n = *done.Objects
		}
		more := ""
		if done.More {
			more = "more than "
		}
		fmt.Fprintf(a.out, "would purge %s%s: %s\nnothing was purged\n", more, count(int(n), "object"), what)
		return
	}
	verb := "purged"
	if done.Soft {
		verb = "softly purged"
	}
	if done.Objects != nil {
		fmt.Fprintf(a.out, "%s %s: %s\n", verb, count(int(*done.Objects), "object"), what)
		return
	}
	fmt.Fprintf(a.out, "%s %s\n", verb, what)
}

// completeCached completes flags by what is kept.
func (a *app) completeCached(cmd *cobra.Command) {
	for flag, values := range map[string]func(*client.CacheObject) []string{
		"url":    func(o *client.CacheObject) []string { return []string{o.URL} },
		"prefix": func(o *client.CacheObject) []string { return []string{o.URL} },
		"host":   func(o *client.CacheObject) []string { return []string{o.Host} },
		"tag":    func(o *client.CacheObject) []string { return o.Tags },
	} {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		completeBy(cmd, flag, func(cmd *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
			all := a.names(cmd, func(ctx context.Context, c *client.Client) ([]string, error) {
				l, err := c.CacheObjects(ctx, client.CacheFilter{Limit: 1000})
				if err != nil {
					return nil, err
				}
				var names []string
				for i := range l.Data {
					names = append(names, values(&l.Data[i])...)
				}
				slices.Sort(names)
				return slices.Compact(names), nil
			})
			return slices.DeleteFunc(all, func(one string) bool { return !strings.HasPrefix(one, begin) }), cobra.ShellCompDirectiveNoFileComp
		})
	}
}
