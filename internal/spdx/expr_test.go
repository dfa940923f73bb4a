package spdx

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct{ in, want string }{
		// SPDX 2.3, Annex D: examples and rules
		{"LGPL-2.1-only", "LGPL-2.1-only"},
		{"CDDL-1.0+", "CDDL-1.0+"},
		{"LicenseRef-23", "LicenseRef-23"},
		{"DocumentRef-spdx-tool-1.2:LicenseRef-MIT-Style-2", "DocumentRef-spdx-tool-1.2:LicenseRef-MIT-Style-2"},
		{"LGPL-2.1-only OR MIT OR BSD-3-Clause", "LGPL-2.1-only OR MIT OR BSD-3-Clause"},
		{"LGPL-2.1-only AND MIT AND BSD-2-Clause", "LGPL-2.1-only AND MIT AND BSD-2-Clause"},
		{"GPL-2.0-or-later WITH Bison-exception-2.2", "GPL-2.0-or-later WITH Bison-exception-2.2"},
		{"LGPL-2.1-only OR BSD-3-Clause AND MIT", "LGPL-2.1-only OR BSD-3-Clause AND MIT"},
		{"MIT AND (LGPL-2.1-or-later OR BSD-3-Clause)", "MIT AND (LGPL-2.1-or-later OR BSD-3-Clause)"},
		{"((MIT))", "MIT"},
		{"mit and APACHE-2.0", "MIT AND Apache-2.0"},
		{"(MIT AND ISC) AND Zlib", "MIT AND ISC AND Zlib"},
		{"Made-Up-1.0", "Made-Up-1.0"},
		{"gpl-2.0 WITH classpath-exception-2.0", "GPL-2.0 WITH Classpath-exception-2.0"},
	}
	for _, tt := range tests {
		e, err := Parse(tt.in)
		if err != nil || e.String() != tt.want {
			t.Errorf("Parse(%q) = %q, %v, want %q", tt.in, e, err, tt.want)
		}
	}
	for _, bad := range []string{"", " ", "()", "MIT OR", "OR MIT", "MIT ISC", "(MIT", "MIT)", "MIT WITH", "MIT And ISC", "MIT WITH (ISC)", "licenseref-x", "LicenseRef-",
		"DocumentRef-x:MIT", "MIT/ISC", "(MIT OR ISC) WITH LLVM-exception", "MIT +", "MIT++"} {
		if e, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %q, want an error", bad, e)
		}
	}
	if _, err := Parse(strings.Repeat("(", 100) + "MIT" + strings.Repeat(")", 100)); !errors.Is(err, ErrDepth) {
		t.Error(err)
	}
	if _, err := Parse(strings.Repeat("MIT OR ", 10000) + "MIT"); !errors.Is(err, ErrLength) {
		t.Error(err)
	}
}

func TestExpr(t *testing.T) {
	e, err := Parse("(GPL-2.0+ WITH Foo-exception OR Made-Up) AND MIT AND MIT")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Licenses(), []string{"GPL-2.0", "Made-Up", "MIT"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Licenses() = %q, want %q", got, want)
	}
	if got, want := e.Exceptions(), []string{"Foo-exception"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Exceptions() = %q, want %q", got, want)
	}
	if got, want := e.Unknown(), []string{"Made-Up", "Foo-exception"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Unknown() = %q, want %q", got, want)
	}
	if got, want := e.Modern().String(), "(GPL-2.0-or-later WITH Foo-exception OR Made-Up) AND MIT AND MIT"; got != want {
		t.Errorf("Modern() = %q, want %q", got, want)
	}
	not := func(bad ...string) func(string, string) bool {
		return func(license, _ string) bool {
			for _, b := range bad {
				if license == b {
					return false
				}
			}
			return true
		}
	}
	if !e.Allowed(not("Made-Up")) || e.Allowed(not("MIT")) || e.Allowed(not("GPL-2.0", "Made-Up")) || (Expr{}).Allowed(not()) {
		t.Error("Allowed")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("(MIT OR GPL-2.0+ WITH Classpath-exception-2.0) AND DocumentRef-a:LicenseRef-b")
	f.Fuzz(func(t *testing.T, s string) {
		e, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(e.String())
		if err != nil || again.String() != e.String() {
			t.Fatalf("Parse(%q) = %q, and then %q, %v", s, e, again, err)
		}
		e.Modern()
		e.Unknown()
	})
}
