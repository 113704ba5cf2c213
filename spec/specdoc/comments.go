// Package specdoc reads the doc comments of configuration structs from Go source and writes them into a Go file, so
// that the program that uses them needs no source. It is for generators and tests, not for the running gateway. Its
// main function is Comments.
package specdoc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// Comments returns the doc comments of the exported struct types of the package in dir and of their fields, by "Type"
// and "Type.Field" with Go's names. Other types have their comment too. Test files do not count. A comment beside a
// field counts if there is none above it.
func Comments(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	docs := make(map[string]string)
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("read doc comments: %w", err)
		}
		for _, decl := range file.Decls {
			if types, ok := decl.(*ast.GenDecl); ok && types.Tok == token.TYPE {
				addTypes(docs, types)
			}
		}
	}
	return docs, nil
}

func addTypes(docs map[string]string, decl *ast.GenDecl) {
	for _, s := range decl.Specs {
		t, ok := s.(*ast.TypeSpec)
		if !ok {
			continue
		}
		comment := t.Doc
		if comment == nil && len(decl.Specs) == 1 {
			comment = decl.Doc
		}
		add(docs, t.Name.Name, comment, nil)
		if st, ok := t.Type.(*ast.StructType); ok {
			addFields(docs, t.Name.Name, st)
		}
	}
}

func addFields(docs map[string]string, owner string, st *ast.StructType) {
	for _, f := range st.Fields.List {
		for _, name := range f.Names {
			if name.IsExported() {
				add(docs, owner+"."+name.Name, f.Doc, f.Comment)
			}
		}
		if len(f.Names) == 0 { // embedded: named by its type
			if name := embedded(f.Type); ast.IsExported(name) {
				add(docs, owner+"."+name, f.Doc, f.Comment)
			}
		}
	}
}

func add(docs map[string]string, key string, above, beside *ast.CommentGroup) {
	text := strings.TrimSpace(above.Text())
	if text == "" {
		text = strings.TrimSpace(beside.Text())
	}
	if text != "" {
		docs[key] = text
	}
}

func embedded(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.StarExpr:
		return embedded(t.X)
	case *ast.SelectorExpr:
		return t.Sel.Name
	}
	return ""
}
