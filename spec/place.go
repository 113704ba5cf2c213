package spec

// Place returns the place of path among the positions that Decode filled in, or of the nearest path above it that was
// written.
func Place(positions map[string]Pos, path string) Pos {
	for {
		if pos, ok := positions[path]; ok || path == "" {
			return pos
		}
		path = parent(path)
	}
}

// DidYouMean returns the end of a message that suggests one of from, as decoding words it, or "" if none is near.
func DidYouMean(word string, from []string) string { return didYouMean(word, from) }
