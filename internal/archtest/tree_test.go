// Package archtest_test holds the source tree to the plan of the house and to its rules. It looks at what is written, and
// does not run any of it. When a test here fails, either the code is wrong or the plan is: change the one that is.
package archtest_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the path of the module, root where it is from here.
const (
	module = "github.com/asynched/api-gateway"
	root   = "../.."
)

// A source is one Go file of the module.
type source struct {
	path  string // in the module, with slashes
	dir   string // "." is the root
	test  bool
	made  bool // generated
	lines int
	ast   *ast.File
}

var positions = token.NewFileSet()

// tree returns all Go files, of all systems, parsed once for all tests.
var tree = sync.OnceValues(func() ([]*source, error) {
	var files []*source
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return enter(name, d.Name())
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parse(name)
		if err == nil {
			files = append(files, file)
		}
		return err
	})
	return files, err
})

// enter skips directories that are not of the module.
func enter(name, base string) error {
	if name == root {
		return nil
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil || base == "testdata" || strings.HasPrefix(base, ".") {
		return fs.SkipDir
	}
	return nil
}

func parse(name string) (*source, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return nil, err
	}
	rel = filepath.ToSlash(rel)
	file, err := parser.ParseFile(positions, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &source{
		path: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), made: ast.IsGenerated(file),
		lines: bytes.Count(text, []byte("\n")), ast: file,
	}, nil
}

// sources returns the files that keep is true for.
func sources(t *testing.T, keep func(*source) bool) []*source {
	t.Helper()
	files, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there is no source")
	}
	return slices.DeleteFunc(slices.Clone(files), func(f *source) bool { return !keep(f) })
}

// written are the files that people wrote and that are no tests.
func written(f *source) bool { return !f.test && !f.made }

// at returns the place of a node: file and line.
func at(n ast.Node) string {
	p := positions.Position(n.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}

// imports returns what a file imports.
func (s *source) imports() []string {
	var list []string
	for _, spec := range s.ast.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			list = append(list, name)
		}
	}
	return list
}
