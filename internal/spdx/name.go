package spdx

import (
	_ "embed" // the table
	"strings"
	"sync"
)

//go:embed data/aliases.txt
var aliasText string

// aliases maps keys of names, see [key], to expressions: the table of
// aliases, then identifiers and full names of the list.
var aliases = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, 2400)
	put := func(name, expr string) {
		if k := key(name); k != "" && m[k] == "" {
			m[k] = expr
		}
	}
	for line := range strings.Lines(aliasText) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		expr, names, _ := strings.Cut(line, "\t")
		for name := range strings.SplitSeq(names, "|") {
			put(name, expr)
		}
	}
	list := licenses()
	for i := range list {
		put(list[i].id, current(&list[i]))
	}
	for i := range list {
		put(list[i].name, current(&list[i]))
		// "Some License (SL-1.0)"
		name, rest, ok := strings.Cut(list[i].name, "(")
		if short, _, closed := strings.Cut(rest, ")"); ok && closed && strings.TrimSpace(name) != "" {
			put(name+" "+rest[len(short)+1:], current(&list[i]))
		}
	}
	return m
})

func current(e *entry) string {
	if e.replacement != "" {
		return e.replacement
	}
	return e.id
}

// key reduces a name to what tells it from others: letters, digits and dots
// between digits, in lower case, without blanks and punctuation, without the
// words that every licence has, "v" before a version and ".0" after one. ""
// when it cannot be one name.
func key(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	for i := 0; i < len(name); {
		c := name[i]
		if !isWordByte(c) {
			switch c {
			case '&', '|':
				return "" // never within one name
			case '+':
				if i > 0 && name[i-1] != ' ' {
					b.WriteByte('+')
				}
			}
			i++
			continue
		}
		j := i + 1
		for j < len(name) && (isWordByte(name[j]) || name[j] == '.' && j+1 < len(name) && isDigit(name[j+1]) && isDigit(name[j-1])) {
			j++
		}
		word := strings.ToLower(name[i:j])
		i = j
		switch word {
		case "the", "a", "an", "license", "licence", "licenses", "licences", "licensed", "under", "terms", "of", "version", "ver", "v":
			continue
		}
		for k := 0; k < len(word); k++ {
			if word[k] == 'v' && k+1 < len(word) && isDigit(word[k+1]) {
				continue
			}
			b.WriteByte(word[k])
		}
		// "2.0" and "2" are the same version, "2.0.1" is not
		if s := b.String(); strings.HasSuffix(s, ".0") {
			b.Reset()
			b.WriteString(strings.TrimSuffix(s, ".0"))
		}
	}
	return b.String()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c >= 0x80
}

// lookup reads the name of one licence; it returns an expression, or "".
func lookup(name string) string {
	name = strings.Trim(name, " \t.,;:\"'`*<>[]")
	if name == "" || len(name) > maxNameSize {
		return ""
	}
	if id, ok := Known(name); ok {
		return current(find(licenses(), id))
	}
	if e := fromURL(name); e != "" {
		return e
	}
	name = dotVersion(name)
	if rest, ok := cutPrefixFold(name, "License ::"); ok {
		return fromClassifier(rest)
	}
	if e := gnu(name); e != "" {
		return e
	}
	m := aliases()
	k := key(name)
	if e := m[k]; e != "" {
		return e
	}
	if base, ok := strings.CutSuffix(k, "+"); ok {
		if e := m[base]; e != "" && !strings.Contains(e, " ") && !strings.HasPrefix(e, "LicenseRef-") {
			return e + "+"
		}
	}
	for _, later := range [...]string{"orlater", "oranylater", "ornewer"} {
		if base, ok := strings.CutSuffix(k, later); ok {
			if e := m[base]; e != "" && !strings.Contains(e, " ") {
				return e + "+"
			}
		}
	}
	if e := bsd(name); e != "" {
		return e
	}
	// DEP-5 tools name variants of a licence after a tilde: BSD-3-clause~Google.
	if base, _, ok := strings.Cut(name, "~"); ok && base != "" {
		return lookup(base)
	}
	// "Some License (SL)": the words and the abbreviation agree, or one says nothing.
	if before, rest, ok := strings.Cut(name, "("); ok {
		inner, after, ok := strings.Cut(rest, ")")
		if ok && !strings.ContainsAny(inner, "<>=|&") {
			long, short := "", lookup(inner)
			if t := strings.TrimSpace(before + " " + after); t != "" {
				long = lookup(t)
			}
			switch {
			case long == short || short == "":
				return long
			case long == "":
				// "GPL (see LICENSE)" was read above; "Foo (MIT)" is MIT only when Foo is a licence in words
				if strings.Contains(strings.ToLower(before), "licen") {
					return short
				}
			case strings.HasPrefix(short, long) || strings.HasPrefix(long, short):
				return long
			}
		}
	}
	return ""
}

// dotVersion turns CPAN's "apache_2_0" into "apache_2.0".
func dotVersion(name string) string {
	for i := 1; i+1 < len(name); i++ {
		if name[i] == '_' && isDigit(name[i-1]) && isDigit(name[i+1]) {
			return name[:i] + "." + dotVersion(name[i+1:])
		}
	}
	return name
}

// fromClassifier reads what follows "License ::" in a trove classifier.
func fromClassifier(s string) string {
	s = strings.TrimSpace(s)
	if rest, ok := cutPrefixFold(s, "OSI Approved"); ok {
		s = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(rest), "::"))
	}
	if s == "" {
		return ""
	}
	return lookup(s)
}

// bsd reads the names of the BSD licences with decorations: how many clauses
// they have decides; a further word that names a holder ("BSD-3-clause-JANET")
// does not, one that says "not quite" does.
func bsd(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return r == '-' || r == ' ' || r == '_' || r == '(' || r == ')' || r == '~' || r == ',' || r == '"'
	})
	clauses := byte(0)
	isBSD, named := false, 0
	for _, w := range words {
		if rest, ok := strings.CutPrefix(w, "bsd"); ok {
			isBSD = true
			if rest == "" || rest == "l" {
				continue
			}
			w = rest
		}
		switch w {
		case "0", "1", "2", "3", "4":
			clauses = w[0]
		case "2.clause", "2clause":
			clauses = '2'
		case "3.clause", "3clause":
			clauses = '3'
		case "4clause":
			clauses = '4'
		case "two":
			clauses = '2'
		case "three", "new", "revised", "modified":
			clauses = '3'
		case "simplified", "freebsd":
			clauses = '2'
		case "four", "original", "old", "advertising":
			clauses = '4'
		case "clause", "clauses", "license", "licence", "the", "style", "type", "with":
			if w == "style" || w == "type" || w == "with" {
				named = 100
			}
		case "like", "alike", "variant", "no", "without", "modification", "and", "or", "patent", "patents", "plus", "nuclear", "exception":
			return ""
		default:
			named++
		}
	}
	if !isBSD || named > 100 {
		return ""
	}
	if named == 100 {
		// "BSD-style", "BSD with advertising"
		if clauses == '4' {
			return "BSD-4-Clause"
		}
		return ""
	}
	if named > 0 && (clauses == 0 || strings.ContainsAny(name, " /+&|")) {
		return ""
	}
	switch clauses {
	case '0':
		return "0BSD"
	case '1', '2', '4':
		return "BSD-" + string(clauses) + "-Clause"
	}
	if named == 0 || clauses == '3' {
		return "BSD-3-Clause"
	}
	return ""
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
