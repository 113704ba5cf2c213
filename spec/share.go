package spec

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Percent is a share of a whole, from 0% to 100%, written 50% or 12.5%. Its number is that of the percents.
type Percent float64

var errPercent = errors.New("want a share from 0% to 100% such as 50% or 12.5%")

// Fraction returns the share as a number from 0 to 1.
func (p Percent) Fraction() float64 { return float64(p) / 100 }

// String returns the share with its sign: 50%.
func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'f', -1, 64) + "%" }

// MarshalText writes what String returns.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a number from 0 to 100 and its sign; 0 needs none.
func (p *Percent) UnmarshalText(b []byte) error {
	number, ok := strings.CutSuffix(string(b), "%")
	if !isDecimal(number) {
		return errPercent
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || v > 100 || !ok && v != 0 {
		return errPercent
	}
	*p = Percent(v)
	return nil
}

// SpecType says how a share is written.
func (*Percent) SpecType() TypeInfo {
	return TypeInfo{
		Name: "percent", Noun: "a share", Example: "50%", Zero: true,
		Pattern:     `^([0-9]+(\.[0-9]+)?%|0)$`,
		Description: "A share from 0% to 100%: 50%, 12.5%.",
	}
}

// A Rate is how often something may happen, written 100/s, 5/m, 1000/h or 10000/d. The zero value is no rate.
type Rate struct {
	// Count is how often, at least 1.
	Count int64
	// Per is in what time: a second, minute, hour or day.
	Per time.Duration
}

var errRate = errors.New("want a rate such as 100/s, 5/m or 1000/h")

// Interval returns the time between two events at this rate, 0 for no rate.
func (r Rate) Interval() time.Duration {
	if r.Count <= 0 {
		return 0
	}
	return r.Per / time.Duration(r.Count)
}

// PerSecond returns the number of events in a second.
func (r Rate) PerSecond() float64 {
	if r.Per <= 0 {
		return 0
	}
	return float64(r.Count) / r.Per.Seconds()
}

// IsZero reports whether there is no rate.
func (r Rate) IsZero() bool { return r == Rate{} }

// String returns the rate as it is written, "" for no rate.
func (r Rate) String() string {
	for _, u := range rateUnits() {
		if r.Per == u.per {
			return strconv.FormatInt(r.Count, 10) + "/" + u.name
		}
	}
	return ""
}

type rateUnit struct {
	name string
	per  time.Duration
}

func rateUnits() []rateUnit {
	return []rateUnit{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}}
}

// MarshalText writes what String returns.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a whole number, a slash and one of s, m, h and d.
func (r *Rate) UnmarshalText(b []byte) error {
	count, per, _ := strings.Cut(string(b), "/")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt32 || count[0] == '+' {
		return errRate
	}
	for _, u := range rateUnits() {
		if per == u.name {
			*r = Rate{n, u.per}
			return nil
		}
	}
	return errRate
}

// SpecType says how a rate is written.
func (*Rate) SpecType() TypeInfo {
	return TypeInfo{
		Name: "rate", Noun: "a rate", Example: "100/s",
		Pattern:     `^[0-9]+/[smhd]$`,
		Description: "How often in a second, minute, hour or day: 100/s, 5/m, 1000/h.",
	}
}
