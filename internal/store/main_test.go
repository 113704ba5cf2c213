package store_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// The test binary runs itself as another process, for what must not happen in the process of the tests.
const (
	childEnv = "SALLYPORT_STORE_CHILD"
	pathEnv  = "SALLYPORT_STORE_PATH"
)

// children are the other processes, by name. Each works on the store at path and returns what went wrong.
var children = map[string]func(path string) error{
	"hold":   childHold,
	"write":  childWrite,
	"nobody": childNobody,
	"tmpfs":  childTmpfs,
	"limit":  childLimit,
}

func TestMain(m *testing.M) {
	run, ok := children[os.Getenv(childEnv)]
	if !ok {
		goleak.VerifyTestMain(m)
		return
	}
	if err := run(os.Getenv(pathEnv)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// child prepares another process.
func child(name, path string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+name, pathEnv+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// startChild starts another process and waits until it has printed its first line.
func startChild(t *testing.T, name, path string) *exec.Cmd {
	t.Helper()
	cmd := child(name, path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("child %s: %q, %v", name, line, err)
	}
	return cmd
}
