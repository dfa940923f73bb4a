// Package spdx reads licence expressions of SPDX (version 2.3, Annex D) and
// turns what packages say of their licences into such expressions. The lists
// of licences and exceptions are those of SPDX list 3.28; what a licence
// obliges to is for policies to decide, with [Category] as a first sorting.
package spdx

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// References for what has no identifier in the list but a clear meaning.
const (
	refPublicDomain = "LicenseRef-public-domain"
	refProprietary  = "LicenseRef-proprietary"
	refUnlicensed   = "LicenseRef-UNLICENSED" // npm: no licence is granted
)

// Limits of what Normalize looks at.
const (
	maxRaw      = 64 << 10 // bytes; the rest of a longer text is not looked at
	maxNames    = 512      // licence names in one statement
	maxNameSize = 512      // bytes of one licence name
)

// Normalize turns what a package says of its licence into an SPDX expression
// with current identifiers. It knows SPDX expressions in any case and with
// deprecated identifiers, the names of Debian's machine-readable copyright
// files, of Fedora, Alpine, PyPI (classifiers, too), npm, Maven, RubyGems,
// CRAN, CPAN and Hackage, common full names, addresses of licence texts, and
// the texts of the most common licences.
//
// A name without a version means the most common licence of that name ("BSD"
// is BSD-3-Clause, "Apache" is Apache-2.0), but for the GNU licences, where
// it means any version ever published (GPL-1.0-or-later), as they say
// themselves. A comma binds weaker than "and" and "or"; where nothing says
// what it means, it means AND.
//
// ok is false when a part of raw was not understood. That part is then a
// LicenseRef made of its text, always the same for the same text; an
// exception without a known name becomes such a LicenseRef joined by AND,
// beside the licence it belongs to. expr is always a valid expression, or ""
// when raw says nothing ("UNKNOWN", "NOASSERTION", blanks).
func Normalize(raw string) (expr string, ok bool) {
	s := strings.TrimSpace(raw)
	if s == "" {
		return "", false
	}
	if len(s) > maxRaw {
		s = s[:maxRaw]
	}
	s = strings.ToValidUTF8(s, "?")
	if e, err := Parse(s); err == nil && len(e.Unknown()) == 0 {
		return Expr{e.root.modern().distinct()}.String(), true
	}
	if len(s) > 200 || strings.Contains(s, "\n") {
		if id := FromText(s); id != "" {
			return id, true
		}
		s = strings.Join(strings.Fields(s), " ")
	}
	s = strings.TrimSpace(strings.Trim(strings.TrimSpace(s), `"'`+"`"))
	if isNothing(s) {
		return "", false
	}
	s = dropAttributes(s)
	n, ok := readLoose(s)
	if n == nil {
		return "", false
	}
	return Expr{n.modern().distinct()}.String(), ok
}

// isNothing knows the words for "nobody said".
func isNothing(s string) bool {
	switch strings.ToLower(s) {
	case "", "unknown", "none", "noassertion", "n/a", "na", "-", "?", "null", "nil", "undefined", "license", "licence", "see license", "tbd", "todo":
		return true
	}
	return false
}

// dropAttributes takes OSGi's attributes out of a Bundle-License header:
// Apache-2.0;link="https://…";description="…".
func dropAttributes(s string) string {
	for {
		i := strings.Index(s, ";link=")
		if i < 0 {
			i = strings.Index(s, "; link=")
		}
		if i < 0 {
			i = strings.Index(s, ";description=")
		}
		if i < 0 {
			return s
		}
		rest := s[i+strings.IndexByte(s[i:], '=')+1:]
		if strings.HasPrefix(rest, `"`) {
			if j := strings.IndexByte(rest[1:], '"'); j >= 0 {
				rest = rest[j+2:]
			} else {
				rest = ""
			}
		} else if j := strings.IndexAny(rest, ",;"); j >= 0 {
			rest = rest[j:]
		} else {
			rest = ""
		}
		s = strings.Trim(s[:i], `"`) + rest
	}
}

// Ref returns the LicenseRef of a text: its letters, digits and dots, with
// "-" for the rest. Long ones are cut and end in a hash of the text.
func Ref(text string) string {
	const maxLen = 64
	var b strings.Builder
	b.WriteString("LicenseRef-")
	start := b.Len()
	dash := false
	for i := 0; i < len(text) && b.Len() < start+maxLen+1; i++ {
		c := text[i]
		if c != '-' && isIDByte(c) {
			if dash && b.Len() > start {
				b.WriteByte('-')
			}
			dash = false
			b.WriteByte(c)
		} else if c == '+' {
			// GPLv2+ and GPLv2 are not the same
			b.WriteString("-plus")
			dash = true
		} else {
			dash = true
		}
	}
	if n := b.Len() - start; n > 0 && n <= maxLen && strings.Trim(b.String()[start:], "-.") != "" {
		return strings.TrimRight(b.String(), "-.")
	}
	sum := sha256.Sum256([]byte(text))
	h := hex.EncodeToString(sum[:6])
	cut := b.String()
	if len(cut) > start+maxLen {
		cut = strings.TrimRight(cut[:start+maxLen-13], "-.")
	}
	if len(strings.Trim(cut[start:], "-.")) == 0 {
		return cut[:start] + h
	}
	return cut + "-" + h
}
