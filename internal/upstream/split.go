package upstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/asynched/api-gateway/exchange"
)

// A Share is one of several services of a route, and its weight relative to the others; 0 gets none.
type Share struct {
	Name    string
	Weight  int
	Handler exchange.Handler
}

// Split returns a handler that hands each exchange to one of the shares, by chance and weight. It is an error if none
// has a weight.
func Split(shares []Share) (exchange.Handler, error) {
	s := &split{}
	var weights []float64
	for _, share := range shares {
		if share.Weight > 0 {
			s.shares = append(s.shares, share)
			weights = append(weights, float64(share.Weight))
			s.sum += share.Weight
		}
	}
	if len(s.shares) == 0 {
		return nil, errors.New("services: none of them has a weight")
	}
	s.draw = newDraw(weights, rand.Uint64)
	return s, nil
}

type split struct {
	shares []Share
	draw   draw
	sum    int
}

// Handle hands the exchange to one of the services.
func (s *split) Handle(x *exchange.Exchange) (*http.Response, error) {
	share := &s.shares[s.draw.one()]
	if x.Explaining() {
		x.Note(exchange.StageBalance, share.Name, "picked",
			fmt.Sprintf("by chance, with weight %d of %d", share.Weight, s.sum))
	}
	return share.Handler.Handle(x)
}
