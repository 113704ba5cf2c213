package client

import (
	"encoding/json"

	"github.com/asynched/api-gateway/spec"
)

// A Value is any JSON value as it was sent. It stands where the shape depends on the gateway that is asked: the filter
// kinds it was built with.
type Value []byte

// MarshalJSON returns the value.
func (v Value) MarshalJSON() ([]byte, error) {
	if len(v) == 0 {
		return []byte("null"), nil
	}
	return v, nil
}

// UnmarshalJSON keeps a copy of the value.
func (v *Value) UnmarshalJSON(b []byte) error {
	*v = append((*v)[:0:0], b...)
	return nil
}

// DecodeNode keeps the value as JSON.
func (v *Value) DecodeNode(d *spec.Decoder, n *spec.Node, path string) {
	text, err := json.Marshal(n)
	if err != nil {
		d.Errorf(n, path, "%v", err)
	}
	*v = text
}

// JSONSchema returns a schema that takes anything.
func (*Value) JSONSchema(*spec.SchemaBuilder) *spec.JSONSchema {
	return &spec.JSONSchema{Description: "Any JSON value."}
}
