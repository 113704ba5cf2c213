package config

import "github.com/asynched/api-gateway/spec"

// CacheStorage is where the cache filters of all routes keep answers. They share it; without such a filter nothing of it is there.
// It cannot change while the gateway runs.
type CacheStorage struct {
	// Memory is the most that is kept in memory, heads and bookkeeping included. It is taken as it is used. An answer
	// longer than an eighth of it is not kept there.
	Memory spec.Size `json:"memory" default:"128MiB" min:"1MiB"`
	// Disk keeps answers that are too long for memory, and over a restart.
	Disk CacheDisk `json:"disk"`
}

// CacheDisk is where answers are kept that are too long for memory.
type CacheDisk struct {
	// Path of a directory of its own, relative to the data directory; without one nothing is kept on disk. It is made if it
	// does not exist.
	Path string `json:"path,omitempty"`
	// Size is the most that is kept there.
	Size spec.Size `json:"size" default:"10GiB" min:"1MiB"`
	// From is the length from which on answers are kept on disk and not in memory; 0B is an eighth of memory.
	From spec.Size `json:"from" default:"1MiB" min:"0B"`
	// Spill writes to the disk what memory has no more room for.
	Spill bool `json:"spill" default:"true"`
}

// memoryShare is the part of the memory, one in so many, that one answer may take.
const memoryShare = 8

// Check reports answers that memory would have to keep, and cannot.
func (c *CacheStorage) Check(k *spec.Checks) {
	if c.Disk.Path != "" && c.Disk.From > c.Memory/memoryShare && k.OK("memory", "disk.from") {
		k.Errorf("disk.from", "is more than an eighth of cache.memory: %v of %v", c.Disk.From, c.Memory)
	}
}
