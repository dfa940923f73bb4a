package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// The formats of scans that are not those of [Write].
const (
	SARIF    = "sarif"
	CSV      = "csv"
	HTML     = "html"
	Markdown = "markdown"
	JUnit    = "junit"
	GitLab   = "gitlab"
	GitHub   = "github"
	OpenVEX  = "openvex"
	CSAFVEX  = "csaf-vex"
)

// ScanFormats lists the formats of [WriteScan], the table first.
func ScanFormats() []string {
	return []string{
		Table, string(bom.JSON), string(bom.CycloneDXJSON), string(bom.CycloneDXXML), SARIF, CSV, HTML, Markdown, JUnit, GitLab, GitHub,
		OpenVEX, CSAFVEX, string(bom.SPDXJSON), string(bom.SPDXTagValue), string(bom.PURLs), Template,
	}
}

// WriteScan writes a scan to w in one of [ScanFormats]. The same arguments
// give the same bytes. Time is that of o.Created, else of the scan, else of the
// image; no clock is read.
//
// Every format but SPDX, the list of package URLs and VEX says what could not
// be judged. SPDX and package URLs hold the inventory alone. The VEX formats
// hold only what can be stated of a vulnerability: a package that could not be
// judged has none, so it is named in the tooling (OpenVEX) or a note (CSAF).
func WriteScan(w io.Writer, format string, s *match.Scan, o Options) error {
	if o.Created.IsZero() {
		o.Created = s.At
	}
	v := &view{Scan: s, o: o, Unknowns: unknowns(s), Summary: summarize(s)}
	switch format {
	case Table:
		return v.writeTable(w)
	case string(bom.JSON):
		return v.writeJSON(w)
	case string(bom.CycloneDXJSON), string(bom.CycloneDXXML):
		return v.writeCycloneDX(w, bom.Format(format))
	case SARIF:
		return v.writeSARIF(w)
	case CSV:
		return v.writeCSV(w)
	case HTML:
		return v.writeHTML(w)
	case Markdown:
		return v.writeMarkdown(w)
	case JUnit:
		return v.writeJUnit(w)
	case GitLab:
		return v.writeGitLab(w)
	case GitHub:
		return v.writeGitHub(w)
	case OpenVEX:
		return v.writeOpenVEX(w)
	case CSAFVEX:
		return v.writeCSAF(w)
	case Template:
		return v.writeTemplate(w)
	case string(bom.SPDXJSON), string(bom.SPDXTagValue), string(bom.PURLs):
		return bom.Write(w, bom.Format(format), s.Image, bom.Options{Tool: o.Tool, ToolVersion: o.ToolVersion, Created: o.Created})
	}
	return fmt.Errorf("format %q is not known; there are %s", format, strings.Join(ScanFormats(), ", "))
}

// view is a scan with what every format says of it.
type view struct {
	*match.Scan
	o        Options
	Unknowns []Unknown
	Summary  Summary
}

func (v *view) tool() string { return cmp.Or(v.o.Tool, "tidewaiter") }

// toolVersion is never empty: some formats demand one.
func (v *view) toolVersion() string { return cmp.Or(v.o.ToolVersion, "unknown") }

// created is the time of the document, UTC to the second; the epoch where
// nothing tells one, for formats that demand a time.
func (v *view) created() time.Time {
	t := v.o.Created
	if t.IsZero() {
		t = v.Image.Config.Created
	}
	t = t.UTC().Truncate(time.Second)
	if t.Year() < 1970 || t.Year() > 9999 {
		return time.Unix(0, 0).UTC()
	}
	return t
}

// target names what was scanned.
func (v *view) target() string {
	return cmp.Or(v.Image.Reference, string(v.Image.Digest), string(v.Image.ConfigDigest), "unnamed")
}

func (v *view) distro() string {
	d := v.Image.Distro
	if d == nil {
		return ""
	}
	return cmp.Or(d.PrettyName, strings.TrimSpace(d.ID+" "+d.Version))
}

