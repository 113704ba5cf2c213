package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/asynched/api-gateway/internal/store"
)

// prefix is where the registry keeps its entries in the store. Instances of registered hosts and those that were added to
// services of the configuration are kept apart, so that a service which takes the name of a host does not take its
// instances.
//
//	registry/hosts/mail.example.com/instances/01k9…
//	registry/services/orders/instances/orders-1
const prefix = "registry/"

// A place names the service an entry belongs to.
type place struct {
	implied bool // the service of a registered host
	service string
}

func (p place) key(id string) string {
	kind := "services"
	if p.implied {
		kind = "hosts"
	}
	return prefix + kind + "/" + p.service + "/instances/" + id
}

// parseKey is the inverse of key.
func parseKey(key string) (p place, id string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, prefix), "/")
	if len(parts) != 4 || parts[2] != "instances" || parts[1] == "" || parts[3] == "" ||
		parts[0] != "hosts" && parts[0] != "services" {
		return place{}, "", false
	}
	return place{parts[0] == "hosts", parts[1]}, parts[3], true
}

// recordVersion is raised when a field changes its meaning.
const recordVersion = 1

// A record is an instance as it is stored.
type record struct {
	Version  int               `json:"v"`
	Address  string            `json:"address"`
	Name     string            `json:"name,omitempty"`
	Tag      string            `json:"tag,omitempty"`
	Weight   int               `json:"weight"`
	Zone     string            `json:"zone,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	TTL      time.Duration     `json:"ttl_ns,omitempty"`
	Draining bool              `json:"draining,omitempty"`
	Created  time.Time         `json:"created"`
	Updated  time.Time         `json:"updated"`
}

// same tells whether two records say the same, apart from when they were written.
func (r *record) same(s *record) bool {
	return r.Address == s.Address && r.Name == s.Name && r.Tag == s.Tag && r.Weight == s.Weight && r.Zone == s.Zone &&
		r.TTL == s.TTL && r.Draining == s.Draining && maps.Equal(r.Metadata, s.Metadata)
}

// An entry is an instance that came through the API. It is immutable.
type entry struct {
	record
	id       string
	at       place
	lease    store.LeaseID
	born     Revision // when it was registered; entries are put in order by it
	modified Revision
}

// parseEntry reads what the store has under one key.
func parseEntry(at place, id string, e *store.Entry) (*entry, error) {
	n := &entry{id: id, at: at, lease: e.Lease, born: e.Created, modified: e.Modified}
	if err := json.Unmarshal(e.Value, &n.record); err != nil {
		return nil, fmt.Errorf("read %s: %w", e.Key, err)
	}
	if n.Version != recordVersion {
		return nil, fmt.Errorf("read %s: it has format %d, written by another release", e.Key, n.Version)
	}
	return n, nil
}
