package listen_test

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/asynched/api-gateway/internal/listen"
)

func TestTCPNamesWhoHasThePort(t *testing.T) {
	first, err := listen.TCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	address := first.Addr().String()
	_, err = listen.TCP(address)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "cannot listen on "+address+": ") {
		t.Fatalf("got %v", err)
	}
	if runtime.GOOS == "linux" && !strings.Contains(err.Error(), "(process "+strconv.Itoa(os.Getpid())+") has it") {
		t.Errorf("%v does not name this process", err)
	}
}

func TestTCPSaysWhatIsWrong(t *testing.T) {
	_, err := listen.TCP("127.0.0.1:http-nonsense")
	if err == nil || !strings.HasPrefix(err.Error(), "cannot listen on 127.0.0.1:http-nonsense: ") {
		t.Errorf("got %v", err)
	}
}
