package upstream

import (
	"errors"
	"net/http"
	"net/textproto"
)

// maxInforms is how many interim responses an instance may send to one request.
const maxInforms = 100

var errFlood = errors.New("too many interim responses")

// got1xx is told by the engine of an interim response. 100 (Continue) is between the engine and the instance: it makes
// the engine read the body, which makes the client's side send its own.
func (a *attempt) got1xx(status int, fields textproto.MIMEHeader) error {
	a.informs.mu.Lock()
	defer a.informs.mu.Unlock()
	if a.informs.n++; a.informs.n > maxInforms {
		a.informs.flood = true
		return errFlood
	}
	if status == http.StatusContinue || a.informs.over {
		return nil
	}
	h := http.Header(fields)
	dropHopByHop(h)
	delete(h, "Content-Length")
	a.x.Inform(status, h)
	return nil
}

// flooded tells whether there were too many interim responses.
func (a *attempt) flooded() bool {
	a.informs.mu.Lock()
	defer a.informs.mu.Unlock()
	return a.informs.flood
}
