// Package tidewaiter is the module's root; the program is cmd/tidewaiter, the
// house is described in docs/architecture.md. It holds the documents that the
// program itself prints.
package tidewaiter

import _ "embed" // for the documents

// Coverage says of every analyzer, source and gate whether it is proven on
// real input, tested on fixtures only, or absent.
//
//go:embed docs/coverage.md
var Coverage string
