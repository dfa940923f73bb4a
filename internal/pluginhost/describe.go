package pluginhost

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// Bounds of a description.
const (
	maxDescription = 1 << 20 // bytes
	maxWants       = 100     // of patterns, types, triggers, parameters each
)

// remembered is a description as it is kept under the digest of its plugin.
type remembered struct {
	Plain       bool               `json:"plain"`
	Description plugin.Description `json:"description"`
}

// describe learns what the plugin is.
func (p *Plugin) describe(ctx context.Context) error {
	file := ""
	if p.host.config.Cache != "" {
		file = filepath.Join(p.host.config.Cache, p.Digest+".json")
		if b, err := os.ReadFile(file); err == nil {
			var r remembered
			if decode(b, &r) == nil && check(&r.Description) == nil {
				p.Plain, p.desc = r.Plain, r.Description
				return p.configured()
			}
		}
	}
	if err := p.ask(ctx); err != nil {
		return err
	}
	if err := check(&p.desc); err != nil {
		p.desc.Name = "" // not one to call it by
		return fmt.Errorf("its description is wrong: %w", err)
	}
	if file != "" {
		if err := p.remember(file); err != nil {
			p.host.log.Warn("plugin: description not remembered", "plugin", p.Path, "error", err)
		}
	}
	return p.configured()
}

