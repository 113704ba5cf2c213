package filter

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// A Catalog is the set of filter kinds that a gateway was built with. It is immutable and may be shared.
type Catalog struct {
	kinds map[string]Kind
}

var kindName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// NewCatalog returns the catalog of the given kinds. It is an error if two share a name, or if a name is not kebab-case.
func NewCatalog(kinds ...Kind) (*Catalog, error) {
	c := &Catalog{kinds: make(map[string]Kind, len(kinds))}
	for _, k := range kinds {
		switch _, twice := c.kinds[k.Name]; {
		case !kindName.MatchString(k.Name):
			return nil, fmt.Errorf("filter kind %q: a name is lower case words joined by '-'", k.Name)
		case k.New == nil:
			return nil, fmt.Errorf("filter kind %q: New is nil", k.Name)
		case twice:
			return nil, fmt.Errorf("filter kind %q: defined twice", k.Name)
		}
		c.kinds[k.Name] = k
	}
	return c, nil
}

// Kind returns the kind of that name.
func (c *Catalog) Kind(name string) (Kind, bool) {
	k, ok := c.kinds[name]
	return k, ok
}

// Names returns the names of all kinds, sorted.
func (c *Catalog) Names() []string { return slices.Sorted(maps.Keys(c.kinds)) }
