package httpcache

import (
	"strings"
	"time"
)

// parseDate reads a date in one of the three forms of RFC 9110, 5.6.7. Names of days, months and zones are compared
// without case, and GMT is the only zone (4.2). Whatever else is unusual makes it invalid. now settles the
// century of an RFC 850 date: one that seems more than 50 years ahead is of the past.
func parseDate(s string, now time.Time) (time.Time, bool) {
	if comma := strings.IndexByte(s, ','); comma >= 0 {
		if len(s) < comma+2 || s[comma+1] != ' ' {
			return time.Time{}, false
		}
		day, rest := s[:comma], s[comma+2:]
		if isDayName(day, false) && len(rest) == len("06 Nov 1994 08:49:37 GMT") && rest[2] == ' ' && rest[6] == ' ' {
			return makeDate(rest[0:2], rest[3:6], rest[7:11], rest[11:20], rest[20:])
		}
		if isDayName(day, true) && len(rest) == len("06-Nov-94 08:49:37 GMT") && rest[2] == '-' && rest[6] == '-' {
			return makeShortDate(rest, now)
		}
		return time.Time{}, false
	}
	// asctime: "Sun Nov  6 08:49:37 1994"
	if len(s) != 24 || !isDayName(s[:3], false) || s[3] != ' ' || s[7] != ' ' || s[19] != ' ' {
		return time.Time{}, false
	}
	day := s[8:10]
	if day[0] == ' ' {
		day = "0" + day[1:]
	}
	return makeDate(day, s[4:7], s[20:24], s[10:19], " GMT")
}

// makeShortDate makes a date of "06-Nov-94 08:49:37 GMT".
func makeShortDate(s string, now time.Time) (time.Time, bool) {
	century := now.UTC().Year() / 100
	for _, c := range []int{century + 1, century, century - 1} {
		year := string([]byte{byte('0' + c/10%10), byte('0' + c%10), s[7], s[8]})
		t, ok := makeDate(s[0:2], s[3:6], year, s[9:18], s[18:])
		if ok && !t.After(now.AddDate(50, 0, 0)) {
			return t, true
		}
	}
	return time.Time{}, false
}

// makeDate puts a date together; clock is " 08:49:37", zone is " GMT".
func makeDate(day, month, year, clock, zone string) (time.Time, bool) {
	if !strings.EqualFold(zone, " GMT") {
		return time.Time{}, false
	}
	if clock[0] != ' ' || clock[3] != ':' || clock[6] != ':' {
		return time.Time{}, false
	}
	d, ok1 := digits(day)
	y, ok2 := digits(year)
	h, ok3 := digits(clock[1:3])
	m, ok4 := digits(clock[4:6])
	s, ok5 := digits(clock[7:9])
	mon := 1
	for mon <= 12 && !strings.EqualFold(time.Month(mon).String()[:3], month) {
		mon++
	}
	// A second may be a leap second (60).
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || mon > 12 || d == 0 || h > 23 || m > 59 || s > 60 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(mon), d, h, m, s, 0, time.UTC)
	if int(t.Month()) != mon && s < 60 {
		return time.Time{}, false // the 31st of a shorter month
	}
	return t, true
}

func digits(s string) (n int, ok bool) {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func isDayName(s string, long bool) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		name := d.String()
		if !long {
			name = name[:3]
		}
		if strings.EqualFold(name, s) {
			return true
		}
	}
	return false
}
