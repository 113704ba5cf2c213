package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/asynched/api-gateway/exchange"
	"github.com/asynched/api-gateway/internal/overload"
)

// A failure is how an attempt went wrong.
type failure struct {
	err   *exchange.Error
	fault bool  // the instance's
	cause cause // what it is called under retries.when
	sent  bool  // the instance may have acted upon something of the request
	whole bool  // the body can be had from its beginning once more
	stale bool  // the connection had been there, and turned out dead before anything was written to it
}

// A cause is what makes another attempt worth while.
type cause string

const (
	causeNone    cause = ""
	causeConnect cause = "connect"
	causeReset   cause = "reset"
	causeTimeout cause = "timeout"
)

// classify finds out what an error of the engine means. What ended the attempt from this side comes first: the errors
// that follow from it say nothing.
func (a *attempt) classify(err error) *failure {
	var f *failure
	if a.route.service.guard != nil {
		f = a.unconnected(err)
	}
	if f == nil {
		f = a.ours(err)
	}
	if f == nil {
		f = a.theirs(err)
	}
	f.err.Retry = !f.sent || a.route.repeatable(a.x.Request)
	return f
}

// ours returns the failure if it is not the instance that ended the attempt, or if a timeout did.
func (a *attempt) ours(err error) *failure {
	if context.Cause(a.request.Context()) == errBeaten {
		return &failure{err: exchange.Errorf(exchange.ClientGone, "another attempt was quicker"), sent: true}
	}
	if e := a.out.err(); e != nil {
		return &failure{err: bodyError(e), sent: true}
	}
	switch a.expired.Load() {
	case expiredResponse:
		f := a.fault(exchange.UpstreamTimeout, "the instance did not begin its answer in time",
			fmt.Errorf("no head within %v", a.route.timeouts.response))
		f.cause = causeTimeout
		return f
	case expiredRequest:
		f := a.fault(exchange.RequestTimeout, "the request took too long",
			fmt.Errorf("no answer within %v", a.route.timeouts.request))
		f.fault = a.route.service.group.now()-a.began >= a.route.timeouts.request/2 // or earlier attempts used up the time
		return f
	case expiredIdle:
		return a.fault(exchange.UpstreamTimeout, "the instance fell silent", fmt.Errorf("silent for %v", a.route.timeouts.idle))
	}
	if ctx := a.x.Request.Context(); ctx.Err() != nil && !a.out.dropped() {
		return &failure{err: clientGone(ctx), sent: true}
	}
	if a.pastDeadline() {
		return &failure{err: exchange.Errorf(exchange.RequestTimeout, "the deadline of the call is over").Because(err), sent: true}
	}
	if a.got == 0 && !errors.As(err, new(*dialError)) && !reset(err) {
		return &failure{err: exchange.Errorf(exchange.Internal, "the request cannot be sent").Because(err)}
	}
	return nil
}

// theirs returns the failure that the instance is to blame for.
func (a *attempt) theirs(err error) *failure {
	var dial *dialError
	var breach *protocolError
	switch {
	case errors.As(err, &dial):
		return a.undialed(dial)
	case a.flooded():
		return a.fault(exchange.UpstreamProtocol, "the instance sent too many interim responses", err)
	case errors.As(err, &breach):
		return a.fault(exchange.UpstreamProtocol, breach.detail, err)
	case unwritten(err):
		f := a.fault(exchange.UpstreamReset, "the instance closed the connection before it had answered", err)
		f.cause, f.sent, f.stale, f.fault = causeReset, false, true, false
		return f
	case a.repeated, a.torn(), reset(err), a.out.dropped() && (errors.Is(err, context.Canceled) || errors.Is(err, errCut)):
		f := a.fault(exchange.UpstreamReset, "the instance closed the connection before it had answered", err)
		f.cause, f.sent = causeReset, a.sent() && !refused(err) // what the engine repeats is safe, or was not sent
		if f.stale = a.reused && !a.repeated && !a.sent() && !a.route.service.settings.http2; f.stale {
			f.fault = false // closing an idle connection is no failure
		}
		return f
	}
	return a.fault(exchange.UpstreamProtocol, "the instance does not speak the configured protocol as it should", err)
}

