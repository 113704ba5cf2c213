// Package spec turns tagged structs into everything that is said about them: strict decoding with positions, defaults,
// checks, JSON Schema and reference pages; and it has the value types that stand in such structs (Duration, Size,
// Secret). It knows YAML and JSON as trees, and no object of the gateway. Its main types are Node, what was written,
// and Decoder, which carries a Node into a struct.
package spec
