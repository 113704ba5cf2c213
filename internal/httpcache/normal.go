package httpcache

import (
	"slices"
	"strconv"
	"strings"
)

// normalize brings the value of a request field into a form in which values of one meaning are equal (4.1). Of any
// field that holds a list the white space around commas and empty members mean nothing. Of the Accept fields the order
// means nothing either, for weights say what is preferred, and letters have no case (RFC 9110, 12.5).
func normalize(canonical, value string) string {
	if value == Absent {
		return value
	}
	var members []string
	switch canonical {
	case "Accept-Encoding":
		members = codings(value)
	case "Accept-Language", "Accept-Charset":
		for one := range splitList(value) {
			members = append(members, weigh(strings.ToLower(one)))
		}
	case "Accept":
		for one := range splitList(value) {
			members = append(members, weigh(lowerType(one)))
		}
	default:
		for one := range splitList(value) {
			members = append(members, one)
		}
		return strings.Join(members, ",")
	}
	slices.Sort(members)
	return strings.Join(slices.Compact(members), ",")
}

// codings returns the members of Accept-Encoding. A coding that is refused is not worth naming unless * or identity
// would let it in, and x-gzip is gzip (RFC 9110, 8.4.1.3).
func codings(value string) (members []string) {
	star := false
	for one := range splitList(strings.ToLower(value)) {
		one = weigh(one)
		if name, weight, _ := strings.Cut(one, ";"); name == "x-gzip" || name == "x-compress" {
			one = name[2:]
			if weight != "" {
				one += ";" + weight
			}
		}
		star = star || strings.HasPrefix(one, "*")
		members = append(members, one)
	}
	if star {
		return members
	}
	return slices.DeleteFunc(members, func(one string) bool {
		return strings.HasSuffix(one, ";q=0") && !strings.HasPrefix(one, "identity;")
	})
}

// lowerType lowers the media range, and leaves parameters.
func lowerType(one string) string {
	name, parameters, found := strings.Cut(one, ";")
	if !found {
		return strings.ToLower(one)
	}
	return strings.ToLower(name) + ";" + parameters
}

// weigh writes a member with its weight in thousandths, and leaves a weight of 1 out.
func weigh(one string) string {
	name, q := weight(one)
	if q < 0 || q == 1000 {
		return name
	}
	return name + ";q=" + strconv.Itoa(q)
}

// weight cuts the weight off a member (RFC 9110, 12.4.2), in thousandths; -1 if there is none that can be read, and
// then the member is left as it is.
func weight(one string) (name string, thousandths int) {
	i := strings.LastIndexByte(one, ';')
	if i < 0 {
		return one, -1
	}
	text, found := strings.CutPrefix(strings.ToLower(trimOWS(one[i+1:])), "q=")
	if !found || text == "" || len(text) > 5 || text[0] > '1' || text[0] < '0' || len(text) > 1 && text[1] != '.' {
		return one, -1
	}
	q := int(text[0]-'0') * 1000
	if len(text) > 2 {
		n, ok := digits(text[2:])
		if !ok {
			return one, -1
		}
		for range 5 - len(text) {
			n *= 10
		}
		q += n
	}
	return strings.TrimRight(one[:i], " \t"), min(q, 1000)
}

// wanted returns the language that Accept-Language prefers to all others, in lower case; "" if there is no such one.
func wanted(value string) (language string) {
	best := 0
	for one := range splitList(value) {
		name, q := weight(one)
		if q < 0 {
			q = 1000
		}
		switch {
		case q > best:
			best, language = q, strings.ToLower(name)
		case q == best:
			language = "" // two are wanted alike
		}
	}
	if language == "*" {
		return ""
	}
	return language
}
