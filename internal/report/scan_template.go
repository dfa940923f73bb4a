package report

import (
	"bufio"
	"io"
	"text/template"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// writeTemplate executes a template of text/template with the scan as its
// data. Beside the functions for inventories there are
//
//	package FINDING         the package of a finding
//	open, suppressed        the findings that count, and the others
//	unknowns                what could not be judged: .State .Packages .Text .Examples
//	summary                 .Packages .NotJudged .Stale .Findings .Suppressed .Fixable .Exploited .Severities
//	headline                how many vulnerabilities there are, in words
//	fixed FINDING           the fix as in the table; advice FINDING: in a sentence
//	evidence EVIDENCE       a comparison in a sentence
//	links FINDING           web addresses about it
//	severity LEVEL          its name: "unknown" rather than ""
//	epss FINDING            97.3 %
//	place PACKAGE           its path, and the path within an archive
//	markdown TEXT, markdownCode TEXT
func (v *view) writeTemplate(w io.Writer) error {
	f := functions(v.Image)
	f["package"] = func(f *match.Finding) *inventory.Package { return v.Package(f) }
	f["open"] = v.open
	f["suppressed"] = v.suppressed
	f["unknowns"] = func() []Unknown { return v.Unknowns }
	f["summary"] = func() Summary { return v.Summary }
	f["headline"] = v.Headline
	f["fixed"] = func(f *match.Finding) string { return fixText(f.Fix) }
	f["advice"] = func(f *match.Finding) string { return advice(f, v.Package(f)) }
	f["evidence"] = evidenceText
	f["links"] = links
	f["severity"] = func(s interface{ String() string }) string { return s.String() }
	f["epss"] = func(f *match.Finding) string { return chance(f.EPSS) }
	f["place"] = place
	f["markdown"] = markdownText
	f["markdownCode"] = markdownCode
	t, err := template.New("template").Option("missingkey=error").Funcs(f).Parse(v.o.Template)
	if err != nil {
		return err
	}
	bw := bufio.NewWriter(w)
	if err := t.Execute(bw, v.Scan); err != nil {
		return err
	}
	return bw.Flush()
}
