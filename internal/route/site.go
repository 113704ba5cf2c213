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
	rules  []*rule
	hosts  []string
	size   int      // how many entries its rules have
	uses   int      // in how many combinations it stands
	shared []*combo // those of them in which it is not alone
	tree   *tree    // its own, if it is wide
}

// A combo is the groups that some hosts have in common.
type combo struct {
	host   string // one of the hosts, the first in the alphabet
	groups []*group
	site   *site
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
	combos := combine(groups)
	unique := make(map[*combo]bool)
	for _, c := range combos {
		unique[c] = true
	}
	for c := range unique {
		for _, g := range c.groups {
			if g.uses++; len(c.groups) > 1 {
				g.shared = append(g.shared, c)
			}
		}
	}
	for c := range unique {
		c.site = makeSite(c.groups)
	}
	t.exact, t.wildcard = make(map[string]*site, len(combos)), make(map[string]*site)
	for host, c := range combos {
		if suffix, ok := strings.CutPrefix(host, "*."); ok {
			t.wildcard[suffix] = c.site
			t.maxLabels = max(t.maxLabels, 1+strings.Count(suffix, "."))
		} else {
			t.exact[host] = c.site
		}
	}
	for _, g := range groups {
		slices.SortFunc(g.shared, func(a, b *combo) int { return strings.Compare(a.host, b.host) })
	}
}

// groupRules puts rules with the same hosts together, and returns those that take every host besides.
func groupRules(rules []*rule) (groups []*group, open []*rule) {
	bySlice := make(map[*string]*group) // hostLists has made most of the equal ones the same
	byHosts := make(map[string]*group)
	for _, r := range rules {
		if r.open {
			open = append(open, r)
		}
		if len(r.hosts) == 0 {
			continue
		}
		g := bySlice[&r.hosts[0]]
		if g == nil {
			key := strings.Join(r.hosts, " ")
			if g = byHosts[key]; g == nil {
				g = &group{hosts: r.hosts}
				byHosts[key] = g
				groups = append(groups, g)
			}
			bySlice[&r.hosts[0]] = g
		}
		r.group = g
		g.rules = append(g.rules, r)
		g.size += len(r.patterns)
	}
	return groups, open
}

// combine returns the combination of groups for each host pattern.
func combine(groups []*group) map[string]*combo {
	indexes := make(map[string][]int32)
	for i, g := range groups {
		for _, host := range g.hosts {
			indexes[host] = append(indexes[host], int32(i))
		}
	}
	byKey := make(map[string]*combo)
	combos := make(map[string]*combo, len(indexes))
	var key []byte
	for host, list := range indexes {
		key = key[:0]
		for _, i := range list {
			key = binary.BigEndian.AppendUint32(key, uint32(i))
		}
		c := byKey[string(key)]
		if c == nil {
			c = &combo{host: host}
			for _, i := range list {
				c.groups = append(c.groups, groups[i])
			}
			byKey[string(key)] = c
		}
		c.host = min(c.host, host)
		combos[host] = c
	}
	return combos
}

// makeSite makes the site of a combination of groups.
func makeSite(groups []*group) *site {
	s := new(site)
	var rules []*rule
	for _, g := range groups {
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
