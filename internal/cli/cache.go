package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/spec"
)

func (a *app) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Look into the cache, and purge it",
		Long:  "Look into what cache filters of the running gateway keep, and purge it.",
		Args:  wants(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.cacheStatsCommand(), a.cacheListCommand(), a.cacheInspectCommand(), a.cachePurgeCommand())
	return cmd
}

func (a *app) cacheStatsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "stats",
		Short:   "Say how the cache is: what it holds, and what it is good for",
		Long:    "Say how the cache is: what each tier holds and may hold, how many requests it answered, what left it and why.",
		Example: "  sallyport cache stats",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				s, err := c.CacheStats(ctx)
				return s, func() { printFacts(a.out, cacheFacts(s)) }, err
			})
		},
	}
	a.remote.flags(cmd)
	return cmd
}

func cacheFacts(s *client.CacheStats) []fact {
	ratio := "no requests yet"
	if s.HitRatio != nil {
		ratio = fmt.Sprintf("%.1f %% of those that did not pass by", *s.HitRatio*100)
	}
	facts := []fact{{"hit ratio", ratio}, {"requests", tally(s.Requests)}}
	var purges []string
	for _, p := range s.Purges {
		purges = append(purges, fmt.Sprintf("%s %d, softly %d", p.By, p.Hard, p.Soft))
	}
	facts = append(facts, fact{"purges", strings.Join(purges, "\n")})
	for _, t := range s.Tiers {
		used := 0.0
		if t.Budget > 0 {
			used = float64(t.Held) / float64(t.Budget) * 100
		}
		lines := []string{fmt.Sprintf("%s, %s of %s (%.0f %%)", count(int(t.Objects), "object"), bytesOf(t.Held), bytesOf(t.Budget), used)}
		if t.State != "" {
			lines[0] = t.State + ": " + lines[0]
		}
		lines = append(lines, fmt.Sprintf("found %d, not found %d; stored %d, no room %d, broken off %d", t.Hits, t.Misses, t.Writes, t.Refused, t.Aborted))
		if len(t.Evictions) > 0 {
			lines = append(lines, "left: "+tally(t.Evictions))
		}
		if t.Errors+t.Busy > 0 {
			lines = append(lines, fmt.Sprintf("faults %d, too many open files %d", t.Errors, t.Busy))
		}
		facts = append(facts, fact{t.Name, strings.Join(lines, "\n")})
	}
	return facts
}

// bytesOf writes a number of bytes for people: rounded, with a unit.
func bytesOf(n int64) string {
	const step = 1024
	size, units := float64(n), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for len(units) > 1 && size >= step {
		size, units = size/step, units[1:]
	}
	return strconv.FormatFloat(size, 'f', min(1, max(0, 5-len(units))), 64) + " " + units[0]
}

// tally writes counts by name, those that are not zero.
func tally(counts map[string]uint64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[name]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, n))
		}
	}
	return strings.Join(parts, ", ")
}

func (a *app) cacheListCommand() *cobra.Command {
	var f client.CacheFilter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List answers that are kept",
		Long: `List answers that are kept, in the order of their URLs: those that match all flags. It looks at the whole cache, which
takes a moment if that is large.`,
		Example: "  sallyport cache list --host shop.example.com\n  sallyport cache list --prefix https://shop.example.com/img/ --tag product-17 --limit 1000",
		Args:    wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.Limit < 1 || f.Limit > 1000 {
				return usagef("--limit %d: want a number from 1 to 1000", f.Limit)
			}
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				l, err := c.CacheObjects(ctx, f)
				return l, func() { a.printCached(l) }, err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Prefix, "prefix", "", "how their URLs begin, with scheme and host")
	flags.StringVar(&f.Host, "host", "", "the host of their URLs")
	flags.StringVar(&f.Tag, "tag", "", "a tag that they have")
	flags.IntVar(&f.Limit, "limit", 100, "how many to list at most, up to 1000")
	a.remote.flags(cmd)
	a.completeCached(cmd)
	return cmd
}

