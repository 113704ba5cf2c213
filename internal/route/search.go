package route

import (
	"strings"

	"github.com/asynched/api-gateway/exchange"
)

// A search looks for the entry that wins a query. It lives on the stack of one call of Match.
type search struct {
	q       *Query
	raw     string // the raw path, the same as q.Path if slashes make no difference
	method  uint64 // the bit of the method, 0 if no route names it
	place   int    // which list to read: 1 for HEAD
	missed  uint64 // the methods of those that only the method kept out
	judging judged
	best    entry // of the tree that is being searched
}

// judged says which rules a pass over a tree judges.
type judged int

const (
	judgeAll judged = iota
	judgeMerged
	judgeKept
)

func (t *Table) search(q *Query, missed uint64) search {
	s := search{q: q, raw: q.RawPath, missed: missed}
	if s.raw == "" {
		s.raw = q.Path
	}
	switch q.Method {
	case "GET":
		s.method = bitGET
	case "HEAD":
		s.method, s.place = bitHEAD, 1
	default:
		s.method = t.methods[q.Method]
	}
	return s
}

// among returns the winner of all trees.
func (s *search) among(trees []*tree) entry {
	var best entry
	for _, t := range trees {
		best = s.better(best, s.in(t))
	}
	return best
}

func (s *search) better(e, f entry) entry {
	if e.rule == nil || f.rule != nil && f.compare(e, s.place) < 0 {
		return f
	}
	return e
}

// in returns the winner of one tree. Most requests have one path; only where slashes make a difference, and some rules
// care and some do not, the tree is searched twice.
func (s *search) in(t *tree) entry {
	switch {
	case !t.kept || s.raw == s.q.Path:
		return s.pass(t, s.q.Path, judgeAll)
	case !t.merged:
		return s.pass(t, s.raw, judgeAll)
	default:
		return s.better(s.pass(t, s.q.Path, judgeMerged), s.pass(t, s.raw, judgeKept))
	}
}

// pass walks a tree in the order of the rule, but for priorities: what is found later wins only by a higher one. It
// leaves out what cannot win any more. Each branch is entered once at most, so the tree bounds the work, not the path.
func (s *search) pass(t *tree, path string, judging judged) entry {
	s.best, s.judging = entry{}, judging
	if strings.HasPrefix(path, "/") {
		s.walk(&t.root, path[1:], true)
		s.try(t.regexps[s.place], path)
	}
	s.try(t.open[s.place], "")
	return s.best
}

// walk searches a branch. The rest of the path is what follows the next slash, if there are more segments.
func (s *search) walk(b *branch, rest string, more bool) {
	if s.best.rule != nil && b.top <= s.best.rule.route.Match.Priority {
		return
	}
	if !more {
		s.try(b.here[s.place], "")
	} else {
		seg, after, again := strings.Cut(rest, "/")
		if next := b.literal(seg); next != nil {
			s.walk(next, after, again)
		}
		if b.placeholder != nil && seg != "" {
			s.walk(b.placeholder, after, again)
		}
	}
	s.try(b.below[s.place], "")
}

// try takes the first entry of a list that takes the request. The path is that for expressions, or "".
func (s *search) try(entries []entry, path string) {
	for _, e := range entries {
		if s.best.rule != nil && e.rule.route.Match.Priority <= s.best.rule.route.Match.Priority {
			return
		}
		if s.admits(e, path) {
			s.best = e
			return
		}
	}
}

// admits tells whether an entry whose place in the tree fits takes the request, and notes a miss.
func (s *search) admits(e entry, path string) bool {
	r := e.rule
	if s.judging != judgeAll && r.route.KeepSlashes != (s.judging == judgeKept) {
		return false
	}
	fits := r.takesMethod(s.method)
	if !fits && r.methods&^s.missed == 0 {
		return false // nothing to learn from it
	}
	if path != "" && !e.path.takes(path) || !r.takesConditions(s.q.Header, s.q.RawQuery) {
		return false
	}
	if !fits {
		s.missed |= r.methods
	}
	return fits
}

// store writes the placeholders of the winner.
func (s *search) store(e entry, params *exchange.Params) {
	if params == nil {
		return
	}
	if e.rule.route.KeepSlashes {
		e.path.capture(s.raw, params)
	} else {
		e.path.capture(s.q.Path, params)
	}
}
