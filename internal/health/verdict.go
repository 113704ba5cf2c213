package health

import (
	"time"

	"github.com/asynched/api-gateway/internal/upstream"
)

// A verdict is what is thought of one instance, and what speaks against it.
type verdict struct {
	status upstream.Status
	reason string
	streak int // how many probes in a row contradicted the status
	failed int // how many probes have failed of an instance that never passed one; negative once it has
}

// How fast an instance is probed that may be about to come up.
const (
	haste    = 5  // times as often
	starting = 30 // failures after which an instance that never passed is not taken for one that is starting
)

// pace returns the interval until the next probe. It is a fifth for an unhealthy instance that has begun to pass, and for a
// new one that may still be starting, as the gateway itself may have been quicker.
func (v *verdict) pace(interval time.Duration) time.Duration {
	if v.status == upstream.Unhealthy && (v.streak > 0 || 0 < v.failed && v.failed <= starting) {
		return interval / haste
	}
	return interval
}

// judge takes in the outcome of a probe: nil is a pass. It tells whether there is anything to report. The first probe of
// an unknown instance decides alone; afterwards it takes rise passes or fall failures in a row to change the status.
func (v *verdict) judge(failure error, rise, fall int) bool {
	status, enough, reason := upstream.Healthy, rise, ""
	if failure != nil {
		status, enough, reason = upstream.Unhealthy, fall, failure.Error()
		if v.failed >= 0 {
			v.failed++
		}
	} else {
		v.failed = -1
	}
	if v.status == status {
		v.streak = 0
		changed := v.reason != reason
		v.reason = reason
		return changed
	}
	v.streak++
	if v.status != upstream.Unknown && v.streak < enough {
		return false
	}
	*v = verdict{status: status, reason: reason, failed: v.failed}
	return true
}
