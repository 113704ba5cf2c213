package accesslog

import (
	"crypto/tls"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendJSON appends the entry as one JSON object and a newline. Times are in UTC, durations in milliseconds.
func (f formatter) appendJSON(b []byte, e *Entry) []byte {
	b = append(b, `{"time":"`...)
	b = append(f.appendTime(b, e.Timings.Start), '"')
	b = appendText(b, `,"id":"`, e.ID)
	b = f.appendRequest(b, e)
	b = appendInt(b, `,"status":`, int64(e.Status))
	b = appendGRPC(b, e.GRPCStatus)
	b = appendInt(b, `,"bytes_in":`, e.BytesIn)
	b = appendInt(b, `,"bytes_out":`, e.BytesOut)
	b = appendDuration(b, `,"duration_ms":`, e.Duration)
	b = appendPhases(b, e)
	b = appendText(b, `,"route":"`, e.Route)
	b = appendText(b, `,"service":"`, e.Service)
	b = appendText(b, `,"instance":"`, e.Instance)
	b = appendText(b, `,"address":"`, e.Address)
	b = appendText(b, `,"consumer":"`, e.Consumer)
	if e.Attempts > 0 {
		b = appendInt(b, `,"attempts":`, int64(e.Attempts))
	}
	b = appendTries(b, e.Tries)
	b = appendText(b, `,"cache":"`, e.Cache)
	b = appendText(b, `,"answered_by":"`, e.AnsweredBy)
	if e.Cut {
		b = append(b, `,"cut":true`...)
	}
	b = appendText(b, `,"source":"`, string(e.Source))
	b = appendText(b, `,"reason":"`, string(e.Reason))
	b = appendText(b, `,"error":"`, e.Error)
	return append(b, "}\n"...)
}

// appendRequest appends what came from the client.
func (f formatter) appendRequest(b []byte, e *Entry) []byte {
	b = appendAddr(b, `,"client":"`, e.Client)
	if e.Peer != e.Client {
		b = appendAddr(b, `,"peer":"`, e.Peer)
	}
	b = appendText(b, `,"listener":"`, e.Listener)
	if e.TLS != 0 {
		b = appendText(b, `,"tls":"`, tlsVersion(e.TLS))
	}
	b = appendText(b, `,"scheme":"`, e.Scheme)
	b = appendText(b, `,"method":"`, e.Method)
	b = appendText(b, `,"host":"`, e.Host)
	b = appendText(b, `,"path":"`, e.Path)
	if e.Query != "" && f.query != QueryOff {
		b = append(b, `,"query":"`...)
		b = append(f.query.appendQuery(b, short(e.Query), escapeJSON), '"')
	}
	b = appendText(b, `,"proto":"`, e.Proto)
	b = appendText(b, `,"upgrade":"`, e.Upgrade)
	b = appendText(b, `,"user_agent":"`, e.UserAgent)
	if e.Referer != "" {
		b = append(b, `,"referer":"`...)
		b = append(f.query.appendURL(b, short(e.Referer), escapeJSON), '"')
	}
	return b
}

// A stamp is a second as a line has it.
type stamp struct {
	second int64
	text   [len("2006-01-02T15:04:05.")]byte
}

// appendTime appends a time as RFC 3339 in UTC with microseconds. Most lines are of the same second as the one before:
// that is written once, which takes 11 ns a line instead of 36. AppendFormat takes 200.
func (f formatter) appendTime(b []byte, t time.Time) []byte {
	last := f.last.Load()
	if second := t.Unix(); last == nil || last.second != second {
		last = &stamp{second: second}
		appendSecond(last.text[:0], t.UTC())
		f.last.Store(last)
	}
	b = append(b, last.text[:]...)
	return append(appendPadded(b, t.Nanosecond()/1000, 6), 'Z')
}

// appendSecond appends a time of UTC up to where the fraction begins.
func appendSecond(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(appendPadded(b, year, 4), '-')
	b = append(appendPadded(b, int(month), 2), '-')
	b = append(appendPadded(b, day, 2), 'T')
	b = append(appendPadded(b, hour, 2), ':')
	b = append(appendPadded(b, minute, 2), ':')
	return append(appendPadded(b, second, 2), '.')
}

// appendPadded appends the last digits of n.
func appendPadded(b []byte, n, digits int) []byte {
	start := len(b)
	b = append(b, "000000"[:digits]...)
	for i := len(b) - 1; i >= start; i-- {
		b[i] += byte(n % 10)
		n /= 10
	}
	return b
}

// appendText appends a string member, unless it is empty. The key, as all keys here, is what stands before the value,
// comma and quotes included.
func appendText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return append(escapeJSON(append(b, key...), short(value)), '"')
}

func appendInt(b []byte, key string, value int64) []byte {
	return strconv.AppendInt(append(b, key...), value, 10)
}

// appendDuration appends milliseconds with three decimals, which are microseconds.
func appendDuration(b []byte, key string, d time.Duration) []byte {
	us := max(0, d.Microseconds())
	b = strconv.AppendInt(append(b, key...), us/1000, 10)
	us %= 1000
	return append(b, '.', byte('0'+us/100), byte('0'+us/10%10), byte('0'+us%10))
}

// appendAddr appends an address, with its port if that is known.
func appendAddr(b []byte, key string, a netip.AddrPort) []byte {
	if !a.IsValid() {
		return b
	}
	b = append(b, key...)
	if a.Port() == 0 {
		b = appendIP(b, a.Addr())
	} else {
		b = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()).AppendTo(b)
	}
	return append(b, '"')
}

// appendIP appends an address without zone: that is text of the system's, and could be anything.
func appendIP(b []byte, a netip.Addr) []byte { return a.Unmap().WithZone("").AppendTo(b) }

// tlsVersion names a version as the configuration does.
func tlsVersion(v uint16) string {
	switch v {
	case tls.VersionTLS10:
		return "1.0"
	case tls.VersionTLS11:
		return "1.1"
	case tls.VersionTLS12:
		return "1.2"
	case tls.VersionTLS13:
		return "1.3"
	}
	return "unknown"
}

// escapeJSON appends the inside of a JSON string. Beyond what JSON demands it escapes DEL, the C1 control codes and the
// Unicode line separators, so that a line cannot steer the terminal it is shown on. A byte that is not UTF-8 becomes
// U+FFFD. Most text has nothing to escape, and is found out to be so eight bytes at a time, which takes half of the
// time.
func escapeJSON(b []byte, s string) []byte {
	start := 0
	for i := clean(s); i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			if r, size = utf8.DecodeRuneInString(s[i:]); plain(r, size) {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		if r == '"' || r == '\\' {
			b = append(b, '\\', byte(r))
		} else {
			b = append(b, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
		}
		i += size
		start = i
	}
	return append(b, s[start:]...)
}

// clean returns how many bytes at the beginning of s, in eights, are printable ASCII other than a quote and a backslash.
func clean(s string) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	zero := func(x uint64) uint64 { return (x - ones) & ^x } // the top bit of the lowest byte that is zero is set
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		control := (x - ones*0x20) & ^x
		if (control|zero(x^ones*'"')|zero(x^ones*'\\')|zero(x^ones*0x7f)|x)&tops != 0 {
			break
		}
	}
	return i
}

// plain tells whether a rune beyond ASCII may stand in a line as it is.
func plain(r rune, size int) bool {
	broken := r == utf8.RuneError && size == 1
	return !broken && r > 0x9f && r != '\u2028' && r != '\u2029'
}
