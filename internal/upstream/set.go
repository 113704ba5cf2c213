package upstream

import (
	"slices"
	"strings"
)

// A Set is the instances of a service at one moment, sorted by id. It is immutable, apart from the state of the
// instances. There is a new one whenever an instance comes, goes, changes, or changes between eligible and not.
type Set struct {
	instances []*Instance
}

// Instances returns all instances, sorted by id. The slice must not be changed.
func (s *Set) Instances() []*Instance { return s.instances }

// Len returns how many instances there are.
func (s *Set) Len() int { return len(s.instances) }

// Instance returns the instance of that id.
func (s *Set) Instance(id string) (*Instance, bool) {
	byID := func(i *Instance, id string) int { return strings.Compare(i.ID, id) }
	at, ok := slices.BinarySearchFunc(s.instances, id, byID)
	if !ok {
		return nil, false
	}
	return s.instances[at], true
}
