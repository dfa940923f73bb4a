package gates

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func vulnerabilities() policy.Gate {
	vendorOnly := policy.ParamSpec{Name: "vendor_only", Type: policy.Bool, Default: "true", Example: "true", Description: "Leave out what the vendor will not fix"}
	ids := policy.ParamSpec{Name: "vulnerability_ids", Type: policy.List, Required: true, Example: "CVE-2019-1234", Description: "Vulnerabilities"}
	listed := policy.TriggerSpec{Name: "blacklist", Name2: "denylist", Description: "One of the listed vulnerabilities was found", Params: []policy.ParamSpec{ids, vendorOnly}}
	return newGate("vulnerabilities", "Vulnerabilities of packages, and the data they are known by",
		trigger{policy.TriggerSpec{Name: "package", Description: "A vulnerability satisfies all that is given", Prepare: prepareVulnerability, Params: vulnerabilityParams(vendorOnly)}, vulnerablePackage},
		trigger{policy.TriggerSpec{Name: "stale_feed_data", Description: "The data of the image's distribution is too old", Params: []policy.ParamSpec{
			{Name: "max_days_since_sync", Type: policy.Duration, Required: true, Example: "10", Description: "Days that the data may be old"},
		}}, staleFeed},
		trigger{policy.TriggerSpec{Name: "vulnerability_data_unavailable", Description: "There is no data of the image's distribution"}, noFeed},
		trigger{listed, deniedVulnerability},
		trigger{policy.TriggerSpec{Name: "kev_list", Description: "A vulnerability is known to be exploited", Params: []policy.ParamSpec{
			{Name: "ransomware_only", Type: policy.Bool, Default: "false", Example: "true", Description: "Only those known from ransomware campaigns"},
		}}, knownExploited},
		trigger{policy.TriggerSpec{Name: "epss", Description: "A vulnerability is likely to be exploited soon", Prepare: prepareEPSS, Params: []policy.ParamSpec{
			{Name: "score", Type: policy.Float, Example: "0.1", Description: "Least probability of exploitation within 30 days, 0 to 1"},
			{Name: "percentile", Type: policy.Float, Example: "0.95", Description: "Least percentile, 0 to 1"},
		}}, likelyExploited},
	)
}

// The scores that can be tested, in the order of messages.
const (
	base = iota
	exploitability
	impact
	vendorBase
	vendorExploitability
	vendorImpact
	scores
)

func scoreNames() [scores]string {
	return [scores]string{"cvss_v3_base_score", "cvss_v3_exploitability_score", "cvss_v3_impact_score",
		"vendor_cvss_v3_base_score", "vendor_cvss_v3_exploitability_score", "vendor_cvss_v3_impact_score"}
}

func severities() []string {
	return []string{"unknown", "negligible", "low", "medium", "high", "critical"}
}

func vulnerabilityParams(vendorOnly policy.ParamSpec) []policy.ParamSpec {
	compare := func(name, what, fallback string) policy.ParamSpec {
		return policy.ParamSpec{Name: name + "_comparison", Type: policy.Enum, Values: comparisons(), Default: fallback, Example: ">", Description: "How to compare " + what}
	}
	params := []policy.ParamSpec{
		{Name: "package_type", Type: policy.Enum, Values: []string{"all", "os", "non-os"}, Required: true, Example: "all", Description: "Packages of the operating system, all others, or all"},
		compare("severity", "the severity", ">"),
		{Name: "severity", Type: policy.Enum, Values: severities(), Default: "unknown", Example: "high", Description: "Severity"},
	}
	for _, name := range scoreNames() {
		what := "the " + strings.ReplaceAll(name, "_", " ")
		params = append(params, compare(name, what, ">="),
			policy.ParamSpec{Name: name, Type: policy.Float, Example: "7.0", Description: "Compare with " + what + "; findings without one count as -1"})
	}
	params = append(params,
		policy.ParamSpec{Name: "fix_available", Type: policy.Bool, Example: "true", Description: "Whether a fixed version must be known, or must not"},
		vendorOnly,
		policy.ParamSpec{Name: "max_days_since_creation", Type: policy.Duration, Example: "7", Description: "Leave out what was first seen in the image within this many days"},
		policy.ParamSpec{Name: "max_days_since_fix", Type: policy.Duration, Example: "30", Description: "Leave out what was fixed within this many days; only with fix_available"},
		policy.ParamSpec{Name: "package_path_exclude", Type: policy.Regexp, Example: ".*/test/.*", Description: "Leave out packages other than the operating system's whose path matches at its start"})
	for _, name := range []string{"epss_score", "epss_percentile"} {
		params = append(params, compare(name, "the "+strings.ReplaceAll(name, "_", " "), ">="),
			policy.ParamSpec{Name: name, Type: policy.Float, Example: "0.5", Description: "Compare with the " + strings.ReplaceAll(name, "_", " ") + ", 0 to 1; findings without one count as -1"})
	}
	return params
}

