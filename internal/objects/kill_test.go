package objects_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/internal/objects/objectstest"
)

const killKeys = 20

// TestKill kills a process in the middle of writing and purging, again and again. What is found afterwards must be whole,
// and nothing that was stored before an acknowledged purge. It kills 15 times, or SALLYPORT_KILLS times.
func TestKill(t *testing.T) {
	kills := 15
	if n, err := strconv.Atoi(os.Getenv("SALLYPORT_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	begin, found := time.Now(), 0
	for i := range kills {
		purged := killOne(t, dir)
		d, shut := openDisk(t, dir)
		found += survivors(t, d, purged)
		shut()
		if left, _ := os.ReadDir(dir + "/tmp"); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
		if t.Failed() {
			t.Fatalf("after kill %d", i+1)
		}
	}
	t.Logf("%d kills, %d objects found, %v", kills, found, time.Since(begin))
	if found == 0 {
		t.Error("nothing was stored at all")
	}
}

// killOne runs a writer, kills it, and returns up to which number the objects of each key were purged.
func killOne(t *testing.T, dir string) map[int]int {
	cmd := child("write", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	purged := make(map[int]int)
	first := true
	for lines := bufio.NewScanner(out); lines.Scan(); first = false {
		if first {
			timer.Reset(20*time.Millisecond + rand.N(150*time.Millisecond))
		}
		var key, n int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &key, &n); err != nil {
			t.Errorf("the writer says %q", lines.Text())
			continue
		}
		purged[key] = n
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the writer was not killed: %v", err)
	}
	return purged
}

// survivors looks at all that is found.
func survivors(t *testing.T, s objects.Storage, purged map[int]int) (found int) {
	for key := range killKeys {
		o, err := s.Find(t.Context(), fmt.Append(nil, key))
		if err != nil {
			continue
		}
		n, _ := strconv.Atoi(o.Meta().Value.(string))
		r := o.Reader(t.Context(), 0, -1)
		got, err := io.ReadAll(&r)
		if err != nil || !bytes.Equal(got, killBody(key, n)) {
			t.Errorf("key %d, number %d: %d bytes, %v", key, n, len(got), err)
		}
		if n <= purged[key] {
			t.Errorf("key %d: number %d is back, although all up to %d were purged", key, n, purged[key])
		}
		found++
		_ = r.Close()
		o.Release()
	}
	return found
}

func killBody(key, n int) []byte { return objectstest.Body(key+n, n*7919%200_000) }

// childWrite stores and purges as fast as it can, and prints the purges that were acknowledged.
func childWrite(dir string) error {
	d, err := objects.OpenDisk(objects.DiskOptions{Dir: dir, Bytes: budget, Codec: objectstest.Codec{}})
	if err != nil {
		return err
	}
	ctx := context.Background()
	go func() { _ = d.Run(ctx) }()
	for d.Stats().Scanning {
		time.Sleep(time.Millisecond)
	}
	base := int(time.Now().UnixMilli()%1_000_000_000) * 1000 // greater than the numbers of the last one
	for n := base; ; n++ {
		key := n % killKeys
		spec := objectstest.Spec(strconv.Itoa(key), fmt.Sprint("t", key))
		spec.Meta = objectstest.Meta(strconv.Itoa(n))
		w, err := d.Create(ctx, spec)
		if err != nil {
			return err
		}
		_, _ = w.Write(killBody(key, n))
		if err := w.Commit(ctx, nil); err != nil {
			return err
		}
		if n%7 == 0 {
			p := objects.Purge{Scope: objects.ByTag, Text: fmt.Sprint("t", key)}
			if n%2 == 0 {
				p = objects.Purge{Scope: objects.ByKey, Text: strconv.Itoa(key)}
			}
			if err := d.Purge(ctx, p); err != nil {
				return err
			}
			fmt.Println(key, n)
		}
	}
}
