package route

// Entries counts the entries of all trees, each tree once.
func (t *Table) Entries() int {
	seen := make(map[*tree]bool)
	for _, tr := range t.open {
		seen[tr] = true
	}
	for _, sites := range []map[string]*site{t.exact, t.wildcard} {
		for _, s := range sites {
			for _, tr := range s.trees {
				seen[tr] = true
			}
		}
	}
	n := 0
	for tr := range seen {
		n += tr.size
	}
	return n
}
