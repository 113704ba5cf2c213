package snapshot_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/spec"
)

var update = flag.Bool("update", false, "write what is found wrong into the corpus")

// The corpus of package config, and configurations that only building finds something wrong with, in the same form: see
// there. Warnings are in want, too, after the word.
func TestCorpus(t *testing.T) {
	for _, dir := range []string{"testdata", filepath.Join("..", "..", "config", "testdata")} {
		list, err := filepath.Glob(filepath.Join(dir, "*", "*.txtar"))
		if err != nil || len(list) == 0 {
			t.Fatalf("no cases in %s: %v", dir, err)
		}
		for _, path := range list {
			t.Run(strings.TrimSuffix(path, ".txtar"), func(t *testing.T) {
				archive, err := txtar.ParseFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if path, err = filepath.Abs(path); err != nil {
					t.Fatal(err)
				}
				t.Chdir(t.TempDir())
				entry, env, want := unpack(t, archive)
				got := judge(t, entry, env)
				if dir != "testdata" {
					got = withoutMissingFiles(got)
				}
				if got == want {
					return
				}
				if !*update || dir != "testdata" {
					t.Fatalf("got\n%swant\n%s", got, want)
				}
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
				archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// unpack writes a configuration into the working directory.
func unpack(t *testing.T, archive *txtar.Archive) (entry string, env config.Environ, want string) {
	t.Helper()
	variables := make(map[string]string)
	for line := range strings.Lines(string(archive.Comment)) {
		if setting, ok := strings.CutPrefix(strings.TrimSpace(line), "env: "); ok {
			name, value, _ := strings.Cut(setting, "=")
			variables[name] = value
		}
	}
	entry = "conf"
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		if strings.HasPrefix(f.Name, "sallyport.") {
			entry = f.Name
		}
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env = func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}
	return entry, env, want
}

// judge says what is wrong with a configuration, a line for each error and warning.
func judge(t *testing.T, entry string, environ config.Environ) string {
	t.Helper()
	catalog, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		t.Fatal(err)
	}
	env := snapshot.OfflineEnv()
	src, errs := config.Read(entry, environ)
	if src == nil {
		return lines("", errs)
	}
	doc, more := config.Decode(src.Tree, catalog)
	if errs = append(errs, more...); len(errs) > 0 {
		return lines("", snapshot.AllErrors(doc, errs, env))
	}
	snap, errs := snapshot.Build(doc, env)
	if snap == nil {
		return lines("", errs)
	}
	warnings := lines("warning: ", snap.Warnings())
	if err := snap.Discard(); err != nil {
		t.Error(err)
	}
	return warnings
}

// withoutMissingFiles leaves out that certificates are not there: the cases of package config name some that need not be.
func withoutMissingFiles(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "tls") || !strings.HasSuffix(line, ".pem: no such file or directory\n") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func lines(prefix string, errs spec.Errors) string {
	var b strings.Builder
	for _, e := range errs {
		b.WriteString(prefix + e.Error() + "\n")
	}
	return b.String()
}
