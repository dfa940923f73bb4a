package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// printable makes text fit for one line of a terminal: what an image says
// must not move the cursor, change colours or run over other text.
func printable(s string) string {
	ok := true
	for _, r := range s {
		if r != ' ' && !unicode.IsPrint(r) || r == utf8.RuneError {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	var b strings.Builder
	blank := false
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == ' ':
			if !blank {
				b.WriteByte(' ')
			}
			blank = true
			continue
		case !unicode.IsPrint(r):
			r = utf8.RuneError
		}
		blank = false
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// shorten cuts printable text to a number of columns, of which the last is
// then an ellipsis.
func shorten(columns int, s string) string {
	if len(s) <= columns || utf8.RuneCountInString(s) <= columns {
		return s
	}
	n := 0
	for i := range s {
		if n++; n == columns {
			return s[:i] + "…"
		}
	}
	return s
}

// byteSize writes a number of bytes with three digits at most: 28.2 MB.
func byteSize(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n), 0
	for f >= 999.5 && unit < 5 {
		f /= 1000
		unit++
	}
	digits := 1
	if f >= 99.95 {
		digits = 0
	}
	return strconv.FormatFloat(f, 'f', digits, 64) + " " + [...]string{"B", "kB", "MB", "GB", "TB", "PB"}[unit]
}

// count writes a number with a noun: "1 package", "3,412 packages".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if n := len(noun); n > 1 && noun[n-1] == 'y' && !strings.ContainsRune("aeiou", rune(noun[n-2])) {
		noun = strings.TrimSuffix(noun, "y") + "ies"
	} else {
		noun += "s"
	}
	return thousands(n) + " " + noun
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// licenses is all that is known of a package's licences: expressions where
// there are some, else the words of the package.
func licenses(ls []inventory.License) string {
	var parts []string
	for _, l := range ls {
		text := l.Expression
		if text == "" {
			text = l.Raw
		}
		known := text == ""
		for _, p := range parts {
			known = known || p == text
		}
		if !known {
			parts = append(parts, text)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	for i, p := range parts {
		if strings.Contains(p, " OR ") {
			parts[i] = "(" + p + ")"
		}
	}
	return strings.Join(parts, " AND ")
}

// instruction is the part of a layer's history that tells layers apart.
func instruction(createdBy string) string {
	s := printable(createdBy)
	s = strings.TrimSuffix(s, " # buildkit")
	if rest, ok := strings.CutPrefix(s, "/bin/sh -c #(nop) "); ok {
		return strings.TrimSpace(rest)
	}
	if rest, ok := strings.CutPrefix(s, "/bin/sh -c "); ok {
		return "RUN " + rest
	}
	if rest, ok := strings.CutPrefix(s, "RUN /bin/sh -c "); ok {
		return "RUN " + rest
	}
	return s
}

// name is a package's name as its ecosystem writes it.
func name(p *inventory.Package) string {
	switch {
	case p.Namespace == "" || p.OS():
		return p.Name
	case p.Type == "maven":
		return p.Namespace + ":" + p.Name
	}
	return p.Namespace + "/" + p.Name
}

// layer is a layer by its index; one without any content if the index is of none.
func layer(img *inventory.Image, i int) inventory.LayerInfo {
	if i < 0 || i >= len(img.Layers) {
		return inventory.LayerInfo{}
	}
	return img.Layers[i]
}

func percent(part, whole int64) string {
	if whole == 0 {
		return "0 %"
	}
	share := 100 * float64(part) / float64(whole)
	if part < whole && share > 99.9 {
		share = 99.9 // 100 means all
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", share), ".0") + " %"
}
