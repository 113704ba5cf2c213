package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/lease"
	"github.com/asynched/api-gateway/internal/metric"
)

// Env is what services are built with.
type Env struct {
	// Leases lends connection pools, settings and services over snapshots. Required.
	Leases *lease.Borrower
	// Metrics counts attempts, retries and ejections; nil counts nothing.
	Metrics *metric.Set
	// Dial makes connections; nil is the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Yields is told of each pool how its idle connections are closed, for when there are too few file descriptors. It returns
	// how to forget that again. Nil is told nothing.
	Yields func(closeIdle func()) (forget func())
	// Keep returns how many bytes of requests' bodies may be kept to send them again, over all services; nil is 64 MiB, which
	// it cannot exceed. It is called for each 4 KiB.
	Keep func() int64
	// Rand returns 64 random bits and may be called by many goroutines at once; nil is the runtime's generator.
	Rand func() uint64
	// Engine sends requests instead of a pool of connections; for tests and measurements.
	Engine http.RoundTripper
}

// Settings are what the configuration of a service says about sending to it, compiled. They are immutable and shared by
// all services that are configured alike, and by those over the next snapshots.
type Settings struct {
	scheme    string
	http2     bool
	grpc      bool
	balance   balance
	ejection  Ejection
	errors    []config.Statuses // that are failures of an instance
	timeouts  timeouts
	retries   retries
	isolation isolation
	engine    http.RoundTripper
	rand      func() uint64
	metrics   *metric.Set
	key       string // the same for the same configuration and the same contents of its files
	watches   sync.Pool
	memory    *blocks // for bodies that are kept
}

type balance struct {
	policy    string
	key       hashKey
	sticky    *sticky
	slowStart time.Duration
	panics    float64
}

// timeouts towards the instances; 0 is none.
type timeouts struct{ response, idle, request time.Duration }

// Compile makes Settings of a service's configuration. Its instances and its active checks do not matter to them.
// Errors name the key: tls.ca. The pool of connections depends on the protocol, the connect timeout and TLS alone, so
// that services that agree on these share one.
func Compile(c *config.Service, env Env) (*Settings, error) { return compileFor("", c, env) }

// compileFor does it for one service, which does not share its pool if its connections have a cap: to make room for one of
// its own would close idle ones of others.
func compileFor(name string, c *config.Service, env Env) (*Settings, error) {
	files, err := readTLS(c)
	if err != nil {
		return nil, err
	}
	if env.Engine != nil {
		return compile(c, env, env.Engine, "")
	}
	pooled, err := lease.Borrow(env.Leases, "upstream/pool/"+poolKey(name, c, files), func() (*pool, error) {
		return newPool(c, files, env)
	})
	if err != nil {
		return nil, err
	}
	if _, err := borrowBlocks(env); err != nil { // for this snapshot too, if it is not the one that compiles
		return nil, err
	}
	key, err := settingsKey(name, c, files)
	if err != nil {
		return nil, err
	}
	return lease.Borrow(env.Leases, "upstream/settings/"+key, func() (*Settings, error) {
		return compile(c, env, pooled, key)
	})
}

func compile(c *config.Service, env Env, engine http.RoundTripper, key string) (*Settings, error) {
	s := &Settings{
		scheme: "http", http2: c.HTTP2(), grpc: c.GRPC(), engine: engine, rand: env.Rand, metrics: env.Metrics, key: key,
		balance: balance{
			policy: c.Balance.Policy, slowStart: time.Duration(c.Balance.SlowStart), panics: c.Balance.Panic.Fraction(),
		},
		ejection: compileEjection(&c.Health.Passive),
		timeouts: timeouts{
			response: time.Duration(c.Timeouts.Response), idle: time.Duration(c.Timeouts.Idle),
			request: time.Duration(c.Timeouts.Request),
		},
		isolation: isolation{breaker: c.Breaker, concurrency: c.Concurrency},
	}
	for _, e := range c.Health.Passive.Errors {
		s.errors = append(s.errors, e.Statuses)
	}
	s.watches.New = func() any { return newWatch(s) }
	var err error
	if s.memory, err = borrowBlocks(env); err != nil {
		return nil, err
	}
	if c.Secure() {
		s.scheme = "https"
	}
	if s.grpc {
		s.timeouts.response = 0 // the call has its own deadline
	}
	if s.rand == nil {
		s.rand = rand.Uint64
	}
	if t := c.Balance.Sticky; t != nil {
		s.balance.sticky = &sticky{cookie: t.Cookie, ttl: time.Duration(t.TTL)}
	}
	if s.balance.policy == "hash" {
		if s.balance.key, err = parseHashKey(c.Balance.Hash.Key); err != nil {
			return nil, err
		}
	}
	s.retries, err = compileRetries(c)
	return s, err
}

func compileEjection(c *config.PassiveHealth) Ejection {
	o := &c.Outliers
	return Ejection{
		After: c.ConsecutiveErrors, For: time.Duration(c.Eject), Most: c.MaxEjected.Fraction(), Observe: c.Observe,
		Outliers: Outliers{
			Deviations: o.Deviations, ErrorRate: o.ErrorRate.Fraction(), Interval: time.Duration(o.Interval),
			Requests: uint64(max(o.MinRequests, 1)), Instances: max(o.MinInstances, 2),
		},
	}
}

// wrong tells whether a status is a failure of an instance.
func (s *Settings) wrong(status int) bool {
	if status >= http.StatusBadRequest {
		for _, e := range s.errors {
			if e.From <= status && status <= e.To {
				return true
			}
		}
	}
	return false
}

// settingsKey returns a hash of all that Settings are made of.
func settingsKey(name string, c *config.Service, files tlsFiles) (string, error) {
	d := *c
	d.Instances, d.Health.Active = nil, config.ActiveHealth{}
	text, err := json.Marshal(&d)
	if err != nil {
		return "", fmt.Errorf("hash the configuration: %w", err)
	}
	return digest(string(text), files.digest(), poolOwner(name, c)), nil
}

// digest returns a hash of the parts.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
