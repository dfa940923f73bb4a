package spdx

import "strings"

// gnu reads the names of the GNU licences, which come in more spellings than
// all others together: a family, a version and whether later versions will
// do, in any order, among words that say nothing. Any other word, or two
// that disagree, and it is not such a name: "" is returned.
func gnu(name string) string {
	var g gnuName
	for s := strings.ToLower(name); s != ""; {
		c := s[0]
		n := 1
		switch {
		case 'a' <= c && c <= 'z':
			for n < len(s) && 'a' <= s[n] && s[n] <= 'z' {
				n++
			}
		case isDigit(c):
			for n < len(s) && (isDigit(s[n]) || s[n] == '.' && n+1 < len(s) && isDigit(s[n+1])) {
				n++
			}
		case c == '>' && strings.HasPrefix(s, ">="):
			n = 2
		}
		if !g.word(s[:n]) {
			return ""
		}
		s = s[n:]
	}
	return g.expr()
}

type gnuName struct {
	family    string // gpl, lgpl, agpl, gfdl
	modifier  string // lesser, library, affero or documentation before the family
	version   string
	later     bool
	only      bool
	invariant string // "", "-invariants", "-no-invariants"
	or        bool   // the word before was "or"
	no        bool   // the word before was "no"
}

func (g *gnuName) setFamily(f string) bool {
	if g.family != "" && g.family != f {
		return false
	}
	g.family = f
	return true
}

// word takes one token; false says that it does not belong into such a name.
func (g *gnuName) word(w string) bool {
	or, no := g.or, g.no
	if w != " " && w != "-" && w != "_" {
		g.or, g.no = false, false
	}
	switch w {
	case "gpl", "gplv", "gnugpl":
		if g.family == "" && g.modifier != "" {
			return g.setFamily(g.modifier)
		}
		return g.setFamily("gpl")
	case "general":
		if g.modifier != "" && g.family == "" {
			return g.setFamily(g.modifier)
		}
		if g.family == "" {
			return g.setFamily("gpl")
		}
	case "lgpl", "lgplv", "lpgl":
		return g.setFamily("lgpl")
	case "agpl", "agplv":
		return g.setFamily("agpl")
	case "gfdl", "fdl", "gfdlv", "fdlv":
		return g.setFamily("gfdl")
	case "lesser", "library", "limited":
		g.modifier = "lgpl"
		return g.family == "" || g.family == "lgpl"
	case "affero":
		g.modifier = "agpl"
		return g.family == "" || g.family == "agpl"
	case "documentation":
		return g.setFamily("gfdl")
	case "+", ">=", "later", "newer", "higher", "above", "greater", "upwards":
		g.later = true
	case "only":
		g.only = true
	case "niv":
		g.invariant = "-no-invariants"
	case "invariant", "invariants":
		if no {
			g.invariant = "-no-invariants"
		} else {
			g.invariant = "-invariants"
		}
	case "no":
		g.no = true
	case "or":
		g.or = true
	case "any":
		if or {
			g.later = true
		}
	case " ", "-", "_", "/", ".", ",", "(", ")", "\"", "'":
		// "LGPL/GPL" and "GPL-2, LGPL" fail at the second family
	case "gnu", "public", "free", "license", "licence", "licenses", "version", "versions", "v", "ver", "the", "of", "under", "terms", "a", "at", "your", "option",
		"software", "foundation", "fsf", "released", "licensed", "published", "as", "by", "s", "its", "optionally", "open", "source":
	default:
		if !isDigit(w[0]) {
			return false
		}
		v := strings.TrimSuffix(w, ".0")
		if v == "2.0" || v == "3.0" || v == "1.0" {
			v = v[:1]
		}
		if g.version != "" && g.version != v {
			return false
		}
		g.version = v
	}
	return true
}

func (g *gnuName) expr() string {
	if g.or || g.no || g.later && g.only || g.invariant != "" && g.family != "gfdl" {
		return ""
	}
	v := g.version
	if strings.IndexByte(v, '.') < 0 && v != "" {
		v += ".0"
	}
	suffix := g.invariant + "-only"
	if g.later {
		suffix = g.invariant + "-or-later"
	}
	if v == "" {
		// any version ever published
		suffix = g.invariant + "-or-later"
	}
	var id string
	switch g.family {
	case "gpl":
		if v == "" {
			v = "1.0"
		}
		id = "GPL-" + v
	case "lgpl":
		switch v {
		case "":
			v = "2.0"
		case "1.0":
			// there never was one; the oldest is 2.0
			return ""
		}
		id = "LGPL-" + v
	case "agpl":
		if v == "" {
			v = "3.0"
		}
		id = "AGPL-" + v
	case "gfdl":
		if v == "" {
			v = "1.1"
		}
		id = "GFDL-" + v
	default:
		return ""
	}
	id, ok := Known(id + suffix)
	if !ok {
		return ""
	}
	return id
}
