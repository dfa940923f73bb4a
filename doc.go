// Package tidewaiter is the module's root; the program is cmd/tidewaiter, the
// house is described in docs/architecture.md. It holds the documents that the
// program itself prints, and the policies that come with it.
package tidewaiter

import "embed"

// Coverage says of every analyzer, source and gate whether it is proven on
// real input, tested on fixtures only, or absent.
//
//go:embed docs/coverage.md
var Coverage string

// Policies are the policies that come with the program, each a file
// examples/policies/NAME.json.
//
//go:embed examples/policies/*.json
var Policies embed.FS
