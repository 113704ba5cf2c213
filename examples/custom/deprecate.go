package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/spec"
)

// deprecate tells clients that an API is going away (RFC 9745, RFC 8594). Its fields are its configuration: decoded
// strictly, checked, and shown in the schema.
type deprecate struct {
	Since  time.Time `json:"since" required:"true"`
	Sunset time.Time `json:"sunset,omitempty"`
	Link   string    `json:"link,omitempty" check:"url"`
}

func deprecateKind() filter.Kind {
	return filter.Kind{
		Name: "deprecate",
		Doc:  "Tells clients that an API is going away.",
		New:  func() filter.Filter { return new(deprecate) },
		Docs: map[string]string{
			"deprecate.Since":  "Since is when the API was deprecated.",
			"deprecate.Sunset": "Sunset is when it stops to answer.",
			"deprecate.Link":   "Link leads to a page that says what to use instead.",
		},
	}
}

// Check reports what the tags cannot tell.
func (d *deprecate) Check(c *spec.Checks) {
	if c.OK("since", "sunset") && !d.Sunset.IsZero() && d.Sunset.Before(d.Since) {
		c.Errorf("sunset", "is before since")
	}
}

// Wrap is called once, when a configuration is loaded: what does not change from request to request is done here.
func (d *deprecate) Wrap(_ *filter.Build, next exchange.Handler) (exchange.Handler, error) {
	since, sunset := "@"+strconv.FormatInt(d.Since.Unix(), 10), d.Sunset.UTC().Format(http.TimeFormat)
	return exchange.HandlerFunc(func(x *exchange.Exchange) (*http.Response, error) {
		resp, err := next.Handle(x)
		if err != nil {
			return nil, err
		}
		resp.Header.Set("Deprecation", since)
		if !d.Sunset.IsZero() {
			resp.Header.Set("Sunset", sunset)
		}
		if d.Link != "" {
			resp.Header.Add("Link", "<"+d.Link+`>; rel="deprecation"`)
		}
		x.Note(exchange.StageFilter, "deprecate", "warns", "the route is deprecated")
		return resp, nil
	}), nil
}
