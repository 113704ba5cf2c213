package control

import (
	"context"
	"crypto/sha256"
	"encoding/json"

	"github.com/asynched/api-gateway/config"
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
	last := sumOf(c.file, nil)
	c.mu.Unlock()
	watch.Run(ctx, watch.Options{Files: c.watched, Log: c.opts.Log, Changed: func() {
		c.mu.Lock()
		src, errs := c.read()
		running := sumOf(c.file, nil)
		c.mu.Unlock()
		sum := sumOf(src, errs)
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
	return files
}

// sumOf tells one reading of the files from another: what they say, or what is wrong with them.
func sumOf(src *config.Source, errs spec.Errors) [sha256.Size]byte {
	var text []byte
	if src != nil && src.Tree != nil {
		text, _ = json.Marshal(src.Tree) // a tree always has a JSON form
	}
	return sha256.Sum256(append(text, errs.Error()...))
}
