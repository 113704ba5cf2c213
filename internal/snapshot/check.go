package snapshot

import (
	"io"
	"log/slog"
	"strings"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/upstream"
	"github.com/asynched/api-gateway/spec"
)

// OfflineEnv is an Env for checking and explaining a configuration without a gateway.
func OfflineEnv() Env {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	metrics := metric.New("offline")
	return Env{
		Lender: lease.New(), Groups: upstream.NewGroups(upstream.GroupsEnv{Log: log, Metrics: metrics}), Metrics: metrics, Log: log, Offline: true,
	}
}

// AllErrors adds to the errors of a document those that building it would find, as far as they are not merely what
// follows from the former, so that a person learns of everything at once.
func AllErrors(doc *config.Document, errs spec.Errors, env Env) spec.Errors {
	env.Offline = true
	snap, more := Build(doc, env)
	if snap != nil {
		if err := snap.Discard(); err != nil {
			env.Log.Warn("giving back what a refused configuration borrowed", "error", err)
		}
	}
	all := append(spec.Errors(nil), errs...)
	for _, e := range more {
		if !follows(e, errs) {
			all = append(all, e)
		}
	}
	all.Sort()
	return all
}

// follows reports whether an error is about something that is known to be wrong already.
func follows(e *spec.Error, known spec.Errors) bool {
	for _, k := range known {
		if strings.HasPrefix(e.Path, k.Path) || strings.HasPrefix(k.Path, e.Path) {
			return true
		}
	}
	return false
}

// Populate gives each service the instances that its configuration names, for an explanation without a gateway. Nothing
// is known of their health, and names are not resolved: DNS has one instance with the name for its address.
func (s *Snapshot) Populate(groups *upstream.Groups) {
	for name, c := range s.Config.Services {
		list := make([]upstream.Description, 0, len(c.Instances))
		for _, in := range c.Instances {
			address := in.Address + in.DNS // one of them is empty
			list = append(list, upstream.Description{
				ID: address, Service: name, Address: address, Weight: in.Weight, Zone: in.Zone, Metadata: in.Metadata, Source: "file",
			})
		}
		groups.Group(name).Update(list)
	}
}
