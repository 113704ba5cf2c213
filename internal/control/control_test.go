package control_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/control"
	"github.com/asynched/api-gateway/internal/snapshot"
	"github.com/asynched/api-gateway/internal/store/storetest"
	"github.com/asynched/api-gateway/spec"
)

// A desk is a control with a file and a store, and rooms that only note what they are told.
type desk struct {
	*control.Control
	t       *testing.T
	path    string
	store   *storetest.Memory
	refuse  error // what Prepare fails with
	commits int
	aborts  int
}

func newDesk(t *testing.T, file string) *desk {
	t.Helper()
	d := &desk{t: t, path: filepath.Join(t.TempDir(), "sallyport.yaml"), store: storetest.NewMemory(0)}
	d.write(file)
	d.Control = d.control()
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// control makes another control over the same file and store, as after a restart.
func (d *desk) control() *control.Control {
	d.t.Helper()
	kinds, err := filter.NewCatalog()
	if err != nil {
		d.t.Fatal(err)
	}
	return control.New(control.Options{
		Path: d.path, Environ: os.LookupEnv, Kinds: kinds, Env: snapshot.OfflineEnv(), Store: d.store, Log: slog.New(slog.DiscardHandler),
		Prepare: func(context.Context, *snapshot.Snapshot) (commit, abort func(), err error) {
			return func() { d.commits++ }, func() { d.aborts++ }, d.refuse
		},
	})
}

func (d *desk) write(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.path, []byte("version: 1\n"+text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) node(text string) *spec.Node {
	d.t.Helper()
	n, errs := spec.ParseJSON(config.APIFile, []byte(text))
	if len(errs) > 0 {
		d.t.Fatal(errs)
	}
	return n
}

// routes returns the names of the running routes.
func (d *desk) routes() string {
	var names []string
	for name := range d.State().Document.Config.Routes {
		names = append(names, name)
	}
	if len(names) > 1 && names[0] > names[1] {
		names[0], names[1] = names[1], names[0]
	}
	return strings.Join(names, " ")
}

const (
	fileRoute = "routes: {file: {match: {hosts: [a.test]}, respond: {status: 200}}}\n"
	apiRoute  = `{"match": {"hosts": ["b.test"]}, "respond": {"status": 201}}`
)

func TestObjectsOfTheAPI(t *testing.T) {
	d := newDesk(t, fileRoute)
	r, err := d.Put(t.Context(), "routes", "mine", d.node(apiRoute), "", false)
	if err != nil || !r.Created || len(r.Changes) != 1 || r.Changes[0].Path != "routes.mine" || r.Changes[0].Kind != "added" {
		t.Fatalf("put: %+v, %v", r, err)
	}
	if d.routes() != "file mine" || d.State().Document.Owner("routes.mine") != config.OwnerAPI {
		t.Errorf("routes %q, owner %q", d.routes(), d.State().Document.Owner("routes.mine"))
	}
	// It survives a restart, and a reload.
	d.Control = d.control()
	if err := d.Start(t.Context()); err != nil || d.routes() != "file mine" {
		t.Fatalf("after a restart: %q, %v", d.routes(), err)
	}
	if _, err := d.Reload(t.Context(), "test"); err != nil || d.routes() != "file mine" {
		t.Fatalf("after a reload: %q, %v", d.routes(), err)
	}
	if _, err := d.Delete(t.Context(), "routes", "mine", "", false); err != nil || d.routes() != "file" {
		t.Fatalf("after delete: %q, %v", d.routes(), err)
	}
	if _, err := d.Delete(t.Context(), "routes", "mine", "", false); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("delete again: %v", err)
	}
}

// What a file declares cannot be changed through the API, and the error says where it is.
func TestFileIsReadOnly(t *testing.T) {
	d := newDesk(t, fileRoute)
	_, put := d.Put(t.Context(), "routes", "file", d.node(apiRoute), "", false)
	_, del := d.Delete(t.Context(), "routes", "file", "", false)
	for _, err := range []error{put, del} {
		var owner *control.OwnerError
		if !errors.As(err, &owner) || owner.Path != "routes.file" || owner.Where.Line != 2 {
			t.Errorf("got %v", err)
		}
	}
}

// A file that takes a name which the API used wins; the other object is reported, kept, and back when the name is free.
func TestFileShadows(t *testing.T) {
	d := newDesk(t, fileRoute)
	if _, err := d.Put(t.Context(), "routes", "mine", d.node(apiRoute), "", false); err != nil {
		t.Fatal(err)
	}
	d.write("routes: {mine: {match: {hosts: [c.test]}, respond: {status: 202}}}\n")
	state, err := d.Reload(t.Context(), "test")
	if err != nil || len(state.Document.Shadowed) != 1 || state.Document.Shadowed[0] != "routes.mine" {
		t.Fatalf("%+v, %v", state, err)
	}
	if s := state.Document.Config.Routes["mine"].Respond.Status; s != 202 {
		t.Errorf("the file does not win: status %d", s)
	}
	d.write(fileRoute)
	if state, err = d.Reload(t.Context(), "test"); err != nil || state.Document.Config.Routes["mine"].Respond.Status != 201 {
		t.Errorf("not back: %v", err)
	}
}

// Whatever fails, the running configuration goes on and nothing is kept.
func TestFailuresChangeNothing(t *testing.T) {
	d := newDesk(t, fileRoute)
	running := d.State()
	check := func(name string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if d.State() != running {
			t.Errorf("%s: the state has changed", name)
		}
		again := d.control()
		if err := again.Start(t.Context()); err != nil || len(again.State().Document.Config.Routes) != 1 {
			t.Errorf("%s: something was kept: %v", name, err)
		}
	}
	_, err := d.Put(t.Context(), "routes", "mine", d.node(`{"service": "nobody"}`), "", false)
	check("dangling reference", err)
	d.refuse = errors.New("port in use")
	_, err = d.Put(t.Context(), "routes", "mine", d.node(apiRoute), "", false)
	d.refuse = nil
	check("prepare", err)
	d.store.Fail(errors.New("disk full"))
	aborts := d.aborts
	_, err = d.Put(t.Context(), "routes", "mine", d.node(apiRoute), "", false)
	d.store.Fail(nil)
	check("store", err)
	if d.aborts != aborts+1 {
		t.Errorf("what was prepared was aborted %d times", d.aborts-aborts)
	}
	if _, err = d.Put(t.Context(), "routes", "mine", d.node(apiRoute), `"stale"`, false); !errors.Is(err, control.ErrConflict) {
		t.Errorf("stale tag: %v", err)
	}
	check("stale tag", err)
	r, err := d.Put(t.Context(), "routes", "mine", d.node(apiRoute), "", true)
	if err != nil || len(r.Changes) != 1 {
		t.Errorf("dry run: %+v, %v", r, err)
	}
	check("dry run", errors.New("none"))
	d.write("routes: {file: {service: nobody}, other: 5}\n")
	_, err = d.Reload(t.Context(), "test")
	var errs spec.Errors
	if !errors.As(err, &errs) || len(errs) != 2 || d.Failure() == nil {
		t.Errorf("reload: %v", err)
	}
	if d.State() != running {
		t.Error("a broken file has replaced the running configuration")
	}
}

// What was read can be edited and sent back: a file's objects may stand in it as long as they say the same.
func TestReplace(t *testing.T) {
	d := newDesk(t, fileRoute)
	whole := `{"version": 1, "routes": {"file": {"match": {"hosts": ["a.test"]}, "respond": {"status": 200}}, "mine": ` + apiRoute + `}}`
	if _, err := d.Replace(t.Context(), d.node(whole), "", false); err != nil || d.routes() != "file mine" {
		t.Fatalf("%q, %v", d.routes(), err)
	}
	var owner *control.OwnerError
	_, err := d.Replace(t.Context(), d.node(strings.Replace(whole, "a.test", "x.test", 1)), "", false)
	if !errors.As(err, &owner) || owner.Path != "routes.file" {
		t.Errorf("a changed object of the file: %v", err)
	}
	if _, err := d.Replace(t.Context(), d.node(`{"version": 1}`), "", false); err != nil || d.routes() != "file" {
		t.Errorf("emptied: %q, %v", d.routes(), err)
	}
}

// A part of the API that no longer fits the file must not keep the gateway from starting.
func TestStartWithoutWhatDoesNotFit(t *testing.T) {
	d := newDesk(t, "services: {a: {}}\n")
	if _, err := d.Put(t.Context(), "routes", "mine", d.node(`{"service": "a"}`), "", false); err != nil {
		t.Fatal(err)
	}
	d.write("services: {b: {}}\n")
	d.Control = d.control()
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.routes() != "" || d.Failure() == nil {
		t.Errorf("routes %q, failure %v", d.routes(), d.Failure())
	}
	// The files can still be changed, and the API's part is not overwritten by the next change.
	d.write("services: {c: {}}\n")
	if _, err := d.Reload(t.Context(), "test"); err != nil {
		t.Error(err)
	}
	if _, err := d.Put(t.Context(), "routes", "other", d.node(apiRoute), "", false); err == nil {
		t.Error("the API's part is changed though it does not fit")
	}
	d.write("services: {a: {}}\n")
	if d.Control = d.control(); d.Start(t.Context()) != nil || d.routes() != "mine" {
		t.Errorf("not back: %q", d.routes())
	}
}

func TestRestartNeeded(t *testing.T) {
	d := newDesk(t, fileRoute)
	d.write("admin: {address: 127.0.0.1:9999}\n")
	_, err := d.Reload(t.Context(), "test")
	if err == nil || !strings.Contains(err.Error(), "sallyport.yaml:2:9: admin.address: cannot change while the gateway runs") {
		t.Errorf("got %v", err)
	}
	// Else a token could be dropped for a client_ca that is not in force.
	d.write("admin: {tls: {cert: a.pem, key: b.pem, client_ca: c.pem}}\n")
	if _, err = d.Reload(t.Context(), "test"); err == nil || !strings.Contains(err.Error(), "sallyport.yaml:2:9: admin.tls: cannot change") {
		t.Errorf("got %v", err)
	}
}
