package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Lines of one part of the table, after which it says how many more there are.
const (
	maxDeclaredLines = 30
	maxBinaryLines   = 50
	maxProblemLines  = 200
)

// table writes an inventory for people. bufio.Writer keeps errors until Flush.
type table struct {
	w     *bufio.Writer
	img   *inventory.Image
	width int
}

func writeTable(w io.Writer, img *inventory.Image, o Options) error {
	t := &table{bufio.NewWriter(w), img, max(cmp.Or(o.Width, 100), 60)}
	t.head()
	t.layers()
	t.packages()
	t.declared()
	t.binaries()
	t.problems()
	return t.w.Flush()
}

func (t *table) field(label, value string) {
	if value != "" {
		t.line(fmt.Sprintf("%-14s%s", label, printable(value)))
	}
}

func (t *table) line(s string) {
	_, _ = t.w.WriteString(strings.TrimRight(s, " "))
	_ = t.w.WriteByte('\n')
}

func (t *table) head() {
	img := t.img
	t.field("Image", img.Reference)
	t.field("Digest", cmp.Or(string(img.Digest), string(img.ConfigDigest)))
	t.field("Platform", platform(img.Config.OS, img.Config.Architecture, img.Config.Variant))
	if c := img.Config.Created; !c.IsZero() {
		t.field("Created", c.UTC().Format("2006-01-02 15:04:05 MST"))
	}
	if d := img.Distro; d != nil {
		t.field("Distribution", cmp.Or(d.PrettyName, strings.TrimSpace(d.ID+" "+d.Version)))
	}
	t.field("Packages", t.total())
	if c := img.Coverage; c.Executables > 0 {
		rest := c.Executables - c.AttributedFiles
		text := fmt.Sprintf("%s, %s; packages account for %s of the bytes", count(c.Executables, "file"), byteSize(c.Bytes), percent(c.AttributedBytes, c.Bytes))
		if rest > 0 {
			text += ", not for " + count(rest, "file")
		}
		t.field("Executables", text)
	}
	if n := len(img.Problems); n > 0 {
		t.field("Problems", thousands(n)+", listed below")
	}
}

// total is "230: 88 deb, 142 npm".
func (t *table) total() string {
	if len(t.img.Packages) == 0 {
		return "none"
	}
	by := make(map[string]int)
	for i := range t.img.Packages {
		by[t.img.Packages[i].Type]++
	}
	parts := make([]string, 0, len(by))
	for _, typ := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, thousands(by[typ])+" "+typ)
	}
	return thousands(len(t.img.Packages)) + ": " + strings.Join(parts, ", ")
}

func (t *table) layers() {
	if len(t.img.Layers) == 0 {
		return
	}
	rows := make([][]string, 0, len(t.img.Layers))
	for i, l := range t.img.Layers {
		rows = append(rows, []string{strconv.Itoa(i), byteSize(l.Size), thousands(l.Files), instruction(l.CreatedBy)})
	}
	t.title(count(len(t.img.Layers), "layer"))
	t.grid([]column{{title: "#", right: true}, {title: "SIZE", right: true}, {title: "FILES", right: true}, {title: "INSTRUCTION"}}, rows)
}

func (t *table) title(s string) { t.line("\n" + s) }

// packages lists the installed packages, a part for each type. The list is
// sorted by type.
func (t *table) packages() {
	list := t.img.Packages
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && list[end].Type == list[start].Type {
			end++
		}
		rows := make([][]string, 0, end-start)
		for i := start; i < end; i++ {
			p := &list[i]
			rows = append(rows, []string{printable(name(p)), printable(p.Version), printable(licenses(p.StatedLicenses())), t.origin(p)})
		}
		t.title(printable(list[start].Type) + ": " + count(end-start, "package"))
		t.grid([]column{{title: "NAME", share: 36}, {title: "VERSION", share: 24}, {title: "LICENCE", share: 26}, {title: "LAYER"}}, rows)
		start = end
	}
}

// origin says which layer brought a package, and which package owns it or
// which instruction made the layer.
func (t *table) origin(p *inventory.Package) string {
	where := "-"
	if p.Layer >= 0 {
		where = strconv.Itoa(p.Layer)
	}
	if p.Owner != "" {
		return where + " in " + printable(p.Owner)
	}
	if len(t.img.Layers) > 1 {
		if by := instruction(layer(t.img, p.Layer).CreatedBy); by != "" {
			return where + " " + by
		}
	}
	return where
}