// vuln is a finding with what the gate compares, computed once per image.
type vuln struct {
	f        *match.Finding
	pkg      *inventory.Package
	os       bool
	rank     int
	fixed    bool
	wontFix  bool
	scores   [scores]float64
	score    float64 // EPSS
	percent  float64
	part     string
	where    string // package name or location
	head     string // message up to the optional parts
	tail     string // and after them
	detected time.Time
	evidence policy.Evidence
	remedy   string
}

// found are the findings that count.
func found(s *policy.Subject) []vuln {
	return policy.Memo(s, "vulnerabilities", func() []vuln {
		var out []vuln
		type shown struct {
			evidence          policy.Evidence
			part, where, text string
		}
		packages := make([]*shown, len(s.Image.Packages))
		for i := range s.Scan.Findings {
			f := &s.Scan.Findings[i]
			if f.Suppressed != "" || f.Package < 0 || f.Package >= len(s.Image.Packages) {
				continue
			}
			p := &s.Image.Packages[f.Package]
			v := vuln{f: f, pkg: p, os: p.OS(), rank: max(f.Severity.Rank(), 0), fixed: len(f.Fix.Versions) > 0, wontFix: f.Fix.State == advisory.WontFix, score: -1, percent: -1}
			v.rate()
			if f.EPSS != nil {
				v.score, v.percent = f.EPSS.Score, f.EPSS.Percentile
			}
			known := packages[f.Package]
			if known == nil {
				known = &shown{evidence: evidence(s, p), part: idPart(p), where: p.Name, text: "os"}
				if !v.os {
					known.where, known.text = location(p), "non-os"
				}
				known.text = " Vulnerability found in " + known.text + " package type (" + typeName(p) + ") - " + known.where + " "
				packages[f.Package] = known
			}
			v.part, v.where, v.evidence = known.part, known.where, known.evidence
			v.evidence.Finding = f.ID
			v.head = strings.ToUpper(f.Severity.String()) + known.text
			v.tail = "(" + f.ID + " - " + link(f) + ")"
			if v.fixed {
				v.head += "(fixed in: " + strings.Join(f.Fix.Versions, ", ") + ")"
				v.remedy = "Update " + p.Name + " to " + strings.Join(f.Fix.Versions, " or ")
			}
			v.detected = s.Detected[policy.FindingKey{Vulnerability: f.ID, Package: p.ID()}]
			out = append(out, v)
		}
		return out
	})
}

func (v *vuln) rate() {
	for i := range v.scores {
		v.scores[i] = -1
	}
	for i := range v.f.Scores {
		r := &v.f.Scores[i]
		if r.Type != "CVSS_V3" {
			continue
		}
		at := vendorBase
		if r.Source == "nvd" || strings.HasPrefix(r.Source, "nvd:") || r.Source == "nvd@nist.gov" {
			at = base
		}
		if r.Score > 0 || r.Vector != "" {
			v.scores[at] = max(v.scores[at], r.Score)
		}
		if e, m, ok := cvss3Parts(r.Vector); ok {
			v.scores[at+exploitability] = max(v.scores[at+exploitability], e)
			v.scores[at+impact] = max(v.scores[at+impact], m)
		}
	}
}

func link(f *match.Finding) string {
	if f.URL != "" {
		return f.URL
	}
	for i := range f.Evidence {
		if u := f.Evidence[i].URL; u != "" {
			return u
		}
	}
	if advisory.IsCVE(f.ID) {
		return "https://nvd.nist.gov/vuln/detail/" + f.ID
	}
	return "None"
}

func notMatched(s *policy.Subject) []policy.Hit {
	if s.Scan == nil {
		return unknown("the image was not matched against vulnerability data")
	}
	return nil
}

// gaps are what matching could not judge: rules on vulnerabilities asked
// about these packages, too.
func gaps(s *policy.Subject) []policy.Hit {
	return policy.Memo(s, "gaps of matching", func() []policy.Hit {
		count := map[match.State]int{}
		var order []match.State
		for i := range s.Scan.States {
			st := s.Scan.States[i].State
			if count[st] == 0 {
				order = append(order, st)
			}
			count[st]++
		}
		var out []policy.Hit
		for _, st := range order {
			what, suffix := "could not be judged", ""
			if st == match.Stale {
				what = "were judged by stale data"
			}
			if count[st] == 1 {
				suffix = " (" + s.Image.Packages[s.Scan.States[firstOf(s, st)].Package].Name + ")"
			}
			out = append(out, unknown("%d packages %s: %s%s", count[st], what, st, suffix)...)
		}
		switch s.Scan.Distro.State {
		case match.UnknownDistro, match.NoData:
			out = append(out, unknown("the image's distribution could not be judged: %s", s.Scan.Distro.State)...)
		case match.Stale:
			out = append(out, unknown("the data of the image's distribution is stale")...)
		}
		if n := len(s.Scan.Problems); n > 0 {
			out = append(out, unknown("%d statements of advisories could not be compared", n)...)
		}
		if n := len(s.Image.Problems); n > 0 {
			out = append(out, unknown("%d parts of the image could not be read", n)...)
		}
		return out
	})
}

