package spec

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// A Secret is text that must not be seen: printed, logged or marshalled it is "***", or empty if it is empty. Messages
// about it do not show it either.
type Secret string

const hidden = "***"

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "***", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format hides the text from every verb of package fmt.
func (s Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, s.String()) }

// LogValue hides the text from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText writes what String returns.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes any text but "***", which stands for a secret that was hidden: written back, it would replace it.
func (s *Secret) UnmarshalText(b []byte) error {
	if string(b) == hidden {
		return errors.New("*** stands for a secret that is not shown: write the secret or a reference such as ${NAME}")
	}
	*s = Secret(b)
	return nil
}

// SpecType says how a secret is written.
func (*Secret) SpecType() TypeInfo {
	return TypeInfo{
		Name: "secret", Noun: "a string", Secret: true, Example: "${file:/run/secrets/token}",
		Description: "Text that is never shown again. Best a reference: ${NAME} or ${file:/path}.",
	}
}
