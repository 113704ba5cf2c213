package upstream

import "time"

// BucketOf returns the bucket that counts a time.
func BucketOf(took time.Duration) Bucket {
	from, to := bucketBounds(bucketOf(took))
	return Bucket{from, to, 1}
}

// Times are for tests of how times are counted.
type Times struct{ times }

// Observe counts a time.
func (t *Times) Observe(took time.Duration) { t.observe(took) }

// Buckets returns what was counted.
func (t *Times) Buckets() []Bucket { return t.buckets() }
