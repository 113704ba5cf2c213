package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// A process is a program that was started here.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it is gone
}

// build compiles a package of this module.
func build(ctx context.Context, out, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, pkg)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s: %w", pkg, err)
	}
	return nil
}

// start runs a program; what it prints goes to a file. Ctrl-C does not reach it: it is stopped from here.
func start(log, name string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = apart()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended shows in its log
		close(p.done)
	}()
	return p, nil
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.done
	return nil
}

// stop asks the process to end, and ends it if it has not within that time.
func (p *process) stop(patience time.Duration) {
	if p == nil {
		return
	}
	if p.cmd.Process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-p.done:
			return
		case <-time.After(patience):
		}
	}
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.done
}

// gone reports whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// pickAddress returns a loopback address with that port, or with a free one if somebody has it.
func pickAddress(who string, port int) string {
	wanted := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	// All addresses are tried, not only this one: a listener on all of them is met by whoever connects to localhost.
	if all, err := net.Listen("tcp", ":"+strconv.Itoa(port)); err == nil {
		_ = all.Close()
		return wanted
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return wanted // the program itself will say what is wrong
	}
	defer free.Close()
	fmt.Printf("  port %d is taken: %s listens on %s instead\n", port, who, free.Addr())
	return free.Addr().String()
}
