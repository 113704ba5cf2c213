package faulty

import (
	"fmt"
	"net"
	"syscall"
	"time"
)

// Deaf listens on a port whose queue of connections is full: who connects hears nothing. Stop it by stop.
func Deaf() (address string, stop func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	var filling []net.Conn
	stop = func() {
		for _, c := range filling {
			_ = c.Close()
		}
		_ = syscall.Close(fd)
	}
	address, err = listenDeaf(fd)
	for err == nil && len(filling) < 16 {
		c, full := net.DialTimeout("tcp", address, 50*time.Millisecond)
		if full != nil {
			return address, stop, nil
		}
		filling = append(filling, c)
	}
	stop()
	if err == nil {
		err = fmt.Errorf("the queue of %s does not fill", address)
	}
	return "", nil, err
}

func listenDeaf(fd int) (string, error) {
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", err
	}
	if err := syscall.Listen(fd, 0); err != nil {
		return "", err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return "", err
	}
	in4, ok := name.(*syscall.SockaddrInet4)
	if !ok {
		return "", fmt.Errorf("an address of type %T", name)
	}
	return fmt.Sprintf("127.0.0.1:%d", in4.Port), nil
}
