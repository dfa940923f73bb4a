// Package report renders inventories for people and for other programs: a
// table, templates, and every format of package bom. Findings and verdicts
// have their reports here, too, once there are any.
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
}

// Formats lists the formats that need nothing but an image, the table first.
func Formats() []string {
	list := []string{Table}
	for _, f := range bom.Formats() {
		list = append(list, string(f))
	}
	return list
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
	case Known(format):
		return bom.Write(w, bom.Format(format), img, bom.Options{Tool: o.Tool, ToolVersion: o.ToolVersion, Created: o.Created})
	}
	return fmt.Errorf("format %q is not known; there are %s and %s", format, strings.Join(Formats(), ", "), Template)
}
