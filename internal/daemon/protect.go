package daemon

import (
	"math"
	"net"
	"os"
	"runtime/debug"

	"github.com/asynched/api-gateway/client"
	"github.com/asynched/api-gateway/config"
	"github.com/asynched/api-gateway/internal/metric"
	"github.com/asynched/api-gateway/internal/overload"
)

// protection keeps the gateway itself from running out of memory and file descriptors.
type protection struct {
	memory *overload.Monitor
	files  *overload.Files
	given  int64 // the runtime's limit of memory as the environment says, math.MaxInt64 for none
	ours   bool  // the environment says nothing about it, so it is ours to set
	levels levelLog
}

// protect starts with what the configuration says of overload. Nothing is watched before the monitor runs.
func (d *Daemon) protect(c *config.Overload) error {
	p := &d.protection
	p.levels.log = d.log
	p.given = math.MaxInt64
	if _, said := os.LookupEnv("GOMEMLIMIT"); said {
		p.given = debug.SetMemoryLimit(-1) // a negative one changes nothing
	} else {
		p.ours = true
	}
	p.files = overload.NewFiles(nil)
	p.memory = overload.New(p.terms(c), nil, d.memoryChanged)
	return d.metrics.Shortage(func() metric.Shortage {
		r := p.memory.Report()
		return metric.Shortage{Level: int(r.Level), Used: r.Used, Limit: r.Limit.Bytes}
	})
}

// terms returns the terms of the monitor, and sets the runtime's own limit if that is ours to set: garbage is collected
// more often then before the system would kill the process. A limit of the system is looked up anew each time, because it
// may have changed.
func (p *protection) terms(c *config.Overload) overload.Terms {
	limit := overload.FindLimit(os.DirFS("/"), int64(c.Memory.Limit), p.given)
	if p.ours && limit.Bytes > 0 {
		debug.SetMemoryLimit(limit.Bytes)
	}
	return overload.Terms{Limit: limit, Close: c.Memory.Close.Fraction(), Refuse: c.Memory.Refuse.Fraction()}
}

// memoryChanged tells of a new level of memory, and has the edge give back what it can.
func (d *Daemon) memoryChanged(c overload.Change) {
	d.protection.levels.changed(c)
	if c.To > c.From {
		d.edge.Relieve(c.To)
	}
}

// dial makes connections to instances, as long as there are descriptors.
func (p *protection) dial() overload.DialFunc { return p.files.Dial(new(net.Dialer).DialContext) }

// kept is the share of the memory that bodies of requests may take which are kept to be sent again.
const kept = 8

// keep returns how many bytes that is, none while memory is short: it is better not to retry than to refuse.
func (p *protection) keep() int64 {
	r := p.memory.Report()
	switch {
	case r.Level > overload.OK:
		return 0
	case r.Limit.Bytes == 0:
		return math.MaxInt64
	}
	return r.Limit.Bytes / kept
}

// resources tells what is used, for the status.
func (p *protection) resources() client.Resources {
	r := p.memory.Report()
	open, limit := p.files.Usage()
	return client.Resources{
		Level: r.Level.String(), MemoryUsed: r.Used, MemoryLimit: r.Limit.Bytes, MemoryLimitFrom: r.Limit.From,
		DescriptorsOpen: open, DescriptorsLimit: limit,
	}
}
