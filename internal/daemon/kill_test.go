package daemon_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/filter"
	"github.com/asynched/api-gateway/internal/daemon"
)

// childEnv holds the data directory of a gateway that this test binary is to run instead of tests.
const childEnv = "SALLYPORT_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child runs a gateway and tells where its admin API is.
func child(dir string) {
	kinds, err := filter.NewCatalog()
	if err == nil {
		var d *daemon.Daemon
		d, err = daemon.Start(context.Background(), daemon.Options{Config: filepath.Join(dir, "c.yaml"), Data: dir, Kinds: kinds, Log: io.Discard})
		if err == nil {
			fmt.Println(d.Addresses()["admin"])
			err = d.Run(context.Background(), context.Background())
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// What was acknowledged survives a kill at any moment, and every start after one works. SALLYPORT_KILLS is how many there
// are.
func TestKills(t *testing.T) {
	kills := 20
	if n, err := strconv.Atoi(os.Getenv("SALLYPORT_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	text := "version: 1\nadmin: {address: \"127.0.0.1:0\"}\nlisteners: {web: {address: \"127.0.0.1:0\"}}\naccess_log: {path: \"\"}\n" +
		"defaults: {service: {health: {active: {type: none}}}}\n"
	if err := os.WriteFile(filepath.Join(dir, "c.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var acknowledged sync.Map // id to host
	next := 0
	for range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64)
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("the gateway did not start: %v", err)
		}
		api, err := client.New(client.Options{Address: strings.TrimSpace(string(buf[:n]))})
		if err != nil {
			t.Fatal(err)
		}
		checkKept(t, api, &acknowledged)
		var writers sync.WaitGroup
		for range 4 {
			first := next
			next += 1_000_000
			writers.Go(func() {
				for i := first; ; i++ {
					host := fmt.Sprintf("h%d.test", i)
					r, _, err := api.Register(t.Context(), client.Registration{Host: host, Address: "127.0.0.1:9"})
					if err != nil {
						return // the kill
					}
					acknowledged.Store(r.ID, host)
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		writers.Wait()
		_ = api.Close()
	}
	count := 0
	acknowledged.Range(func(any, any) bool { count++; return true })
	if count == 0 {
		t.Error("no registration was ever acknowledged")
	}
	t.Logf("%d registrations over %d kills", count, kills)
}

func checkKept(t *testing.T, api *client.Client, acknowledged *sync.Map) {
	t.Helper()
	list, err := api.Registrations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]string, len(list))
	for _, r := range list {
		there[r.ID] = r.Host
	}
	acknowledged.Range(func(id, host any) bool {
		if there[id.(string)] != host {
			t.Fatalf("registration %v of %v is lost", id, host)
		}
		return true
	})
}
