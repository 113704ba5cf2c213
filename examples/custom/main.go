// Command custom is a gateway with a filter of its own beside those that come with it: everything that a build of yours
// needs is in this file. The filter is in deprecate.go.
package main

import gateway "github.com/asynched/api-gateway"

func main() { gateway.Main(deprecateKind()) }
