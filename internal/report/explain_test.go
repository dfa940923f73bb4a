package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// sampleExplanation is what package match says of a real-looking record.
func sampleExplanation(t *testing.T, id string) match.Explanation {
	t.Helper()
	img := sampleScan().Image
	openssl := advisory.Key{Stream: "debian:12", Name: "openssl"}
	records := []advisory.Advisory{
		{Source: "debian", ID: "CVE-2023-0464", Summary: "X.509 policy checks cost too much", Published: at("2023-03-22"), Modified: at("2024-06-01"), URL: "https://security-tracker.debian.org/tracker/CVE-2023-0464",
			Severities: []advisory.Severity{{Source: "debian", Type: "LABEL", Label: advisory.Medium, Raw: "medium"}},
			Affected: []advisory.Affected{
				{Key: openssl, Names: advisory.Source, Intervals: []advisory.Interval{{Fixed: "3.0.11-1~deb12u2"}}, Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{"3.0.11-1~deb12u2"}}},
				{Key: advisory.Key{Stream: "debian:11", Name: "openssl"}, Names: advisory.Source, Status: advisory.StatusNotAffected, Note: "vulnerable code not present"},
			}},
		{Source: "ghsa", ID: "GHSA-w2w6-xp88-5cvw", Aliases: []string{"CVE-2023-0464"}, Withdrawn: at("2023-05-01"), Affected: []advisory.Affected{{Key: openssl, Names: advisory.Source}}},
	}
	if id != "CVE-2023-0464" {
		records = nil
	}
	return match.Explain(id, match.Input{Packages: img.Packages, Distro: img.Distro}, records, match.Options{})
}

func TestExplanation(t *testing.T) {
	e := sampleExplanation(t, "CVE-2023-0464")
	var text, doc bytes.Buffer
	if err := WriteExplanation(&text, e, false); err != nil {
		t.Fatal(err)
	}
	golden(t, "explain.txt", text.String())
	for line := range strings.Lines(text.String()) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 100 {
			t.Errorf("more than 100 columns: %s", line)
		}
	}
	if err := WriteExplanation(&doc, e, true); err != nil {
		t.Fatal(err)
	}
	golden(t, "explain.json", doc.String())
	var back explanation
	if err := json.Unmarshal(doc.Bytes(), &back); err != nil || len(back.Packages) != 2 || back.Packages[0].Finding == nil || len(back.Records) != 2 {
		t.Errorf("%v: %+v", err, back)
	}
	text.Reset()
	if err := WriteExplanation(&text, sampleExplanation(t, "CVE-1999-9999"), false); err != nil || !strings.Contains(text.String(), "no record of CVE-1999-9999 is known") {
		t.Errorf("%v: %s", err, text.String())
	}
	for _, asJSON := range []bool{true, false} {
		if err := WriteExplanation(full{}, e, asJSON); !errors.Is(err, io.ErrShortWrite) {
			t.Error(err)
		}
	}
}

func TestExplanationHostile(t *testing.T) {
	e := sampleExplanation(t, "CVE-2023-0464")
	e.ID, e.Verdict, e.Aliases = evil, evil, []string{evil}
	e.Packages[0].Package.Path, e.Packages[0].Reason = evil, evil
	for i := range e.Packages[0].Evidence {
		e.Packages[0].Evidence[i].Comparison, e.Packages[0].Evidence[i].URL = evil, evil
	}
	e.Records[0].Summary, e.Records[0].Affected[0].Note = evil, evil
	var b bytes.Buffer
	if err := WriteExplanation(&b, e, false); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.ContainsAny(s, "\x1b\r\x00\u202e") || !utf8.ValidString(s) {
		t.Errorf("%q", s)
	}
}
