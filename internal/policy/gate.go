package policy

import (
	"context"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Gate asks questions about images. The built-in ones are in package gates;
// plugins make others. A Gate is used from several goroutines at once.
type Gate interface {
	// Spec describes the gate; it is the same on every call.
	Spec() GateSpec
	// Evaluate asks one trigger, by the name of its TriggerSpec, with
	// parameters that were checked against the spec. It is pure: the same
	// subject and parameters give the same hits in the same order. An error
	// means that the question could not be asked; the image is then stopped.
	Evaluate(ctx context.Context, trigger string, s *Subject, p Params) ([]Hit, error)
}

// Hit is one thing a trigger found.
type Hit struct {
	// ID is the trigger id where the gate makes one of its own; "" for the
	// hash of gate, trigger and message, as for most.
	ID       string
	Message  string
	Evidence Evidence
	Remedy   string // what would make the hit go away, where that is known
	// Unknown marks what is not a hit: something the rule asked about and the
	// record could not answer. Message says what.
	Unknown bool
}

// Evidence says where a hit was found.
type Evidence struct {
	Package string           `json:"package,omitempty"` // package URL
	Version string           `json:"version,omitempty"`
	Path    string           `json:"path,omitempty"` // absolute, within the image
	Line    int              `json:"line,omitempty"` // from 1
	Layer   inventory.Digest `json:"layer,omitempty"`
	Finding string           `json:"finding,omitempty"` // vulnerability id
	Detail  string           `json:"detail,omitempty"`
}

// Lifecycle is whether a gate, trigger or parameter is in use.
type Lifecycle string

// The states of gates, triggers and parameters.
const (
	Active     Lifecycle = "active"
	Deprecated Lifecycle = "deprecated"
	EOL        Lifecycle = "eol" // known, never evaluated
)

// GateSpec describes a gate: validation, editors and documentation are made
// from it.
type GateSpec struct {
	Name         string
	Description  string
	State        Lifecycle // "" is Active
	SupersededBy string
	Triggers     []TriggerSpec
}

// TriggerSpec describes a trigger.
type TriggerSpec struct {
	Name string
	// Name2 is its name in format 2, where that differs ("denylist" for
	// "blacklist"). Either is understood in both formats; rows carry the
	// bundle's own.
	Name2        string
	Description  string
	State        Lifecycle
	SupersededBy string
	Params       []ParamSpec
	// Prepare checks parameters against each other and makes what evaluation
	// needs of them; Params.Prepared returns it. It may be nil.
	Prepare func(p Params) (any, error)
	// IDs is the form of the trigger ids that the gate makes itself, words in
	// capitals standing for what varies ("VULNERABILITY+PACKAGE"); "" where ids
	// are hashes of the message.
	IDs string
	// Lint says what about a rule's parameters can hardly be meant, a sentence
	// each: that the rule can never fire, that a parameter has no effect. It
	// may be nil.
	Lint func(p Params) []string
}

// ParamSpec describes a parameter.
type ParamSpec struct {
	Name         string
	Aliases      []string // also accepted, never published
	Description  string
	Example      string
	Type         Type
	Values       []string // of an Enum
	Values2      []string // their names in format 2, in the same order, where they differ
	Required     bool
	Default      string // what the parameter is when it is not given; "" for none
	State        Lifecycle
	SupersededBy string
}

// state is the state with its default.
func (l Lifecycle) state() Lifecycle {
	if l == "" {
		return Active
	}
	return l
}

// name is the trigger's name in a format.
func (t *TriggerSpec) name(f Format) string {
	if f == Format2 && t.Name2 != "" {
		return t.Name2
	}
	return t.Name
}

// values are an enum's values in a format.
func (p *ParamSpec) values(f Format) []string {
	if f == Format2 && len(p.Values2) == len(p.Values) {
		return p.Values2
	}
	return p.Values
}

// catalogue finds gates and triggers by name.
type catalogue struct {
	gates []*knownGate // in the order given
	byKey map[string]*knownGate
}

type knownGate struct {
	gate     Gate
	spec     GateSpec
	triggers map[string]*TriggerSpec
}

func newCatalogue(gates []Gate) *catalogue {
	c := &catalogue{byKey: map[string]*knownGate{}}
	for _, g := range gates {
		k := &knownGate{gate: g, spec: g.Spec(), triggers: map[string]*TriggerSpec{}}
		for i := range k.spec.Triggers {
			t := &k.spec.Triggers[i]
			if t.Name2 != "" {
				k.triggers[strings.ToLower(t.Name2)] = t
			}
			k.triggers[strings.ToLower(t.Name)] = t
		}
		key := strings.ToLower(k.spec.Name)
		if c.byKey[key] == nil {
			c.byKey[key] = k
			c.gates = append(c.gates, k)
		}
	}
	return c
}

func (c *catalogue) names() []string {
	var out []string
	for _, k := range c.gates {
		if k.spec.State.state() == Active {
			out = append(out, k.spec.Name)
		}
	}
	slices.Sort(out)
	return out
}

func (k *knownGate) names(f Format) []string {
	var out []string
	for i := range k.spec.Triggers {
		if k.spec.Triggers[i].State.state() == Active {
			out = append(out, k.spec.Triggers[i].name(f))
		}
	}
	slices.Sort(out)
	return out
}
