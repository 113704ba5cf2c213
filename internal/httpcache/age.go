package httpcache

import (
	"math"
	"strings"
	"time"
)

// forever is the age of a response of which nobody can tell how old it is.
const forever = time.Duration(math.MaxInt64 / 2)

// initialAge is how old a response was when it arrived (4.2.3: corrected_initial_age). Dates have whole seconds, so the
// apparent age is counted in whole seconds too.
func initialAge(value time.Duration, date, requestTime, responseTime time.Time) time.Duration {
	apparent := max(0, responseTime.Truncate(time.Second).Sub(date))
	delay := max(0, responseTime.Sub(requestTime))
	return min(forever, max(apparent, value+delay))
}

// readAge returns what Age says, zero if it says nothing (5.1). A list on one or several lines counts by its first
// member, and what is no number is ignored; a parameter behind a number is dropped. With doubtful set, all of that
// makes the response as old as can be, except a list that the sender itself wrote on one line: hops that join lines
// write a space behind the comma.
func readAge(lines []string, doubtful bool) time.Duration {
	if len(lines) == 0 {
		return 0
	}
	first, rest, list := strings.Cut(lines[0], ",")
	if doubtful && (len(lines) > 1 || list && strings.HasPrefix(rest, " ")) {
		return forever
	}
	first, _, _ = strings.Cut(first, ";")
	n, ok := parseDelta(trimOWS(first))
	switch {
	case ok:
		return time.Duration(n) * time.Second
	case doubtful:
		return forever
	}
	return 0
}
