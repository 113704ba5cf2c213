package config

import (
	"path/filepath"
	"reflect"
	"slices"

	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// APIFile stands for the admin API wherever the file of a place is named.
const APIFile = "(api)"

// An Owner says through which door an object came and may be changed.
type Owner string

// The owners of an object.
const (
	OwnerFile Owner = "file" // declared in a file: read-only through the API
	OwnerAPI  Owner = "api"  // made through the admin API
	OwnerNone Owner = ""     // a built-in default
)

// A Document is a decoded configuration and where each part of it was written. It is immutable.
type Document struct {
	// Config is what was decoded, defaults filled in.
	Config *Config
	// Tree is what it was decoded from.
	Tree *spec.Node
	// Shadowed are the paths of objects that the admin API made and a file has taken over.
	Shadowed []string

	places map[string]spec.Pos
}

// Where returns the place of a path (routes.orders.filters[2]), or the nearest one around it that is known.
func (d *Document) Where(path string) spec.Pos { return spec.Place(d.places, path) }

// Owner returns who owns the object at the path.
func (d *Document) Owner(path string) Owner {
	switch at, ok := d.places[path]; {
	case !ok:
		return OwnerNone
	case at.File == APIFile:
		return OwnerAPI
	default:
		return OwnerFile
	}
}

// Decode turns a tree into a Document: strictly, with all errors at once, those of each object and those between them.
// The document is returned even if there are errors, for further checks; it must not be used to serve.
func Decode(tree *spec.Node, kinds *filter.Catalog) (*Document, spec.Errors) {
	d := &Document{Config: new(Config), Tree: tree, places: make(map[string]spec.Pos)}
	base := defaultService(tree, kinds)
	opts := spec.Options{Positions: d.places, Values: []any{kinds}, New: func(_ string, t reflect.Type) any {
		if t == reflect.TypeFor[Service]() {
			return base.clone()
		}
		return nil
	}}
	spec.Defaults(d.Config)
	errs := spec.Decode(tree, d.Config, opts)
	c := d.Config
	if len(c.Listeners) == 0 {
		l := new(Listener)
		spec.Defaults(l)
		l.Address = ":8080"
		c.Listeners = map[string]*Listener{"web": l}
	}
	for _, l := range c.Listeners {
		l.complete()
	}
	d.resolvePaths()
	errs = append(errs, d.check()...)
	errs.Sort()
	return d, errs
}

// defaultService decodes defaults.service alone, because every other service begins as a copy of it. Its errors are
// found again when the whole is decoded.
func defaultService(tree *spec.Node, kinds *filter.Catalog) *Service {
	base := new(Service)
	spec.Defaults(base)
	if f, ok := tree.Lookup("defaults"); ok {
		if f, ok = f.Value.Lookup("service"); ok {
			spec.Decode(f.Value, base, spec.Options{Values: []any{kinds}})
		}
	}
	return base
}

// clone returns a copy that can be decoded onto. Lists and maps are shared: decoding replaces them whole.
func (s *Service) clone() *Service {
	t := *s
	if s.Balance.Sticky != nil {
		sticky := *s.Balance.Sticky
		t.Balance.Sticky = &sticky
	}
	return &t
}

// resolvePaths makes the names of files relative to the file they are written in.
func (d *Document) resolvePaths() {
	resolve := func(name *string, path string) {
		if *name == "" || filepath.IsAbs(*name) {
			return
		}
		if at := d.Where(path); at.File != "" && at.File != APIFile {
			*name = filepath.Join(filepath.Dir(at.File), *name)
		}
	}
	c := d.Config
	for name, l := range c.Listeners {
		if l.TLS == nil {
			continue
		}
		at := spec.Key("listeners", name) + ".tls"
		resolve(&l.TLS.ClientCA, at+".client_ca")
		l.TLS.Certificates = slices.Clone(l.TLS.Certificates)
		for i := range l.TLS.Certificates {
			resolve(&l.TLS.Certificates[i].Cert, spec.Index(at+".certificates", i)+".cert")
			resolve(&l.TLS.Certificates[i].Key, spec.Index(at+".certificates", i)+".key")
		}
	}
	if t := c.Admin.TLS; t != nil {
		resolve(&t.Cert, "admin.tls.cert")
		resolve(&t.Key, "admin.tls.key")
		resolve(&t.ClientCA, "admin.tls.client_ca")
	}
	d.resolveTLS(&c.Defaults.Service.TLS, "defaults.service.tls", resolve)
	for name, s := range c.Services {
		d.resolveTLS(&s.TLS, spec.Key("services", name)+".tls", resolve)
	}
	for at, e := range c.errorsAt() {
		for i := range e.Pages {
			resolve(&e.Pages[i].File, spec.Index(at+".pages", i)+".file")
		}
	}
	if c.AccessLog.Path != "-" {
		resolve(&c.AccessLog.Path, "access_log.path")
	}
}

// resolveTLS does it for a service, whose files may be named in the defaults instead.
func (d *Document) resolveTLS(t *UpstreamTLS, at string, resolve func(*string, string)) {
	for key, name := range map[string]*string{"ca": &t.CA, "cert": &t.Cert, "key": &t.Key} {
		path := at + "." + key
		if _, own := d.places[path]; !own {
			path = "defaults.service.tls." + key
		}
		resolve(name, path)
	}
}
