package route

import (
	"cmp"
	"slices"
	"strings"
)

// An entry is one path of one rule, as it stands in a tree. The zero value stands for none.
type entry struct {
	rule *rule
	path *pattern
}

// compare orders entries that take the same request at the same host. The winner is the lesser. The index is that of
// rule.place.
func (e entry) compare(f entry, place int) int {
	if d := cmp.Compare(f.rule.route.Match.Priority, e.rule.route.Match.Priority); d != 0 {
		return d
	}
	if d := strings.Compare(f.path.rank, e.path.rank); d != 0 {
		return d
	}
	return cmp.Compare(e.rule.place[place], f.rule.place[place])
}

// A list holds entries in the order of the rule, once for any method and once for HEAD.
type list [2][]entry

func makeList(entries []entry) list {
	if len(entries) == 0 {
		return list{}
	}
	var l list
	for place := range l {
		sorted := slices.Clone(entries)
		slices.SortStableFunc(sorted, func(e, f entry) int { return e.compare(f, place) })
		l[place] = sorted
	}
	if slices.Equal(l[0], l[1]) {
		l[1] = l[0]
	}
	return l
}

// A tree holds the entries of some rules. It branches by the segments of their paths.
type tree struct {
	root    branch
	regexps list
	open    list // rules without paths
	size    int  // how many entries it holds
	// merged and kept tell whether there are rules judged by the merged path, and by the raw one.
	merged, kept bool
}

// A branch is what begins with certain segments.
type branch struct {
	few         []twig             // the literal segments that may follow, up to maxTwigs
	many        map[string]*branch // all of them, if they are more
	placeholder *branch            // what follows any segment
	here        list               // what ends here
	below       list               // what takes all from here on
	top         int                // the highest priority in the branch
}

// A twig is a literal segment and what follows it.
type twig struct {
	seg  string
	next *branch
}

// maxTwigs is up to how many segments a scan is quicker than a map.
const maxTwigs = 8

// growTree makes a tree of the rules.
func growTree(rules []*rule) *tree {
	t := new(tree)
	leaves := make(map[*list][]entry)
	var order []*list
	add := func(l *list, e entry) {
		if _, ok := leaves[l]; !ok {
			order = append(order, l)
		}
		leaves[l] = append(leaves[l], e)
	}
	for _, r := range rules {
		if r.route.KeepSlashes {
			t.kept = true
		} else {
			t.merged = true
		}
		for _, p := range r.patterns {
			add(t.leaf(p), entry{r, p})
			t.size++
		}
	}
	for _, l := range order {
		*l = makeList(leaves[l])
	}
	t.root.setTop()
	return t
}

// leaf returns the list where the entries of a pattern belong, and grows the branches to it.
func (t *tree) leaf(p *pattern) *list {
	switch p.kind {
	case kindNone:
		return &t.open
	case kindRegexp:
		return &t.regexps
	}
	b := &t.root
	for _, seg := range p.segs {
		if seg == "{}" {
			if b.placeholder == nil {
				b.placeholder = new(branch)
			}
			b = b.placeholder
		} else {
			b = b.grow(seg)
		}
	}
	if p.rest {
		return &b.below
	}
	return &b.here
}

// grow returns the branch after a literal segment, a new one if there is none.
func (b *branch) grow(seg string) *branch {
	if next := b.literal(seg); next != nil {
		return next
	}
	next := new(branch)
	if b.many == nil && len(b.few) < maxTwigs {
		b.few = append(b.few, twig{seg, next})
		return next
	}
	if b.many == nil {
		b.many = make(map[string]*branch)
		for _, t := range b.few {
			b.many[t.seg] = t.next
		}
		b.few = nil
	}
	b.many[seg] = next
	return next
}

// literal returns the branch after a literal segment, or nil.
func (b *branch) literal(seg string) *branch {
	if b.many != nil {
		return b.many[seg]
	}
	for i := range b.few {
		if b.few[i].seg == seg {
			return b.few[i].next
		}
	}
	return nil
}

// setTop sets top in the branch and all that follow.
func (b *branch) setTop() int {
	const least = -1 << 63
	b.top = least
	for _, l := range []list{b.here, b.below} {
		if len(l[0]) > 0 {
			b.top = max(b.top, l[0][0].rule.route.Match.Priority)
		}
	}
	for _, t := range b.few {
		b.top = max(b.top, t.next.setTop())
	}
	for _, next := range b.many {
		b.top = max(b.top, next.setTop())
	}
	if b.placeholder != nil {
		b.top = max(b.top, b.placeholder.setTop())
	}
	return b.top
}
