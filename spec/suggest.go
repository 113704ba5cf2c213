package spec

import "strings"

// Suggest returns the one of from that word was most likely meant to be, or "" if none is near. Case and the separators
// '-', '_' and '.' do not count; otherwise one letter in three may be wrong, at least one, and two swapped ones count
// as one.
func Suggest(word string, from []string) string {
	const longest = 64 // longer ones are not typing errors, and the distance costs len² to find
	if len(word) > longest {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	for _, s := range from {
		if len(s) > longest {
			continue
		}
		if d := distance(bare(word), bare(s)); d < least && d < len(bare(s)) {
			best, least = s, d
		}
	}
	return best
}

// DidYouMean returns the end of a message that suggests one of from, `: did you mean "x"?`, or "" if none is near.
func DidYouMean(word string, from []string) string {
	if s := Suggest(word, from); s != "" {
		return `: did you mean "` + s + `"?`
	}
	return ""
}

func bare(s string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(s))
}

// distance is the number of letters to insert, delete, change or swap with their neighbour to get from a to b.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
