package policy

import (
	"fmt"
	"strings"
)

// The types of problems, as the 1_0 interface names them.
const (
	UnsupportedVersion   = "UnsupportedVersionError"
	ObjectNotFound       = "ReferencedObjectNotFoundError"
	DuplicateIdentifier  = "DuplicateIdentifierFoundError"
	ValidationError      = "ValidationError"
	GateNotFound         = "GateNotFoundError"
	TriggerNotFound      = "TriggerNotFoundError"
	ParameterInvalid     = "ParameterValueInvalidError"
	InvalidParameter     = "InvalidParameterError"
	InvalidAction        = "InvalidGateAction"
	PolicyError          = "PolicyError"
	EndOfLifed           = "EndOfLifedError"
	DeprecationWarning   = "DeprecationWarning"
	TriggerEvaluation    = "TriggerEvaluationError"
	TargetTagMismatch    = "BundleTargetTagMismatchError"
	severityError        = "error"
	severityWarn         = "warn"
	maxReportedProblems  = 1000
	maxAllowedInProblems = 64
)

// Problem is something wrong with a bundle, or with its evaluation.
type Problem struct {
	Severity string   `json:"severity"` // error or warn
	Type     string   `json:"problem_type"`
	Path     string   `json:"path,omitempty"` // JSON path in the bundle, "$.policies[0].rules[3].gate"
	Message  string   `json:"message"`
	Allowed  []string `json:"allowed,omitempty"` // what would have been right, where that is a list
	RuleID   string   `json:"rule_id,omitempty"`
}

// IsError reports whether the problem makes a bundle invalid.
func (p *Problem) IsError() bool { return p.Severity == severityError }

// String is the whole problem in one sentence.
func (p *Problem) String() string {
	var b strings.Builder
	if p.Path != "" {
		b.WriteString(p.Path)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.RuleID != "" {
		fmt.Fprintf(&b, " (rule %s)", p.RuleID)
	}
	if len(p.Allowed) > 0 {
		b.WriteString("; allowed: ")
		b.WriteString(strings.Join(p.Allowed[:min(len(p.Allowed), maxAllowedInProblems)], ", "))
	}
	return b.String()
}

// HasErrors reports whether any problem is an error.
func HasErrors(ps []Problem) bool {
	for i := range ps {
		if ps[i].IsError() {
			return true
		}
	}
	return false
}

// problems collects; beyond a bound it only counts.
type problems struct {
	list    []Problem
	dropped int
	// demote turns errors into warnings while it is set.
	demote bool
}

func (ps *problems) add(p Problem) {
	if p.Severity == "" {
		p.Severity = severityError
	}
	if ps.demote {
		p.Severity = severityWarn
	}
	if len(ps.list) >= maxReportedProblems {
		// An error must not hide behind a thousand warnings.
		if p.Severity != severityError || HasErrors(ps.list) {
			ps.dropped++
			return
		}
	}
	ps.list = append(ps.list, p)
}

func (ps *problems) errorf(kind, path, format string, args ...any) {
	ps.add(Problem{Type: kind, Path: path, Message: fmt.Sprintf(format, args...)})
}

func (ps *problems) warnf(kind, path, format string, args ...any) {
	ps.add(Problem{Severity: severityWarn, Type: kind, Path: path, Message: fmt.Sprintf(format, args...)})
}

// done returns what was collected, with a last word on what was not.
func (ps *problems) done() []Problem {
	if ps.dropped > 0 {
		ps.list = append(ps.list, Problem{Severity: severityWarn, Type: ValidationError,
			Message: fmt.Sprintf("%d more problems are not listed (limit %d)", ps.dropped, maxReportedProblems)})
		ps.dropped = 0
	}
	return ps.list
}
