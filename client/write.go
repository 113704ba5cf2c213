package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// A Change is one object that a call changed, or would change.
type Change struct {
	// Path of the object: routes.orders; services.orders.instances.a for an instance.
	Path string `json:"path" required:"true"`
	// Kind of change.
	Kind string `json:"kind" required:"true" enum:"added,removed,changed"`
	// Before is the object as it was, defaults filled in; not there if it is new. Secrets are not shown.
	Before Value `json:"before,omitempty"`
	// After is the object as it is now; not there if it is gone.
	After Value `json:"after,omitempty"`
}

// A Result is what a call changed, or would change.
type Result struct {
	// DryRun is true if nothing was changed.
	DryRun bool `json:"dry_run"`
	// Revision is that of the configuration afterwards; for a dry run the one it would have. 0 for instances, which have
	// none.
	Revision int64 `json:"revision,omitempty"`
	// Changes are the objects that differ from before, in the order of their paths.
	Changes []Change `json:"changes" required:"true"`
	// Warnings are what is probably not meant in the configuration afterwards.
	Warnings []Fault `json:"warnings,omitempty"`
}

// A Write says under which condition a change is made. The zero value makes it in any case.
type Write struct {
	// Match is the entity tag the object must have; "*" is any, but it must be there. If it has another one the call is
	// refused with the reason changed_meanwhile.
	Match string
	// New makes the change only if there is no such object yet.
	New bool
	// DryRun checks everything and changes nothing.
	DryRun bool
}

// Written is what became of a change of one object of type T.
type Written[T any] struct {
	// Object is the object afterwards; nil for a dry run.
	Object *T
	// Created tells that the object is new.
	Created bool
	// Result says what would change; nil unless it is a dry run.
	Result *Result
}

func (w Write) query() url.Values {
	if !w.DryRun {
		return nil
	}
	return url.Values{"dry_run": {"true"}}
}

func (w Write) header() http.Header {
	h := make(http.Header)
	if w.Match != "" {
		h.Set("If-Match", w.Match)
	}
	if w.New {
		h.Set("If-None-Match", "*")
	}
	return h
}

// put writes an object and reads it back. A nil body is none.
func put[T any](ctx context.Context, c *Client, method, path string, object any, w Write) (*Written[T], error) {
	var body []byte
	if object != nil {
		var err error
		if body, err = json.Marshal(object); err != nil {
			return nil, err
		}
	}
	a, err := c.send(ctx, call{method: method, path: path, query: w.query(), header: w.header(), body: body})
	if err != nil {
		return nil, err
	}
	written := &Written[T]{Created: a.status == http.StatusCreated}
	if w.DryRun {
		written.Result = new(Result)
		return written, a.read(written.Result)
	}
	written.Object = new(T)
	return written, a.read(written.Object)
}

// apply makes a call whose answer is a Result.
func (c *Client) apply(ctx context.Context, method, path string, body []byte, kind string, w Write) (*Result, error) {
	header := w.header()
	if kind != "" {
		header.Set("Content-Type", kind)
	}
	a, err := c.send(ctx, call{method: method, path: path, query: w.query(), header: header, body: body})
	if err != nil {
		return nil, err
	}
	r := new(Result)
	return r, a.read(r)
}
