package control

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/internal/watch"
	"github.com/asynched/api-gateway/spec"
)

// Run reloads when the files of the configuration change, until ctx is done. What is broken is reported once, and tried
// again when it changes. Without a configuration file it only waits.
func (c *Control) Run(ctx context.Context) error {
	if c.opts.Path == "" {
		<-ctx.Done()
		return nil
	}
	c.mu.Lock()
	last := sumOf(c.file, nil, c.servedPages(nil))
	c.mu.Unlock()
	watch.Run(ctx, watch.Options{Files: c.watched, Log: c.opts.Log, Changed: func() {
		c.mu.Lock()
		src, errs := c.read()
		now := c.pagesNow()
		running := sumOf(c.file, nil, c.servedPages(now))
		c.mu.Unlock()
		sum := sumOf(src, errs, now)
		if sum == last || sum == running {
			last = sum
			return
		}
		last = sum
		_, _ = c.Reload(ctx, "watch") // Reload reports what is wrong
	}})
	return nil
}

// watched returns the files whose change may change the configuration.
func (c *Control) watched() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := []string{c.opts.Path}
	if c.file != nil {
		files = append(files, c.file.Files...)
		files = append(files, c.file.Globs...) // of a pattern, its directory is watched
	}
	return append(files, c.pageFiles()...)
}

// A pageSums tells what the files of error pages hold, by their names.
type pageSums map[string][sha256.Size]byte

// pageFiles returns the files of the pages that serve, and of those that the last change named, which may have been
// refused because of them. c.mu is held.
func (c *Control) pageFiles() []string {
	files := slices.Clone(c.named)
	if state := c.state.Load(); state != nil {
		files = slices.AppendSeq(files, maps.Keys(state.Snapshot.PageFiles()))
	}
	return files
}

// pagesNow returns what the page files hold now. c.mu is held.
func (c *Control) pagesNow() pageSums {
	sums := make(pageSums)
	for _, file := range c.pageFiles() {
		sums[file] = snapshot.PageSum(file)
	}
	return sums
}

// servedPages returns what the page files held when they were built into what serves; of those that do not serve, what
// they hold now.
func (c *Control) servedPages(now pageSums) pageSums {
	sums := make(pageSums)
	maps.Copy(sums, now)
	if state := c.state.Load(); state != nil {
		maps.Copy(sums, state.Snapshot.PageFiles())
	}
	return sums
}

// sumOf tells one reading of the files from another: what they say, or what is wrong with them, and what the pages hold.
func sumOf(src *config.Source, errs spec.Errors, pages pageSums) [sha256.Size]byte {
	var text []byte
	if src != nil && src.Tree != nil {
		text, _ = json.Marshal(src.Tree) // a tree always has a JSON form
	}
	text = append(text, errs.Error()...)
	for _, file := range slices.Sorted(maps.Keys(pages)) {
		sum := pages[file]
		text = append(append(text, file...), sum[:]...)
	}
	return sha256.Sum256(text)
}
