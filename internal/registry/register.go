package registry

import (
	"context"
	"fmt"
	"time"
)

// A Registration asks for requests for a host to go to an address.
type Registration struct {
	// Host is the host to serve; Address where the instance listens: host:port.
	Host, Address string
	// Name and Tag are labels.
	Name, Tag string
	// TTL is how long the registration stays without a heartbeat; 0 is for ever.
	TTL time.Duration
}

// Register makes an instance for a host, and tells whether it is new. When it returns the instance can be routed to. The
// same host and address again are the same instance, which gets the new name, tag and ttl, and if it has a ttl is alive
// for as long again; if nothing has changed nothing is written.
//
// Errors: FieldErrors; a *ConflictError for a host that the configuration serves; a *LimitError; a *StoreError.
func (r *Registry) Register(ctx context.Context, reg Registration) (Instance, bool, error) {
	v := &validation{}
	at := place{implied: true, service: v.host(reg.Host)}
	address := v.address(reg.Address)
	v.label("name", reg.Name, MaxLabel)
	v.label("tag", reg.Tag, MaxLabel)
	v.ttl(reg.TTL)
	if err := v.err(); err != nil {
		return Instance{}, false, err
	}
	defer r.lock(at.service).Unlock()
	if err := r.claim(at.service); err != nil {
		return Instance{}, false, err
	}
	id := r.idOf(at, address)
	created := false
	err := r.write(ctx, at, id, func(old *entry) (*record, error) {
		created = old == nil
		next := record{Address: address, Weight: 1}
		if old != nil {
			next = old.record
		}
		next.Name, next.Tag, next.TTL = reg.Name, reg.Tag, reg.TTL
		if old == nil || !next.same(&old.record) {
			return &next, nil
		}
		return r.alive(ctx, old, &next)
	})
	if err != nil {
		return Instance{}, false, err
	}
	i, err := r.view(at, id)
	return i, created, err
}

// alive renews the lease of an entry that is not to be changed. If the lease has ended meanwhile it returns the record,
// to be written with a new one.
func (r *Registry) alive(ctx context.Context, e *entry, next *record) (*record, error) {
	if e.TTL == 0 {
		return nil, nil
	}
	lease, err := r.keepOrGrant(ctx, e.lease, e.TTL)
	switch {
	case err != nil:
		return nil, &StoreError{err}
	case lease != e.lease:
		return next, nil
	}
	return nil, nil
}

// idOf returns the id of the instance of a host that has the address, or a new one.
func (r *Registry) idOf(at place, address string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if svc := r.services[at]; svc != nil {
		for _, e := range byAge(svc.api) {
			if e.Address == address {
				return e.id
			}
		}
	}
	return newID(time.Now())
}

// claim returns a *ConflictError if the configuration serves the host or has its name.
func (r *Registry) claim(host string) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.shadowed(host) {
		return &ConflictError{
			Service: host,
			Msg: fmt.Sprintf("the configuration has a service named %s: add the instance to it by "+
				"PUT /v1/services/%s/instances/{id}, or name the service otherwise", host, host),
		}
	}
	ref, ok := r.routed(host)
	if !ok {
		return nil
	}
	e := &ConflictError{
		Route: ref.Name, Service: ref.Service, Where: ref.Where,
		Msg: fmt.Sprintf("route %s (%s) serves %s already: ", ref.Name, ref.Where, host),
	}
	if ref.Service == "" {
		e.Msg += "change the route instead"
	} else {
		e.Msg += fmt.Sprintf("add the instance to its service by PUT /v1/services/%s/instances/{id}", ref.Service)
	}
	return e
}

// Deregister removes the instance of a registered host by its id alone, and returns when no new request goes to it. With
// its last instance goes the host. Errors: a *NotFoundError, a *StoreError.
func (r *Registry) Deregister(ctx context.Context, id string) error {
	i, err := r.Registration(id)
	if err != nil {
		return err
	}
	defer r.lock(i.Host).Unlock()
	return r.remove(ctx, place{true, i.Host}, id, 0)
}
