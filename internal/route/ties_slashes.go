package route

import "slices"

// acrossSlashes looks for the one case in which different patterns tie: a prefix that is judged by the raw path and has
// empty segments, and one that is judged by the merged path.
func (f *tieFinder) acrossSlashes() {
	var odd []entry
	for _, r := range f.table.rules {
		for _, p := range r.patterns {
			if r.route.KeepSlashes && p.rest && slices.Contains(p.segs, "") {
				odd = append(odd, entry{r, p})
			}
		}
	}
	if len(odd) == 0 {
		return
	}
	merged := make(map[tieKey][]entry)
	for _, r := range f.table.rules {
		for _, p := range r.patterns {
			if !r.route.KeepSlashes && p.rest {
				key := keyOf(entry{r, p})
				key.shape = ""
				merged[key] = append(merged[key], entry{r, p})
			}
		}
	}
	for _, e := range odd {
		key := keyOf(e)
		key.shape = ""
		for _, m := range merged[key] {
			if f.full() {
				return
			}
			if host, ok := sharedHost(e.rule, m.rule); ok && meetMerged(e.path, m.path) {
				f.pair(host, e, m)
			}
		}
	}
}

// meetMerged tells whether the segments of the raw pattern, without the empty ones, may begin what the other takes.
func meetMerged(raw, merged *pattern) bool {
	n := 0
	for _, seg := range raw.segs {
		if seg == "" {
			continue
		}
		if other := merged.segs[n]; seg != other && seg != "{}" && other != "{}" {
			return false
		}
		n++
	}
	return true
}

func sharedHost(a, b *rule) (string, bool) {
	if a.open && b.open {
		return "", true
	}
	for _, host := range a.hosts {
		if _, ok := slices.BinarySearch(b.hosts, host); ok {
			return host, true
		}
	}
	return "", false
}
