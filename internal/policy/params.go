package policy

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Type is the type of a parameter; all values are written as strings.
type Type string

// The types of parameters, and what [Params] makes of them.
const (
	String      Type = "string"       // any text
	Enum        Type = "enum"         // one of the listed values, case counts
	Bool        Type = "boolean"      // true or false, any case
	Int         Type = "integer"      // digits, blanks around them allowed, no sign
	Float       Type = "float"        // optional minus, digits, optional fraction
	List        Type = "list"         // a,b,c: no empty item, blanks around items are dropped
	NumberList  Type = "number-list"  // 1,2,3
	PipeList    Type = "pipe-list"    // a|b
	NameVersion Type = "name-version" // name|version,name|version
	Regexp      Type = "regexp"       // matches at the start of a text; see [CompileStart]
	Size        Type = "size"         // digits and optionally kb, mb, gb or tb, powers of 1024
	Path        Type = "path"         // absolute
	Octal       Type = "octal"        // a file mode, 00644
	Duration    Type = "days"         // a number of days
	maxList          = 100_000        // items of a list
	maxValue         = 4 << 20        // bytes of a value
)

// Params are the parameters of a rule, checked and converted. The methods
// that return a type return the zero value for parameters that are neither
// given nor have a default.
type Params struct {
	ruleID   string
	given    map[string]string
	values   map[string]any
	prepared any
}

// RuleID is the id of the rule that asks, "" where it has none.
func (p Params) RuleID() string { return p.ruleID }

// Has reports whether the rule gives the parameter.
func (p Params) Has(name string) bool { _, ok := p.given[name]; return ok }

// Given returns what the rule gives, as written, by canonical names.
func (p Params) Given() map[string]string { return maps.Clone(p.given) }

// Text returns a parameter of type String, Enum or Path; of any other type
// the text as written.
func (p Params) Text(name string) string {
	if s, ok := p.values[name].(string); ok {
		return s
	}
	return p.given[name]
}

// Bool returns a parameter of type Bool.
func (p Params) Bool(name string) bool { v, _ := p.values[name].(bool); return v }

// Int returns a parameter of type Int, Duration, Octal or Size.
func (p Params) Int(name string) int64 { v, _ := p.values[name].(int64); return v }

// Float returns a parameter of type Float.
func (p Params) Float(name string) float64 { v, _ := p.values[name].(float64); return v }

// List returns a parameter of type List or PipeList.
func (p Params) List(name string) []string { v, _ := p.values[name].([]string); return v }

// Numbers returns a parameter of type NumberList.
func (p Params) Numbers(name string) []int64 { v, _ := p.values[name].([]int64); return v }

// Pairs returns a parameter of type NameVersion.
func (p Params) Pairs(name string) map[string]string {
	v, _ := p.values[name].(map[string]string)
	return v
}

// Regexp returns a parameter of type Regexp, nil where there is none.
func (p Params) Regexp(name string) *regexp.Regexp { v, _ := p.values[name].(*regexp.Regexp); return v }

// Prepared returns what the trigger's Prepare made.
func (p Params) Prepared() any { return p.prepared }

// With returns parameters as a rule with these texts has them; gates' tests
// and whoever asks a single trigger use it. Names are canonical.
func (t *TriggerSpec) With(ruleID string, given map[string]string) (Params, error) {
	rule := Rule{ID: ruleID}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		rule.Params = append(rule.Params, Param{name, given[name]})
	}
	var ps problems
	p := t.params(&ps, "$", &rule, Format1)
	if len(ps.list) > 0 {
		return p, fmt.Errorf("%s", ps.list[0].String())
	}
	return p, nil
}

// params checks and converts the parameters of a rule.
func (t *TriggerSpec) params(ps *problems, path string, r *Rule, f Format) Params {
	p := Params{ruleID: r.ID, given: map[string]string{}, values: map[string]any{}}
	bad := len(ps.list)
	for i := range r.Params {
		at := index(child(path, "params"), i)
		spec := t.param(r.Params[i].Name)
		if spec == nil {
			ps.add(Problem{Type: InvalidParameter, Path: child(at, "name"), RuleID: r.ID, Allowed: t.paramNames(),
				Message: fmt.Sprintf("trigger %s has no parameter %q", t.name(f), r.Params[i].Name)})
			continue
		}
		if _, twice := p.given[spec.Name]; twice {
			ps.add(Problem{Type: InvalidParameter, Path: child(at, "name"), RuleID: r.ID, Message: fmt.Sprintf("parameter %q is given twice", spec.Name)})
			continue
		}
		value := r.Params[i].Value
		p.given[spec.Name] = value
		v, err := spec.convert(value, f)
		if err != nil {
			ps.add(Problem{Type: ParameterInvalid, Path: child(at, "value"), RuleID: r.ID, Message: fmt.Sprintf("parameter %s: %v", spec.Name, err), Allowed: spec.values(f)})
			continue
		}
		p.values[spec.Name] = v
	}
	for i := range t.Params {
		spec := &t.Params[i]
		if _, ok := p.given[spec.Name]; ok {
			continue
		}
		if spec.Required {
			ps.add(Problem{Type: ParameterInvalid, Path: child(path, "params"), RuleID: r.ID,
				Message: fmt.Sprintf("trigger %s requires the parameter %q (%s)", t.name(f), spec.Name, spec.Type), Allowed: spec.values(f)})
		} else if spec.Default != "" {
			if v, err := spec.convert(spec.Default, f); err == nil {
				p.values[spec.Name] = v
			}
		}
	}
	if len(ps.list) == bad && t.Prepare != nil {
		var err error
		if p.prepared, err = t.Prepare(p); err != nil {
			ps.add(Problem{Type: ParameterInvalid, Path: child(path, "params"), RuleID: r.ID, Message: err.Error()})
		}
	}
	return p
}

