package main

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asynched/api-gateway/filter/filtertest"
)

func TestDeprecate(t *testing.T) {
	res := filtertest.Run(t, deprecateKind(), "{since: 2026-01-01T00:00:00Z, sunset: 2027-01-01T00:00:00Z, link: https://example.com/v2}", nil)
	want := http.Header{
		"Deprecation": {"@1767225600"}, "Sunset": {"Fri, 01 Jan 2027 00:00:00 GMT"},
		"Link": {`<https://example.com/v2>; rel="deprecation"`},
	}
	if diff := cmp.Diff(want, res.Response.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

func TestDeprecateRefuses(t *testing.T) {
	got := filtertest.Case{Kind: deprecateKind(), Config: "{since: 2027-01-01T00:00:00Z, sunset: 2026-01-01T00:00:00Z}"}.Problems()
	if diff := cmp.Diff([]string{"sunset: is before since"}, got); diff != "" {
		t.Error(diff)
	}
}
