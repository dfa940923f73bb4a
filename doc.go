// Package tidewaiter is the module's root; the program is cmd/tidewaiter, the
// house is described in docs/architecture.md.
package tidewaiter