// undialed returns the failure of an attempt for which no connection could be made.
func (a *attempt) undialed(dial *dialError) *failure {
	if overload.Short(dial.err) {
		err := exchange.Errorf(exchange.GatewayOverloaded, "the gateway is short of file descriptors for a connection to the service")
		return &failure{cause: causeConnect, err: err.Because(dial)}
	}
	reason, detail, proxy := exchange.UpstreamConnect, "no connection to the instance could be made", ""
	var dns *net.DNSError
	switch {
	case dial.timeout():
		reason, detail, proxy = exchange.UpstreamTimeout, "the instance did not accept a connection in time", "connection_timeout"
	case dial.step == "tls":
		reason, detail = exchange.UpstreamTLS, "the TLS handshake with the instance failed"
	case dial.step == "protocol":
		reason, detail = exchange.UpstreamProtocol, "the instance does not offer HTTP/2 over TLS"
	case errors.Is(dial.err, syscall.ECONNREFUSED):
		detail = "the instance refuses connections"
	case errors.As(dial.err, &dns):
		detail, proxy = "the name of the instance does not resolve", "dns_error"
	case errors.Is(dial.err, syscall.EHOSTUNREACH), errors.Is(dial.err, syscall.ENETUNREACH):
		detail, proxy = "the instance cannot be reached", "destination_ip_unroutable"
	}
	f := a.fault(reason, detail, dial)
	f.err.Proxy = proxy
	f.cause, f.sent = causeConnect, false
	if m := a.instance.state.metrics; m != nil {
		m.ConnectFailed()
	}
	return f
}

// fault returns a failure that is the instance's fault. The cause names it; the detail does not.
func (a *attempt) fault(reason exchange.Reason, detail string, err error) *failure {
	i := a.instance
	err = fmt.Errorf("service %s, instance %s at %s: %w", a.route.service.name, i.ID, i.Address, err)
	return &failure{fault: true, sent: true, err: exchange.Errorf(reason, "%s", detail).Because(err)}
}

// bodyError returns the error for a request whose body could not be read from the client.
func bodyError(err error) *exchange.Error {
	var known *exchange.Error
	if errors.As(err, &known) {
		return known
	}
	return exchange.Errorf(exchange.ClientGone, "the body of the request broke off").Because(err)
}

// clientGone returns the error for an exchange whose context has ended.
func clientGone(ctx context.Context) *exchange.Error {
	err := context.Cause(ctx)
	var known *exchange.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.DeadlineExceeded):
		return exchange.Errorf(exchange.RequestTimeout, "the request took too long").Because(err)
	}
	return exchange.Errorf(exchange.ClientGone, "the client closed the connection before it had its answer").Because(err)
}

// streamError has the shape of the engine's error for an HTTP/2 stream, which it gives to whoever asks with errors.As.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (e streamError) Error() string { return fmt.Sprintf("stream error %d", e.Code) }

// reset tells whether an instance hung up, rather than answered what is not HTTP. The standard engine has values for few
// of its errors; the rest it is known by what they say.
func reset(err error) bool {
	var stream streamError
	if errors.As(err, &stream) {
		return stream.Cause != nil && strings.Contains(stream.Cause.Error(), "received from peer")
	}
	var op *net.OpError
	for _, known := range [...]error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, known) || errors.As(err, &op) {
			return !strings.Contains(err.Error(), "HTTP/1.1 header") // what looked like an HTTP/2 frame was something else
		}
	}
	text := err.Error()
	for _, part := range [...]string{
		"server closed idle connection", "client connection lost", "client conn not usable", "client conn is closed",
		"client connection force closed", "GOAWAY", "REFUSED_STREAM", "received from peer", "connection broken: EOF",
		"unexpected EOF reading trailer",
	} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// unwritten tells whether the connection ended after it was picked and before anything of the request was written. The
// engine takes another one then, but for a request with a body, which it says it cannot rewind although it has not read it.
func unwritten(err error) bool {
	return strings.Contains(err.Error(), "cannot rewind body after connection loss")
}

// refused tells whether an HTTP/2 instance has said that it did not act upon the request (RFC 9113, 8.7).
func refused(err error) bool {
	var stream streamError
	if errors.As(err, &stream) {
		return stream.Code == 7
	}
	text := err.Error()
	if strings.Contains(text, "LastStreamID=") {
		return false // a GOAWAY that covers the request, and says what the instance likes
	}
	return strings.Contains(text, "REFUSED_STREAM") || strings.Contains(text, "graceful shutdown GOAWAY") ||
		strings.Contains(text, "client conn not usable")
}
