package health

import "github.com/asynched/api-gateway/internal/upstream"

// A verdict is what is thought of one instance, and what speaks against it.
type verdict struct {
	status upstream.Status
	reason string
	streak int // how many probes in a row contradicted the status
}

// judge takes in the outcome of a probe: nil is a pass. It tells whether there is anything to report. The first probe of
// an unknown instance decides alone; afterwards it takes rise passes or fall failures in a row to change the status.
func (v *verdict) judge(failure error, rise, fall int) bool {
	status, enough, reason := upstream.Healthy, rise, ""
	if failure != nil {
		status, enough, reason = upstream.Unhealthy, fall, failure.Error()
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
	*v = verdict{status: status, reason: reason}
	return true
}
