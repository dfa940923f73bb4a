package gates

import (
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// bound is a comparison with a number.
type bound struct {
	used bool
	op   string
	n    float64
}

func boundOf(p policy.Params, name string) bound {
	return bound{p.Has(name), p.Text(name + "_comparison"), p.Float(name)}
}

func (b *bound) holds(v float64) bool {
	switch {
	case v < b.n:
		return holds(b.op, -1)
	case v > b.n:
		return holds(b.op, 1)
	}
	return holds(b.op, 0)
}

// vulnQuery is what the parameters of a rule mean.
type vulnQuery struct {
	os, nonOS  bool
	ranks      [6]bool
	scores     [scores]bound
	anyScore   bool
	epss, perc bound
	fix        bool // fix_available was given
	fixed      bool
	vendorOnly bool
	created    int64 // -1: not given
	sinceFix   int64
}

func prepareVulnerability(p policy.Params) (any, error) {
	q := &vulnQuery{os: p.Text("package_type") != "non-os", nonOS: p.Text("package_type") != "os", vendorOnly: p.Bool("vendor_only"),
		fix: p.Has("fix_available"), fixed: p.Bool("fix_available"), created: -1, sinceFix: -1}
	limit := 0
	for i, name := range severities() {
		if name == p.Text("severity") {
			limit = i
		}
	}
	for i := range q.ranks {
		q.ranks[i] = holds(p.Text("severity_comparison"), i-limit)
	}
	for i, name := range scoreNames() {
		q.scores[i] = boundOf(p, name)
		q.anyScore = q.anyScore || q.scores[i].used
	}
	q.epss, q.perc = boundOf(p, "epss_score"), boundOf(p, "epss_percentile")
	if p.Has("max_days_since_creation") {
		q.created = p.Int("max_days_since_creation")
	}
	if p.Has("max_days_since_fix") && q.fix && q.fixed {
		q.sinceFix = p.Int("max_days_since_fix")
	}
	return q, nil
}

// matches applies every test but those of time and path.
func (q *vulnQuery) matches(v *vuln) bool {
	if !q.ranks[v.rank] || v.os && !q.os || !v.os && !q.nonOS || q.fix && v.fixed != q.fixed || q.vendorOnly && v.wontFix {
		return false
	}
	if q.anyScore {
		for i := range q.scores {
			if b := &q.scores[i]; b.used && !b.holds(v.scores[i]) {
				return false
			}
		}
	}
	return (!q.epss.used || q.epss.holds(v.score)) && (!q.perc.used || q.perc.holds(v.percent))
}

func (q *vulnQuery) message(v *vuln, times string) string {
	if !q.anyScore && times == "" {
		return v.head + v.tail
	}
	if times != "" {
		times = "(" + times + ")"
	}
	return v.head + q.shown(v, base, vendorBase) + times + q.shown(v, vendorBase, scores) + v.tail
}

func (q *vulnQuery) shown(v *vuln, from, to int) string {
	var parts []string
	names := scoreNames()
	for i := from; i < to; i++ {
		if q.scores[i].used {
			parts = append(parts, names[i]+"="+strconv.FormatFloat(v.scores[i], 'f', decimals(v.scores[i]), 64))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// decimals writes a score with one digit, or more where it has more.
func decimals(f float64) int {
	if f*10 == float64(int64(f*10)) {
		return 1
	}
	return -1
}
