package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynched/api-gateway/internal/store"
)

// A Spec is what a caller says of an instance.
type Spec struct {
	// Address is where the instance listens: host:port.
	Address string
	// Weight is its share of requests, 0 to MaxWeight; 0 gets none.
	Weight int
	// Zone is where it runs; Metadata are labels.
	Zone     string
	Metadata map[string]string
	// TTL is how long it stays without a heartbeat; 0 is for ever.
	TTL time.Duration
}

// Put makes an instance of a service, or changes it to what the Spec says, and tells whether it is new. The service is
// one of the configuration, or that of a registered host. Name and tag of a registration stay, and so does draining. If
// nothing changes nothing is written, but one with a ttl is alive for as long again. When it returns the change is in
// effect.
//
// Errors: FieldErrors; a *NotFoundError for the service; an *OwnerError for an instance of the file or of DNS; a
// *ConflictError for an address that another instance has; a *StaleError if match does not hold; a *LimitError; a
// *StoreError.
func (r *Registry) Put(ctx context.Context, service, id string, s Spec, match Match) (Instance, bool, error) {
	v := &validation{}
	v.id(id)
	s.Address = v.address(s.Address)
	v.weight(s.Weight)
	v.label("zone", s.Zone, MaxLabel)
	v.metadata(s.Metadata)
	v.ttl(s.TTL)
	if err := v.err(); err != nil {
		return Instance{}, false, err
	}
	defer r.lock(service).Unlock()
	at, err := r.own(service, id)
	if err == nil {
		err = r.free(at, id, s.Address)
	}
	if err != nil {
		return Instance{}, false, err
	}
	created := false
	err = r.write(ctx, at, id, func(old *entry) (*record, error) {
		if err := match.check(at, id, old); err != nil {
			return nil, err
		}
		created = old == nil
		var next record
		if old != nil {
			next = old.record
		}
		next.Address, next.Weight, next.Zone, next.Metadata, next.TTL = s.Address, s.Weight, s.Zone, s.Metadata, s.TTL
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

// own returns where an instance that the API may change belongs. The error is a *NotFoundError if there is no such
// service, and an *OwnerError if the instance is another's.
func (r *Registry) own(service, id string) (place, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	svc, err := r.find(service)
	if err != nil {
		return place{}, err
	}
	if i, err := svc.instance(id); err == nil && i.Source != SourceAPI && svc.entry(id) == nil {
		return place{}, &OwnerError{service, id, i.Source, i.Where}
	}
	return svc.at, nil
}

// free returns an error if another instance of the service has the address, or another host's has the id.
func (r *Registry) free(at place, id, address string) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	svc := r.services[at]
	if svc == nil {
		return nil // it goes at this moment; the instance will bring it back
	}
	for _, d := range svc.file {
		if d.address == address {
			return &OwnerError{at.service, d.address, SourceFile, d.where}
		}
	}
	for _, e := range svc.api {
		if e.Address == address && e.id != id {
			return &ConflictError{
				Service: at.service, Instance: e.id,
				Msg: fmt.Sprintf("instance %s of service %s has the address %s already", e.id, at.service, address),
			}
		}
	}
	if e := r.byID[id]; at.implied && e != nil && e.at != at {
		return &ConflictError{
			Service: e.at.service, Instance: id,
			Msg: fmt.Sprintf("the id %s is that of an instance of %s already", id, e.at.service),
		}
	}
	return nil
}

// Delete removes an instance that came through the API, and returns when no new request goes to it. Errors: a
// *NotFoundError, an *OwnerError, a *StaleError, a *StoreError.
func (r *Registry) Delete(ctx context.Context, service, id string, match Match) error {
	defer r.lock(service).Unlock()
	at, err := r.own(service, id)
	if err != nil {
		return err
	}
	return r.remove(ctx, at, id, match)
}

// Heartbeat gives an instance its full ttl again. Nothing is written to disk. Errors: a *NotFoundError for one that has
// left the registry, which must be registered again; an *OwnerError; FieldErrors for one without a ttl; a *StoreError.
func (r *Registry) Heartbeat(ctx context.Context, service, id string) (Instance, error) {
	at, err := r.own(service, id)
	if err != nil {
		return Instance{}, err
	}
	e := r.entry(at, id)
	switch {
	case e == nil:
		return Instance{}, noInstance(id)
	case e.TTL == 0:
		return Instance{}, FieldErrors{{"ttl", "is 0s: the instance stays without a heartbeat"}}
	}
	if err := r.opts.Store.KeepAlive(ctx, e.lease); errors.Is(err, store.ErrNotFound) {
		return Instance{}, noInstance(id)
	} else if err != nil {
		return Instance{}, &StoreError{err}
	}
	return r.view(at, id)
}

// Drain lets an instance get no new requests; open ones finish. It returns when that is in effect, and is no error for
// one that is draining. Errors are those of Delete.
func (r *Registry) Drain(ctx context.Context, service, id string, match Match) (Instance, error) {
	return r.setDraining(ctx, service, id, match, true)
}

// Enable lets an instance get requests again that was draining. Errors are those of Delete.
func (r *Registry) Enable(ctx context.Context, service, id string, match Match) (Instance, error) {
	return r.setDraining(ctx, service, id, match, false)
}

func (r *Registry) setDraining(ctx context.Context, service, id string, match Match, draining bool) (Instance, error) {
	defer r.lock(service).Unlock()
	at, err := r.own(service, id)
	if err != nil {
		return Instance{}, err
	}
	err = r.write(ctx, at, id, func(old *entry) (*record, error) {
		if old == nil {
			return nil, noInstance(id)
		}
		if err := match.check(at, id, old); err != nil || old.Draining == draining {
			return nil, err
		}
		next := old.record
		next.Draining = draining
		return &next, nil
	})
	if err != nil {
		return Instance{}, err
	}
	return r.view(at, id)
}
