// Command gen writes what is generated into the source tree: doc comments as Go values, the JSON Schema, and the
// reference pages under docs/. It is run by make generate; its test fails while a file is not as it would write it.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A file is generated: its path in the module and what is in it.
type file struct {
	path string
	text []byte
}

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes the files that are not as they should be. The pages are made of comments that are compiled in, so if those
// have changed the rest is left to a gen that knows them.
func run(root string) error {
	comments, err := commentFiles(root)
	if err != nil {
		return err
	}
	changed, err := write(root, comments)
	if err != nil {
		return err
	}
	if changed {
		again := exec.Command("go", "run", "./internal/gen")
		again.Dir, again.Stdout, again.Stderr = root, os.Stdout, os.Stderr
		return again.Run()
	}
	pages, err := pageFiles()
	if err != nil {
		return err
	}
	_, err = write(root, pages)
	return err
}

// write writes those files that differ and tells whether there were any.
func write(root string, files []file) (changed bool, err error) {
	for _, f := range files {
		path := filepath.Join(root, filepath.FromSlash(f.path))
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, f.text) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return changed, err
		}
		if err := os.WriteFile(path, f.text, 0o644); err != nil {
			return changed, err
		}
		fmt.Println("wrote", f.path)
		changed = true
	}
	return changed, nil
}
