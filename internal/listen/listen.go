// Package listen opens listening sockets, and says who has a port that is taken. It accepts no connections. Its main
// function is TCP.
package listen

import (
	"errors"
	"fmt"
	"net"
)

// TCP listens on host:port. The error names the address and, if that can be found out, the process that has the port.
func TCP(address string) (net.Listener, error) {
	socket, err := net.Listen("tcp", address)
	if err == nil {
		return socket, nil
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // what was tried is said already
	}
	if who := holder(address); who != "" {
		return nil, fmt.Errorf("cannot listen on %s: %w: %s has it", address, err, who)
	}
	return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
}
