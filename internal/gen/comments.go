package main

import (
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"strings"

	"github.com/asynched/api-gateway/spec/specdoc"
)

// commentPackages are the packages whose doc comments are shown to people.
func commentPackages() []string { return []string{"client", "config", "filters", "filters/cache"} }

// commentFiles returns the doc comments of exported types as Go files.
func commentFiles(root string) ([]file, error) {
	var files []file
	for _, pkg := range commentPackages() {
		docs, err := specdoc.Comments(filepath.Join(root, filepath.FromSlash(pkg)))
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(docs, func(key, _ string) bool {
			owner, _, _ := strings.Cut(key, ".")
			return !token.IsExported(owner)
		})
		text, err := specdoc.Render(path.Base(pkg), "make generate", docs)
		if err != nil {
			return nil, err
		}
		files = append(files, file{pkg + "/docs_generated.go", text})
	}
	return files, nil
}
