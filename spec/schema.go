package spec

import (
	"encoding/json"
)

// A JSONSchema is a schema of draft 2020-12, as far as it is needed here; OpenAPI 3.1 has the same. It marshals to the
// same bytes each time: properties stand in the order of the struct's fields.
type JSONSchema struct {
	Schema      string `json:"$schema,omitempty"`
	ID          string `json:"$id,omitempty"`
	Ref         string `json:"$ref,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`

	Type  any           `json:"type,omitempty"` // a name, or several
	Enum  []any         `json:"enum,omitempty"`
	Const any           `json:"const,omitempty"`
	AnyOf []*JSONSchema `json:"anyOf,omitempty"`
	OneOf []*JSONSchema `json:"oneOf,omitempty"`

	Minimum   json.Number `json:"minimum,omitempty"`
	Maximum   json.Number `json:"maximum,omitempty"`
	MinLength int         `json:"minLength,omitempty"`
	MaxLength int         `json:"maxLength,omitempty"`
	Pattern   string      `json:"pattern,omitempty"`
	Format    string      `json:"format,omitempty"`

	Items    *JSONSchema `json:"items,omitempty"`
	MinItems int         `json:"minItems,omitempty"`
	MaxItems int         `json:"maxItems,omitempty"`

	Properties    Properties  `json:"properties,omitempty"`
	Required      []string    `json:"required,omitempty"`
	PropertyNames *JSONSchema `json:"propertyNames,omitempty"`
	MinProperties int         `json:"minProperties,omitempty"`
	MaxProperties int         `json:"maxProperties,omitempty"`
	// AdditionalProperties is false, or the schema of the entries of a map.
	AdditionalProperties any `json:"additionalProperties,omitempty"`

	Default   any   `json:"default,omitempty"`
	Examples  []any `json:"examples,omitempty"`
	WriteOnly bool  `json:"writeOnly,omitempty"`

	Defs map[string]*JSONSchema `json:"$defs,omitempty"`

	// Noun names the type in the reference where JSON's own name says less: duration, size. It is not marshalled.
	Noun string `json:"-"`
	// Notes are further rules in words, for the reference. They are not marshalled.
	Notes []string `json:"-"`
}

// A Property is a named schema in an object.
type Property struct {
	Name   string
	Schema *JSONSchema
}

// Properties are the properties of an object in their order.
type Properties []Property

// MarshalJSON writes the properties as an object.
func (p Properties) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, property := range p {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, property.Name), ':')
		s, err := json.Marshal(property.Schema)
		if err != nil {
			return nil, err
		}
		b = append(b, s...)
	}
	return append(b, '}'), nil
}

// Lookup returns the schema of the property of that name, or nil.
func (p Properties) Lookup(name string) *JSONSchema {
	for _, property := range p {
		if property.Name == name {
			return property.Schema
		}
	}
	return nil
}
