package config

import "slices"

// GRPCStatuses are the names of gRPC's statuses, by their code.
func GRPCStatuses() []string {
	return []string{
		"ok", "cancelled", "unknown", "invalid-argument", "deadline-exceeded", "not-found", "already-exists",
		"permission-denied", "resource-exhausted", "failed-precondition", "aborted", "out-of-range", "unimplemented",
		"internal", "unavailable", "data-loss", "unauthenticated",
	}
}

// RetryStatus returns the code of a gRPC status that may be a cause for a retry.
func RetryStatus(name string) (code int, ok bool) {
	switch name {
	case "cancelled", "deadline-exceeded", "resource-exhausted", "aborted", "internal", "unavailable":
		return slices.Index(GRPCStatuses(), name), true
	}
	return 0, false
}
