package policy

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Action is what a rule says, and what a verdict is.
type Action string

// The actions, from best to worst.
const (
	Go   Action = "go"
	Warn Action = "warn"
	Stop Action = "stop"
)

// ParseAction reads an action in any case.
func ParseAction(s string) (Action, error) {
	switch a := Action(strings.ToLower(s)); a {
	case Go, Warn, Stop:
		return a, nil
	}
	return "", fmt.Errorf("unknown action %q", s)
}

func (a Action) rank() int {
	switch a {
	case Stop:
		return 2
	case Warn:
		return 1
	}
	return 0
}

// Worse returns the worse of two actions.
func (a Action) Worse(b Action) Action {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

// Status is "pass" for go and warn, "fail" for stop.
func (a Action) Status() string {
	if a == Stop {
		return "fail"
	}
	return "pass"
}

func lower(s string) string { return strings.ToLower(s) }

// Reason is what decided a verdict.
type Reason string

// The reasons, in words of our own; the documents of the two formats have
// theirs for the image lists.
const (
	ByPolicy  Reason = "policy_evaluation"
	ByDenied  Reason = "denylisted"
	ByAllowed Reason = "allowlisted"
)

// In is the reason in the words of a format.
func (r Reason) In(f Format) string {
	if f == Format1 {
		switch r {
		case ByDenied:
			return "blacklisted"
		case ByAllowed:
			return "whitelisted"
		}
	}
	return string(r)
}

// Verdict is the outcome of one evaluation, with what it was derived from.
// The same inputs give the same verdict, byte for byte.
type Verdict struct {
	Format       Format           `json:"format"`
	BundleID     string           `json:"bundleID"`
	BundleDigest string           `json:"bundleDigest"`
	ImageDigest  inventory.Digest `json:"imageDigest,omitempty"`
	ImageID      string           `json:"imageID,omitempty"` // 64 hexadecimal digits
	Tag          string           `json:"tag"`

	InventoryDigest string    `json:"inventoryDigest"`
	FindingsDigest  string    `json:"findingsDigest,omitempty"`
	ContextDigest   string    `json:"contextDigest"` // of everything else that a subject holds
	Generation      int64     `json:"generation,omitempty"`
	At              time.Time `json:"at"` // the instant taken as now

	Action Action `json:"action"`
	Reason Reason `json:"reason"`
	// PolicyAction is what the rules alone say, before the image lists.
	PolicyAction Action `json:"policyAction"`

	// What matched: indexes in the bundle, -1 for none.
	Mapping int `json:"mapping"`
	Allowed int `json:"allowed"`
	Denied  int `json:"denied"`

	RuleSets []RuleSetResult `json:"ruleSets"` // those of the mapping, in order
	Rows     []Row           `json:"rows"`
	Problems []Problem       `json:"problems,omitempty"`
	Unknowns []UnknownAnswer `json:"unknowns,omitempty"`
}

// RuleSetResult is the outcome of one rule set.
type RuleSetResult struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Action Action `json:"action"`
	Rows   int    `json:"rows"`
}

// Row is one result of a rule.
type Row struct {
	TriggerID      string     `json:"triggerID"`
	Gate           string     `json:"gate"`
	Trigger        string     `json:"trigger"` // in the words of the bundle's format
	Message        string     `json:"message"`
	Action         Action     `json:"action"`     // go, when an allowlist silenced the row
	RuleAction     Action     `json:"ruleAction"` // what the rule says
	RuleID         string     `json:"ruleID,omitempty"`
	RuleSetID      string     `json:"ruleSetID"`
	Params         []Param    `json:"params,omitempty"` // of the rule
	Recommendation string     `json:"recommendation,omitempty"`
	Allowlisted    *Allowance `json:"allowlisted,omitempty"`
	Evidence       Evidence   `json:"evidence,omitzero"`
	Remedy         string     `json:"remedy,omitempty"`
}

// Allowance names the allowlist item that silenced a row.
type Allowance struct {
	ListID   string `json:"listID"`
	ListName string `json:"listName,omitempty"`
	ItemID   string `json:"itemID,omitempty"`
}

// UnknownAnswer is something a rule asked about and the record could not
// answer. It never changes the action.
type UnknownAnswer struct {
	Gate    string   `json:"gate"`
	Trigger string   `json:"trigger"`
	Message string   `json:"message"`
	Rules   []string `json:"rules,omitempty"` // ids of the rules that asked, or "policy/index" for those without
}
