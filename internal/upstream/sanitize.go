package upstream

import (
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strings"
)

// A protocolError is a breach of HTTP by an instance.
type protocolError struct{ detail string }

func (e *protocolError) Error() string { return e.detail }

// hopByHop are the fields that speak of one connection only (RFC 9110, 7.6.1), apart from those that Connection names.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Te", "Trailer", "Proxy-Authenticate",
}

// sanitize removes from an answer what is not for the client, and refuses an answer that could be understood in two
// ways. The trailers stay.
func sanitize(resp *http.Response, upgrade string) error {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return sanitizeSwitch(resp, upgrade)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 999 {
		return &protocolError{fmt.Sprintf("the status %d cannot end an answer", resp.StatusCode)}
	}
	if err := oneLength(resp); err != nil {
		return err
	}
	if resp.StatusCode == http.StatusNoContent {
		delete(resp.Header, "Content-Length") // RFC 9110, 8.6: the client would wait for a body, or find one missing
	}
	dropHopByHop(resp.Header)
	return nil
}

// sanitizeSwitch judges a 101: it must be to the protocol that was asked for.
func sanitizeSwitch(resp *http.Response, upgrade string) error {
	got := resp.Header.Get("Upgrade")
	if _, ok := resp.Body.(io.ReadWriteCloser); !ok || upgrade == "" || !strings.EqualFold(got, upgrade) {
		return &protocolError{fmt.Sprintf("the instance switched to %q when asked for %q", got, upgrade)}
	}
	dropHopByHop(resp.Header)
	resp.Header["Connection"], resp.Header["Upgrade"] = []string{"Upgrade"}, []string{upgrade}
	return nil
}

// closeUp removes the spaces between names and their colons (RFC 9112, 5.1), which the engine takes for a part of the names.
// A field that decides where the answer ends cannot be mended any more.
func closeUp(h http.Header) error {
	for spaced, values := range h {
		name := strings.TrimRight(spaced, " ")
		if name == spaced {
			continue
		}
		delete(h, spaced)
		switch name = textproto.CanonicalMIMEHeaderKey(name); name {
		case "Content-Length", "Transfer-Encoding", "Connection":
			return &protocolError{"the name " + name + " has a space before its colon"}
		}
		h[name] = append(h[name], values...)
	}
	return nil
}

// dropHopByHop removes the fields that speak of one connection only.
func dropHopByHop(h http.Header) {
	for _, names := range h["Connection"] {
		dropListed(h, names)
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// dropListed removes the fields that a Connection field lists, apart from the length, which is not the sender's to hide.
func dropListed(h http.Header, names string) {
	for name := range strings.SplitSeq(names, ",") {
		if name = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)); name != "Content-Length" {
			delete(h, name)
		}
	}
}

// oneLength makes sure that there is one Content-Length at most, and that it is a number. The engine for HTTP/2 hands on
// whatever it gets.
func oneLength(resp *http.Response) error {
	lines, ok := resp.Header["Content-Length"]
	if !ok {
		return nil
	}
	if len(resp.TransferEncoding) > 0 {
		delete(resp.Header, "Content-Length") // RFC 9112, 6.3
		return nil
	}
	length := ""
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			part = strings.Trim(part, " \t")
			if !digits(part) || length != "" && part != length {
				return &protocolError{"the answer has more than one length, or one that is no number"}
			}
			length = part
		}
	}
	if len(lines) > 1 || lines[0] != length {
		resp.Header["Content-Length"] = []string{length}
	}
	return nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && len(s) <= 18
}