// declared sums up what lock files and manifests only speak of.
func (t *table) declared() {
	if len(t.img.Declared) == 0 {
		return
	}
	type source struct{ typ, path string }
	by := make(map[source]int)
	for i := range t.img.Declared {
		p := &t.img.Declared[i]
		by[source{p.Type, p.Path}]++
	}
	keys := slices.SortedFunc(maps.Keys(by), func(a, b source) int {
		return cmp.Or(strings.Compare(a.typ, b.typ), strings.Compare(a.path, b.path))
	})
	rows := make([][]string, 0, len(keys))
	for _, k := range keys {
		rows = append(rows, []string{printable(k.typ), thousands(by[k]), "/" + printable(k.path)})
	}
	t.title("Declared by lock files and manifests, not found installed: " + count(len(t.img.Declared), "package"))
	t.part([]column{{title: "TYPE"}, {title: "PACKAGES", right: true}, {title: "FILE"}}, rows, maxDeclaredLines, "file")
}

func (t *table) binaries() {
	if len(t.img.Binaries) == 0 {
		return
	}
	rows := make([][]string, 0, len(t.img.Binaries))
	for i := range t.img.Binaries {
		b := &t.img.Binaries[i]
		what := strings.TrimSpace(b.Type + " " + b.Language)
		if b.Static {
			what += ", static"
		}
		rows = append(rows, []string{"/" + printable(b.Path), byteSize(b.Size), printable(what), strconv.Itoa(b.Layer)})
	}
	t.title("Executables of no package: " + count(len(t.img.Binaries), "file"))
	t.part([]column{{title: "FILE", share: 60}, {title: "SIZE", right: true}, {title: "KIND"}, {title: "LAYER", right: true}}, rows, maxBinaryLines, "file")
}

func (t *table) problems() {
	if len(t.img.Problems) == 0 {
		return
	}
	t.title("What could not be read: " + count(len(t.img.Problems), "problem"))
	for i, p := range t.img.Problems {
		if i == maxProblemLines {
			t.more(len(t.img.Problems)-i, "problem")
			break
		}
		var b strings.Builder
		b.WriteString("  ")
		if p.Path != "" {
			b.WriteString("/" + printable(p.Path) + ": ")
		}
		b.WriteString(printable(p.Message))
		var notes []string
		if p.Layer >= 0 {
			notes = append(notes, "layer "+strconv.Itoa(p.Layer))
		}
		if p.Analyzer != "" {
			notes = append(notes, printable(p.Analyzer))
		}
		if p.Limit != "" {
			notes = append(notes, "limit: "+printable(p.Limit))
		}
		if notes != nil {
			b.WriteString(" (" + strings.Join(notes, ", ") + ")")
		}
		t.line(b.String())
	}
}

func (t *table) more(n int, noun string) {
	t.line("  … and " + count(n, noun) + " more; -o json has all")
}

// part writes the first rows of a longer list.
func (t *table) part(cols []column, rows [][]string, most int, noun string) {
	rest := len(rows) - most
	if rest > 0 {
		rows = rows[:most]
	}
	t.grid(cols, rows)
	if rest > 0 {
		t.more(rest, noun)
	}
}

// column is one of a grid. Share is the part of the line, in percent, beyond
// which it is cut when the line is full; the last column takes what is left.
type column struct {
	title string
	share int
	right bool
	width int
	paint func(string) string // of cells; nil for plain text
}

// grid writes rows under titles, two blanks between columns.
func (t *table) grid(cols []column, rows [][]string) {
	for i := range cols {
		cols[i].width = len(cols[i].title)
		for _, r := range rows {
			cols[i].width = max(cols[i].width, utf8.RuneCountInString(r[i]))
		}
	}
	t.fit(cols)
	titles := make([]string, len(cols))
	for i := range cols {
		titles[i] = cols[i].title
	}
	var b strings.Builder
	for i := -1; i < len(rows); i++ {
		row := titles
		if i >= 0 {
			row = rows[i]
		}
		b.Reset()
		for k, c := range cols {
			cell := shorten(c.width, row[k])
			if cell == "" && i >= 0 {
				cell = "-"
			}
			pad := strings.Repeat(" ", c.width-utf8.RuneCountInString(cell))
			if c.paint != nil && i >= 0 {
				cell = c.paint(cell)
			}
			b.WriteString("  ")
			if c.right {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
		}
		t.line(b.String())
	}
}

// fit cuts columns until a line has no more than the width: those beyond
// their share first, by what the line is too long, then the last.
func (t *table) fit(cols []column) {
	over := -t.width
	for _, c := range cols {
		over += c.width + 2
	}
	last := len(cols) - 1
	if least := max(len(cols[last].title), 12); over > 0 && cols[last].width > least {
		cut := min(over, cols[last].width-least)
		cols[last].width -= cut
		over -= cut
	}
	for over > 0 {
		// The one that is most beyond its share.
		worst, excess := -1, 0
		for i, c := range cols {
			if c.share > 0 && c.width-c.share*t.width/100 > excess {
				worst, excess = i, c.width-c.share*t.width/100
			}
		}
		if worst < 0 {
			return // a longer line rather than an unreadable one
		}
		cols[worst].width--
		over--
	}
}
