package admin

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// A pageOf is one page of a list.
type pageOf[T any] struct {
	Data []T    `json:"data"`
	Next string `json:"next,omitempty"`
}

// paged answers with the page of a list that the query asks for. key orders the list and is different for each item; the
// cursor is the last key that was sent, so that a page begins right whatever came and went meanwhile. show makes only
// what is on the page.
func paged[S, T any](c *call, all []S, key func(S) string, show func(S) T) (*answer, error) {
	limit, after := defaultLimit, ""
	if text := c.query.Get("limit"); c.query.Has("limit") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return nil, refuse(invalidParameter, "limit: want a number from 1 to %d, got %q", maxLimit, text)
		}
		limit = n
	}
	if text := c.query.Get("after"); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, refuse(invalidParameter, "after: %q is no cursor: want what next was in the page before", text)
		}
		after = string(raw)
	}
	slices.SortFunc(all, func(a, b S) int { return strings.Compare(key(a), key(b)) })
	from := 0
	if after != "" {
		from, _ = slices.BinarySearchFunc(all, after, func(s S, after string) int {
			if key(s) <= after {
				return -1
			}
			return 1
		})
	}
	to := min(from+limit, len(all))
	p := pageOf[T]{Data: make([]T, 0, to-from)}
	for _, s := range all[from:to] {
		p.Data = append(p.Data, show(s))
	}
	if to < len(all) {
		p.Next = base64.RawURLEncoding.EncodeToString([]byte(key(all[to-1])))
	}
	return &answer{body: p}, nil
}
