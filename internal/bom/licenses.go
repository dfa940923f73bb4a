package bom

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/spdx"
)

// How a licence became known, in the words of [inventory.License].
const (
	declaredLicense = "declared"
	detectedLicense = "detected"
)

// listed reports whether s is an identifier of the SPDX licence list, as the
// list writes it.
func listed(s string) bool {
	id, ok := spdx.Known(s)
	return ok && id == s
}

// validExpression is the expression of a licence if it is one that other
// tools accept: well-formed, with identifiers of the list and references of
// this document only.
func validExpression(s string) bool {
	if s == "" || strings.Contains(s, "DocumentRef-") || strings.Contains(s, "AdditionRef-") {
		return false
	}
	e, err := spdx.Parse(s)
	return err == nil && len(e.Unknown()) == 0
}

// conjunction is all of the expressions.
func conjunction(exprs []string) string {
	if len(exprs) == 1 {
		return exprs[0]
	}
	var b strings.Builder
	for i, e := range exprs {
		if i > 0 {
			b.WriteString(" AND ")
		}
		if strings.ContainsAny(e, " ") {
			e = "(" + e + ")"
		}
		b.WriteString(e)
	}
	return b.String()
}

// refs returns the references to licences that an expression of this document
// makes.
func licenseRefs(expr string) []string {
	if !strings.Contains(expr, "LicenseRef-") {
		return nil
	}
	e, err := spdx.Parse(expr)
	if err != nil {
		return nil
	}
	var out []string
	for _, id := range e.Licenses() {
		if strings.HasPrefix(id, "LicenseRef-") {
			out = append(out, id)
		}
	}
	return out
}

// splitLicenses are the licences that stand for a list of names or
// expressions read from a document, without blanks.
func appendLicense(list []inventory.License, text, source string) []inventory.License {
	text = strings.TrimSpace(text)
	switch {
	case text == "" || text == "NOASSERTION" || text == "NONE":
		return list
	case validExpression(text):
		return append(list, inventory.License{Expression: text, Source: source})
	}
	return append(list, inventory.License{Raw: text, Source: source})
}
