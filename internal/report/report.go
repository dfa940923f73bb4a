// Package report renders inventories, and scans with their findings, for
// people and for other programs. Everything that an image or an advisory says
// is hostile text here: each format escapes it in its own way, and what goes to
// a terminal holds no control characters.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// The formats that are not those of package bom.
const (
	Table    = "table"
	Template = "template"
)

// Options say how a report is made.
type Options struct {
	Tool        string // "tidewaiter" when empty
	ToolVersion string
	// Created is the time a document states; when zero that of the image, so
	// that the same image gives the same bytes.
	Created  time.Time
	Width    int    // columns of a table; 100 when zero, at least 60
	Template string // text of the template

	// The rest is for scans alone.

	// Suppressed also lists findings that do not count in the table, Markdown,
	// SARIF and GitLab formats, which otherwise only count them.
	Suppressed bool
	Color      bool // of severities in the table: for terminals only
	// Author and Namespace (an address) say who makes the statements of a VEX
	// document; the tool when empty.
	Author, Namespace string
}

// Formats lists the formats that need nothing but an image, the table first.
func Formats() []string {
	list := []string{Table}
	for _, f := range bom.Formats() {
		list = append(list, string(f))
	}
	return append(list, Files)
}

// Known reports whether [Write] knows a format: those of [Formats] and "template".
func Known(format string) bool {
	return format == Template || slices.Contains(Formats(), format)
}

// Write writes img to w in a format that is [Known].
func Write(w io.Writer, format string, img *inventory.Image, o Options) error {
	switch {
	case format == Table:
		return writeTable(w, img, o)
	case format == Template:
		return writeTemplate(w, img, o)
	case format == Files:
		return writeFiles(w, img)
	case Known(format):
		return bom.Write(w, bom.Format(format), img, bom.Options{Tool: o.Tool, ToolVersion: o.ToolVersion, Created: o.Created})
	}
	return fmt.Errorf("format %q is not known; there are %s and %s", format, strings.Join(Formats(), ", "), Template)
}