func firstOf(s *policy.Subject, st match.State) int {
	for i := range s.Scan.States {
		if s.Scan.States[i].State == st {
			return i
		}
	}
	return 0
}

func vulnerablePackage(ctx context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if s.Scan == nil {
		return notMatched(s), nil
	}
	q, _ := p.Prepared().(*vulnQuery)
	exclude := p.Regexp("package_path_exclude")
	all := found(s)
	var out []policy.Hit
	undated := 0
	for i := range all {
		v := &all[i]
		if !q.matches(v) || !v.os && exclude != nil && exclude.MatchString(v.where) {
			continue
		}
		times := ""
		if q.created >= 0 {
			seen := v.detected
			if seen.IsZero() {
				seen = s.Now // it is seen now for the first time, as far as the record goes
				undated++
			}
			if seen.After(s.Now.Add(-daysOf(q.created))) {
				continue
			}
			times = "max_days_since_creation=" + seen.Format(time.DateOnly)
		}
		if fix := v.f.Fix.Date; q.sinceFix >= 0 && !fix.IsZero() {
			if fix.After(s.Now.Add(-daysOf(q.sinceFix))) {
				continue
			}
			if times != "" {
				times += " "
			}
			times += "max_days_since_fix=" + fix.Format(time.DateOnly)
		}
		out = append(out, policy.Hit{ID: v.f.ID + "+" + v.part, Message: q.message(v, times), Evidence: v.evidence, Remedy: v.remedy})
	}
	if undated > 0 {
		out = append(out, unknown("it is not recorded when %d findings were first seen", undated)...)
	}
	return append(out, gaps(s)...), ctx.Err()
}

// byID finds findings by any of their names.
func byID(s *policy.Subject, vendorOnly bool) map[string]*vuln {
	return policy.Memo(s, "vulnerabilities by id, vendor only "+strconv.FormatBool(vendorOnly), func() map[string]*vuln {
		present := map[string]*vuln{}
		all := found(s)
		for i := range all {
			v := &all[i]
			if vendorOnly && v.wontFix {
				continue
			}
			if present[v.f.ID] == nil {
				present[v.f.ID] = v
			}
			for _, id := range v.f.Aliases {
				if present[id] == nil {
					present[id] = v
				}
			}
		}
		return present
	})
}

func deniedVulnerability(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if s.Scan == nil {
		return notMatched(s), nil
	}
	present := byID(s, p.Bool("vendor_only"))
	var ids []string
	var e policy.Evidence
	for _, id := range p.List("vulnerability_ids") {
		if v := present[id]; v != nil && !in(ids, id) {
			if len(ids) == 0 {
				e = v.evidence
			}
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return gaps(s), nil
	}
	return append([]policy.Hit{{Message: "Blacklisted vulnerabilities detected: " + pythonList(ids), Evidence: e}}, gaps(s)...), nil
}

func knownExploited(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if s.Scan == nil {
		return notMatched(s), nil
	}
	var out []policy.Hit
	all := found(s)
	for i := range all {
		v := &all[i]
		if v.f.Exploited == nil || p.Bool("ransomware_only") && !v.f.Exploited.Ransomware {
			continue
		}
		out = append(out, policy.Hit{ID: v.f.ID + "+" + v.part, Message: fmt.Sprintf("%s in %s is known to be exploited", v.f.ID, v.where), Evidence: v.evidence, Remedy: v.remedy})
	}
	return append(out, gaps(s)...), nil
}

func prepareEPSS(p policy.Params) (any, error) {
	if !p.Has("score") && !p.Has("percentile") {
		return nil, fmt.Errorf("one of the parameters score and percentile is required")
	}
	return nil, nil
}

func likelyExploited(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if s.Scan == nil {
		return notMatched(s), nil
	}
	var out []policy.Hit
	all := found(s)
	for i := range all {
		v := &all[i]
		if v.f.EPSS == nil || p.Has("score") && v.score < p.Float("score") || p.Has("percentile") && v.percent < p.Float("percentile") {
			continue
		}
		out = append(out, policy.Hit{ID: v.f.ID + "+" + v.part, Message: fmt.Sprintf("%s in %s is likely to be exploited (EPSS score %.5f, percentile %.5f)", v.f.ID, v.where, v.score, v.percent), Evidence: v.evidence, Remedy: v.remedy})
	}
	return append(out, gaps(s)...), nil
}
