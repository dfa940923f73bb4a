package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// Unknown is one reason why a scan may not tell every vulnerability of an
// image. A scan with none of these is complete as far as can be known.
type Unknown struct {
	// State is one of package match's, or "ended" (the distribution is out of
	// support), "failed" (a source could not be updated), "incomparable"
	// (advisories that could not be compared), "unread" (parts of the image).
	State    string   `json:"state"`
	Packages int      `json:"packages,omitempty"` // how many it concerns, where it is about packages
	Text     string   `json:"text"`
	Examples []string `json:"examples,omitempty"` // what it concerns, the first few
}

const maxExamples = 10

// String is the text with the number of packages.
func (u Unknown) String() string {
	switch {
	case u.Packages == 0:
		return u.Text
	case u.State == string(match.Stale):
		return count(u.Packages, "package") + " judged with old data: " + u.Text
	}
	return count(u.Packages, "package") + " could not be judged: " + u.Text
}

// unknowns collects them: the distribution, packages by state and reason,
// sources, advisories, the image.
func unknowns(s *match.Scan) []Unknown {
	list := packageUnknowns(s)
	d := s.Distro
	if d.State != "" {
		// Packages of the distribution say the same: once is enough.
		same := slices.IndexFunc(list, func(u Unknown) bool {
			return u.State == string(d.State) && (d.State == match.UnknownDistro || strings.Contains(u.Text, d.Stream))
		})
		u := Unknown{State: string(d.State), Text: orText(d.Message, "the distribution cannot be judged")}
		if same >= 0 {
			u.Packages, u.Examples = list[same].Packages, list[same].Examples
			list = slices.Delete(list, same, same+1)
		}
		list = append([]Unknown{u}, list...)
	}
	if d.Ended {
		text := orText(d.Product, "the distribution") + " is out of support"
		if !d.EOL.IsZero() {
			text += ", since " + day(d.EOL)
		}
		list = append([]Unknown{{State: "ended", Text: text + ": new vulnerabilities may be neither published for it nor fixed"}}, list...)
	}
	list = append(list, feedUnknowns(s)...)
	if n := len(s.Problems); n > 0 {
		list = append(list, Unknown{State: "incomparable", Text: count(n, "statement") + " of advisories could not be compared", Examples: firstOf(s.Problems)})
	}
	if n := len(s.Image.Problems); n > 0 {
		u := Unknown{State: "unread", Text: count(n, "part") + " of the image could not be read"}
		for _, p := range s.Image.Problems[:min(n, maxExamples)] {
			text := p.Message
			if p.Path != "" {
				text = "/" + p.Path + ": " + text
			}
			u.Examples = append(u.Examples, text)
		}
		list = append(list, u)
	}
	return list
}

func packageUnknowns(s *match.Scan) []Unknown {
	type group struct {
		state   match.State
		message string
	}
	var list []Unknown
	index := map[group]int{}
	for _, ps := range s.States {
		g := group{ps.State, ps.Message}
		if ps.State == match.BadVersion {
			g.message = "" // each has its own
		}
		k, ok := index[g]
		if !ok {
			k = len(list)
			index[g] = k
			text := orText(g.message, stateText(ps.State))
			list = append(list, Unknown{State: string(ps.State), Text: text})
		}
		list[k].Packages++
		if len(list[k].Examples) < maxExamples && ps.Package >= 0 && ps.Package < len(s.Image.Packages) {
			p := &s.Image.Packages[ps.Package]
			list[k].Examples = append(list[k].Examples, strings.TrimSpace(p.Type+" "+name(p)+" "+p.Version))
		}
	}
	// What is not judged at all comes before what is judged with old data.
	slices.SortStableFunc(list, func(a, b Unknown) int {
		stale := func(u Unknown) int {
			if u.State == string(match.Stale) {
				return 1
			}
			return 0
		}
		return stale(a) - stale(b)
	})
	return list
}

func feedUnknowns(s *match.Scan) []Unknown {
	records := 0
	var list []Unknown
	for _, f := range s.Feeds {
		records += f.Records
		switch {
		case f.Error != "":
			text := "the last update of source " + f.Source + " failed: " + f.Error
			if !f.Checked.IsZero() {
				text += "; its data is that of " + day(f.Checked)
			}
			list = append(list, Unknown{State: "failed", Text: text})
		case f.Stale:
			text := "the data of source " + f.Source + " is older than its bound"
			if !f.Checked.IsZero() {
				text += ": it was last checked on " + day(f.Checked)
			}
			list = append(list, Unknown{State: string(match.Stale), Text: text})
		}
	}
	if records == 0 {
		list = append([]Unknown{{State: string(match.NoData), Text: "no source of advisories has any data; tidewaiter feed update loads it"}}, list...)
	}
	return list
}

func stateText(s match.State) string {
	switch s {
	case match.NoVersion:
		return "there is no version to compare"
	case match.BadVersion:
		return "the version cannot be read"
	case match.UnknownDistro:
		return "no publisher is known to speak of the distribution"
	case match.UnknownType:
		return "no publisher is known to speak of such packages"
	case match.NoData:
		return "there is no advisory data"
	case match.Stale:
		return "the advisory data is older than its bound"
	}
	return string(s)
}

func firstOf(list []string) []string { return slices.Clone(list[:min(len(list), maxExamples)]) }

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Summary counts.
type Summary struct {
	Packages   int            `json:"packages"`
	NotJudged  int            `json:"notJudged"`  // packages for which nothing can be said
	Stale      int            `json:"stale"`      // packages judged with data older than its bound
	Findings   int            `json:"findings"`   // that count
	Suppressed int            `json:"suppressed"` // that do not
	Fixable    int            `json:"fixable"`    // of those that count
	Exploited  int            `json:"exploited"`
	Severities map[string]int `json:"severities"` // of those that count
}

func summarize(s *match.Scan) Summary {
	out := Summary{Packages: len(s.Image.Packages), Severities: map[string]int{}}
	notJudged, stale := map[int]bool{}, map[int]bool{}
	for _, p := range s.States {
		if p.State == match.Stale {
			stale[p.Package] = true
		} else {
			notJudged[p.Package] = true
		}
	}
	for p := range notJudged {
		delete(stale, p)
	}
	out.NotJudged, out.Stale = len(notJudged), len(stale)
	for i := range s.Findings {
		f := &s.Findings[i]
		if f.Suppressed != "" {
			out.Suppressed++
			continue
		}
		out.Findings++
		out.Severities[f.Severity.String()]++
		if f.Fix.State == advisory.Fixed {
			out.Fixable++
		}
		if f.Exploited != nil {
			out.Exploited++
		}
	}
	return out
}

// severities are all levels, the worst first.
func severities() []advisory.Level {
	l := advisory.Levels()
	slices.Reverse(l)
	return l
}

// severityCounts is "1 critical, 3 high".
func severityCounts(counts map[string]int) string {
	var parts []string
	for _, l := range severities() {
		if n := counts[l.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", thousands(n), l))
		}
	}
	return strings.Join(parts, ", ")
}
