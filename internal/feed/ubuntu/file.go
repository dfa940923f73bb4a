package ubuntu

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// maxLines bounds one file of the tracker.
const maxLines = 1_000_000

// cveFile is one file of the tracker: fields at the start of a line, what
// belongs to them indented below.
type cveFile struct {
	fields map[string]string // the header, by name
	states map[string][]line // by package
	// What is said of one package, or of one package in one release.
	priorities map[string]string // by package, or package + "_" + release
	tags       map[string]string
	patches    map[string]string // by package
}

// parse reads one file.
func parse(b []byte) (*cveFile, error) {
	f := &cveFile{
		fields: map[string]string{}, states: map[string][]line{},
		priorities: map[string]string{}, tags: map[string]string{}, patches: map[string]string{},
	}
	var add func(more string) // continues the field of the last line
	n := 0
	for s := range strings.Lines(strings.ToValidUTF8(string(b), "\ufffd")) {
		if n++; n > maxLines {
			return nil, &feed.LimitError{What: "the file", Limit: "lines", Most: maxLines}
		}
		s = strings.TrimRight(s, " \t\r\n")
		s = strings.TrimPrefix(s, "-- ") // left over from edits
		key, value, isField := strings.Cut(s, ":")
		switch {
		case s == "" || s[0] == '#':
			continue
		case s[0] == ' ' || s[0] == '\t' || !isField || strings.ContainsAny(key, " \t"):
			if add != nil {
				add(strings.TrimSpace(s))
			}
			continue
		}
		add = f.field(key, strings.TrimSpace(value))
	}
	if len(f.fields)+len(f.states) == 0 {
		return nil, errors.New("it has none of the fields of the CVE tracker")
	}
	return f, nil
}

// field keeps a field and returns what adds a line to it.
func (f *cveFile) field(key, value string) func(string) {
	put := func(m map[string]string, k string) func(string) {
		if old := m[k]; old != "" && value != "" {
			value = old + "\n" + value
		} else if old != "" {
			value = old
		}
		m[k] = value
		var lines strings.Builder
		lines.WriteString(value)
		return func(more string) {
			if lines.Len() > 0 {
				lines.WriteByte('\n')
			}
			lines.WriteString(more)
			m[k] = lines.String()
		}
	}
	kind, pkg, ok := strings.Cut(key, "_")
	switch {
	case !ok:
		return put(f.fields, key)
	case kind == "Priority":
		return put(f.priorities, pkg)
	case kind == "Tags":
		return put(f.tags, pkg)
	case kind == "Patches":
		return put(f.patches, pkg)
	case kind == "Assigned-to" || kind == "CVSS" || pkg == "":
		return nil
	}
	if r, ok := parseRelease(kind); ok {
		f.states[pkg] = append(f.states[pkg], line{kind, r, value})
	} else if f.states[pkg] == nil {
		f.states[pkg] = []line{}
	}
	return nil
}

// advisory makes the advisory of a file; release is called with every name of
// a release that nothing is known of.
func (f *cveFile) advisory(id string, release func(string)) *advisory.Advisory {
	a := &advisory.Advisory{
		Source: "ubuntu", ID: id, URL: "https://ubuntu.com/security/" + id,
		Published: parseDate(f.fields["PublicDate"]), Details: f.details(), References: f.references(),
	}
	if s, ok := priority(f.fields["Priority"]); ok {
		a.Severities = append(a.Severities, s)
	}
	a.Severities = append(a.Severities, scores(f.fields["CVSS"])...)
	packages := make([]string, 0, len(f.states))
	for pkg := range f.states {
		packages = append(packages, pkg)
	}
	slices.Sort(packages)
	for _, pkg := range packages {
		a.Affected = append(a.Affected, f.affected(pkg, release)...)
	}
	return a
}

func (f *cveFile) details() string {
	var b strings.Builder
	section := func(title, text string) {
		if text == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(title)
		b.WriteString(text)
	}
	section("", f.fields["Description"])
	if own := f.fields["Ubuntu-Description"]; own != f.fields["Description"] {
		section("", own)
	}
	section("Notes:\n", f.fields["Notes"])
	section("Mitigation:\n", f.fields["Mitigation"])
	if _, reason := cutPriority(f.fields["Priority"]); reason != "" {
		section("Reason of the priority:\n", reason)
	}
	return b.String()
}

func (f *cveFile) references() []advisory.Reference {
	var out []advisory.Reference
	seen := map[string]bool{}
	add := func(kind, text string) {
		for word := range strings.FieldsSeq(text) {
			if !strings.HasPrefix(word, "https://") && !strings.HasPrefix(word, "http://") || seen[word] || len(word) > 4096 {
				continue
			}
			seen[word] = true
			k := kind
			if strings.Contains(word, "ubuntu.com/") && strings.Contains(word, "/USN-") || strings.Contains(word, "/usn/usn-") {
				k = "ADVISORY"
			}
			out = append(out, advisory.Reference{Type: k, URL: word})
		}
	}
	add("WEB", f.fields["References"])
	add("REPORT", f.fields["Bugs"])
	packages := make([]string, 0, len(f.patches))
	for pkg := range f.patches {
		packages = append(packages, pkg)
	}
	slices.Sort(packages)
	for _, pkg := range packages {
		add("FIX", f.patches[pkg])
	}
	return out
}

// severities are those of one package in one release.
func (f *cveFile) severities(pkg, codename string) []advisory.Severity {
	text := f.priorities[pkg+"_"+codename]
	if text == "" {
		text = f.priorities[pkg]
	}
	if s, ok := priority(text); ok {
		return []advisory.Severity{s}
	}
	return nil
}

// cutPriority takes "low (reason)" apart; a longer reason stands in the lines
// below.
func cutPriority(text string) (word, reason string) {
	word, reason, _ = strings.Cut(text, "\n")
	word, short, ok := strings.Cut(word, " ")
	if ok {
		short = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(short), "("), ")")
		reason = strings.TrimSpace(short + "\n" + reason)
	}
	return word, reason
}

func priority(text string) (advisory.Severity, bool) {
	word, _ := cutPriority(text)
	if word == "" || word == "untriaged" {
		return advisory.Severity{}, false
	}
	return advisory.Severity{Source: "ubuntu", Type: "LABEL", Label: advisory.LevelOf(word), Raw: word}, true
}

// scores reads lines such as "nvd: CVSS:3.1/AV:L/… [5.5 MEDIUM]".
func scores(text string) []advisory.Severity {
	var out []advisory.Severity
	for line := range strings.Lines(text) {
		source := "ubuntu"
		for word := range strings.FieldsSeq(line) {
			if s, ok := strings.CutSuffix(word, ":"); ok && !strings.Contains(s, ":") {
				source = s
				continue
			}
			if !strings.HasPrefix(word, "CVSS:") {
				continue
			}
			if s, err := feed.CVSS(source, word); err == nil {
				out = append(out, s)
			}
		}
	}
	return out
}

func parseDate(text string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04 MST", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 1970 {
			return t.UTC()
		}
	}
	return time.Time{}
}

// shorten makes a text of the input fit for a message.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