func (a *app) printCached(l *client.CacheListing) {
	t := newTable("URL", "METHOD", "STATUS", "STATE", "LEFT", "BYTES", "TIER", "VARIES ON", "TAGS")
	for _, o := range l.Data {
		t.add(o.URL, o.Method, strconv.Itoa(o.Status), o.State, leftOf(&o), strconv.FormatInt(o.Bytes, 10), o.Tier,
			strings.Join(o.Vary, ","), strings.Join(o.Tags, ","))
	}
	t.print(a.out, "nothing like that is kept")
	if l.More {
		fmt.Fprintln(a.out, "… and more: --limit shows more of them")
	}
}

// leftOf says how long an answer is still fresh, -5s if it is stale since then.
func leftOf(o *client.CacheObject) string { return o.Left.Std().Round(time.Second).String() }

func (a *app) cacheInspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect URL",
		Short: "Show what is kept for a URL, and why it is fresh or not",
		Long: `Show what is kept for a URL, all variants of it: why each is fresh or stale, what selects it, what would revalidate it and
how it can be purged; and what would become of a GET now. Nothing is sent or counted. Cookies and credentials in an answer
are shown as ***.`,
		Example: "  sallyport cache inspect https://shop.example.com/products/17",
		Args:    wants("URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := question("GET", args[0], nil); err != nil {
				return err
			}
			return a.call(cmd, func(ctx context.Context, c *client.Client) (any, func(), error) {
				i, err := c.InspectCache(ctx, args[0])
				return i, func() { a.printInspection(i) }, err
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.remote.flags(cmd)
	return cmd
}

func (a *app) printInspection(i *client.CacheInspection) {
	facts := []fact{{"kept as", strings.Join(i.URLs, "\n")}, {"a GET now", i.Now.Verdict + ": " + i.Now.Why}, {"route", i.Now.Route}}
	printFacts(a.out, facts)
	if len(i.Variants) == 0 {
		fmt.Fprintln(a.out, "\nnothing is kept for it")
	}
	for _, o := range i.Variants {
		fmt.Fprintf(a.out, "\n%s %s: %d\n", o.Method, o.URL, o.Status)
		printFacts(a.out, indented(variantFacts(&o)))
	}
	if i.More {
		fmt.Fprintln(a.out, "\n… and more variants")
	}
}

func indented(facts []fact) []fact {
	for i := range facts {
		facts[i].name = "  " + facts[i].name
	}
	return facts
}

func variantFacts(o *client.CacheObject) []fact {
	stored := o.Stored.Format(time.RFC3339)
	purged, part := "", ""
	if o.SoftlyPurged != nil {
		purged = o.SoftlyPurged.Format(time.RFC3339)
	}
	if o.PartOf != 0 {
		part = "a part of " + strings.Replace(strconv.FormatInt(o.PartOf, 10), "-1", "a whole of unknown length", 1)
	}
	var selects []string
	for _, name := range o.Vary {
		value, is := o.Selects[name]
		if !is {
			value = "(not there)"
		}
		selects = append(selects, strings.TrimSpace(name+": "+value))
	}
	return []fact{
		{"state", o.Why},
		{"graces", graces(o)},
		{"validated by", validator(o)},
		{"selected by", strings.Join(selects, "\n")},
		{"space", o.Space},
		{"key", strings.Join(o.Key, ", ")},
		{"tags", strings.Join(o.Tags, ", ")},
		{"softly purged", purged},
		{"stored", stored},
		{"body", strings.TrimSuffix(fmt.Sprintf("%d bytes, %s held in %s, %s", o.Bytes, bytesOf(o.Held), o.Tier, part), ", ")},
		{"header", fields(o.Header)},
	}
}

func graces(o *client.CacheObject) string {
	var all []string
	for name, d := range map[string]spec.Duration{"stale-while-revalidate": o.StaleWhileRevalidate, "stale-if-error": o.StaleIfError} {
		if d > 0 {
			all = append(all, name+" "+d.String())
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func validator(o *client.CacheObject) string {
	switch {
	case o.ETag != "":
		return "ETag " + o.ETag
	case o.LastModified != "":
		return "Last-Modified " + o.LastModified
	}
	return "nothing: it has neither ETag nor Last-Modified"
}

func fields(h map[string][]string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			lines = append(lines, name+": "+value)
		}
	}
	return strings.Join(lines, "\n")
}
