package report

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/match"
)

// kind is what can be stated of a finding to others.
type kind int

const (
	affected kind = iota // it counts
	doubtful             // it counts, but the package's identity is less than even a guess
	exempt               // suppressed: the package does not have it
	mended               // suppressed: a VEX statement says it is fixed
	accepted             // suppressed by the owner's ignore rule: the package has it
)

// decision is a kind with the justification of a VEX statement, in OpenVEX's
// words, "" where there is none.
type decision struct {
	kind          kind
	justification string
}

// Findings below this confidence are stated as being investigated.
const evenOdds = 0.5

// decide reads a finding's suppression, in the words of package match and the
// ignore file.
func decide(f *match.Finding) decision {
	reason := f.Suppressed
	switch {
	case reason == "" && f.Confidence > 0 && f.Confidence < evenOdds:
		return decision{kind: doubtful}
	case reason == "":
		return decision{kind: affected}
	case strings.HasPrefix(reason, "ignored"):
		return decision{kind: accepted}
	case strings.HasPrefix(reason, "VEX fixed"):
		return decision{kind: mended}
	}
	d := decision{kind: exempt}
	if rest, ok := strings.CutPrefix(reason, "VEX not_affected ("); ok {
		word, _, _ := strings.Cut(rest, ")")
		switch word {
		case "component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
			"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist":
			d.justification = word
		}
	}
	return d
}
