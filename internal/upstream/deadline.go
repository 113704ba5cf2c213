package upstream

import (
	"math"
	"strconv"
	"time"
)

// grpcTimeout reads a Grpc-Timeout field: up to eight digits and a unit. It reports false for anything else.
func grpcTimeout(text string) (time.Duration, bool) {
	if len(text) < 2 || len(text) > 9 {
		return 0, false
	}
	unit, ok := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil {
		return 0, false
	}
	if time.Duration(n) > math.MaxInt64/unit {
		return math.MaxInt64, true
	}
	return time.Duration(n) * unit, true
}

// pastDeadline tells whether the deadline that a gRPC call carries is over. Its instance resets the stream then, and is
// right to do so.
func (a *attempt) pastDeadline() bool {
	if !a.route.service.settings.grpc {
		return false
	}
	timeout, ok := grpcTimeout(a.x.Request.Header.Get("Grpc-Timeout"))
	return ok && a.x.Since() >= timeout
}
