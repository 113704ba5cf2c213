package client

// Docs returns the doc comments of the types of this package, by "Type" and "Type.Field". The description of the admin
// API is made with them.
func Docs() map[string]string { return docs() }
