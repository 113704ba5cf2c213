package daemon

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynched/api-gateway/internal/overload"
)

// The log tells at once that it gets worse, and does not tell of each time that a level comes and goes; but how it stands in
// the end is told.
func TestLevelsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &levelLog{log: slog.New(slog.NewTextHandler(&out, nil))}
		level := overload.OK
		to := func(next overload.Level) {
			l.changed(overload.Change{From: level, To: next})
			level = next
		}
		to(overload.Close)
		to(overload.Refuse)
		for range 50 {
			to(overload.Close)
			to(overload.Refuse)
			time.Sleep(10 * time.Millisecond)
		}
		to(overload.OK)
		time.Sleep(time.Minute)
		synctest.Wait()
		var told []string
		for line := range strings.Lines(out.String()) {
			_, text, _ := strings.Cut(line, "from=")
			text, _, _ = strings.Cut(text, " used")
			told = append(told, text)
		}
		if got := strings.Join(told, ", "); got != "ok to=close, close to=refuse, refuse to=ok" {
			t.Errorf("told: %s", got)
		}
		if !strings.Contains(out.String(), "changes=101") {
			t.Errorf("it does not tell how often: %s", out.String())
		}
	})
}
