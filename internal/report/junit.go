package report

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/match"
)

// The parts of JUnit's XML as Jenkins, GitLab and others read it.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property,omitempty"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string       `xml:"classname,attr"`
		Name    string       `xml:"name,attr"`
		Skipped *junitResult `xml:"skipped,omitempty"`
		Error   *junitResult `xml:"error,omitempty"`
		Failure *junitResult `xml:"failure,omitempty"`
		Out     *junitText   `xml:"system-out,omitempty"`
	}
	junitText struct {
		Text string `xml:",chardata"`
	}
	junitResult struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes one suite about the data, whose errors are what could not
// be judged, and one for each type of package: a test that fails for each
// finding, one that is skipped for each suppressed one, an error for each
// package that could not be judged, and one that passes for any other.
func (v *view) writeJUnit(w io.Writer) error {
	stamp := v.created().Format("2006-01-02T15:04:05")
	data := junitSuite{Name: "advisory data", Timestamp: stamp, Properties: []junitProperty{
		{"image", printable(v.target())}, {"digest", printable(string(v.Image.Digest))}, {"distribution", printable(v.distro())}, {"advisories", printable(v.data())},
		{"findings", printable(v.Headline())},
	}}
	for _, u := range v.Unknowns {
		data.add(junitCase{Class: "advisory data", Name: printable(u.Text), Error: &junitResult{Type: u.State, Message: printable(u.String()), Text: printableLines(u.Examples)}})
	}
	if len(v.Unknowns) == 0 {
		data.add(junitCase{Class: "advisory data", Name: "everything could be judged"})
	}
	for _, a := range v.applied() {
		data.add(junitCase{Class: a.kind, Name: a.text})
	}
	byPackage := map[int][]*match.Finding{}
	for i := range v.Findings {
		f := &v.Findings[i]
		byPackage[f.Package] = append(byPackage[f.Package], f)
	}
	states := map[int]match.PackageState{}
	for _, s := range v.States {
		if s.State != match.Stale { // judged, if with old data
			states[s.Package] = s
		}
	}
	out := junitSuites{Name: printable(v.target()), Suites: []junitSuite{data}}
	var suite *junitSuite
	for i := range v.Image.Packages { // sorted by type
		p := &v.Image.Packages[i]
		if suite == nil || suite.Name != printable(p.Type) {
			out.Suites = append(out.Suites, junitSuite{Name: printable(p.Type), Timestamp: stamp})
			suite = &out.Suites[len(out.Suites)-1]
		}
		class := printable(p.Type + " " + name(p) + " " + p.Version)
		if s, ok := states[i]; ok {
			suite.add(junitCase{Class: class, Name: "can be judged", Error: &junitResult{Type: string(s.State), Message: printable(orText(s.Message, stateText(s.State))), Text: printable(place(p))}})
		} else if len(byPackage[i]) == 0 {
			suite.add(junitCase{Class: class, Name: "no known vulnerability"})
		}
		for _, f := range byPackage[i] {
			c := junitCase{Class: class, Name: printable(f.ID)}
			if f.Suppressed != "" {
				c.Skipped = &junitResult{Message: printable(f.Suppressed)}
			} else {
				c.Failure = v.junitFailure(f)
			}
			suite.add(c)
		}
	}
	for i := range out.Suites {
		s := &out.Suites[i]
		out.Tests += s.Tests
		out.Failures += s.Failures
		out.Errors += s.Errors
	}
	bw := bufio.NewWriter(w)
	_, _ = bw.WriteString(xml.Header) // bufio.Writer keeps errors until Flush
	e := xml.NewEncoder(bw)
	e.Indent("", " ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_ = bw.WriteByte('\n')
	return bw.Flush()
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func (v *view) junitFailure(f *match.Finding) *junitResult {
	p := v.Package(f)
	lines := []string{advice(f, p)}
	add := func(label, value string) {
		if value != "" {
			lines = append(lines, label+": "+value)
		}
	}
	add("Summary", f.Summary)
	if s, ok := score(f); ok {
		add("CVSS", fmt.Sprintf("%.1f %s (%s)", s.Score, s.Vector, s.Source))
	}
	add("EPSS", chance(f.EPSS))
	if f.Exploited != nil {
		add("Exploited", exploitDetail(f.Exploited))
	}
	add("File", place(p))
	for i := range f.Evidence {
		add("Evidence", evidenceText(&f.Evidence[i]))
	}
	lines = append(lines, links(f)...)
	return &junitResult{Type: f.Severity.String(), Message: printable(f.Severity.String() + ": " + advice(f, p)), Text: printableLines(lines)}
}

// printableLines joins lines that hold no control characters themselves.
func printableLines(lines []string) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = printable(l)
	}
	return strings.Join(out, "\n")
}
