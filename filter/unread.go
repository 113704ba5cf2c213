package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/asynched/api-gateway/exchange"
)

// Unread is the configuration of a filter as JSON, for programs that pass configuration on and do not have its kind: the
// client of the admin API. It cannot filter.
type Unread json.RawMessage

// Wrap returns an error: the kind is not known here.
func (u Unread) Wrap(*Build, exchange.Handler) (exchange.Handler, error) {
	return nil, errors.New("the configuration of the filter has not been decoded")
}

// MarshalJSON returns the configuration as it was read.
func (u Unread) MarshalJSON() ([]byte, error) { return json.RawMessage(u).MarshalJSON() }

// UnmarshalJSON reads what MarshalJSON writes, or the kind alone. The filter is an Unread: a gateway decodes a List by
// package spec instead, with its catalog.
func (u *Use) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		u.Filter = Unread("{}")
		return json.Unmarshal(b, &u.Kind)
	}
	var entry map[string]json.RawMessage
	if err := json.Unmarshal(b, &entry); err != nil {
		return err
	}
	if len(entry) != 1 {
		return fmt.Errorf("a filter is a map with one key, its kind; got %d keys", len(entry))
	}
	for kind, value := range entry {
		u.Kind, u.Filter = kind, Unread(value)
	}
	return nil
}
