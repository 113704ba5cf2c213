package edge

import (
	"time"

	"github.com/asynched/api-gateway/exchange"
)

// lingering is how long the client of a request that is refused may still send its body: if the connection were closed
// on it, it might not see the answer.
const lingering = 500 * time.Millisecond

// refuse answers a request that the gateway has no memory for, before anything is done about it.
func (v *visit) refuse() {
	identify(&v.x)
	_ = v.target() // for the log; what is wrong with it does not matter now
	if r := v.x.Request; r.ProtoMajor == 1 && r.ContentLength != 0 {
		_ = v.conn.SetReadDeadline(time.Now().Add(lingering)) // one that is closed gets no answer
	}
	v.fail(exchange.Errorf(exchange.GatewayOverloaded, "the gateway is short of memory and takes no new requests for now"))
}

// makeRoom has the client of a request that failed because the gateway is short of something come back later, and over
// another connection. Other errors stay as they are.
func (v *visit) makeRoom(e *exchange.Error) *exchange.Error {
	if e.Reason != exchange.GatewayOverloaded {
		return e
	}
	if !v.sent {
		v.w.Header()["Connection"] = closing
	}
	if e.RetryAfter > 0 {
		return e
	}
	later := *e // an error is nobody's to change
	later.RetryAfter = v.snap.Config.Overload.RetryAfter.Std()
	return &later
}
