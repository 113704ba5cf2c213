package objects_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// The test binary runs itself as another process, for what must not happen in the process of the tests.
const (
	childEnv = "SALLYPORT_OBJECTS_CHILD"
	dirEnv   = "SALLYPORT_OBJECTS_DIR"
)

func TestMain(m *testing.M) {
	children := map[string]func(dir string) error{"write": childWrite, "tmpfs": childTmpfs}
	run, ok := children[os.Getenv(childEnv)]
	if !ok {
		goleak.VerifyTestMain(m)
		return
	}
	if err := run(os.Getenv(dirEnv)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// child prepares another process.
func child(name, dir string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+name, dirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}
