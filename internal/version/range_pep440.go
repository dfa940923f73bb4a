package version

import "strings"

// pep440 reads a specifier set of PEP 440: comparators joined by commas.
// Alternatives joined by || are read too, as advisories write them.
func (p *rangeParser) pep440(s string) expr {
	var some anyOf
	for alternative := range strings.SplitSeq(s, "||") {
		set := pepSet{}
		for clause := range strings.SplitSeq(alternative, ",") {
			clause = strings.Trim(strings.TrimSpace(clause), "()")
			if clause == "" || clause == "*" {
				continue
			}
			set.all = append(set.all, p.pepClauses(&set, clause)...)
		}
		some = append(some, set)
	}
	return some
}

// pepClauses reads one clause, or several with white space between them.
func (p *rangeParser) pepClauses(set *pepSet, s string) (list []pepClause) {
	for s != "" && p.reason == "" {
		n := 0
		for n < len(s) && strings.IndexByte("<>=!~", s[n]) >= 0 {
			n++
		}
		operator := s[:n]
		s = strings.TrimSpace(s[n:])
		end := strings.IndexAny(s, " <>=~")
		if end < 0 {
			end = len(s)
		}
		list = append(list, p.pepClause(set, operator, s[:end]))
		s = strings.TrimSpace(s[end:])
	}
	return list
}

type pepClause struct {
	operator string // one of < <= > >= == != ~= ===
	v        *pepVersion
	prefix   bool   // the version ended with .*
	text     string // of ===
}

// pepSet is a list of clauses that must all hold.
type pepSet struct {
	all []pepClause
	pre bool // a clause names a pre-release, so pre-releases are admitted
}

func (p *rangeParser) pepClause(set *pepSet, operator, text string) pepClause {
	if operator == "" || operator == "=" {
		operator = "=="
	}
	c := pepClause{operator: operator, text: strings.ToLower(text)}
	t := text
	switch operator {
	case "==", "!=":
		t, c.prefix = strings.CutSuffix(text, ".*")
	case "<", "<=", ">", ">=", "~=":
	case "===":
		if v, err := Parse(PEP440, text); err == nil {
			set.pre = set.pre || v.form.(*pepVersion).isPrerelease()
		}
		p.count++
		return c
	default:
		p.fail("the operator " + operator + " is unknown")
		return c
	}
	v, ok := p.version(t).(*pepVersion)
	if !ok {
		return c
	}
	c.v = v
	switch {
	case operator == "~=" && len(v.release)+v.zeros < 2:
		p.fail("~= needs two numbers")
	case v.local != "" && operator != "==" && operator != "!=":
		p.fail("a local version can only be compared with == and !=")
	case c.prefix && (v.local != "" || v.isDev):
		p.fail("no development release or local version can stand before .*")
	}
	set.pre = set.pre || v.isPrerelease() && operator != "!=" && operator != "<" && operator != ">"
	return c
}

func (s pepSet) contains(f form, plain bool) bool {
	v := f.(*pepVersion)
	if !plain && !s.pre && v.isPrerelease() {
		return false
	}
	for i := range s.all {
		if !s.all[i].holds(v, plain) {
			return false
		}
	}
	return true
}

func (c *pepClause) holds(v *pepVersion, plain bool) bool {
	switch c.operator {
	case "==":
		return c.equal(v)
	case "!=":
		return !c.equal(v)
	case "===":
		return v.canonical() == c.text
	case "<=":
		return v.comparePublic(c.v) <= 0
	case ">=":
		return v.comparePublic(c.v) >= 0
	case "~=":
		// Same numbers but for the last, and not older.
		prefix := *c.v
		return v.comparePublic(c.v) >= 0 && pepPrefix(v, &prefix, len(c.v.release)+c.v.zeros-1, true)
	case "<":
		if v.compare(c.v) >= 0 {
			return false
		}
		return plain || !v.isPrerelease() || c.v.isPrerelease() || v.compareBase(c.v) != 0
	case ">":
		if v.compare(c.v) <= 0 {
			return false
		}
		if plain {
			return true
		}
		if v.isPost && !c.v.isPost || v.local != "" {
			return v.compareBase(c.v) != 0
		}
		return true
	}
	return false
}

func (c *pepClause) equal(v *pepVersion) bool {
	switch {
	case c.prefix:
		return pepPrefix(v, c.v, len(c.v.release)+c.v.zeros, false)
	case c.v.local == "":
		return v.comparePublic(c.v) == 0
	}
	return v.compare(c.v) == 0
}

// pepPrefix tells whether v begins with the first n numbers of w; unless only
// numbers are asked for, a suffix that w has must be v's, too.
func pepPrefix(v, w *pepVersion, n int, numbers bool) bool {
	if compareTrimmed(v.epoch, w.epoch) != 0 {
		return false
	}
	at := func(list []string, i int) string {
		if i < len(list) {
			return list[i]
		}
		return ""
	}
	for i := range n {
		if at(v.release, i) != at(w.release, i) {
			return false
		}
	}
	if numbers || w.stage == 0 && !w.isPost {
		return true
	}
	if len(v.release)+v.zeros > n {
		return false
	}
	if w.stage != 0 && (v.stage != w.stage || v.pre != w.pre) {
		return false
	}
	return !w.isPost || v.isPost && v.post == w.post && v.stage == w.stage
}
