package accesslog

import "strconv"

// appendCombined appends the entry in Apache's combined format,
//
//	%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"
//
// with its escaping. The user is the consumer.
func (f formatter) appendCombined(b []byte, e *Entry) []byte {
	if e.Client.IsValid() {
		b = appendIP(b, e.Client.Addr())
	} else {
		b = append(b, '-')
	}
	b = append(b, " - "...)
	b = orDash(b, e.Consumer)
	b = e.Timings.Start.AppendFormat(b, " [02/Jan/2006:15:04:05 -0700] \"")
	b = f.appendRequestLine(b, e)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, ' ')
	if e.BytesOut > 0 {
		b = strconv.AppendInt(b, e.BytesOut, 10)
	} else {
		b = append(b, '-')
	}
	b = append(b, ` "`...)
	if e.Referer == "" {
		b = append(b, '-')
	} else {
		b = f.query.appendURL(b, short(e.Referer), escapeApache)
	}
	b = append(b, `" "`...)
	b = orDash(b, e.UserAgent)
	return append(b, "\"\n"...)
}

func (f formatter) appendRequestLine(b []byte, e *Entry) []byte {
	if e.Method == "" {
		return append(b, '-')
	}
	b = append(escapeApache(b, short(e.Method)), ' ')
	b = escapeApache(b, short(e.Path))
	if e.Query != "" && f.query != QueryOff {
		b = append(b, '?')
		b = f.query.appendQuery(b, short(e.Query), escapeApache)
	}
	b = append(b, ' ')
	return escapeApache(b, short(e.Proto))
}

func orDash(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	return escapeApache(b, short(s))
}

// escapeApache appends s as httpd does: quotes and backslashes get a backslash, some control codes their name in C,
// everything else that is not printable ASCII is \xhh.
func escapeApache(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= 0x20 && c < 0x7f:
			b = append(b, c)
		case c == '\b':
			b = append(b, '\\', 'b')
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c == '\v':
			b = append(b, '\\', 'v')
		default:
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	return b
}
