//go:build !race

package upstream_test

// underRace tells that the race detector makes everything several times slower.
const underRace = false
