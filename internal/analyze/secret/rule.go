package secret

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Form says how a rule's pattern is applied.
type Form string

// The forms of rules.
const (
	// Token: a keyword begins the secret. The pattern is matched from the
	// keyword on; what stands before and after must not be a letter, a digit
	// or "_".
	Token Form = "token"
	// Window: the pattern is searched for in the text around a keyword, from
	// 128 bytes before it to Span bytes after it.
	Window Form = "window"
	// Value: the keyword is part of the name of an assignment, in any of the
	// usual notations (shell, properties, INI, YAML, JSON, TOML, XML, source
	// code); the pattern must match its whole value.
	Value Form = "value"
	// Whole: the rule has no keywords; the pattern is searched for in the
	// whole of a file that Paths name. Lines are matched by ^ and $.
	Whole Form = "file"
	// Present: the file that Paths name is a secret as a whole, whatever its
	// content.
	Present Form = "present"
	// built is what a pattern cannot say: the function named by Check.
	built Form = "built-in"
)

// Rule says how one kind of secret is recognised. Rules are values; a rule
// of a user may replace a built-in one by having its ID.
type Rule struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Service  string   `json:"service,omitempty"`
	Category string   `json:"category,omitempty"` // default "token"
	Form     Form     `json:"form"`
	Keywords []string `json:"keywords,omitempty"` // literals of lower case that must occur, in any case; at least 3 bytes, see rules.txt
	Pattern  string   `json:"pattern,omitempty"`  // RE2
	Group    int      `json:"group,omitempty"`    // capture group of the value; 0 is the first that took part where there is one, else the whole match
	Name     string   `json:"name,omitempty"`     // of form Value: RE2 that the name must match, in lower case
	Entropy  float64  `json:"entropy,omitempty"`  // least Shannon entropy of the value, bits per byte; 0 is the default of the form, -1 none
	Length   int      `json:"length,omitempty"`   // least length of the value, bytes
	Span     int      `json:"span,omitempty"`     // bytes after the keyword that are looked at; default 512, at most 16384
	Allow    []string `json:"allow,omitempty"`    // RE2; a value that matches one is no secret
	Paths    []string `json:"paths,omitempty"`    // globs; only there, see rules.txt
	Check    string   `json:"check,omitempty"`    // further test of the value, see rules.txt

	Confidence float64 `json:"confidence,omitempty"` // 0 to 1; 0 is the default of the form
	Generic    bool    `json:"generic,omitempty"`    // not in the trees of installed packages, nor in generated code
	Encrypted  bool    `json:"encrypted,omitempty"`
	Hashed     bool    `json:"hashed,omitempty"`
}

// Limits of rules.
const (
	maxRules    = 10_000
	maxKeywords = 200 // of one rule
	maxPattern  = 4096
	maxSpan     = 16 << 10
	defaultSpan = 512
)

// normalise fills in the defaults and says what is wrong with the rule.
func (r *Rule) normalise() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.ID == "" || strings.ContainsAny(r.ID, " \t\r\n") {
		bad("id %q: want a word", r.ID)
	}
	if r.Title == "" {
		bad("no title")
	}
	r.Category = cmp.Or(r.Category, CategoryToken)
	r.Span = cmp.Or(r.Span, defaultSpan)
	if r.Span < 0 || r.Span > maxSpan {
		bad("span %d: want 1 to %d", r.Span, maxSpan)
	}
	switch r.Form {
	case Token, Window, Value:
		if len(r.Keywords) == 0 {
			bad("form %q needs keywords", r.Form)
		}
		if r.Pattern == "" {
			bad("no pattern")
		}
	case Whole, Present:
		if len(r.Paths) == 0 {
			bad("form %q needs paths", r.Form)
		}
		if len(r.Keywords) > 0 {
			bad("form %q has no keywords", r.Form)
		}
		if (r.Pattern == "") != (r.Form == Present) {
			bad("a pattern belongs to form file, and not to form present")
		}
	case built:
		if finder(r.Check) == nil {
			bad("unknown built-in search %q", r.Check)
		}
	default:
		bad("form %q: want token, window, value, file or present", r.Form)
	}
	if r.Check != "" && r.Form != built && check(r.Check) == nil {
		bad("unknown check %q", r.Check)
	}
	if len(r.Keywords) > maxKeywords {
		bad("%d keywords: want at most %d", len(r.Keywords), maxKeywords)
	}
	for _, k := range r.Keywords {
		if len(k) < 3 || len(k) > 200 || k != strings.ToLower(k) {
			bad("keyword %q: want 3 to 200 bytes in lower case", k)
		}
	}
	for _, p := range r.Paths {
		if p == "" || strings.HasSuffix(p, "/") {
			bad("path %q: want the name of a file", p)
		}
	}
	if r.Confidence < 0 || r.Confidence > 1 {
		bad("confidence %v: want 0 to 1", r.Confidence)
	}
	if r.Confidence == 0 {
		r.Confidence = map[Form]float64{Token: 0.95, Window: 0.9, Value: 0.7, Whole: 0.9, Present: 0.6, built: 0.9}[r.Form]
	}
	if r.Entropy == 0 && (r.Form == Token || r.Form == Value) {
		r.Entropy = 3
	}
	return errors.Join(errs...)
}

// rule is a Rule with its patterns, compiled when first used.
type rule struct {
	*Rule
	index   int
	pattern func() *regexp.Regexp
	name    func() *regexp.Regexp
	allow   func() []*regexp.Regexp
	paths   []glob
}