func (p *Plugin) remember(file string) error {
	b, err := json.Marshal(remembered{p.Plain, p.desc})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// ask calls the plugin with "describe", and where that gives no JSON object,
// with "help".
func (p *Plugin) ask(ctx context.Context) error {
	limit := p.host.limits.Describe
	out, err := p.output(ctx, []string{"describe"}, nil, limit, maxDescription)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if text := bytes.TrimSpace(out); err == nil && len(text) > 0 && text[0] == '{' {
		if err := decode(text, &p.desc); err != nil {
			return fmt.Errorf("its description is no JSON of the protocol: %w", err)
		}
		return nil
	}
	first := err
	if out, err = p.output(ctx, []string{"help"}, nil, limit, maxDescription); err != nil {
		return fmt.Errorf("it answers neither describe nor help: %w", cmp.Or(first, err))
	}
	p.Plain = true
	p.desc, err = plainDescription(out)
	if err != nil {
		return fmt.Errorf("it answers neither describe with JSON nor help with lines of the plain mode: %w", err)
	}
	return nil
}

// configured checks the values that the configuration gives the plugin.
func (p *Plugin) configured() error {
	given := p.host.config.Settings[p.desc.Name]
	for name, value := range given {
		i := slices.IndexFunc(p.desc.Parameters, func(q plugin.Parameter) bool { return q.Name == name })
		if i < 0 {
			return fmt.Errorf("it has no parameter %q", name)
		}
		if err := checkValue(&p.desc.Parameters[i], value); err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	for _, q := range p.desc.Parameters {
		if _, ok := given[q.Name]; q.Required && !ok {
			return fmt.Errorf("its parameter %q is required: set plugin-setting %s.%s=VALUE", q.Name, p.desc.Name, q.Name)
		}
	}
	return nil
}

// checkValue checks a value by the rules of policies.
func checkValue(q *plugin.Parameter, value string) error {
	spec := policy.TriggerSpec{Params: []policy.ParamSpec{paramSpec(q)}}
	spec.Params[0].Required = false
	_, err := spec.With("", map[string]string{q.Name: value})
	return err
}

func paramSpec(q *plugin.Parameter) policy.ParamSpec {
	return policy.ParamSpec{Name: q.Name, Description: q.Help, Example: q.Example, Type: policy.Type(cmp.Or(q.Type, string(policy.String))), Values: q.Values, Required: q.Required, Default: q.Default}
}

// check judges a description, and fills in what it may leave out.
func check(d *plugin.Description) error {
	if d.Protocol != plugin.Protocol {
		return fmt.Errorf("it speaks the protocol %q; this program speaks %s", clean(d.Protocol, 100), plugin.Protocol)
	}
	if !isName(d.Name) {
		return fmt.Errorf("its name %s is none: lower case letters, digits and -, at most 64", quote([]byte(d.Name)))
	}
	if d.Version == "" || len(d.Version) > 64 || clean(d.Version, 64) != d.Version {
		return errors.New("its version is missing, longer than 64 bytes or no text")
	}
	d.Help = clean(d.Help, 500)
	if len(d.Kinds) == 0 {
		return errors.New("it names no kind")
	}
	for i, k := range d.Kinds {
		if slices.Contains(d.Kinds[:i], k) {
			return fmt.Errorf("it names the kind %s twice", k)
		}
		missing := false
		switch k {
		case plugin.Analyzer:
			missing = d.Analyzer == nil
		case plugin.Gate:
			missing = d.Gate == nil
		case plugin.Source:
			missing = d.Source == nil
		case plugin.Query:
			missing = d.Query == nil
		case plugin.Notifier:
		default:
			return fmt.Errorf("there is no kind %s", quote([]byte(k)))
		}
		if missing {
			return fmt.Errorf("it is of the kind %s and says nothing of it", k)
		}
	}
	for _, part := range []struct {
		kind  plugin.Kind
		there bool
	}{{plugin.Analyzer, d.Analyzer != nil}, {plugin.Gate, d.Gate != nil}, {plugin.Source, d.Source != nil}, {plugin.Query, d.Query != nil}} {
		if part.there && !slices.Contains(d.Kinds, part.kind) {
			return fmt.Errorf("it describes a %s, and is not of that kind", part.kind)
		}
	}
	if err := checkParameters(d.Parameters); err != nil {
		return err
	}
	return errors.Join(checkAnalyzer(d.Analyzer), checkGate(d), checkSource(d), checkQuery(d))
}

func isName(s string) bool {
	if s == "" || len(s) > 64 || s[0] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isWord is isName for names of parameters, triggers and facts: also "_" and ".".
func isWord(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}

func checkParameters(list []plugin.Parameter) error {
	if len(list) > maxWants {
		return fmt.Errorf("more than %d parameters", maxWants)
	}
	for i := range list {
		q := &list[i]
		q.Help = clean(q.Help, 500)
		if !isWord(q.Name) {
			return fmt.Errorf("a parameter is called %s", quote([]byte(q.Name)))
		}
		if slices.ContainsFunc(list[:i], func(o plugin.Parameter) bool { return o.Name == q.Name }) {
			return fmt.Errorf("two parameters are called %s", q.Name)
		}
		switch t := policy.Type(cmp.Or(q.Type, string(policy.String))); t {
		case policy.String, policy.Bool, policy.Int, policy.Float, policy.List, policy.NumberList, policy.PipeList, policy.NameVersion, policy.Regexp, policy.Size, policy.Path, policy.Octal, policy.Duration:
		case policy.Enum:
			if len(q.Values) == 0 || len(q.Values) > maxWants {
				return fmt.Errorf("parameter %s is an enum without values", q.Name)
			}
		default:
			return fmt.Errorf("parameter %s has the type %s, which there is not", q.Name, quote([]byte(q.Type)))
		}
		if q.Default != "" {
			if err := checkValue(q, q.Default); err != nil {
				return fmt.Errorf("the default of parameter %s: %w", q.Name, err)
			}
		}
	}
	return nil
}

func checkAnalyzer(a *plugin.AnalyzerPart) error {
	if a == nil {
		return nil
	}
	if len(a.Wants) == 0 {
		return errors.New("the analyzer wants no files")
	}
	if _, err := newWants(a.Wants); err != nil {
		return err
	}
	if len(a.Facts) > maxWants {
		return fmt.Errorf("more than %d kinds of facts", maxWants)
	}
	for _, k := range a.Facts {
		if !isWord(k) {
			return fmt.Errorf("a kind of facts is called %s", quote([]byte(k)))
		}
	}
	return nil
}

func checkNeeds(needs []plugin.Need, allowed ...plugin.Need) error {
	for _, n := range needs {
		if !slices.Contains(allowed, n) {
			return fmt.Errorf("it needs %s, which there is not", quote([]byte(n)))
		}
	}
	return nil
}

func checkGate(d *plugin.Description) error {
	g := d.Gate
	if g == nil {
		return nil
	}
	g.Name, g.Help = cmp.Or(g.Name, d.Name), clean(cmp.Or(g.Help, d.Help), 500)
	if !isWord(g.Name) {
		return fmt.Errorf("the gate is called %s", quote([]byte(g.Name)))
	}
	if len(g.Triggers) == 0 || len(g.Triggers) > maxWants {
		return fmt.Errorf("the gate has %d triggers", len(g.Triggers))
	}
	for i := range g.Triggers {
		t := &g.Triggers[i]
		t.Help = clean(t.Help, 500)
		if !isWord(t.Name) {
			return fmt.Errorf("a trigger is called %s", quote([]byte(t.Name)))
		}
		if slices.ContainsFunc(g.Triggers[:i], func(o plugin.Trigger) bool { return o.Name == t.Name }) {
			return fmt.Errorf("two triggers are called %s", t.Name)
		}
		if err := checkParameters(t.Parameters); err != nil {
			return fmt.Errorf("trigger %s: %w", t.Name, err)
		}
	}
	return checkNeeds(g.Needs, plugin.Packages, plugin.Findings, plugin.Facts, plugin.Files, plugin.Base)
}

func checkSource(d *plugin.Description) error {
	s := d.Source
	if s == nil {
		return nil
	}
	s.Name = cmp.Or(s.Name, d.Name)
	if !isName(s.Name) {
		return fmt.Errorf("the source is called %s", quote([]byte(s.Name)))
	}
	s.Publisher, s.Licence = clean(cmp.Or(s.Publisher, "the plugin "+d.Name), 200), clean(s.Licence, 200)
	if s.URL != "" && !strings.HasPrefix(s.URL, "https://") && !strings.HasPrefix(s.URL, "http://") {
		return fmt.Errorf("the source's url %s is none of http or https", quote([]byte(s.URL)))
	}
	if len(s.Ecosystems) > maxWants {
		return fmt.Errorf("the source speaks of more than %d ecosystems", maxWants)
	}
	s.Fresh = cmp.Or(s.Fresh, "168h")
	if t, err := time.ParseDuration(s.Fresh); err != nil || t <= 0 {
		return fmt.Errorf("the source is fresh for %s, which is no duration such as 48h", quote([]byte(s.Fresh)))
	}
	return nil
}

func checkQuery(d *plugin.Description) error {
	q := d.Query
	if q == nil {
		return nil
	}
	q.Name, q.Images = cmp.Or(q.Name, d.Name), cmp.Or(q.Images, "one")
	if !isName(q.Name) {
		return fmt.Errorf("the query is called %s", quote([]byte(q.Name)))
	}
	if q.Images != "one" && q.Images != "two" && q.Images != "many" {
		return fmt.Errorf("the query takes %s images; one, two or many", quote([]byte(q.Images)))
	}
	if err := checkParameters(q.Parameters); err != nil {
		return err
	}
	return checkNeeds(q.Needs, plugin.Packages, plugin.Findings, plugin.Facts, plugin.Files, plugin.Verdict)
}

// clean makes a stranger's text fit to be shown: valid, one line, bounded.
func clean(s string, most int) string {
	if len(s) > most {
		s = s[:most]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// quote shows the beginning of what a plugin wrote.
func quote(b []byte) string {
	if len(b) > 80 {
		return fmt.Sprintf("%q…", b[:80])
	}
	return fmt.Sprintf("%q", b)
}
