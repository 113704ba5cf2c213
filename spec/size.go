package spec

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// A Size is a number of bytes, written 64KiB, 10MiB, 1GiB (powers of 1024), 10MB (powers of 1000), 512B or 512.
type Size int64

// ByteRate is a number of bytes per second, written like a Size with /s: 240B/s, 1KiB/s.
type ByteRate int64

type unit struct {
	name  string
	bytes int64
}

// sizeUnits returns the units from the largest to the smallest; of two that both fit, the earlier one is written.
func sizeUnits() []unit {
	return []unit{
		{"TiB", 1 << 40},
		{"TB", 1e12},
		{"GiB", 1 << 30},
		{"GB", 1e9},
		{"MiB", 1 << 20},
		{"MB", 1e6},
		{"KiB", 1 << 10},
		{"KB", 1e3},
		{"B", 1},
	}
}

var (
	errSize     = errors.New("want a size such as 512, 64KiB, 10MiB or 1GB")
	errByteRate = errors.New("want bytes per second such as 240B/s or 1KiB/s")
)

// Bytes returns the number of bytes.
func (s Size) Bytes() int64 { return int64(s) }

// String returns the size in the largest unit that it is a whole number of.
func (s Size) String() string { return formatSize(int64(s)) }

// MarshalText writes what String returns.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a number with or without a unit. A fraction is fine if it comes to whole bytes.
func (s *Size) UnmarshalText(b []byte) error {
	v, ok := parseSize(string(b))
	if !ok {
		return errSize
	}
	*s = Size(v)
	return nil
}

// SpecType says how a size is written.
func (*Size) SpecType() TypeInfo {
	return TypeInfo{
		Name: "size", Noun: "a size", Example: "64KiB", Number: true,
		Pattern:     `^[0-9]+(\.[0-9]+)?([KMGT]i?B|kB|B)?$`,
		Description: "A number of bytes: 512, 64KiB, 10MiB, 1GB.",
	}
}

// BytesPerSecond returns the number of bytes per second.
func (r ByteRate) BytesPerSecond() int64 { return int64(r) }

// String returns the rate in the largest unit that it is a whole number of.
func (r ByteRate) String() string { return formatSize(int64(r)) + "/s" }

// MarshalText writes what String returns.
func (r ByteRate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a size and /s; 0 needs no unit.
func (r *ByteRate) UnmarshalText(b []byte) error {
	size, ok := strings.CutSuffix(string(b), "/s")
	v, valid := parseSize(size)
	if !valid || !ok && v != 0 {
		return errByteRate
	}
	*r = ByteRate(v)
	return nil
}

// SpecType says how a rate of bytes is written.
func (*ByteRate) SpecType() TypeInfo {
	return TypeInfo{
		Name: "byte rate", Noun: "a number of bytes per second", Example: "240B/s", Zero: true,
		Pattern:     `^([0-9]+(\.[0-9]+)?([KMGT]i?B|kB|B)?/s|0)$`,
		Description: "A number of bytes per second: 240B/s, 1KiB/s.",
	}
}

func formatSize(n int64) string {
	if n > 0 {
		for _, u := range sizeUnits() {
			if n%u.bytes == 0 {
				return strconv.FormatInt(n/u.bytes, 10) + u.name
			}
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

func parseSize(s string) (int64, bool) {
	number, scale := s, int64(1)
	for _, u := range slices.Concat([]unit{{"kB", 1e3}}, sizeUnits()) {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			number, scale = rest, u.bytes
			break
		}
	}
	if len(number) > 24 || !isDecimal(number) {
		return 0, false
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return n * scale, n <= math.MaxInt64/scale
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, false
	}
	r.Mul(r, new(big.Rat).SetInt64(scale))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	return r.Num().Int64(), true
}

// isDecimal reports whether s is a number of digits with at most one point between them.
func isDecimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(whole) && (!point || digits(fraction))
}
