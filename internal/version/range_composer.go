package version

import (
	"strings"
)

// composer reads a constraint of composer/semver: alternatives by | or ||,
// comparators by commas or spaces, ^, ~, wildcards and hyphens.
func (p *rangeParser) composer(s string) expr {
	var some anyOf
	for alternative := range strings.SplitSeq(strings.ReplaceAll(s, "||", "|"), "|") {
		all := allOf{}
		alternative = strings.TrimSpace(alternative)
		if alternative == "" {
			return p.fail("an alternative is empty")
		}
		for clause := range strings.SplitSeq(alternative, ",") {
			clause = strings.TrimSpace(clause)
			if from, to, ok := strings.Cut(clause, " - "); ok {
				all = append(all, p.composerHyphen(strings.TrimSpace(from), strings.TrimSpace(to))...)
				continue
			}
			if before, _, ok := strings.Cut(clause, " as "); ok {
				clause = before
			}
			for clause != "" && p.reason == "" {
				n := 0
				for n < len(clause) && strings.IndexByte("<>=!^~", clause[n]) >= 0 {
					n++
				}
				operator := clause[:n]
				clause = strings.TrimSpace(clause[n:])
				end := strings.IndexAny(clause, " <>=!^~")
				if end < 0 {
					end = len(clause)
				}
				all = append(all, p.composerClause(operator, clause[:end])...)
				clause = strings.TrimSpace(clause[end:])
			}
		}
		some = append(some, all)
	}
	return some
}

// composerBound follows Composer: a branch without a number only ever equals
// itself.
type composerBound struct {
	op op
	v  *composerVersion
	// plain is what v was before Composer put "-dev" behind it, for the order alone.
	plain *composerVersion
}

func (b composerBound) contains(f form, plain bool) bool {
	v, w := f.(*composerVersion), b.v
	if plain {
		w = b.plain
	}
	if v.branch != "" || w.branch != "" {
		switch b.op {
		case equal:
			return v.branch == w.branch
		case less | greater:
			return v.branch != w.branch
		}
		return false
	}
	return b.op.admits(v.compare(w))
}

func (p *rangeParser) composerClause(operator, text string) []expr {
	flag := ""
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		text, flag = text[:i], strings.ToLower(text[i+1:])
	}
	text, _, _ = strings.Cut(text, "#")
	if text == "" && flag != "" && operator == "" {
		text = "*"
	}
	if isWild(text) && (operator == "" || operator == "=" || operator == "==") {
		return nil
	}
	numbers, wild := composerWild(text)
	if wild {
		if operator != "" && operator != "=" && operator != "==" {
			p.fail("an operator cannot stand before a wildcard")
			return nil
		}
		v, ok := p.version(numbers).(*composerVersion)
		if !ok {
			return nil
		}
		n := strings.Count(numbers, ".")
		return []expr{p.composerLow(v, true), p.composerBelow(v, n)}
	}
	v, ok := p.version(text).(*composerVersion)
	if !ok {
		return nil
	}
	switch operator {
	case "^", "~":
		if v.branch != "" {
			p.fail("a branch cannot stand after " + operator)
			return nil
		}
		given := composerGiven(text) // how many numbers, x included, are there
		position := 0
		if operator == "^" {
			for position < min(given-1, 2) && trimZeros(v.numbers[position]) == "" {
				position++
			}
		} else {
			if strings.Contains(strings.ToLower(text), ".x") || strings.Contains(text, ".*") {
				given++
			}
			position = max(0, given-2)
		}
		return []expr{p.composerLow(v, composerBare(text)), p.composerBelow(v, position)}
	case "", "=", "==":
		return []expr{composerBound{equal, v, v}}
	case "!=", "<>":
		return []expr{composerBound{less | greater, v, v}}
	}
	o, n := parseOp(operator)
	if n == 0 || n != len(operator) || v.branch != "" {
		p.fail("the operator " + operator + " is unknown or stands before a branch")
		return nil
	}
	w := *v
	switch {
	case v.stage == composerStable && (flag == "dev" || flag == "alpha" || flag == "beta" || flag == "rc"):
		w.stage = map[string]int8{"dev": composerDev, "alpha": composerAlpha, "beta": composerBeta, "rc": composerRC}[flag]
		w.dev = flag == "dev"
	case (o == less || o == greater|equal) && !composerHyphenated(text):
		w.dev = true
		if w.stage == composerStable {
			w.stage = composerDev
		}
	}
	b := composerBound{o, &w, v}
	if o&greater != 0 {
		b.plain = &w
	}
	return []expr{b}
}

// composerHyphenated tells whether a stability follows a hyphen at the end of
// the text; only then Composer leaves a bound without its "-dev".
func composerHyphenated(s string) bool {
	for i := range len(s) {
		if s[i] == '-' {
			var v composerVersion
			if v.modifier(strings.ToLower(s[i+1:])) {
				return true
			}
		}
	}
	return false
}

// composerBare tells whether the text is numbers only.
func composerBare(s string) bool {
	s, _, _ = strings.Cut(s, "+")
	return strings.Trim(strings.TrimLeft(s, "vV"), "0123456789.") == ""
}

// composerGiven counts the numbers at the start of the text, four at most.
func composerGiven(s string) int {
	s = strings.TrimLeft(s, "vV")
	n := 0
	for i := 0; n < 4; i++ {
		e := digits(s, i)
		if e == i {
			break
		}
		n++
		if i = e; byteAt(s, i) != '.' {
			break
		}
	}
	return n
}

func isWild(s string) bool {
	s = strings.TrimPrefix(s, "v")
	return s != "" && strings.Trim(s, "xX*.") == "" && s[0] != '.'
}

// composerWild cuts the wildcards off 1.2.* and 1.x.
func composerWild(s string) (string, bool) {
	t := s
	for {
		u, ok := strings.CutSuffix(t, ".*")
		if !ok {
			u, ok = strings.CutSuffix(strings.ToLower(t), ".x")
		}
		if !ok {
			return t, t != s
		}
		t = u
	}
}

// composerLow is "not older than", from the first development version on if bare.
func (p *rangeParser) composerLow(v *composerVersion, bare bool) expr {
	w := *v
	if bare {
		w.stage, w.dev = composerDev, true
	}
	return composerBound{greater | equal, &w, &w}
}

// composerBelow is "older than the first development version after number n was
// raised".
func (p *rangeParser) composerBelow(v *composerVersion, n int) expr {
	w := &composerVersion{numbers: []string{"0", "0", "0", "0"}, stage: composerDev, dev: true}
	for i := range w.numbers {
		if i <= n && i < len(v.numbers) {
			w.numbers[i] = v.numbers[i]
		}
	}
	w.numbers[min(n, 3)] = increment(trimZeros(w.numbers[min(n, 3)]))
	return composerBound{less, w, w}
}

// composerHyphen is "1.0 - 2.0": an incomplete upper end means every version
// that begins with it.
func (p *rangeParser) composerHyphen(from, to string) []expr {
	low, ok := p.version(from).(*composerVersion)
	high, ok2 := p.version(to).(*composerVersion)
	if !ok || !ok2 || low.branch != "" || high.branch != "" {
		p.fail("a hyphen joins two numbers only")
		return nil
	}
	e := p.composerLow(low, composerBare(from))
	if n := composerGiven(to); n < 3 && composerBare(to) {
		return []expr{e, p.composerBelow(high, n-1)}
	}
	return []expr{e, composerBound{less | equal, high, high}}
}
