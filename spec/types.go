package spec

// A SpecTyper is a value type that says how it is written: *Duration and its like. Each of them reads and writes one
// text form, in files, JSON and flags alike.
type SpecTyper interface {
	SpecType() TypeInfo
}

// TypeInfo is what the schema and the reference say of a value type.
type TypeInfo struct {
	// Name is the name of the type in the reference: duration.
	Name string
	// Noun is the name with its article, for messages: a duration.
	Noun string
	// Pattern is a regular expression that every text form matches, in the syntax that RE2 and ECMAScript share.
	Pattern string
	// Number is true for types that may also be written as a plain whole number, Zero for those that may be as 0 alone.
	Number, Zero bool
	// Example is one text form.
	Example string
	// Description says in a sentence how it is written.
	Description string
	// Secret is true for values that are not to be shown.
	Secret bool
}
