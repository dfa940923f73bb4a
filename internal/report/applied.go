package report

import (
	"strconv"

	"github.com/tidewaiter/tidewaiter/internal/match"
)

// maxApplied bounds the statements and rules that formats other than JSON, HTML
// and CycloneDX list.
const maxApplied = 200

// applied is what one VEX statement or ignore rule did, in a sentence.
type applied struct {
	kind string // statement, rule
	text string
	idle bool // it did nothing
}

// applied says of every VEX statement and every ignore rule what it did.
func (v *view) applied() []applied {
	var out []applied
	for i := range v.VEX {
		r := &v.VEX[i]
		out = append(out, applied{"statement", "VEX " + statementText(r), r.Matched == 0})
	}
	for _, r := range v.Ignored {
		out = append(out, applied{"rule", "ignore rule " + ignoreText(r), r.Matched == 0})
	}
	if more := len(out) - maxApplied; more > 0 {
		out = append(out[:maxApplied:maxApplied], applied{"statement", "… and " + thousands(more) + " more statements and rules; JSON lists all", true})
	}
	return out
}

// statementText says what a statement is and did: "CVE-2024-1 not_affected
// (component_not_present) by ACME, in urn:doc: not_affected: 2 findings".
func statementText(r *match.StatementResult) string {
	st := &r.Statement
	s := st.Vulnerability + " " + st.Status
	if st.Justification != "" {
		s += " (" + st.Justification + ")"
	}
	if st.Author != "" {
		s += " by " + st.Author
	}
	if st.Document != "" {
		s += ", in " + st.Document
	}
	return printable(s + ": " + r.Message)
}

// ignoreText says what a rule did.
func ignoreText(r match.IgnoreResult) string {
	s := r.Rule + ": "
	switch {
	case r.Expired:
		s += "has expired"
	case r.Matched == 0:
		s += "matched nothing"
	default:
		s += "ignored " + strconv.Itoa(r.Matched) + map[bool]string{true: " finding", false: " findings"}[r.Matched == 1]
	}
	return printable(s)
}
