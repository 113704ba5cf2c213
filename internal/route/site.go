package route

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// A site is what is searched for one host pattern. Hosts with the same routes share it.
type site struct {
	trees []*tree
	first *Route // by name
}

// A group is the rules that name exactly the same hosts.
type group struct {
	rules []*rule
	hosts []string
	size  int   // how many entries its rules have
	uses  int   // in how many combinations it stands
	tree  *tree // its own, if it is wide
}

// A route with many hosts beside routes that name some of them would be copied into a tree for each. A group that costs
// more than maxCopies entries that way gets a tree of its own, which is searched beside the others; but no host has more
// than maxTrees of those.
const (
	maxCopies = 1024
	maxTrees  = 8
)

func (g *group) wide() bool { return g.uses > 1 && g.uses*g.size > maxCopies }

// settle makes the sites of the table.
func (t *Table) settle() {
	groups, open := groupRules(t.rules)
	if len(open) > 0 {
		t.open = []*tree{growTree(open)}
	}
	combos := make(map[string][]int32) // host pattern: indexes of groups, ascending
	for i, g := range groups {
		for _, host := range g.hosts {
			combos[host] = append(combos[host], int32(i))
		}
	}
	keys := make(map[string]string, len(combos)) // host pattern: combination as a key
	sites := make(map[string]*site)
	members := make(map[string][]int32)
	for host, combo := range combos {
		key := comboKey(combo)
		keys[host] = key
		if _, ok := members[key]; !ok {
			members[key] = combo
			for _, i := range combo {
				groups[i].uses++
			}
		}
	}
	for key, combo := range members {
		sites[key] = makeSite(groups, combo)
	}
	t.exact, t.wildcard = make(map[string]*site, len(keys)), make(map[string]*site)
	for host, key := range keys {
		if suffix, ok := strings.CutPrefix(host, "*."); ok {
			t.wildcard[suffix] = sites[key]
			t.maxLabels = max(t.maxLabels, 1+strings.Count(suffix, "."))
		} else {
			t.exact[host] = sites[key]
		}
	}
}

// groupRules puts rules with the same hosts together, and returns those that take every host besides.
func groupRules(rules []*rule) (groups []*group, open []*rule) {
	byHosts := make(map[string]*group)
	for _, r := range rules {
		if r.open {
			open = append(open, r)
		}
		if len(r.hosts) == 0 {
			continue
		}
		key := strings.Join(r.hosts, " ")
		g := byHosts[key]
		if g == nil {
			g = &group{hosts: r.hosts}
			byHosts[key] = g
			groups = append(groups, g)
		}
		g.rules = append(g.rules, r)
		g.size += len(r.patterns)
	}
	return groups, open
}

func comboKey(combo []int32) string {
	key := make([]byte, 0, 4*len(combo))
	for _, i := range combo {
		key = binary.BigEndian.AppendUint32(key, uint32(i))
	}
	return string(key)
}

// makeSite makes the site of a combination of groups.
func makeSite(groups []*group, combo []int32) *site {
	s := new(site)
	var rules []*rule
	for _, i := range combo {
		g := groups[i]
		for _, r := range g.rules {
			if s.first == nil || r.route.Name < s.first.Name {
				s.first = r.route
			}
		}
		if !g.wide() || len(s.trees) == maxTrees {
			rules = append(rules, g.rules...)
			continue
		}
		if g.tree == nil {
			g.tree = growTree(g.rules)
		}
		s.trees = append(s.trees, g.tree)
	}
	if len(rules) > 0 {
		s.trees = append(s.trees, growTree(rules))
	}
	slices.SortFunc(s.trees, func(a, b *tree) int { return cmp.Compare(a.size, b.size) })
	return s
}
