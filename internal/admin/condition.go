package admin

import (
	"net/http"
	"strings"
)

// writable returns the part of an entity tag that conditions on a change are about; see entityTag.
func writable(tag string) string {
	if opaque, _, ok := strings.Cut(strings.TrimSuffix(tag, `"`), "."); ok {
		return opaque + `"`
	}
	return tag
}

// tags returns the entity tags of If-Match or If-None-Match fields. A tag holds no comma of ours.
func tags(fields []string) []string {
	var all []string
	for _, field := range fields {
		for tag := range strings.SplitSeq(field, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				all = append(all, tag)
			}
		}
	}
	return all
}

// holds reports whether one of the tags is that of an answer, by the weak comparison of RFC 9110, section 8.8.3.2.
func holds(fields []string, tag string) bool {
	for _, t := range tags(fields) {
		if t == "*" || strings.TrimPrefix(t, "W/") == tag {
			return true
		}
	}
	return false
}

// condition holds a change against If-None-Match, which can only ask that there is no object yet, and returns the tag
// that If-Match asks for: "" is none, "*" any. current is the tag of the object as it is, "" if there is none.
func condition(r *http.Request, what, current string) (string, error) {
	if fresh := tags(r.Header.Values("If-None-Match")); len(fresh) > 0 {
		switch {
		case len(fresh) > 1 || fresh[0] != "*":
			return "", refuse(invalidParameter,
				"If-None-Match: want *, which asks that the object is new; to change one as it is, use If-Match")
		case current != "":
			return "", refuse(changedMeanwhile, "%s exists already, and If-None-Match asks that it does not", what)
		}
	}
	wanted := tags(r.Header.Values("If-Match"))
	if len(wanted) == 0 {
		return "", nil
	}
	for _, tag := range wanted {
		if !strings.HasPrefix(tag, `"`) && tag != "*" || strings.HasPrefix(tag, `"`) &&
			(len(tag) < 2 || !strings.HasSuffix(tag, `"`)) {
			return "", refuse(invalidParameter, `If-Match: want the ETag of the object with its quotes, or *, got %s`,
				tag)
		}
		if current != "" && (tag == "*" || writable(tag) == current) {
			return current, nil
		}
	}
	if current == "" {
		return "", refuse(changedMeanwhile, "there is no %s, and If-Match asks for one", what)
	}
	return "", refuse(changedMeanwhile, "%s has changed: its tag is %s now", what, current)
}
