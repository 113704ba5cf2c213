package cert

// Blind takes the watch of the file system away, as where there is none. Call it before Run.
func (s *Set) Blind() { s.blind = true }

// ParseChain and ParseKey are for fuzzing.
func ParseChain(text []byte) ([][]byte, error) {
	chain, _, err := parseChain(text)
	return chain, err
}

func ParseKey(text []byte) (any, error) { return parseKey(text) }
