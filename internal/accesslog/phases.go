package accesslog

import (
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// appendPhases appends the parts of the duration. Those that every answer of an instance has come first and are always
// there; the others are left out if there was nothing of them.
func appendPhases(b []byte, e *Entry) []byte {
	t := &e.Timings
	if t.Sent > 0 {
		b = appendDuration(b, `,"wait_ms":`, t.First)
	}
	b = appendIf(b, `,"queue_ms":`, t.Queued, time.Microsecond)
	if t.Sent <= 0 {
		return b
	}
	b = appendIf(b, `,"retry_ms":`, t.Sent-t.First, time.Microsecond)
	if t.Head < t.Sent {
		return b
	}
	send := t.Wrote - t.Connected
	b = appendIf(b, `,"connect_ms":`, t.Connected-t.Sent, time.Microsecond)
	b = appendIf(b, `,"tls_ms":`, t.TLS, time.Microsecond)
	b = appendIf(b, `,"send_ms":`, send, time.Microsecond)
	b = appendIf(b, `,"send_client_ms":`, min(t.Reading, send), time.Millisecond)
	b = appendDuration(b, `,"first_byte_ms":`, t.Head-t.Wrote)
	transfer := e.Duration - t.Head
	b = appendDuration(b, `,"transfer_ms":`, transfer)
	return appendIf(b, `,"transfer_client_ms":`, min(t.Writing, transfer), time.Millisecond)
}

// appendIf appends a duration unless it is less than that.
func appendIf(b []byte, key string, d, least time.Duration) []byte {
	if d < least {
		return b
	}
	return appendDuration(b, key, d)
}

// appendTries appends the attempts, if there were several.
func appendTries(b []byte, all []exchange.Try) []byte {
	if len(all) == 0 {
		return b
	}
	b = append(b, `,"tries":[`...)
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTry(b, &all[i])
	}
	return append(b, ']')
}

func appendTry(b []byte, t *exchange.Try) []byte {
	b = append(escapeJSON(append(b, `{"instance":"`...), short(t.Instance)), '"')
	b = appendText(b, `,"address":"`, t.Address)
	b = appendText(b, `,"kind":"`, string(t.Kind))
	if t.Status != 0 {
		b = appendInt(b, `,"status":`, int64(t.Status))
	}
	b = appendText(b, `,"reason":"`, string(t.Reason))
	if t.Beaten {
		b = append(b, `,"beaten":true`...)
	}
	return append(appendDuration(b, `,"took_ms":`, t.Took), '}')
}

// appendGRPC appends the status of a gRPC call, which came from outside, if it is a number.
func appendGRPC(b []byte, status string) []byte {
	if status == "" || len(status) > 3 || status[0] == '0' && len(status) > 1 {
		return b
	}
	for i := range len(status) {
		if status[i] < '0' || status[i] > '9' {
			return b
		}
	}
	return append(append(b, `,"grpc_status":`...), status...)
}
