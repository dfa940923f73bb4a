package report

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

//go:embed page/scan.html
var scanPage string

//go:embed page/scan.js
var scanScript string

// pageTemplate is parsed once, when the first page is written.
var pageTemplate = sync.OnceValues(func() (*template.Template, error) {
	return template.New("scan").Funcs(template.FuncMap{
		"text": printable, "place": place, "name": name, "day": day, "thousands": thousands, "count": count,
		"stateText": func(s match.State) string { return stateText(s) },
		"when":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") },
		"date":      func(t time.Time) string { return orText(day(t), "–") },
		"percent":   func(f float64) string { return percentText(f) },
		"join":      func(list []string) string { return printable(strings.Join(list, ", ")) },
		"detail":    exploitDetail, "vulnerabilities": vulnerabilities, "severityCounts": severityCounts,
	}).Parse(scanPage)
})

// page is what the template of the HTML page shows.
type page struct {
	*view
	Title, Tool, Policy      string
	Target, Data, Support    string
	Distro                   string
	Platform, Tally, Made    string
	Tone                     string // of the answer: bad, unsure, good
	Tiles                    []tile
	Bar                      []tile
	Updates                  []pageUpdate
	MoreUpdates              int
	Open, Hidden             []pageFinding
	NotJudged                []pageState
	Sources                  []pageSource
	Script                   template.JS
	HasEPSS, HasKEV, HasCVSS bool
}

type tile struct {
	Label string
	Count int
	Class string
}

// pageUpdate is one update and what it mends.
type pageUpdate struct {
	Package *inventory.Package
	To      string
	Count   int
	Worst   advisory.Level
	Kinds   string
	KEV     int
}

type pageFinding struct {
	*match.Finding
	P        *inventory.Package
	PURL     string
	Fix      string
	Advice   string
	CVSS     string
	EPSS     string
	KEV      string
	Certain  string
	Links    []string
	Rank     int
	EPSSRank string
	CVSSRank string
}

type pageState struct {
	match.PackageState
	P *inventory.Package
}

type pageSource struct {
	match.FeedState
	Age string
}

const maxUpdates = 12 // listed before "and more"

// writeHTML writes one page that needs nothing else: styles and the little
// script for sorting and filtering are in it, and it reads well without
// scripts and on paper. Its content policy forbids any other script and
// every request.
func (v *view) writeHTML(w io.Writer) error {
	t, err := pageTemplate()
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(scanScript))
	p := page{
		view: v, Title: "Vulnerabilities of " + printable(v.target()), Tool: strings.TrimSpace(v.tool() + " " + v.o.ToolVersion),
		Policy: "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'",
		Target: printable(v.target()), Data: printable(v.data()), Support: v.support(), Distro: printable(v.distro()),
		Platform: printable(platform(v.Image.Config.OS, v.Image.Config.Architecture, v.Image.Config.Variant)),
		Tally:    v.tally(), Made: v.created().Format("2 January 2006, 15:04 MST"), Script: template.JS(scanScript), Tone: v.tone(),
	}
	s := v.Summary
	for _, l := range severities() {
		if n := s.Severities[l.String()]; n > 0 || l.Rank() >= advisory.Low.Rank() {
			p.Tiles = append(p.Tiles, tile{l.String(), n, "s-" + l.String()})
			if n > 0 {
				p.Bar = append(p.Bar, tile{l.String(), n, "s-" + l.String()})
			}
		}
	}
	p.Tiles = append(p.Tiles, tile{"exploited", s.Exploited, "t-kev"}, tile{"can be fixed", s.Fixable, "t-fix"}, tile{"packages not judged", s.NotJudged, "t-unsure"})
	p.updates()
	for i := range v.Findings {
		f := v.pageFinding(&v.Findings[i])
		p.HasEPSS, p.HasKEV, p.HasCVSS = p.HasEPSS || f.EPSS != "", p.HasKEV || f.KEV != "", p.HasCVSS || f.CVSS != ""
		if f.Suppressed == "" {
			p.Open = append(p.Open, f)
		} else {
			p.Hidden = append(p.Hidden, f)
		}
	}
	for _, st := range v.States {
		p.NotJudged = append(p.NotJudged, pageState{st, &v.Image.Packages[st.Package]})
	}
	for _, f := range v.Feeds {
		src := pageSource{FeedState: f}
		if !f.Checked.IsZero() && !v.At.IsZero() {
			src.Age = ageText(max(0, v.At.Sub(f.Checked)))
		}
		p.Sources = append(p.Sources, src)
	}
	bw := bufio.NewWriterSize(w, 64<<10)
	if err := t.Execute(bw, &p); err != nil {
		return err
	}
	return bw.Flush()
}

// tone is how the answer is coloured: never good where something is unknown.
func (v *view) tone() string {
	s := v.Summary
	switch {
	case s.Severities["critical"]+s.Severities["high"]+s.Exploited > 0:
		return "bad"
	case s.Findings > 0 || len(v.Unknowns) > 0 || s.Packages == 0:
		return "unsure"
	}
	return "good"
}

func (v *view) pageFinding(f *match.Finding) pageFinding {
	p := v.Package(f)
	out := pageFinding{
		Finding: f, P: p, PURL: p.PURL(), Fix: fixText(f.Fix), Advice: advice(f, p), EPSS: chance(f.EPSS), KEV: exploitText(f.Exploited),
		Certain: certainty(f), Links: links(f), Rank: f.Severity.Rank(), EPSSRank: "-1", CVSSRank: "-1",
	}
	if f.EPSS != nil {
		out.EPSSRank = strconv.FormatFloat(f.EPSS.Score, 'f', 6, 64)
	}
	if s, ok := score(f); ok {
		out.CVSS = strconv.FormatFloat(s.Score, 'f', 1, 64)
		out.CVSSRank = out.CVSS
	}
	return out
}

// updates groups what can be fixed by the update that fixes it, the worst
// first.
func (p *page) updates() {
	type key struct {
		pkg string
		to  string
	}
	index := map[key]int{}
	counts := []map[string]int{}
	for _, f := range p.open() {
		if f.Fix.State != advisory.Fixed {
			continue
		}
		pkg := p.Package(f)
		k := key{pkg.Type + "\x00" + name(pkg) + "\x00" + pkg.Version, fixText(f.Fix)}
		i, ok := index[k]
		if !ok {
			i = len(p.Updates)
			index[k] = i
			p.Updates = append(p.Updates, pageUpdate{Package: pkg, To: fixText(f.Fix)})
			counts = append(counts, map[string]int{})
		}
		u := &p.Updates[i]
		u.Count++
		counts[i][f.Severity.String()]++
		if f.Severity.Rank() > u.Worst.Rank() {
			u.Worst = f.Severity
		}
		if f.Exploited != nil {
			u.KEV++
		}
	}
	for i := range p.Updates {
		p.Updates[i].Kinds = severityCounts(counts[i])
	}
	slices.SortStableFunc(p.Updates, func(a, b pageUpdate) int {
		return cmp.Or(cmp.Compare(b.KEV, a.KEV), cmp.Compare(b.Worst.Rank(), a.Worst.Rank()), cmp.Compare(b.Count, a.Count))
	})
	if n := len(p.Updates); n > maxUpdates {
		p.MoreUpdates = n - maxUpdates
		p.Updates = p.Updates[:maxUpdates]
	}
}