// newRule prepares a normalised rule. strict compiles the patterns at once to
// report their errors, as is right for rules that no test has seen.
func newRule(r *Rule, strict bool) (*rule, error) {
	out := &rule{Rule: r}
	pattern := r.Pattern
	switch r.Form {
	case Token:
		pattern = "^(?:" + pattern + ")"
	case Value:
		pattern = "^(?:" + pattern + ")$"
	case Whole:
		pattern = "(?m)" + pattern
	}
	sources := append([]string{pattern, r.Name}, r.Allow...)
	for _, s := range sources {
		if len(s) > maxPattern {
			return nil, fmt.Errorf("rule %s: a pattern of %d bytes is longer than the limit of %d", r.ID, len(s), maxPattern)
		}
	}
	if strict {
		for i, s := range sources {
			re, err := regexp.Compile(s)
			if err != nil {
				return nil, fmt.Errorf("rule %s: %w", r.ID, err)
			}
			if i == 0 && r.Group > re.NumSubexp() {
				return nil, fmt.Errorf("rule %s: the pattern has no group %d", r.ID, r.Group)
			}
			if i == 0 && r.Form != Present && r.Form != built && re.MatchString("") {
				return nil, fmt.Errorf("rule %s: the pattern matches the empty text", r.ID)
			}
		}
	}
	out.pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
	out.name = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(r.Name) })
	out.allow = sync.OnceValue(func() []*regexp.Regexp {
		var list []*regexp.Regexp
		for _, a := range r.Allow {
			list = append(list, regexp.MustCompile(a))
		}
		return list
	})
	for _, p := range r.Paths {
		out.paths = append(out.paths, newGlob(p))
	}
	return out, nil
}

// group returns where in m, the places of a match and its groups, the value
// begins, or -1.
func (r *rule) group(m []int) int {
	if r.Group > 0 || len(m) == 2 {
		if g := 2 * r.Group; m[g] >= 0 {
			return g
		}
		return -1
	}
	for g := 2; g < len(m); g += 2 {
		if m[g] >= 0 {
			return g
		}
	}
	return -1
}

// ParseRules reads rules in the notation of rules.txt, which describes it.
// The error names every line that is wrong.
func ParseRules(text string) ([]Rule, error) {
	rules, _, err := parse(text)
	if err != nil {
		return nil, err
	}
	return rules, Validate(rules)
}

// Validate says what is wrong with rules, all of it at once.
func Validate(rules []Rule) error {
	if len(rules) > maxRules {
		return fmt.Errorf("%d rules are more than the limit of %d", len(rules), maxRules)
	}
	var errs []error
	seen := map[string]bool{}
	for _, r := range rules {
		r.Keywords, r.Paths = slices.Clone(r.Keywords), slices.Clone(r.Paths)
		if r.Form == built {
			errs = append(errs, fmt.Errorf("rule %s: form %q is not for users", r.ID, built))
			continue
		}
		if err := r.normalise(); err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", r.ID, err))
			continue
		}
		if seen[r.ID] {
			errs = append(errs, fmt.Errorf("rule %s: there are two of this id", r.ID))
		}
		seen[r.ID] = true
		if _, err := newRule(&r, true); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// parse reads rules without checking them, and the published values of the
// section [published].
func parse(text string) (rules []Rule, published []string, err error) {
	var errs []error
	var r *Rule
	inPublished := false
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if id, ok := strings.CutPrefix(line, "["); ok {
			id = strings.TrimSuffix(id, "]")
			if inPublished = id == "published"; !inPublished {
				rules = append(rules, Rule{ID: id})
				r = &rules[len(rules)-1]
			}
			continue
		}
		if inPublished {
			published = append(published, line)
			continue
		}
		if r == nil {
			errs = append(errs, fmt.Errorf("line %d: before the first rule", n))
			continue
		}
		key, value, _ := strings.Cut(line, " ")
		if err := r.set(key, strings.TrimSpace(value)); err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", n, err))
		}
	}
	return rules, published, errors.Join(errs...)
}

func (r *Rule) set(key, value string) (err error) {
	switch key {
	case "title":
		r.Title = value
	case "service":
		r.Service = value
	case "category":
		r.Category = value
	case "keyword":
		words, err := fields(value)
		r.Keywords = append(r.Keywords, words...)
		return err
	case string(Token), string(Window), string(Value), string(Whole):
		r.Form, r.Pattern = Form(key), value
	case string(Present):
		r.Form = Present
	case string(built):
		r.Form, r.Check = built, value
	case "name":
		r.Name = value
	case "group":
		r.Group, err = strconv.Atoi(value)
	case "entropy":
		r.Entropy, err = strconv.ParseFloat(value, 64)
	case "length":
		r.Length, err = strconv.Atoi(value)
	case "span":
		r.Span, err = strconv.Atoi(value)
	case "confidence":
		r.Confidence, err = strconv.ParseFloat(value, 64)
	case "allow":
		r.Allow = append(r.Allow, value)
	case "path":
		words, err := fields(value)
		r.Paths = append(r.Paths, words...)
		return err
	case "check":
		r.Check = value
	case "generic":
		r.Generic = true
	case "encrypted":
		r.Encrypted = true
	case "hashed":
		r.Hashed = true
	default:
		return fmt.Errorf("unknown field %q", key)
	}
	return err
}

// fields splits at blanks; a word with blanks is quoted as in Go.
func fields(s string) ([]string, error) {
	var out []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if s[0] != '"' {
			word, rest, _ := strings.Cut(s, " ")
			out, s = append(out, word), rest
			continue
		}
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		word, err := strconv.Unquote(q)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		out, s = append(out, word), s[len(q):]
	}
	return out, nil
}
