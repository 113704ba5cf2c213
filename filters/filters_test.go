package filters_test

import (
	"reflect"
	"testing"

	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/spec/specdoc"
)

// kind returns the kind of that name.
func kind(t testing.TB, name string) filter.Kind {
	t.Helper()
	catalog, err := filter.NewCatalog(filters.All()...)
	if err != nil {
		t.Fatal(err)
	}
	k, ok := catalog.Kind(name)
	if !ok {
		t.Fatalf("there is no filter kind %q", name)
	}
	return k
}

func TestEveryKindIsDocumented(t *testing.T) {
	for _, k := range filters.All() {
		if k.Doc == "" {
			t.Errorf("%s has no Doc", k.Name)
		}
		specdoc.CheckComments(t, reflect.TypeOf(k.New()), k.Docs)
	}
}
