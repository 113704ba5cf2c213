package route

import "slices"

// divide parts entries by the values they ask for under one name, where most ask for one, and pairs the rest.
func (f *tieFinder) divide(host string, entries []entry, used []string) {
	const few = 32
	name, count := "", 0
	if len(entries) > few {
		name, count = commonName(entries, used)
	}
	if count <= len(entries)/2 {
		for i, a := range entries {
			f.pairAll(host, a, entries[i+1:])
		}
		return
	}
	byValue := make(map[string][]entry)
	var order []string
	var loose []entry
	for _, e := range entries {
		value, ok := exactValue(e.rule, name)
		if !ok {
			loose = append(loose, e)
			continue
		}
		if _, ok := byValue[value]; !ok {
			order = append(order, value)
		}
		byValue[value] = append(byValue[value], e)
	}
	used = append(slices.Clip(used), name)
	for _, value := range order {
		f.divide(host, byValue[value], used)
	}
	for i, a := range loose {
		f.pairAll(host, a, loose[i+1:])
		for _, value := range order {
			f.pairAll(host, a, byValue[value])
		}
	}
}

// commonName returns the header or query name under which the most entries ask for an exact value. Names begin with a
// letter that tells the two apart.
func commonName(entries []entry, used []string) (name string, count int) {
	counts := make(map[string]int)
	for _, e := range entries {
		eachExact(e.rule, func(name, _ string) bool {
			counts[name]++
			return true
		})
	}
	for n, c := range counts {
		if !slices.Contains(used, n) && (c > count || c == count && n < name) {
			name, count = n, c
		}
	}
	return name, count
}

func exactValue(r *rule, name string) (value string, ok bool) {
	eachExact(r, func(n, v string) bool {
		if n == name {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}

func eachExact(r *rule, yield func(name, value string) bool) {
	for _, c := range r.headers {
		if c.form == formExact && !yield("h"+c.name, c.text) {
			return
		}
	}
	for _, c := range r.query {
		if c.form == formExact && !yield("q"+c.name, c.text) {
			return
		}
	}
}
