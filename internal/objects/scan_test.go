package objects_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/asynched/api-gateway/internal/objects"
	"github.com/asynched/api-gateway/internal/objects/objectstest"
)

// TestScan measures the start with many files: 2,000, or SALLYPORT_FILES.
func TestScan(t *testing.T) {
	n := 2000
	if v, err := strconv.Atoi(os.Getenv("SALLYPORT_FILES")); err == nil {
		n = v
	}
	dir := t.TempDir()
	opts := objects.DiskOptions{Dir: dir, Bytes: 4 << 30, Codec: objectstest.Codec{}}
	d, err := objects.OpenDisk(opts)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for i := range n {
		objectstest.Put(t, d, objectstest.Spec(fmt.Sprintf("https://example.com/%d", i), "a", fmt.Sprint("b", i%100)), objectstest.Body(i, 1000))
	}
	stored := time.Since(begin)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	if d, err = objects.OpenDisk(opts); err != nil {
		t.Fatal(err)
	}
	open := time.Since(begin)
	stop := run(t, d)
	scanned(t, d)
	t.Logf("%d files: stored one by one in %v, opened in %v, indexed in %v", n, stored, open, time.Since(begin))
	if got := d.Stats().Objects; got != int64(n) {
		t.Errorf("%d objects are found", got)
	}
	begin = time.Now()
	if err := d.Purge(t.Context(), objects.Purge{Scope: objects.ByTag, Text: "a"}); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	objects.Sweep(d)
	t.Logf("purged by tag in %v, removed in %v", took, time.Since(begin))
	until(t, "all objects go", func() bool { return d.Stats().Objects == 0 })
	stop()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
