package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// csvColumns are the titles of the first line.
func csvColumns() []string {
	return []string{
		"image", "digest", "status", "id", "aliases", "severity", "cvss_score", "cvss_vector", "cvss_source", "epss", "epss_percentile",
		"exploited", "due", "ransomware", "fix_state", "fixed_in", "fix_date", "fix_advisory", "type", "package", "version", "arch", "distro",
		"source_package", "purl", "path", "layer", "owner", "sources", "confidence", "cwes", "published", "summary", "evidence", "reason", "url",
	}
}

// writeCSV writes RFC 4180: a line for each finding (status "open" or
// "suppressed"), each package that could not be judged or only with old data
// (its state), and each other reason for an incomplete answer ("unknown").
// A cell that a spreadsheet would take for a formula gets an apostrophe
// before it; all text is one line without control characters.
func (v *view) writeCSV(w io.Writer) error {
	columns := csvColumns()
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if err := c.Write(columns); err != nil {
		return err
	}
	line := func(cells map[string]string) error {
		cells["image"], cells["digest"] = v.target(), string(v.Image.Digest)
		record := make([]string, len(columns))
		for i, name := range columns {
			record[i] = csvCell(cells[name])
		}
		return c.Write(record)
	}
	for i := range v.Findings {
		f := &v.Findings[i]
		if err := line(v.csvFinding(f)); err != nil {
			return err
		}
	}
	for _, s := range v.States {
		cells := map[string]string{"status": string(s.State), "reason": orText(s.Message, stateText(s.State))}
		csvPackage(cells, &v.Image.Packages[s.Package])
		if err := line(cells); err != nil {
			return err
		}
	}
	for _, u := range v.Unknowns {
		if err := line(map[string]string{"status": "unknown", "reason": u.State + ": " + u.String()}); err != nil {
			return err
		}
	}
	for _, a := range v.applied() {
		if err := line(map[string]string{"status": a.kind, "reason": a.text}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func (v *view) csvFinding(f *match.Finding) map[string]string {
	cells := map[string]string{
		"status": "open", "id": f.ID, "aliases": strings.Join(f.Aliases, " "), "severity": f.Severity.String(), "fix_state": string(f.Fix.State),
		"fixed_in": strings.Join(f.Fix.Versions, " "), "fix_date": day(f.Fix.Date), "fix_advisory": f.Fix.Advisory, "sources": strings.Join(sources(f), " "),
		"confidence": strconv.FormatFloat(f.Confidence, 'g', 3, 64), "cwes": strings.Join(f.CWEs, " "), "published": day(f.Published), "summary": f.Summary,
		"reason": f.Suppressed, "url": f.URL, "exploited": "no",
	}
	if f.Suppressed != "" {
		cells["status"] = "suppressed"
	}
	if s, ok := score(f); ok {
		cells["cvss_score"], cells["cvss_vector"], cells["cvss_source"] = strconv.FormatFloat(s.Score, 'f', 1, 64), s.Vector, s.Source
	}
	if f.EPSS != nil {
		cells["epss"], cells["epss_percentile"] = strconv.FormatFloat(f.EPSS.Score, 'f', 5, 64), strconv.FormatFloat(f.EPSS.Percentile, 'f', 5, 64)
	}
	if f.Exploited != nil {
		cells["exploited"], cells["due"], cells["ransomware"] = "yes", day(f.Exploited.Due), map[bool]string{true: "yes", false: "no"}[f.Exploited.Ransomware]
	}
	for i := range f.Evidence {
		if e := &f.Evidence[i]; e.Affected {
			cells["evidence"] = evidenceText(e)
			break
		}
	}
	csvPackage(cells, v.Package(f))
	return cells
}

func csvPackage(cells map[string]string, p *inventory.Package) {
	cells["type"], cells["package"], cells["version"], cells["arch"], cells["distro"] = p.Type, name(p), p.Version, p.Arch, p.Distro
	cells["source_package"] = strings.TrimSpace(p.Source + " " + p.SourceVersion)
	cells["purl"], cells["path"], cells["owner"] = p.PURL(), place(p), p.Owner
	if p.Layer >= 0 {
		cells["layer"] = strconv.Itoa(p.Layer)
	}
}

// csvCell defuses formulas: spreadsheets run what begins with =, +, -, @ or
// their full-width forms, even in quotes.
func csvCell(s string) string {
	s = strings.TrimSpace(printable(s))
	if first, _ := utf8.DecodeRuneInString(s); strings.ContainsRune("=+-@＝＋－＠|%'", first) {
		return "'" + s
	}
	return s
}
