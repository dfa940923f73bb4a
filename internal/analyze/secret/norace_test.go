//go:build !race

package secret

// slowdown is what the race detector costs.
const slowdown = 1
