package exchange

import "time"

// A Stage is the kind of step that a decision record speaks of.
type Stage string

// The stages of an exchange, in the order they usually come.
const (
	StageEdge     Stage = "edge"     // what the gateway did to the request as it came in
	StageMatch    Stage = "match"    // a route was considered
	StageFilter   Stage = "filter"   // a filter looked at the exchange
	StageCache    Stage = "cache"    // the cache was asked
	StageBalance  Stage = "balance"  // an instance was picked or passed over
	StageAttempt  Stage = "attempt"  // the request was sent, or would have been
	StageResponse Stage = "response" // what became of the answer
)

// A Record is the decision record of one exchange: what each step decided and why. It is written by the goroutine that
// owns the exchange and read once the exchange has ended.
type Record struct {
	Steps []Step
	// CacheURL is the URL under which a cache has looked for an answer; "" if none has.
	CacheURL string
}

// A Step is one decision.
type Step struct {
	// At is the time since the exchange began.
	At time.Duration `json:"at_ns"`
	// Stage is the kind of step.
	Stage Stage `json:"stage"`
	// Subject names the object that decided or was decided about: a route, a filter kind, an instance.
	Subject string `json:"subject"`
	// Verdict is one or two words: "won", "lost", "picked", "passed over", "would send".
	Verdict string `json:"verdict"`
	// Why is the reason in a sentence without a full stop.
	Why string `json:"why,omitempty"`
}

// Explaining tells whether anybody asked for the decision record. Build the words of a note only if it is true, so that
// the record costs nothing when it is off.
func (x *Exchange) Explaining() bool { return x.Record != nil }

// Note adds a step to the decision record; without one it does nothing. It does not allocate when the record is off.
func (x *Exchange) Note(stage Stage, subject, verdict, why string) {
	if x.Record == nil {
		return
	}
	x.Record.Steps = append(x.Record.Steps, Step{At: x.Since(), Stage: stage, Subject: subject, Verdict: verdict, Why: why})
}
