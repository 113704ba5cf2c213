package spec

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// scalar carries n into a string, boolean or number.
func (d *Decoder) scalar(n *Node, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		d.str(n, path, v)
	case reflect.Bool:
		switch {
		case n.Kind == Bool, n.Raw != "" && (n.Text == "true" || n.Text == "false"):
			v.SetBool(strings.EqualFold(n.Text, "true"))
		default:
			d.wrong(n, path, "want true or false")
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if d.whole(n, path) {
			i, err := strconv.ParseInt(n.Text, 0, v.Type().Bits())
			if d.inRange(n, path, v.Type(), err) {
				v.SetInt(i)
			}
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if d.whole(n, path) {
			u, err := strconv.ParseUint(n.Text, 0, v.Type().Bits())
			if d.inRange(n, path, v.Type(), err) {
				v.SetUint(u)
			}
		}
	case reflect.Float32, reflect.Float64:
		d.float(n, path, v)
	default:
		panic(fmt.Errorf("spec: %s: values of type %s cannot be decoded", path, v.Type()))
	}
}

func (d *Decoder) str(n *Node, path string, v reflect.Value) {
	switch n.Kind {
	case String:
		v.SetString(n.Text)
	case Int, Float, Bool:
		d.Errorf(n, path, "want a string, got %s: put %s in quotes", n.Kind, n.Text)
	default:
		d.want(n, path, String)
	}
}

// whole reports whether n may be a whole number, and notes it if not.
func (d *Decoder) whole(n *Node, path string) bool {
	if n.Kind != Int && n.Raw == "" {
		d.wrong(n, path, "want a whole number")
		return false
	}
	digits := strings.TrimLeft(n.Text, "+-")
	if len(digits) > 1 && digits[0] == '0' && '0' <= digits[1] && digits[1] <= '9' {
		d.wrong(n, path, "want a whole number without leading zeros") // octal to some, decimal to others
		return false
	}
	return true
}

// inRange reports whether a whole number of type t could be read, and notes it if not.
func (d *Decoder) inRange(n *Node, path string, t reflect.Type, err error) bool {
	negative := strings.HasPrefix(n.Text, "-") && t.Kind() >= reflect.Uint
	switch {
	case err == nil:
		return true
	case !negative && !errors.Is(err, strconv.ErrRange):
		d.wrong(n, path, "want a whole number")
	case t.Kind() >= reflect.Uint:
		d.wrong(n, path, fmt.Sprintf("want a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-t.Bits())))
	default:
		most := int64(math.MaxInt64) >> (64 - t.Bits())
		d.wrong(n, path, fmt.Sprintf("want a whole number from %d to %d", -most-1, most))
	}
	return false
}

func (d *Decoder) float(n *Node, path string, v reflect.Value) {
	f, err := strconv.ParseFloat(n.Text, v.Type().Bits())
	if n.Kind != Int && n.Kind != Float && n.Raw == "" || err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		d.wrong(n, path, "want a number")
		return
	}
	v.SetFloat(f)
}

// text carries n into a value that reads its own form.
func (d *Decoder) text(n *Node, path string, v reflect.Value) {
	if n.Kind == List || n.Kind == Map || n.Kind == Null {
		d.Errorf(n, path, "want %s, got %s", noun(v.Type()), n.Kind)
		return
	}
	err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Text))
	if err == nil {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		err = errors.New("want a time such as 2027-01-31T12:00:00Z")
	}
	if v.Type() == secretType {
		d.Errorf(n, path, "%v", err)
		return
	}
	d.wrong(n, path, err.Error())
}

// noun names a type that reads its own form.
func noun(t reflect.Type) string {
	if typer, ok := reflect.New(t).Interface().(SpecTyper); ok {
		return typer.SpecType().Noun
	}
	return String.String()
}

// wrong notes that the scalar n is not what msg wants, and shows it as it was written: what a reference stands for may
// be a secret.
func (d *Decoder) wrong(n *Node, path, msg string) {
	if n.Raw != "" {
		msg = strings.ReplaceAll(msg, strconv.Quote(n.Text), "it")
		d.Errorf(n, path, "%s, got what %s stands for", msg, n.Raw)
		return
	}
	switch n.Kind {
	case String:
		if !strings.Contains(msg, strconv.Quote(n.Text)) { // foreign types tell it themselves
			msg += ", got " + strconv.Quote(shorten(n.Text))
		}
	case List, Map, Null:
		msg += ", got " + n.Kind.String()
	default:
		msg += ", got " + n.Text
	}
	d.Errorf(n, path, "%s", msg)
}

// shorten keeps messages readable when the value is not.
func shorten(s string) string {
	const longest = 80
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}