// open returns the findings that count, in the order of the scan.
func (v *view) open() []*match.Finding { return v.pick(func(s string) bool { return s == "" }) }

// suppressed returns those that do not.
func (v *view) suppressed() []*match.Finding { return v.pick(func(s string) bool { return s != "" }) }

func (v *view) pick(want func(string) bool) []*match.Finding {
	var out []*match.Finding
	for i := range v.Findings {
		if want(v.Findings[i].Suppressed) {
			out = append(out, &v.Findings[i])
		}
	}
	return out
}

// listed are the findings of formats that leave suppressed ones out unless
// they are asked for.
func (v *view) listed() []*match.Finding {
	if v.o.Suppressed {
		return slices.Concat(v.open(), v.suppressed())
	}
	return v.open()
}

// feedAge tells the source that was checked longest ago, and how long before
// the scan that was; "" where no source says.
func (v *view) feedAge() (source string, age time.Duration) {
	var oldest time.Time
	for _, f := range v.Feeds {
		if !f.Checked.IsZero() && (oldest.IsZero() || f.Checked.Before(oldest)) {
			oldest, source = f.Checked, f.Source
		}
	}
	if source == "" || v.At.IsZero() {
		return "", 0
	}
	return source, max(0, v.At.Sub(oldest))
}

// data says which advisories were used, in one line.
func (v *view) data() string {
	if len(v.Feeds) == 0 {
		return "none"
	}
	out := "generation " + thousands(int(v.Generation))
	if !v.At.IsZero() {
		out += " at " + v.At.UTC().Format("2006-01-02 15:04 MST")
	}
	out += "; " + count(len(v.Feeds), "source")
	if source, age := v.feedAge(); source != "" {
		out += ", the oldest (" + source + ") checked " + ageText(age) + " before"
	}
	return out
}

// support says what is known of the end of the distribution's support.
func (v *view) support() string {
	d := v.Distro
	switch {
	case d.Ended && d.EOL.IsZero():
		return "support has ended"
	case d.Ended && !d.Extend.IsZero():
		return "support ended on " + day(d.EOL) + "; paid support until " + day(d.Extend)
	case d.Ended:
		return "support ended on " + day(d.EOL)
	case !d.EOL.IsZero():
		return "supported until " + day(d.EOL)
	}
	return ""
}

// tally says how packages were judged: "212; 5 could not be judged, 12 only
// with old data".
func (v *view) tally() string {
	out := thousands(v.Summary.Packages)
	var parts []string
	if n := v.Summary.NotJudged; n > 0 {
		parts = append(parts, thousands(n)+" could not be judged")
	}
	if n := v.Summary.Stale; n > 0 {
		parts = append(parts, thousands(n)+" judged with old data")
	}
	if parts != nil {
		out += "; " + strings.Join(parts, ", ")
	}
	return out
}

// Headline answers how many vulnerabilities there are. It never says that
// there are none where something could not be judged.
func (v *view) Headline() string {
	s := v.Summary
	switch {
	case s.Findings > 0:
		return thousands(s.Findings) + " (" + severityCounts(s.Severities) + ")"
	case s.Packages == 0:
		return "unknown: no packages were found that could be judged"
	case s.NotJudged >= s.Packages:
		return "unknown: " + map[bool]string{true: "the package could not be judged", false: "none of the packages could be judged"}[s.Packages == 1]
	case s.NotJudged > 0:
		return "none known in the " + count(s.Packages-s.NotJudged, "package") + " that could be judged; " + thousands(s.NotJudged) + " could not"
	case len(v.Unknowns) > 0:
		return "none known, but the answer is incomplete: see what could not be judged"
	}
	return "none known"
}

// remarks are the other numbers of the findings.
func (v *view) remarks() []string {
	var out []string
	add := func(n int, text string) {
		if n > 0 {
			out = append(out, thousands(n)+" "+text)
		}
	}
	add(v.Summary.Fixable, "can be fixed")
	add(v.Summary.Exploited, "known to be exploited")
	add(v.Summary.Suppressed, "suppressed")
	return out
}