func (t *TriggerSpec) param(name string) *ParamSpec {
	for i := range t.Params {
		s := &t.Params[i]
		if strings.EqualFold(s.Name, name) {
			return s
		}
		for _, a := range s.Aliases {
			if strings.EqualFold(a, name) {
				return s
			}
		}
	}
	return nil
}

func (t *TriggerSpec) paramNames() []string {
	out := make([]string, len(t.Params))
	for i := range t.Params {
		out[i] = t.Params[i].Name
	}
	return out
}

// convert checks a value. Values of enums become those of format 1_0.
func (s *ParamSpec) convert(v string, f Format) (any, error) {
	if len(v) > maxValue {
		return nil, fmt.Errorf("is longer than %d bytes", maxValue)
	}
	switch s.Type {
	case Enum:
		if i := slices.Index(s.Values, v); i >= 0 {
			return v, nil
		}
		if i := slices.Index(s.Values2, v); i >= 0 && i < len(s.Values) {
			return s.Values[i], nil
		}
		return nil, fmt.Errorf("%q is none of the values (case counts)", v)
	case Bool:
		switch strings.ToLower(v) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", v)
	case Int, Duration:
		return digits(v)
	case Float:
		return decimal(v)
	case List:
		return splitList(v, ",")
	case PipeList:
		return splitList(v, "|")
	case NumberList:
		items, err := splitList(v, ",")
		if err != nil {
			return nil, err
		}
		out := make([]int64, len(items))
		for i, item := range items {
			if out[i], err = digits(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	case NameVersion:
		return pairs(v)
	case Regexp:
		return CompileStart(v)
	case Size:
		return ParseSize(v)
	case Path:
		if !strings.HasPrefix(v, "/") {
			return nil, fmt.Errorf("%q is no absolute path", v)
		}
		return v, nil
	case Octal:
		n, err := strconv.ParseUint(strings.TrimPrefix(v, "0o"), 8, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is no file mode in octal digits, such as 00644", v)
		}
		return int64(n), nil
	}
	return v, nil
}

func digits(v string) (int64, error) {
	t := strings.TrimSpace(v)
	for i := range len(t) {
		if t[i] < '0' || t[i] > '9' {
			return 0, fmt.Errorf("%q is no whole number without sign", v)
		}
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no whole number up to 9223372036854775807", v)
	}
	return n, nil
}

func decimal(v string) (float64, error) {
	t := strings.TrimPrefix(v, "-")
	whole, fraction, point := strings.Cut(t, ".")
	ok := whole != "" && (!point || fraction != "")
	for _, c := range whole + fraction {
		ok = ok && c >= '0' && c <= '9'
	}
	n, err := strconv.ParseFloat(v, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is no number such as 7 or 7.5", v)
	}
	return n, nil
}

func splitList(v, sep string) ([]string, error) {
	if n := strings.Count(v, sep); n >= maxList {
		return nil, fmt.Errorf("list has more than %d items", maxList)
	}
	items := strings.Split(v, sep)
	for i := range items {
		if items[i] = strings.TrimSpace(items[i]); items[i] == "" {
			return nil, fmt.Errorf("%q has an empty item; a list is written a%sb%sc", v, sep, sep)
		}
	}
	return items, nil
}

func pairs(v string) (map[string]string, error) {
	items, err := splitList(v, ",")
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(items))
	for _, item := range items {
		name, version, ok := strings.Cut(item, "|")
		if !ok || name == "" || version == "" {
			return nil, fmt.Errorf("%q is no pair name|version", item)
		}
		out[name] = version
	}
	return out, nil
}

// ParseSize reads a size: digits and optionally kb, mb, gb or tb in lower
// case, powers of 1024.
func ParseSize(v string) (int64, error) {
	t, shift := strings.TrimSpace(v), 0
	for i, unit := range []string{"kb", "mb", "gb", "tb"} {
		if number, ok := strings.CutSuffix(t, unit); ok {
			t, shift = strings.TrimSpace(number), 10*(i+1)
			break
		}
	}
	n, err := digits(t)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is no size such as 1024, 64kb, 750mb or 2gb", v)
	}
	return n << shift, nil
}
