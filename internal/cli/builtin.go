package cli

import (
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/apk"
	"github.com/tidewaiter/tidewaiter/internal/analyze/distro"
	"github.com/tidewaiter/tidewaiter/internal/analyze/dotnet"
	"github.com/tidewaiter/tidewaiter/internal/analyze/dpkg"
	"github.com/tidewaiter/tidewaiter/internal/analyze/golang"
	"github.com/tidewaiter/tidewaiter/internal/analyze/java"
	"github.com/tidewaiter/tidewaiter/internal/analyze/node"
	"github.com/tidewaiter/tidewaiter/internal/analyze/pacman"
	"github.com/tidewaiter/tidewaiter/internal/analyze/php"
	"github.com/tidewaiter/tidewaiter/internal/analyze/portage"
	"github.com/tidewaiter/tidewaiter/internal/analyze/python"
	"github.com/tidewaiter/tidewaiter/internal/analyze/rpm"
	"github.com/tidewaiter/tidewaiter/internal/analyze/ruby"
	"github.com/tidewaiter/tidewaiter/internal/analyze/rust"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/debian"
)

// analyzers lists every analyzer of the product.
func analyzers() []analyze.Analyzer {
	return []analyze.Analyzer{
		distro.Analyzer{},
		dpkg.Analyzer{},
		rpm.Analyzer{},
		apk.Analyzer{},
		pacman.Analyzer{},
		portage.Analyzer{},
		python.Analyzer{}, python.LockAnalyzer{},
		node.Analyzer{}, node.LockAnalyzer{},
		ruby.Analyzer{}, ruby.LockAnalyzer{},
		java.Analyzer{}, java.Lock{},
		golang.Analyzer{}, golang.Mod{},
		rust.Analyzer{}, rust.Lock{},
		dotnet.Analyzer{}, dotnet.Lock{},
		php.Analyzer{}, php.LockAnalyzer{},
	}
}

// sources lists every feed of the product.
func sources() []feed.Source {
	return slices.Concat(
		debian.Sources(),
	)
}
