// Package gateway is the entry for builds of Sallyport with filters of their own: a main function that calls Main with
// further filter kinds. It is not a library to embed a proxy with.
package gateway

import (
	"os"

	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/filters"
	"github.com/asynched/api-gateway/internal/cli"
)

// Main runs the command line of the gateway, with the filters that come with it and those given, and exits. The exit
// code is 0 for success, 1 for failure and 2 for wrong usage.
func Main(kinds ...filter.Kind) {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, append(filters.All(), kinds...)))
}
