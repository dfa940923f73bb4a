package policy

import (
	"encoding/json"
	"time"
)

// Format is a format of bundles.
type Format string

// The formats: that of Anchore Engine, and that of the v2 interface.
const (
	Format1 Format = "1_0"
	Format2 Format = "2"
)

// Formats are all formats.
func Formats() []Format { return []Format{Format1, Format2} }

// Bundle is a policy document of either format. Words are kept as they were
// written; both formats have the same members under different names:
//
//	here          1_0                  2
//	RuleSets      policies             rule_sets
//	Allowlists    whitelists           allowlists
//	Allowed       whitelisted_images   allowlisted_images
//	Denied        blacklisted_images   denylisted_images
//	Description   comment              description
//
// A Bundle that an [Evaluator] uses must not be changed.
type Bundle struct {
	Format      Format
	Version     string // as written; the Format's own text in a valid bundle
	ID          string
	Name        string
	Description string
	RuleSets    []RuleSet
	Allowlists  []Allowlist
	Mappings    []Mapping
	// SourceMappings apply to source trees, not images; format 2 only. They
	// are kept and encoded.
	SourceMappings []SourceMapping
	Allowed        []ImageRule
	Denied         []ImageRule
	LastUpdated    json.RawMessage // format 2: a number, for information
	Extra          Extra
}

// Extra holds members that the format does not define. Format 1_0 keeps
// them, format 2 forbids them.
type Extra map[string]json.RawMessage

// RuleSet is a list of rules; a "policy" of format 1_0.
type RuleSet struct {
	ID           string
	Name         string
	Version      string
	Description  string
	ArtifactType string // "image" (also "") or "source"; format 2
	Rules        []Rule
	Extra        Extra
}

// Rule asks one trigger of one gate.
type Rule struct {
	ID             string
	Gate           string
	Trigger        string
	Action         string
	Params         []Param
	NoParams       bool // the member was absent
	Recommendation string
	Description    string
	Extra          Extra
}

// Param is a parameter as written; values are texts whatever their type.
type Param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Allowlist silences rows.
type Allowlist struct {
	ID          string
	Name        string
	Version     string
	Description string
	Items       []Item
	Extra       Extra
}

// Item silences the rows of one gate whose trigger id it names.
type Item struct {
	ID          string
	Gate        string
	TriggerID   string // a pattern; see [Pattern]
	ExpiresOn   string // as written; "" never
	Description string
	Extra       Extra
}

// Expires returns the instant from which on the item does not count, the zero
// time where there is none.
func (i *Item) Expires() (time.Time, error) { return parseExpiry(i.ExpiresOn) }

// ImageRef says how an image is told from others within its repository.
type ImageRef struct {
	Type  string // tag, digest or id
	Value string
}

// Mapping says which rule sets and allowlists count for which images.
type Mapping struct {
	ID           string
	Name         string
	Description  string
	Registry     string
	Repository   string
	Image        ImageRef
	RuleSetIDs   []string
	AllowlistIDs []string
	// PolicyID is 1_0's single form, and the two flags say which of the forms
	// were written: exactly one must be.
	PolicyID      string
	HasPolicyID   bool
	HasRuleSetIDs bool
	Extra         Extra
}

// RuleSetNames are the rule sets that the mapping names, in either form.
func (m *Mapping) RuleSetNames() []string {
	if m.HasPolicyID && !m.HasRuleSetIDs {
		return []string{m.PolicyID}
	}
	return m.RuleSetIDs
}

// SourceMapping is a [Mapping] of source trees.
type SourceMapping struct {
	ID           string
	Name         string
	Description  string
	Host         string
	Repository   string
	RuleSetIDs   []string
	AllowlistIDs []string
}

// ImageRule is an entry of the lists of images that are always allowed or
// always denied.
type ImageRule struct {
	ID          string
	Name        string
	Description string
	Registry    string
	Repository  string
	Image       ImageRef
	Extra       Extra
}

// words are the names that the two formats give to the same member.
type words struct {
	ruleSets, allowlists, allowed, denied, description, ruleSetIDs, allowlistIDs string
}

func wordsOf(f Format) words {
	if f == Format2 {
		return words{"rule_sets", "allowlists", "allowlisted_images", "denylisted_images", "description", "rule_set_ids", "allowlist_ids"}
	}
	return words{"policies", "whitelists", "whitelisted_images", "blacklisted_images", "comment", "policy_ids", "whitelist_ids"}
}
