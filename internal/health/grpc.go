package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// grpcProbe returns a probe that calls grpc.health.v1.Health/Check for a service; "" is the whole server. The two
// messages have one field each and are coded by hand.
func grpcProbe(d *dialer, secure *tls.Config, service string) probe {
	t := transport2(d, secure)
	message := checkRequest(service)
	return func(ctx context.Context, address string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost,
			scheme(secure)+"://"+address+"/grpc.health.v1.Health/Check", bytes.NewReader(message))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
		req.Header.Set("User-Agent", userAgent)
		if deadline, ok := ctx.Deadline(); ok {
			req.Header.Set("Grpc-Timeout", strconv.FormatInt(max(1, time.Until(deadline).Milliseconds()), 10)+"m")
		}
		resp, err := t.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close() //nolint:errcheck // the answer is known
		return judgeGRPC(resp, service)
	}
}

// judgeGRPC reads an answer to Health/Check and returns nil if it says SERVING.
func judgeGRPC(resp *http.Response, service string) error {
	if resp.StatusCode != http.StatusOK {
		return finding(fmt.Sprintf("answered %d to a gRPC call", resp.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	code, text := resp.Trailer.Get("Grpc-Status"), resp.Trailer.Get("Grpc-Message")
	if code == "" { // an answer without a body has its trailers in the head
		code, text = resp.Header.Get("Grpc-Status"), resp.Header.Get("Grpc-Message")
	}
	switch code {
	case "0":
		return servingStatus(body)
	case "":
		return finding("answered without a grpc-status")
	case "5":
		return finding(fmt.Sprintf("knows no service %q", service))
	case "12":
		return finding("does not implement grpc.health.v1.Health")
	}
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	return finding(fmt.Sprintf("gRPC status %s: %.200q", code, text))
}

// checkRequest returns HealthCheckRequest{service} as one gRPC message: a byte for "not compressed", four for the
// length, and field 1, a string.
func checkRequest(service string) []byte {
	var field []byte
	if service != "" {
		field = append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service))), service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(field))), field...) //nolint:gosec // short
}

// servingStatus reads HealthCheckResponse: field 1 is the status, unknown ones are passed over. It returns nil for
// SERVING.
func servingStatus(message []byte) error {
	const garbled = finding("answered with no HealthCheckResponse")
	if len(message) < 5 || message[0] != 0 || int64(binary.BigEndian.Uint32(message[1:])) != int64(len(message)-5) {
		return garbled
	}
	var status uint64
	for rest := message[5:]; len(rest) > 0; {
		key, value, n := protoField(rest)
		if n == 0 {
			return garbled
		}
		if key == 1<<3 {
			status = value
		}
		rest = rest[n:]
	}
	switch status {
	case 0:
		return finding("UNKNOWN")
	case 1:
		return nil
	case 2:
		return finding("NOT_SERVING")
	case 3:
		return finding("SERVICE_UNKNOWN")
	}
	return finding(fmt.Sprintf("serving status %d", status))
}

// protoField reads one field of a protobuf message and returns its key, its value if that is a varint, and how many
// bytes it takes; zero if it is broken.
func protoField(b []byte) (key, value uint64, size int) {
	key, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, 0, 0
	}
	body := b[n:]
	switch key & 7 {
	case 0:
		value, size = binary.Uvarint(body)
		if size <= 0 {
			return 0, 0, 0
		}
	case 1:
		size = 8
	case 2:
		length, m := binary.Uvarint(body)
		if m <= 0 || length > uint64(len(body)) {
			return 0, 0, 0
		}
		size = m + int(length) //nolint:gosec // no longer than the message
	case 5:
		size = 4
	default:
		return 0, 0, 0
	}
	if size > len(body) {
		return 0, 0, 0
	}
	return key, value, n + size
}
