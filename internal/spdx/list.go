package spdx

import (
	_ "embed" // the tables
	"slices"
	"strings"
	"sync"
)

//go:embed data/licenses.txt
var licenseText string

//go:embed data/exceptions.txt
var exceptionText string

// entry is one licence or exception of the list.
type entry struct {
	id, name    string
	replacement string // expression that says the same without deprecated identifiers
	category    byte
	osi         bool
	deprecated  bool
}

// The tables are sorted by identifier in lower case, and that is how they
// are searched.
var licenses = sync.OnceValue(func() []entry { return parseTable(licenseText, false) })
var exceptions = sync.OnceValue(func() []entry { return parseTable(exceptionText, true) })

func parseTable(text string, bare bool) []entry {
	list := make([]entry, 0, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		var e entry
		id, rest, _ := strings.Cut(line, "\t")
		flags, rest, _ := strings.Cut(rest, "\t")
		e.id, e.deprecated, e.osi = id, strings.Contains(flags, "!"), strings.Contains(flags, "o")
		e.name, e.replacement, _ = strings.Cut(rest, "\t")
		if !bare {
			e.category = flags[0]
		}
		list = append(list, e)
	}
	return list
}

func find(list []entry, id string) *entry {
	i, ok := slices.BinarySearchFunc(list, id, func(e entry, id string) int { return compareFold(e.id, id) })
	if !ok {
		return nil
	}
	return &list[i]
}

// compareFold orders ASCII strings as if they were in lower case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Known looks a licence identifier up in the SPDX list, whatever its case,
// and returns it as the list writes it. Deprecated ones are known.
func Known(id string) (canonical string, ok bool) {
	if e := find(licenses(), id); e != nil {
		return e.id, true
	}
	return "", false
}

// KnownException is [Known] for the exceptions that follow WITH.
func KnownException(id string) (canonical string, ok bool) {
	if e := find(exceptions(), id); e != nil {
		return e.id, true
	}
	return "", false
}

// Deprecated reports whether the list has given a licence identifier up
// ("GPL-2.0", for "GPL-2.0-only").
func Deprecated(id string) bool {
	e := find(licenses(), id)
	return e != nil && e.deprecated
}

// OSIApproved reports whether the Open Source Initiative approved a licence.
func OSIApproved(id string) bool {
	e := find(licenses(), id)
	return e != nil && e.osi
}

// Name is the full name of a licence of the list, "" for any other.
func Name(id string) string {
	if e := find(licenses(), id); e != nil {
		return e.name
	}
	return ""
}

// Category says what a licence asks of those who pass the software on:
// "permissive", "weak-copyleft", "strong-copyleft", "network-copyleft",
// "public-domain", "proprietary" (also source-available and non-commercial
// ones), or "unknown". It is a first sorting for policies, not legal advice.
// A trailing "+" is ignored. Of LicenseRef identifiers it knows those that
// [Normalize] makes for the public domain and for reserved rights.
func Category(id string) string {
	switch id {
	case refPublicDomain:
		return "public-domain"
	case refProprietary, refUnlicensed:
		return "proprietary"
	}
	e := find(licenses(), strings.TrimSuffix(id, "+"))
	if e == nil {
		return "unknown"
	}
	switch e.category {
	case 'p':
		return "permissive"
	case 'w':
		return "weak-copyleft"
	case 's':
		return "strong-copyleft"
	case 'n':
		return "network-copyleft"
	case 'd':
		return "public-domain"
	case 'x':
		return "proprietary"
	}
	return "unknown"
}
