package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/spec"
)

var update = flag.Bool("update", false, "write what is found wrong into the corpus")

// The corpus is configurations that are right and that are wrong, as people write them. Each archive under testdata says
// in its comment what it is about, and sets variables there by lines such as "env: NAME=value". Its files are those of
// the configuration: sallyport.yaml, or sallyport.json, or else the directory conf. want is what is found wrong, word for
// word, a line for each error; there is none in what is right.
func TestCorpus(t *testing.T) {
	catalog := kinds(t)
	for _, path := range cases(t, "testdata") {
		t.Run(strings.TrimSuffix(path, ".txtar"), func(t *testing.T) {
			c := unpack(t, path)
			src, errs := config.Read(c.entry, c.lookup)
			if src != nil {
				_, more := config.Decode(src.Tree, catalog)
				errs = append(errs, more...)
				errs.Sort()
			}
			c.compare(t, errs)
		})
	}
}

func kinds(t *testing.T) *filter.Catalog {
	t.Helper()
	catalog, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

// cases returns the archives below a directory.
func cases(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*", "*.txtar"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	return list
}

// A corpusCase is one archive, unpacked into the working directory.
type corpusCase struct {
	path    string // of the archive
	archive *txtar.Archive
	entry   string
	env     map[string]string
	want    string
}

func unpack(t *testing.T, path string) *corpusCase {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if path, err = filepath.Abs(path); err != nil {
		t.Fatal(err)
	}
	c := &corpusCase{path: path, archive: archive, entry: "conf", env: make(map[string]string)}
	for line := range strings.Lines(string(archive.Comment)) {
		if setting, ok := strings.CutPrefix(strings.TrimSpace(line), "env: "); ok {
			name, value, _ := strings.Cut(setting, "=")
			c.env[name] = value
		}
	}
	t.Chdir(t.TempDir())
	for _, f := range archive.Files {
		if f.Name == "want" {
			c.want = string(f.Data)
			continue
		}
		if strings.HasPrefix(f.Name, "sallyport.") {
			c.entry = f.Name
		}
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *corpusCase) lookup(name string) (string, bool) {
	value, ok := c.env[name]
	return value, ok
}

func (c *corpusCase) compare(t *testing.T, errs spec.Errors) {
	t.Helper()
	got := errs.Error()
	if got != "" {
		got += "\n"
	}
	bad := filepath.Base(filepath.Dir(c.path)) == "bad"
	if bad == (got == "") {
		t.Errorf("among the bad ones: %v, found wrong: %q", bad, got)
	}
	if got == c.want {
		return
	}
	if !*update {
		t.Errorf("got\n%swant\n%s", got, c.want)
		return
	}
	c.archive.Files = slices.DeleteFunc(c.archive.Files, func(f txtar.File) bool { return f.Name == "want" })
	if got != "" {
		c.archive.Files = append(c.archive.Files, txtar.File{Name: "want", Data: []byte(got)})
	}
	if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// There is no key that the good configurations do not have.
func TestCorpusHasEveryKey(t *testing.T) {
	written := make(map[string]bool)
	for _, path := range cases(t, "testdata") {
		if filepath.Base(filepath.Dir(path)) != "good" {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := unpack(t, path)
			src, errs := config.Read(c.entry, c.lookup)
			if src == nil {
				t.Fatal(errs)
			}
			keysOf(src.Tree, "", written)
		})
	}
	missing := 0
	known(reflect.TypeFor[config.Config](), "", func(key string) {
		if strings.HasPrefix(key, ".defaults.service.instances") {
			return // instances belong to a service
		}
		if !written[key] {
			missing++
			t.Errorf("no good configuration has %s", key)
		}
	})
	if missing == 0 && len(written) < 100 {
		t.Errorf("only %d keys were found: the test looks at the wrong place", len(written))
	}
}

// keysOf notes the keys of a tree. The names of objects are * and places in lists are [].
func keysOf(n *spec.Node, path string, written map[string]bool) {
	for _, f := range n.Fields {
		for _, at := range []string{path + "." + f.Key, path + ".*"} {
			written[at] = true
			keysOf(f.Value, at, written)
		}
	}
	for _, item := range n.Items {
		keysOf(item, path+"[]", written)
	}
}

// known calls do for each key that a configuration can have.
func known(t reflect.Type, path string, do func(key string)) {
	switch {
	case t.Kind() == reflect.Pointer:
		known(t.Elem(), path, do)
	case t.Kind() == reflect.Slice && t.Elem() != reflect.TypeFor[filter.Use]():
		known(t.Elem(), path+"[]", do)
	case t.Kind() == reflect.Map:
		do(path + ".*")
		known(t.Elem(), path+".*", do)
	case t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[spec.SpecTyper]()):
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			do(path + "." + name)
			known(t.Field(i).Type, path+"."+name, do)
		}
	}
}
