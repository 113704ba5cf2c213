package spec

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// A Duration is a span of time, written as in Go: 250ms, 5s, 1h30m. A number needs its unit, except 0. A field does not
// take a negative one unless it has a min tag.
type Duration time.Duration

// Std returns the duration as the standard library knows it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns the shortest form with whole units: 1h rather than 1h0m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes what String returns.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads Go's syntax.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		if _, err := strconv.ParseFloat(string(b), 64); err == nil {
			return errors.New("want a duration such as 250ms, 5s or 1h: the unit is missing")
		}
		return errors.New("want a duration such as 250ms, 5s or 1h")
	}
	*d = Duration(v)
	return nil
}

// SpecType says how a duration is written.
func (*Duration) SpecType() TypeInfo {
	return TypeInfo{
		Name: "duration", Noun: "a duration", Example: "5s", Zero: true,
		Pattern:     `^[-+]?(0|([0-9.]+(ns|us|µs|μs|ms|s|m|h))+)$`,
		Description: "A span of time: 250ms, 5s, 1h30m.",
	}
}
