// Command sallyport is the API gateway with the filters that come with it. For one with filters of your own, see
// examples/custom.
package main

import gateway "github.com/asynched/api-gateway"

func main() { gateway.Main() }
