package health

import (
	"context"

	"github.com/asynched/api-gateway/config"
)

// CheckBy returns a check of the given settings that probes by a function instead of a connection.
func CheckBy(a config.ActiveHealth, probe func(ctx context.Context, address string) error) *Check {
	return &Check{settings: settings{active: a}, probe: probe}
}

// SchedulePending returns how many probes are planned or wait for a slot.
func (c *Checker) SchedulePending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.schedule.due) + len(c.schedule.queue[slow]) + len(c.schedule.queue[quick])
}
