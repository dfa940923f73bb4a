package license

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/spdx"
)

// Confidence of what was found.
const (
	wholeText  = 0.99 // a licence's text or notice, and hardly anything else
	inText     = 0.9  // the same among much that is not known
	byTag      = 0.99 // SPDX-License-Identifier
	byChoice   = 0.8  // texts that the file seems to offer a choice of
	byAddress  = 0.7  // only the address of a licence
	bySentence = 0.6  // sentences of a licence, but not its words throughout
)

// whole is the share of a text's words that known licences must account for
// to call it whole.
const whole = 0.8

// settled is the share that one of the commonest licences must account for to
// end the search: what remains has no room for another.
const settled = 0.97

const maxLicenses = 200 // of one file

// match is a part of a text that is a known licence.
type match struct {
	id         string
	start, end int
	address    bool
}

// detect names the licences found in a text. With guess it falls back on
// sentences where nothing was recognised.
func detect(text []byte, found []match, guess bool) []inventory.License {
	found = stacked(text, found)
	var out []inventory.License
	add := func(raw string, confidence float64) {
		if len(out) < maxLicenses && !slices.ContainsFunc(out, func(l inventory.License) bool { return l.Raw == raw }) {
			out = append(out, inventory.License{Raw: raw, Source: inventory.DetectedLicense, Confidence: confidence})
		}
	}
	for _, tag := range tags(text) {
		add(tag, byTag)
	}
	confidence := inText
	if share(text, found) >= whole {
		confidence = wholeText
	}
	ids := distinct(found)
	switch {
	case len(ids) == 2 && !slices.ContainsFunc(found, func(m match) bool { return m.id == "Python-2.0" }) && offersChoice(text, found):
		add(withException(ids[0], text)+" OR "+withException(ids[1], text), byChoice)
	default:
		for _, id := range ids {
			add(withException(id, text), confidence)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, m := range found {
		if m.address {
			add(m.id, byAddress)
		}
	}
	if len(out) == 0 && guess {
		if id := spdx.FromText(withoutMarks(text)); id != "" {
			add(id, bySentence)
		} else if id := title(text); id != "" {
			add(id, bySentence)
		}
	}
	return out
}

// find returns the known licences in a text, as the library would if it knew
// all of them at once: of those that begin at one place the longest, none
// within another.
func find(text []byte) []match {
	t := texts()
	words := t.wordsOf(text)
	var all []match
	for i, k := range t.list {
		if !words.may(k) {
			continue
		}
		own := len(all)
		for _, m := range k.scan(text) {
			all = append(all, match{m.ID, m.Start, m.End, false})
		}
		if i < len(first) && len(all) > own && share(text, all[own:]) >= settled {
			all = all[own:]
			break
		}
	}
	slices.SortStableFunc(all, func(a, b match) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	kept := all[:0]
	end := 0
	for _, m := range all {
		// a match may begin with a notice of copyright that is the end of the one before
		if m.start < end && 2*(m.end-end) > m.end-m.start {
			m.start = end
		}
		if m.start >= end {
			end = m.end
			kept = append(kept, m)
		}
	}
	return append(kept, t.addresses(text, kept)...)
}

// addresses finds the addresses of licences outside what was recognised.
func (t *table) addresses(text []byte, found []match) []match {
	var out []match
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte("http"))
		if i < 0 || len(out) == maxLicenses {
			return out
		}
		at := from + i
		end := at
		for end < len(text) && end-at < 256 && text[end] > ' ' && bytes.IndexByte([]byte(`"'<>()[]{},;`), text[end]) < 0 {
			end++
		}
		from = max(end, at+4)
		if slices.ContainsFunc(found, func(m match) bool { return at >= m.start && at < m.end }) {
			continue
		}
		if id := t.address(string(text[at:end])); id != "" {
			out = append(out, match{id, at, end, true})
		}
	}
}

func (t *table) address(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	rest = strings.ToLower(strings.TrimRight(strings.TrimSuffix(strings.TrimRight(rest, "/."), "/legalcode"), "/."))
	if id := t.urls[rest]; id != "" {
		return id
	}
	if i := strings.LastIndexByte(rest, '/'); i > 0 {
		return t.urls[rest[:i]] // a translation or port below the address
	}
	return ""
}

// share is how much of a text, blanks aside, known licences account for.
func share(text []byte, found []match) float64 {
	all, in := 0, 0
	next := 0
	for i, c := range text {
		if c <= ' ' {
			continue
		}
		all++
		for next < len(found) && (found[next].address || i >= found[next].end) {
			next++
		}
		if next < len(found) && i >= found[next].start {
			in++
		}
	}
	if all == 0 {
		return 0
	}
	return float64(in) / float64(all)
}

// distinct are the licences of the texts found, in order. The text of a GNU
// licence says nothing of later versions: where a notice beside it does, that
// counts.
func distinct(found []match) []string {
	var ids []string
	for _, m := range found {
		if !m.address && !slices.Contains(ids, m.id) {
			ids = append(ids, m.id)
		}
	}
	return slices.DeleteFunc(ids, func(id string) bool {
		return slices.Contains(ids, id+"-or-later") || slices.Contains(ids, id+"-only")
	})
}

// offersChoice reports whether the words around the texts say that one of
// them suffices.
func offersChoice(text []byte, found []match) bool {
	var around []byte
	from := 0
	for _, m := range found {
		if m.address {
			continue
		}
		around = append(append(around, text[from:max(m.start, from)]...), ' ')
		from = max(from, m.end)
	}
	around = bytes.ToLower(append(around, text[from:]...))
	around = bytes.Join(bytes.Fields(around), []byte(" "))
	for _, s := range [...]string{"either of the following licen", "either of these", "dual licen", "dual-licen", "your choice", "under either", "terms of either"} {
		if bytes.Contains(around, []byte(s)) {
			return true
		}
	}
	return false
}

// withException adds the exceptions that stand in files of their own beside
// GNU's licences, or follow them.
func withException(id string, text []byte) string {
	var exceptions []struct{ sentence, id string }
	switch {
	case strings.HasPrefix(id, "GPL-2.0"), strings.HasPrefix(id, "GPL-3.0"):
		exceptions = gplExceptions
	case id == "Apache-2.0":
		exceptions = apacheExceptions
	}
	for _, e := range exceptions {
		if bytes.Contains(text, []byte(e.sentence)) {
			if id == "GPL-2.0" || id == "GPL-3.0" {
				id += "-only"
			}
			return id + " WITH " + e.id
		}
	}
	return id
}

var (
	gplExceptions = []struct{ sentence, id string }{
		{`"CLASSPATH" EXCEPTION TO THE GPL`, "Classpath-exception-2.0"},
		{"GCC RUNTIME LIBRARY EXCEPTION", "GCC-exception-3.1"},
	}
	apacheExceptions = []struct{ sentence, id string }{
		{"LLVM Exceptions to the Apache 2.0 License", "LLVM-exception"},
	}
)

// tags reads SPDX-License-Identifier tags.
func tags(text []byte) []string {
	const tag = "SPDX-License-Identifier:"
	var out []string
	for len(out) < maxLicenses {
		i := bytes.Index(text, []byte(tag))
		if i < 0 {
			break
		}
		text = text[i+len(tag):]
		line := text
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		s := string(line[:min(len(line), 512)])
		for _, end := range [...]string{"*/", "-->", "\"", "`"} {
			s, _, _ = strings.Cut(s, end)
		}
		s = strings.TrimSpace(s)
		if e, err := spdx.Parse(s); err == nil && len(e.Unknown()) == 0 && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// stacked knows Python's licence, which the library does not in the form it
// has had for twenty years: those of its former owners, one after another, of
// which the last is alike to HPND.
func stacked(text []byte, found []match) []match {
	i := bytes.Index(text, []byte("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2"))
	if i < 0 || slices.ContainsFunc(found, func(m match) bool { return strings.HasPrefix(m.id, "P") && m.start <= i && i < m.end }) {
		return found
	}
	beopen, cnri := bytes.Index(text, []byte("BEOPEN PYTHON OPEN SOURCE LICENSE")), bytes.Index(text, []byte("CNRI LICENSE AGREEMENT FOR PYTHON"))
	if beopen < i || cnri < beopen {
		return found
	}
	all := match{id: "Python-2.0", start: i, end: cnri}
	out := []match{all}
	for _, m := range found {
		if m.end <= i || m.start >= cnri && m.id != "HPND" {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b match) int { return a.start - b.start })
	return out
}

// withoutMarks takes the marks of comments off the beginnings of lines.
func withoutMarks(text []byte) string {
	var b strings.Builder
	b.Grow(len(text))
	for line := range bytes.Lines(text) {
		b.Write(bytes.TrimLeft(line, " \t*#/;>|"))
	}
	return b.String()
}

// title reads the name of a licence from the first line of its text, with the
// version that may stand below it.
func title(text []byte) string {
	var lines []string
	for line := range strings.Lines(withoutMarks(text[:min(len(text), 2048)])) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
		if len(lines) == 2 {
			break
		}
	}
	if len(lines) == 0 || len(lines[0]) > 80 || !strings.Contains(strings.ToLower(lines[0]), "licen") {
		return ""
	}
	if len(lines) == 2 {
		if v, ok := strings.CutPrefix(strings.ToLower(lines[1]), "version "); ok {
			v, _, _ = strings.Cut(v, ",")
			if id, ok := spdx.Normalize(lines[0] + " version " + v); ok {
				return id
			}
		}
	}
	if id, ok := spdx.Normalize(lines[0]); ok {
		return id
	}
	return ""
}
