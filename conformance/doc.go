// Package conformance tests the built gateway as others meet it: a process, sockets, and clients and servers that other
// people wrote. It has no code of its own besides its tests and is a module of its own, so that what it needs is not
// needed to build the gateway. The tests of single rooms are beside their code.
package conformance
