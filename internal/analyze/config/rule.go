package config

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed rules/*.txt
var ruleFiles embed.FS

// Rule is one check.
type Rule struct {
	ID       string
	Group    string // what it is about: "SSH server"
	Severity string // low, medium, high or critical
	Title    string // what is wrong, as a statement
	Why      string // what it leads to
	Remedy   string
	Refs     []string // whole: "CIS Docker Benchmark 1.6.0, 4.1"

	match       []test // any
	and, unless []test // all; none
}

// test is a question about one setting.
type test struct {
	format string
	keys   []string
	op     string
	values []string
}

// references spells out the keys that rules use.
func references() map[string]string {
	return map[string]string{
		"cis4.1":          "CIS Docker Benchmark 1.6.0, 4.1",
		"cis4.3":          "CIS Docker Benchmark 1.6.0, 4.3",
		"cis4.6":          "CIS Docker Benchmark 1.6.0, 4.6",
		"cis4.7":          "CIS Docker Benchmark 1.6.0, 4.7",
		"cis4.8":          "CIS Docker Benchmark 1.6.0, 4.8",
		"cis4.9":          "CIS Docker Benchmark 1.6.0, 4.9",
		"cis4.10":         "CIS Docker Benchmark 1.6.0, 4.10",
		"cis4.11":         "CIS Docker Benchmark 1.6.0, 4.11",
		"cis5.7":          "CIS Docker Benchmark 1.6.0, 5.7",
		"cis5.9":          "CIS Docker Benchmark 1.6.0, 5.9",
		"cis5.32":         "CIS Docker Benchmark 1.6.0, 5.32",
		"nist-vulnerable": "NIST SP 800-190, 4.1.1",
		"nist-config":     "NIST SP 800-190, 4.1.2",
		"nist-secrets":    "NIST SP 800-190, 4.1.4",
		"nist-trust":      "NIST SP 800-190, 4.1.5",
		"disa-ssh":        "DISA Container Image Creation and Deployment Guide V2R0.6, 2.1 (CCI-000381)",
		"disa-minimal":    "DISA Container Image Creation and Deployment Guide V2R0.6, CCI-000381",
		"disa-privilege":  "DISA Container Image Creation and Deployment Guide V2R0.6, CCI-002235",
		"disa-ports":      "DISA Container Image Creation and Deployment Guide V2R0.6, CCI-001762",
		"disa-secret":     "DISA Container Image Creation and Deployment Guide V2R0.6, CCI-002367",
		"disa-build":      "DISA Container Image Creation and Deployment Guide V2R0.6, CCI-000366",
		"disa-cache":      "DISA Container Image Creation and Deployment Guide V2R0.6, CCI-002617",
		"disa-tls":        "DISA Container Image Creation and Deployment Guide V2R0.6, CCI-002418",
	}
}

// Rules returns all checks, in the order of the listing. The caller must not
// change them.
func Rules() []Rule { return catalogue().list }

type rules struct {
	list     []Rule
	byID     map[string]*Rule
	byFormat map[string][]*Rule
}

// catalogue reads the rules, which a test proves to be readable.
var catalogue = sync.OnceValue(func() *rules {
	r := &rules{byID: map[string]*Rule{}, byFormat: map[string][]*Rule{}}
	names, _ := ruleFiles.ReadDir("rules")
	for _, n := range names {
		text, _ := ruleFiles.ReadFile(path.Join("rules", n.Name()))
		list, err := readRules(string(text))
		if err != nil {
			panic("config: " + n.Name() + ": " + err.Error())
		}
		r.list = append(r.list, list...)
	}
	for i := range r.list {
		rule := &r.list[i]
		r.byID[rule.ID] = rule
		var formats []string
		for _, t := range rule.match {
			if !slices.Contains(formats, t.format) {
				formats = append(formats, t.format)
				r.byFormat[t.format] = append(r.byFormat[t.format], rule)
			}
		}
	}
	return r
})

func readRules(text string) ([]Rule, error) {
	refs := references()
	var list []Rule
	group := ""
	for n, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		var r *Rule
		if len(list) > 0 {
			r = &list[len(list)-1]
		}
		switch {
		case word == "group":
			group = rest
			continue
		case word == "id":
			list = append(list, Rule{ID: rest, Group: group})
			continue
		case r == nil || rest == "":
			return nil, fmt.Errorf("line %d: %q stands alone", n+1, line)
		}
		var err error
		switch word {
		case "severity":
			r.Severity = rest
		case "title":
			r.Title = rest
		case "why":
			r.Why = rest
		case "remedy":
			r.Remedy = rest
		case "refs":
			for _, key := range strings.Fields(rest) {
				ref, ok := refs[key]
				if !ok {
					return nil, fmt.Errorf("line %d: no reference %s", n+1, key)
				}
				r.Refs = append(r.Refs, ref)
			}
		case "match":
			format, question, _ := strings.Cut(rest, " ")
			r.match, err = appendTest(r.match, format, question)
		case "and":
			r.and, err = appendTest(r.and, "", rest)
		case "unless":
			r.unless, err = appendTest(r.unless, "", rest)
		default:
			err = fmt.Errorf("unknown word %q", word)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return list, nil
}

// appendTest reads KEY TEST [VALUES]; a key may have blanks in it.
func appendTest(list []test, format, s string) ([]test, error) {
	words := strings.Fields(s)
	for i := 1; i < len(words); i++ {
		t := test{format: format, keys: strings.Split(strings.Join(words[:i], " "), "|"), op: words[i]}
		values := strings.Join(words[i+1:], " ")
		switch words[i] {
		case "on", "off", "set", "empty":
			if values != "" {
				continue
			}
		case "is", "has", "starts", "ends", "above", "below":
			if values == "" {
				continue
			}
			t.values = strings.Split(values, "|")
		default:
			continue
		}
		return append(list, t), nil
	}
	return nil, fmt.Errorf("%q is no test", s)
}

// about reports whether the test asks about a key.
func (t *test) about(key string) bool {
	for _, k := range t.keys {
		if k == key {
			return true
		}
		if strings.Contains(k, "*") {
			if ok, _ := path.Match(k, strings.ReplaceAll(key, "/", "_")); ok {
				return true
			}
		}
	}
	return false
}

// holds answers the test for a value.
func (t *test) holds(value string) bool {
	v := strings.ToLower(strings.TrimSpace(value))
	switch t.op {
	case "set":
		return v != ""
	case "empty":
		return v == ""
	case "on":
		return isOn(v)
	case "off":
		return v == "off" || v == "no" || v == "false" || v == "0" || v == "disabled" || v == "none"
	case "is":
		return slices.Contains(t.values, v)
	case "has":
		words := strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == ';' })
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(t.values, w) })
	case "starts":
		return slices.ContainsFunc(t.values, func(p string) bool { return strings.HasPrefix(v, p) })
	case "ends":
		return slices.ContainsFunc(t.values, func(p string) bool { return strings.HasSuffix(v, p) })
	case "above", "below":
		n, err := strconv.ParseFloat(v, 64)
		limit, lerr := strconv.ParseFloat(t.values[0], 64)
		return err == nil && lerr == nil && (t.op == "above" && n > limit || t.op == "below" && n < limit)
	}
	return false
}

func isOn(v string) bool {
	return v == "on" || v == "yes" || v == "true" || v == "1" || v == "enabled"
}

func anyHolds(t *test, list []setting) bool {
	for i := range list {
		if t.about(list[i].Key) && t.holds(list[i].Value) {
			return true
		}
	}
	return false
}

// judge asks all rules of a format about settings.
func judge(format string, list []setting, report func(id string, line int, message string)) {
next:
	for _, r := range catalogue().byFormat[format] {
		for i := range r.and {
			if !anyHolds(&r.and[i], list) {
				continue next
			}
		}
		for i := range r.unless {
			if anyHolds(&r.unless[i], list) {
				continue next
			}
		}
		for i := range r.match {
			t := &r.match[i]
			for k := range list {
				if s := &list[k]; t.format == format && t.about(s.Key) && t.holds(s.Value) {
					report(r.ID, s.Line, s.text())
				}
			}
		}
	}
}
