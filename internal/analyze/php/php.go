// Package php reads what Composer and PEAR write down of installed packages,
// and Composer's lock file.
package php

import (
	"context"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads Composer's vendor/composer/installed.json, of version 1 and
// 2, and the registry of PEAR and PECL. PEAR's packages have the type "pear"
// and their channel as namespace.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "php" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if installedReader(e.Path) != nil {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	return readEach(ctx, files, out, installedReader)
}

// LockAnalyzer reads composer.lock. All of it is Declared, what stands under
// packages-dev with Scope "dev". Lock files inside installed packages are
// left alone.
type LockAnalyzer struct{}

var _ analyze.Analyzer = LockAnalyzer{}

// Name implements [analyze.Analyzer].
func (LockAnalyzer) Name() string { return "php-lock" }

// Version implements [analyze.Analyzer].
func (LockAnalyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (LockAnalyzer) Wants(e analyze.Entry) analyze.Interest {
	if lockReader(e.Path) != nil {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (LockAnalyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	return readEach(ctx, files, out, lockReader)
}

type reader func(f *analyze.File, out *inventory.Record) error

func readEach(ctx context.Context, files fs.FS, out *inventory.Record, pick func(string) reader) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		read := pick(f.Path)
		if read == nil && err == nil {
			continue
		}
		if err == nil {
			err = read(f, out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

// installedReader is what reads the file of a path, nil for most.
func installedReader(path string) reader {
	switch {
	case strings.HasSuffix(path, ".reg"):
		// lib/php/.registry/name.reg, .registry/.channel.pecl.php.net/name.reg
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return nil
		}
		dir := path[:i]
		if j := strings.LastIndex(dir, "/.channel."); j >= 0 && !strings.Contains(dir[j+1:], "/") {
			dir = dir[:j]
		}
		if strings.HasSuffix(dir, "/.registry") {
			return readPEAR
		}
	case strings.HasSuffix(path, "/composer/installed.json"):
		if !inPackageTests(path) {
			return readInstalled
		}
	}
	return nil
}

func lockReader(path string) reader {
	if path != "composer.lock" && !strings.HasSuffix(path, "/composer.lock") {
		return nil
	}
	for _, dir := range [...]string{"/vendor/", "/node_modules/", "/gems/", "-packages/", "/pkg/mod/"} {
		if strings.Contains(path, dir) {
			return nil
		}
	}
	if strings.HasPrefix(path, "vendor/") || strings.HasPrefix(path, "usr/share/doc/") || strings.HasPrefix(path, "usr/share/php/") {
		return nil
	}
	return readLock
}

// inPackageTests reports whether a path lies in a folder for tests inside of
// some package: that one's fixtures.
func inPackageTests(path string) bool {
	_, rest, ok := strings.Cut("/"+path, "/vendor/")
	if !ok {
		return false
	}
	for part := range strings.SplitSeq(rest, "/") {
		switch part {
		case "test", "tests", "Test", "Tests", "fixtures", "Fixtures", "examples":
			return true
		}
	}
	return false
}
