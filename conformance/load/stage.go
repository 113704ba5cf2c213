package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A stage is the origin and the proxies before it, each a process.
type stage struct {
	dir       string
	rivals    []*rival
	processes []*process
}

// configuration of the gateway: no log of requests, as the bare proxy has none, or the one that comes without being asked
// for.
const configuration = `version: 1
admin: {address: "127.0.0.1:0"}
listeners: {web: {address: "%s"}}
services: {origin: {instances: [{address: "%s"}]}}
routes: {all: {service: origin}}
%s
`

func newStage(binary string) (st *stage, err error) {
	st = &stage{}
	defer func() {
		if err != nil {
			st.close()
		}
	}()
	if st.dir, err = os.MkdirTemp("", "sallyport-load-"); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	origin, _, err := st.start(nil, self, "origin")
	if err != nil {
		return nil, err
	}
	address, p, err := st.start([]string{"ORIGIN=" + origin}, self, "proxy")
	if err != nil {
		return nil, err
	}
	st.rivals = append(st.rivals, &rival{name: "httputil.ReverseProxy", address: address, process: p})
	for _, g := range []struct{ name, log string }{
		{"sallyport", `access_log: {path: ""}`}, {"sallyport with its access log", ""},
	} {
		address, p, err := st.gateway(binary, origin, g.log)
		if err != nil {
			return nil, err
		}
		st.rivals = append(st.rivals, &rival{name: g.name, address: address, process: p})
	}
	return st, nil
}

// gateway starts a gateway with a directory of its own.
func (st *stage) gateway(binary, origin, log string) (string, *process, error) {
	address, err := free()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp(st.dir, "")
	if err != nil {
		return "", nil, err
	}
	file := filepath.Join(dir, "sallyport.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, address, origin, log), 0o600); err != nil {
		return "", nil, err
	}
	p, err := st.run(nil, binary, "run", "--config", file, "--data", dir)
	if err != nil {
		return "", nil, err
	}
	return address, p, p.waitFor(address)
}

// start runs a process that listens at $ADDRESS.
func (st *stage) start(env []string, name string, args ...string) (string, *process, error) {
	address, err := free()
	if err != nil {
		return "", nil, err
	}
	p, err := st.run(append(env, "ADDRESS="+address), name, args...)
	if err != nil {
		return "", nil, err
	}
	return address, p, p.waitFor(address)
}

func (st *stage) run(env []string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	st.processes = append(st.processes, p)
	return p, nil
}

// close ends all processes.
func (st *stage) close() {
	for _, p := range st.processes {
		_ = p.cmd.Process.Kill() // there is nothing in them that must be kept
		_ = p.cmd.Wait()
	}
	_ = os.RemoveAll(st.dir)
}

// free returns an address that nobody listens at.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// A process is one that is measured.
type process struct {
	cmd *exec.Cmd
	log bytes.Buffer
}

// waitFor waits until the process accepts connections.
func (p *process) waitFor(address string) error {
	for range 500 {
		c, err := net.Dial("tcp", address)
		if err == nil {
			return c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s does not listen at %s: %s", p.cmd.Path, address, &p.log)
}

// tick is the unit of /proc/PID/stat, whatever the frequency of the kernel.
const tick = 10 * time.Millisecond

// cpu returns the processor time that the process has used.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // the name may have blanks
	if len(fields) < 13 {
		return 0, errors.New("the system does not tell the processor time of a process")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err
}
