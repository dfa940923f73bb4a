package policy

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// member names that the two interfaces spell differently.
type specWords struct {
	superseded string
	artifact   bool
}

// SpecDocument describes gates as an interface publishes them: the list of
// /system/policy_spec of the 1_0 interface (format 1_0) or the v2 one.
// Active gates come first, then by name.
func SpecDocument(gates []Gate, f Format) ([]byte, error) {
	w := specWords{superseded: "superceded_by"}
	if f == Format2 {
		w = specWords{"superseded_by", true}
	}
	specs := make([]GateSpec, len(gates))
	for i, g := range gates {
		specs[i] = g.Spec()
	}
	slices.SortStableFunc(specs, func(a, b GateSpec) int {
		return cmp.Or(cmp.Compare(a.State.rank(), b.State.rank()), strings.Compare(a.Name, b.Name))
	})
	out := make([]map[string]any, 0, len(specs))
	for i := range specs {
		g := &specs[i]
		m := w.entry(g.Name, g.Description, g.State, g.SupersededBy)
		if w.artifact {
			m["supported_artifact_type"] = "image"
		}
		triggers := make([]map[string]any, 0, len(g.Triggers))
		for k := range g.Triggers {
			t := &g.Triggers[k]
			state := t.State
			if g.State == EOL {
				state = EOL
			}
			e := w.entry(t.name(f), t.Description, state, cmp.Or(t.SupersededBy, g.SupersededBy))
			params := make([]map[string]any, 0, len(t.Params))
			for n := range t.Params {
				p := &t.Params[n]
				pe := w.entry(p.Name, p.Description, p.State, p.SupersededBy)
				pe["required"] = p.Required
				pe["example"] = nullable(p.Example)
				pe["validator"] = p.validator(f)
				params = append(params, pe)
			}
			e["parameters"] = params
			triggers = append(triggers, e)
		}
		m["triggers"] = triggers
		out = append(out, m)
	}
	return json.Marshal(out)
}

func (l Lifecycle) rank() int {
	switch l {
	case Deprecated:
		return 1
	case EOL:
		return 2
	}
	return 0
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (w specWords) entry(name, description string, state Lifecycle, superseded string) map[string]any {
	return map[string]any{"name": name, "description": description, "state": state.state(), w.superseded: nullable(superseded)}
}

// validator describes what a parameter accepts, with a fragment of JSON schema.
func (p *ParamSpec) validator(f Format) map[string]any {
	name, criteria := "String", map[string]any{"type": "string"}
	switch p.Type {
	case Enum:
		name = "EnumString"
		criteria["enum"] = p.values(f)
	case Bool:
		name = "BooleanString"
		criteria["enum"] = []string{"true", "false"}
	case Int, Duration:
		name = "IntegerString"
		criteria["pattern"] = `^\s*[0-9]+\s*$`
	case Float:
		name = "FloatString"
		criteria["pattern"] = `^-?[0-9]+(\.[0-9]+)?$`
	case List:
		name = "CommaDelimitedStringList"
		criteria["pattern"] = `^\s*[^,]+\s*(,\s*[^,]+\s*)*$`
	case NumberList:
		name = "CommaDelimitedStringOfNumbers"
		criteria["pattern"] = `^\s*[0-9]+\s*(,\s*[0-9]+\s*)*$`
	case PipeList:
		name = "PipeDelimitedStringList"
		criteria["pattern"] = `^\s*[^|]+\s*(\|\s*[^|]+\s*)*$`
	case NameVersion:
		name = "CommaDelimitedStringOfNameVersionPairs"
		criteria["pattern"] = `^[^,|]+\|[^,|]+(,[^,|]+\|[^,|]+)*$`
	case Regexp:
		name = "RegexString"
	case Size:
		name = "SizeString"
		criteria["pattern"] = `^\s*[0-9]+\s*(kb|mb|gb|tb)?$`
	case Path:
		name = "AbsolutePathString"
		criteria["pattern"] = `^/`
	case Octal:
		name = "OctalString"
		criteria["pattern"] = `^(0o)?[0-7]+$`
	}
	return map[string]any{"type": name, "description": name, "criteria": criteria}
}
