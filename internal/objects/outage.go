package objects

import (
	"log/slog"
	"sync"
	"time"
)

// outageTime is how long nothing is stored on a disk after it has failed.
const outageTime = 30 * time.Second

// An outage is a time in which the disk is only read, since it failed. It is told once, and once when it is over.
type outage struct {
	log   *slog.Logger
	dir   string
	mu    sync.Mutex
	until time.Time
	told  bool
}

// begin begins an outage, or makes it longer.
func (o *outage) begin(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.until = time.Now().Add(outageTime)
	if !o.told {
		o.told = true
		o.log.Warn("cache disk failed, nothing is stored on it for a while", "dir", o.dir, "error", err)
	}
}

// now tells whether there is one.
func (o *outage) now() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Now().Before(o.until)
}

// over is called when something was written.
func (o *outage) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.told && !time.Now().Before(o.until) {
		o.told = false
		o.log.Info("cache disk works again", "dir", o.dir)
	}
}
