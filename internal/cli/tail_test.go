package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/asynched/api-gateway/client"
)

func TestLineForPeople(t *testing.T) {
	unavailable := 14
	at := time.Date(2026, 11, 2, 10, 0, 0, 123e6, time.Local)
	for _, tt := range []struct {
		line client.TailLine
		want string
	}{
		{
			client.TailLine{Time: at, Method: "GET", Host: "a.b", Path: "/x", Status: 200, Route: "r", Duration: 1.5},
			"10:00:00.123 200 GET a.b/x → r 1.50ms\n",
		},
		{
			client.TailLine{
				Time: at, Method: "GET", Host: "a.b", Path: "/x", Query: "q=*", Status: 502, Route: "r", Service: "s", Address: "h:1",
				Duration: 2500, Attempts: 2, Source: "upstream", Reason: "upstream_reset", Error: "upstream_reset: it \x1b[2Jhung up",
				Phases: []client.Phase{{Name: "wait", Milliseconds: 0.5}, {Name: "first_byte", Milliseconds: 2499}}, Cut: true,
			},
			"10:00:00.123 502 GET a.b/x?q=* → r s h:1 2.50s (wait 0.50ms, first_byte 2.50s) 2 attempts cut upstream_reset by upstream: it \uFFFD[2Jhung up\n",
		},
		{
			client.TailLine{Time: at, Method: "POST", Host: "h", Path: "/S/M", Status: 200, Route: "h", Service: "h", GRPCStatus: &unavailable},
			"10:00:00.123 200 POST h/S/M → h 0.00ms grpc-status 14\n",
		},
		{client.TailLine{Time: at, Status: 400}, "10:00:00.123 400 -  → - 0.00ms\n"},
	} {
		if got := (linePrinter{}).line(&tt.line); got != tt.want {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
		coloured := linePrinter{paint: true}.line(&tt.line)
		if plain := strings.NewReplacer("\x1b[0m", "", "\x1b[2m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "").Replace(coloured); plain != tt.want {
			t.Errorf("without its colours it is %q, want %q", plain, tt.want)
		}
	}
}
