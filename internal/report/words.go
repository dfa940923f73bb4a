package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02")
}

// ageText writes a span of time roughly: "3 hours", "12 days".
func ageText(d time.Duration) string {
	switch {
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour")
	}
	return count(int(d/(24*time.Hour)), "day")
}

// fixText is the fix in a table cell.
func fixText(f advisory.Fix) string {
	switch f.State {
	case advisory.Fixed:
		return cmp.Or(strings.Join(f.Versions, ", "), "yes, version unknown")
	case advisory.NotFixed:
		return "not yet"
	case advisory.WontFix:
		return "will not be fixed"
	case advisory.Deferred:
		return "deferred"
	case advisory.EndOfLife:
		return "out of support"
	case advisory.NotAFix:
		return "workaround only"
	}
	return ""
}

// advice says in a sentence what to do about a finding.
func advice(f *match.Finding, p *inventory.Package) string {
	what := name(p)
	if p.Source != "" && p.Source != p.Name {
		what += " (source package " + p.Source + ")"
	}
	switch f.Fix.State {
	case advisory.Fixed:
		if len(f.Fix.Versions) == 0 {
			return "Update " + what + ": the publisher has a fix."
		}
		s := "Update " + what + " to " + choice(f.Fix.Versions)
		if f.Fix.Advisory != "" {
			s += " (" + f.Fix.Advisory + ")"
		}
		return s + "."
	case advisory.NotFixed:
		return "There is no fix of " + what + " yet."
	case advisory.WontFix:
		return "The publisher will not fix " + what + "."
	case advisory.Deferred:
		return "The publisher has deferred the fix of " + what + "."
	case advisory.EndOfLife:
		return "This release of " + what + " is out of support: no fix is to be expected."
	case advisory.NotAFix:
		return "There is no fix of " + what + ", only a workaround: see the advisory."
	}
	return "The publisher does not say whether there is a fix of " + what + "."
}

// choice is "1, 2 or 3".
func choice(list []string) string {
	if n := len(list); n > 2 {
		list = []string{strings.Join(list[:n-1], ", "), list[n-1]}
	}
	return strings.Join(list, " or ")
}

// chance writes a probability as a percentage.
func chance(e *advisory.EPSS) string {
	switch {
	case e == nil:
		return ""
	case e.Score > 0 && e.Score < 0.001:
		return "<0.1 %"
	}
	return percentText(e.Score)
}

// percentText writes a share; 100 % means all.
func percentText(f float64) string {
	if f < 1 {
		f = min(f, 0.999)
	}
	return strconv.FormatFloat(100*f, 'f', 1, 64) + " %"
}

// exploitText says whether a vulnerability is in a catalogue of exploited ones.
func exploitText(e *advisory.Exploited) string {
	switch {
	case e == nil:
		return ""
	case e.Ransomware:
		return "ransomware"
	}
	return "exploited"
}

// place is where a package was found: "/app/a.jar!BOOT-INF/lib/b.jar".
func place(p *inventory.Package) string {
	if p.Path == "" {
		return ""
	}
	s := "/" + p.Path
	if p.Inner != "" {
		s += "!" + p.Inner
	}
	return s
}

// certainty is "" for a sure finding, else a percentage.
func certainty(f *match.Finding) string {
	if f.Confidence <= 0 || f.Confidence >= 1 {
		return ""
	}
	return strconv.Itoa(int(100*f.Confidence+0.5)) + " %"
}

// score is the CVSS judgement to show where only one fits: the first
// publisher's, version 3 or 4 before 2.
func score(f *match.Finding) (advisory.Severity, bool) {
	var second *advisory.Severity
	for i := range f.Scores {
		s := &f.Scores[i]
		if s.Score <= 0 {
			continue
		}
		if s.Type == "CVSS_V2" {
			second = cmp.Or(second, s)
			continue
		}
		return *s, true
	}
	if second != nil {
		return *second, true
	}
	return advisory.Severity{}, false
}

// evidenceText is one comparison in a sentence.
func evidenceText(e *match.Evidence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s, %s %s", e.Source, e.Advisory, e.Key.Stream, e.Key.Name)
	if e.Names == "source" {
		b.WriteString(" (source package)")
	}
	fmt.Fprintf(&b, ": affected %s; %s", e.Range, e.Comparison)
	if e.Status != "" {
		b.WriteString("; the publisher says " + e.Status)
	}
	if !e.Affected {
		b.WriteString("; not affected")
	}
	if e.Product != "" {
		b.WriteString("; for " + e.Product)
	}
	if e.Note != "" {
		b.WriteString("; " + e.Note)
	}
	return b.String()
}

// links are the pages about a finding, each once, that can stand as links.
func links(f *match.Finding) []string {
	var out []string
	add := func(s string) {
		if s = bom.WebAddress(s); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	add(f.URL)
	for i := range f.Evidence {
		add(f.Evidence[i].URL)
	}
	add(f.Fix.URL)
	return out
}

// sources names the publishers that say a package is affected.
func sources(f *match.Finding) []string {
	var out []string
	for i := range f.Evidence {
		if e := &f.Evidence[i]; e.Affected && !slices.Contains(out, e.Source) {
			out = append(out, e.Source)
		}
	}
	return out
}

// modified is when a publisher last touched a record of the finding.
func modified(f *match.Finding) time.Time {
	var t time.Time
	for i := range f.Evidence {
		if m := f.Evidence[i].Modified; m.After(t) {
			t = m
		}
	}
	return t
}

// cweNumber reads "CWE-79"; 0 for anything else.
func cweNumber(s string) int {
	digits, ok := strings.CutPrefix(strings.ToUpper(s), "CWE-")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 {
		return 0
	}
	return n
}

// fingerprint is the same for the same finding in every scan: it is made
// from the vulnerability and from what and where the package is.
func fingerprint(id string, p *inventory.Package) string {
	h := sha256.Sum256([]byte(strings.Join([]string{id, p.ID(), p.Path, p.Inner}, "\x00")))
	return hex.EncodeToString(h[:16])
}

// uuid makes a UUID (version 8, RFC 9562) of what it is about.
func uuid(parts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	u := h[:16]
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// cut bounds text by bytes without breaking a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	most -= len("…")
	for most > 0 && s[most]&0xC0 == 0x80 {
		most--
	}
	return s[:most] + "…"
}
