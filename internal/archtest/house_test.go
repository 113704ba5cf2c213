package archtest_test

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// Each package says what it is, in under ten lines that begin with its name.
func TestPackagesHaveADocComment(t *testing.T) {
	docs := make(map[string][]*ast.CommentGroup)
	names := make(map[string]string)
	for _, f := range sources(t, func(f *source) bool { return true }) {
		if f.test && names[f.dir] != "" && !strings.HasSuffix(names[f.dir], "_test") {
			continue // the doc is that of the package itself
		}
		if !f.test && strings.HasSuffix(names[f.dir], "_test") {
			docs[f.dir] = nil
		}
		names[f.dir] = f.ast.Name.Name
		if f.ast.Doc != nil {
			docs[f.dir] = append(docs[f.dir], f.ast.Doc)
		}
	}
	for dir, name := range names {
		begin := "Package " + name + " "
		if name == "main" {
			begin = "Command " + path.Base(dir) + " "
		}
		switch list := docs[dir]; {
		case len(list) == 0:
			t.Errorf("package %s has no doc comment", dir)
		case len(list) > 1:
			t.Errorf("package %s has %d doc comments: %s and %s", dir, len(list), at(list[0]), at(list[1]))
		case !strings.HasPrefix(list[0].Text(), begin):
			t.Errorf("%s: the doc comment does not begin with %q", at(list[0]), begin)
		case strings.Count(list[0].Text(), "\n") >= 10:
			t.Errorf("%s: the doc comment is %d lines long, want under ten", at(list[0]), strings.Count(list[0].Text(), "\n"))
		}
	}
}

// Every exported name has a comment.
func TestExportedNamesHaveAComment(t *testing.T) {
	for _, f := range sources(t, written) {
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: %s has no comment", at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if name := undocumented(d, s); name != "" {
						t.Errorf("%s: %s has no comment", at(s), name)
					}
				}
			}
		}
	}
}

// exportedReceiver reports whether a function is none of a type that is not exported.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch generic := t.(type) {
	case *ast.IndexExpr:
		t = generic.X
	case *ast.IndexListExpr:
		t = generic.X
	}
	name, ok := t.(*ast.Ident)
	return ok && name.IsExported()
}

// undocumented returns the exported name in s that has no comment, neither of its own nor of its group.
func undocumented(d *ast.GenDecl, s ast.Spec) string {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
			return s.Name.Name
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				return name.Name
			}
		}
	}
	return ""
}

// Nothing happens before main.
func TestThereIsNoInit(t *testing.T) {
	for _, f := range sources(t, written) {
		for _, decl := range f.ast.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
				t.Errorf("%s: init", at(d))
			}
		}
	}
}

// words are not used for anything here, because the glossary has another one or because they say nothing.
func words() map[string]string {
	return map[string]string{
		"backend": "instance, service or store", "endpoint": "instance, or call of the API", "helper": "say what it does",
		"helpers": "say what they do", "impl": "say how it does it", "manager": "say what it does", "middleware": "filter",
		"plugin": "filter", "util": "say what it does", "utils": "say what they do",
	}
}

// vague are words that say too little for a package, a file or a type, and may be just right for a function.
func vague() map[string]string {
	return map[string]string{"base": "say what it is", "common": "say what it is", "misc": "say what it is"}
}

func TestNames(t *testing.T) {
	check := func(where, name string, words map[string]string) {
		for _, part := range split(name) {
			if instead, ok := words[part]; ok {
				t.Errorf("%s: %s: not %q: %s", where, name, part, instead)
			}
		}
	}
	for _, f := range sources(t, written) {
		file := strings.TrimSuffix(path.Base(f.path), ".go")
		for _, list := range []map[string]string{words(), vague()} {
			check(f.path, file, list)
			check(f.path, f.ast.Name.Name, list)
		}
		for _, name := range declared(f.ast) {
			check(at(name), name.Name, words())
			// crypto/tls has the name GetCertificate.
			if rest, ok := strings.CutPrefix(name.Name, "Get"); ok && ast.IsExported(rest) && rest != "Certificate" {
				t.Errorf("%s: %s: say the rest alone", at(name), name.Name)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok {
				check(at(s), s.Name.Name, vague())
			}
			return true
		})
	}
}

// declared returns the names that a file declares for its package, methods included.
func declared(f *ast.File) []*ast.Ident {
	var names []*ast.Ident
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			names = append(names, d.Name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name)
				case *ast.ValueSpec:
					names = append(names, s.Names...)
				}
			}
		}
	}
	return names
}

// split returns the words of a name, in lower case: they begin with a capital after a small letter, with the last of
// several capitals, or after an underscore.
func split(name string) []string {
	runes := []rune(name)
	var marked strings.Builder
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			marked.WriteByte('_')
		}
		marked.WriteRune(unicode.ToLower(r))
	}
	return strings.FieldsFunc(marked.String(), func(r rune) bool { return r == '_' })
}

func TestSplit(t *testing.T) {
	for name, want := range map[string][]string{
		"baseURL": {"base", "url"}, "HTTPBackend": {"http", "backend"}, "string_util": {"string", "util"}, "database": {"database"},
	} {
		if got := split(name); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// A file is one idea. One that is longer than this has a reason.
const longFile = 400

func longFiles() map[string]string {
	return map[string]string{}
}

func TestFilesAreShort(t *testing.T) {
	reasons := longFiles()
	for _, f := range sources(t, written) {
		if f.lines <= longFile {
			continue
		}
		if reasons[f.path] == "" {
			t.Errorf("%s has %d lines, over %d: split it, or enter it here with the reason", f.path, f.lines, longFile)
		}
		delete(reasons, f.path)
	}
	for name := range reasons {
		t.Errorf("%s is not so long any more: take it off the list", name)
	}
}

// A function is one thought. Tables that are written as functions may be longer.
const longFunc = 50

func longFuncs() map[string]string {
	return map[string]string{
		"exchange/reason.go Reasons":               "a table",
		"internal/admin/reason.go Reasons":         "a table",
		"internal/admin/table.go configOperations": "a table",
	}
}

func TestFunctionsAreShort(t *testing.T) {
	reasons := longFuncs()
	for _, f := range sources(t, written) {
		for _, decl := range f.ast.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || d.Body == nil || line(d.Body.Rbrace)-line(d.Body.Lbrace)-1 <= longFunc {
				continue
			}
			name := f.path + " " + d.Name.Name
			if reasons[name] == "" {
				t.Errorf("%s: %s is over %d lines: split it, or enter it here with the reason", at(d), d.Name.Name, longFunc)
			}
			delete(reasons, name)
		}
	}
	for name := range reasons {
		t.Errorf("%s is not so long any more: take it off the list", name)
	}
}

func line(p token.Pos) int { return positions.Position(p).Line }

// An interface that many can satisfy is small. A driver's contract may have more.
func TestInterfacesAreSmall(t *testing.T) {
	contracts := map[string]string{
		"internal/cert watcher":    "what fsnotify has, so that tests can do without it",
		"internal/objects Storage": "what every storage does",
		"internal/store Store":     "what every driver does",
	}
	for _, f := range sources(t, written) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > 3 && contracts[f.dir+" "+spec.Name.Name] == "" {
				t.Errorf("%s: %s has %d methods, want at most three", at(spec), spec.Name.Name, i.Methods.NumFields())
			}
			return true
		})
	}
}
