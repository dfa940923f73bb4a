package spdx

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNormalize holds what the documentation of each ecosystem says its names
// mean; see data/aliases.txt for the documents.
func TestNormalize(t *testing.T) {
	tests := []struct {
		raw, want string
		ok        bool
	}{
		// SPDX itself, deprecated identifiers and wrong case
		{"MIT", "MIT", true},
		{"mit", "MIT", true},
		{"(MIT OR Apache-2.0)", "MIT OR Apache-2.0", true},
		{"mit or apache-2.0", "MIT OR Apache-2.0", true},
		{"GPL-2.0", "GPL-2.0-only", true},
		{"GPL-2.0+", "GPL-2.0-or-later", true},
		{"LGPL-2.1+ AND (MIT OR GPL-3.0)", "LGPL-2.1-or-later AND (MIT OR GPL-3.0-only)", true},
		{"GPL-2.0-with-classpath-exception", "GPL-2.0-only WITH Classpath-exception-2.0", true},
		{"BSD-2-Clause-NetBSD", "BSD-2-Clause", true},
		{"LicenseRef-Foo AND MIT", "LicenseRef-Foo AND MIT", true},
		{"Apache-2.0 WITH LLVM-exception", "Apache-2.0 WITH LLVM-exception", true},
		{"Apache-2.0+", "Apache-2.0+", true},
		// Debian, machine-readable copyright files 1.0, section "License specification"
		{"GPL-2+", "GPL-2.0-or-later", true},
		{"GPL-2", "GPL-2.0-only", true},
		{"GPL-2+ and LGPL-2.1", "GPL-2.0-or-later AND LGPL-2.1-only", true},
		{"LGPL-2.1+", "LGPL-2.1-or-later", true},
		{"GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later", true},
		{"GFDL-1.2", "GFDL-1.2-only", true},
		{"Expat", "MIT", true},
		{"BSD-3-clause", "BSD-3-Clause", true},
		{"BSD-3-clause~Google", "BSD-3-Clause", true},
		{"BSD-3-clause-JANET and BSD-4-clause", "BSD-3-Clause AND BSD-4-Clause", true},
		{"GPL-1+ or Artistic", "Artistic-1.0-Perl OR GPL-1.0-or-later", true},
		{"GPL-2+ or Artistic-2.0, and BSD-3-clause", "(GPL-2.0-or-later OR Artistic-2.0) AND BSD-3-Clause", true},
		{"GPL-2+ with OpenSSL exception", "GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception", true},
		{"GPL-3+ with Autoconf exception", "GPL-3.0-or-later WITH Autoconf-exception-generic-3.0", true},
		{"GPL-2+-libtool-exception", "GPL-2.0-or-later WITH Libtool-exception", true},
		{"GPL-3+-WITH-BISON-EXCEPTION", "GPL-3.0-or-later WITH Bison-exception-2.2", true},
		{"GPL-2 with Linux-syscall-note exception", "GPL-2.0-only WITH Linux-syscall-note", true},
		{"public-domain", "LicenseRef-public-domain", true},
		{"CC0", "CC0-1.0", true},
		{"MPL-1.1 or GPL-2+ or LGPL-2.1+", "MPL-1.1 OR GPL-2.0-or-later OR LGPL-2.1-or-later", true},
		{"GPL-2+-or-X11", "GPL-2.0-or-later OR X11", true},
		{"Perl", "Artistic-1.0-Perl OR GPL-1.0-or-later", true},
		{"BSD-like-with-advertising-clause", "LicenseRef-BSD-like-with-advertising-clause", false},
		{"GPL-2+ and my-own-terms", "GPL-2.0-or-later AND LicenseRef-my-own-terms", false},
		// Fedora's names before SPDX
		{"GPLv2+", "GPL-2.0-or-later", true},
		{"GPLv2", "GPL-2.0-only", true},
		{"GPL+", "GPL-1.0-or-later", true},
		{"GPL+ or Artistic", "Artistic-1.0-Perl OR GPL-1.0-or-later", true},
		{"ASL 2.0", "Apache-2.0", true},
		{"LGPLv2 and MIT", "LGPL-2.0-only AND MIT", true},
		{"(GPLv2+ or LGPLv3+) and GPLv3+", "(GPL-2.0-or-later OR LGPL-3.0-or-later) AND GPL-3.0-or-later", true},
		{"GPLv2 with exceptions", "GPL-2.0-only AND LicenseRef-GPLv2-with-exceptions", false},
		{"BSD with advertising", "BSD-4-Clause", true},
		{"MPLv1.1", "MPL-1.1", true},
		{"Public Domain", "LicenseRef-public-domain", true},
		{"Boost", "BSL-1.0", true},
		{"GPLv2+, LGPLv2+, MIT", "GPL-2.0-or-later AND LGPL-2.0-or-later AND MIT", true},
		// Alpine, old and new
		{"GPL2+", "GPL-2.0-or-later", true},
		{"MIT BSD GPL2+", "MIT AND BSD-3-Clause AND GPL-2.0-or-later", true},
		{"MPL-2.0 GPL-2.0-or-later", "MPL-2.0 AND GPL-2.0-or-later", true},
		{"zlib", "Zlib", true},
		// PyPI: trove classifiers and free text
		{"License :: OSI Approved :: MIT License", "MIT", true},
		{"License :: OSI Approved :: BSD License", "BSD-3-Clause", true},
		{"License :: OSI Approved :: Apache Software License", "Apache-2.0", true},
		{"License :: OSI Approved :: GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later", true},
		{"License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", "LGPL-3.0-only", true},
		{"License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)", "LGPL-2.0-or-later", true},
		{"License :: OSI Approved :: GNU Affero General Public License v3", "AGPL-3.0-only", true},
		{"License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0", true},
		{"License :: OSI Approved :: ISC License (ISCL)", "ISC", true},
		{"License :: OSI Approved :: Python Software Foundation License", "PSF-2.0", true},
		{"License :: OSI Approved :: Zope Public License", "ZPL-2.1", true},
		{"License :: OSI Approved :: The Unlicense (Unlicense)", "Unlicense", true},
		{"License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0", true},
		{"License :: OSI Approved :: Eclipse Public License 2.0 (EPL-2.0)", "EPL-2.0", true},
		{"License :: OSI Approved :: European Union Public Licence 1.2 (EUPL 1.2)", "EUPL-1.2", true},
		{"License :: OSI Approved :: Boost Software License 1.0 (BSL-1.0)", "BSL-1.0", true},
		{"License :: OSI Approved :: Academic Free License (AFL)", "AFL-3.0", true},
		{"License :: Other/Proprietary License", "LicenseRef-proprietary", true},
		{"License :: Public Domain", "LicenseRef-public-domain", true},
		{"License :: OSI Approved", "LicenseRef-License-OSI-Approved", false},
		{"Apache License, Version 2.0", "Apache-2.0", true},
		{"MIT/X11", "MIT", true},
		{"MIT -or- Apache License 2.0", "MIT OR Apache-2.0", true},
		{"Python-2.0", "Python-2.0", true},
		{"LGPL with exceptions", "LGPL-2.0-or-later AND LicenseRef-LGPL-with-exceptions", false},
		{"GNU General Public License v3 or later", "GPL-3.0-or-later", true},
		{"GNU Lesser General Public License, version 2.1 or (at your option) any later version", "LGPL-2.1-or-later", true},
		{"GPL version 2 or later", "GPL-2.0-or-later", true},
		{"BSD 3-Clause License", "BSD-3-Clause", true},
		{"Modified BSD License", "BSD-3-Clause", true},
		{"UNKNOWN", "", false},
		{"", "", false},
		{"  ", "", false},
		// npm
		{"SEE LICENSE IN LICENSE.md", "LicenseRef-SEE-LICENSE-IN-LICENSE.md", false},
		{"UNLICENSED", "LicenseRef-UNLICENSED", true},
		{"Unlicense", "Unlicense", true},
		{"(BSD-3-Clause OR GPL-2.0)", "BSD-3-Clause OR GPL-2.0-only", true},
		{"Apache 2.0", "Apache-2.0", true},
		// Rust's slash
		{"MIT/Apache-2.0", "MIT OR Apache-2.0", true},
		{"Unlicense/MIT", "Unlicense OR MIT", true},
		// Maven and OSGi
		{"The Apache Software License, Version 2.0", "Apache-2.0", true},
		{"Eclipse Public License - v 1.0", "EPL-1.0", true},
		{"GPL2 w/ CPE", "GPL-2.0-only WITH Classpath-exception-2.0", true},
		{"CDDL + GPLv2 with classpath exception", "CDDL-1.0 OR GPL-2.0-only WITH Classpath-exception-2.0", true},
		{`BSD-3-Clause;link="https://asm.ow2.io/LICENSE.txt"`, "BSD-3-Clause", true},
		{`"Apache License 2.0";link=http://www.apache.org/licenses/LICENSE-2.0.txt, EPL-2.0`, "Apache-2.0 AND EPL-2.0", true},
		{"GNU Lesser General Public License", "LGPL-2.0-or-later", true},
		// addresses
		{"https://www.apache.org/licenses/LICENSE-2.0", "Apache-2.0", true},
		{"http://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0", true},
		{"https://opensource.org/licenses/MIT", "MIT", true},
		{"http://www.opensource.org/licenses/mit-license.php", "MIT", true},
		{"https://spdx.org/licenses/BSD-2-Clause.html", "BSD-2-Clause", true},
		{"https://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0", true},
		{"https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0", true},
		{"http://www.gnu.org/licenses/old-licenses/gpl-2.0.html", "GPL-2.0-only", true},
		{"http://www.eclipse.org/legal/epl-2.0, https://www.gnu.org/software/classpath/license.html", "EPL-2.0 AND GPL-2.0-only WITH Classpath-exception-2.0", true},
		{"https://example.com/a/b/LICENSE", "LicenseRef-https-example.com-a-b-LICENSE", false},
		{"MIT (https://example.com/LICENSE)", "MIT", true},
		// CRAN, "Writing R Extensions", section 1.1.2
		{"GPL (>= 2)", "GPL-2.0-or-later", true},
		{"MIT + file LICENSE", "MIT", true},
		{"GPL-2 | GPL-3", "GPL-2.0-only OR GPL-3.0-only", true},
		{"LGPL (>= 2.0, < 3) | Mozilla Public License", "LGPL-2.0-only OR LGPL-2.1-only OR MPL-2.0", true},
		{"BSD_3_clause + file LICENSE", "BSD-3-Clause", true},
		{"GPL (>= 2) | file LICENSE", "GPL-2.0-or-later", true},
		{"Artistic-2.0", "Artistic-2.0", true},
		// CPAN::Meta::Spec, field license
		{"perl_5", "Artistic-1.0-Perl OR GPL-1.0-or-later", true},
		{"artistic_2", "Artistic-2.0", true},
		{"apache_2_0", "Apache-2.0", true},
		{"gpl_2", "GPL-2.0-only", true},
		{"lgpl_2_1", "LGPL-2.1-only", true},
		{"mozilla_1_1", "MPL-1.1", true},
		{"qpl_1_0", "QPL-1.0", true},
		{"zlib", "Zlib", true},
		{"freebsd", "BSD-2-Clause", true},
		// RubyGems
		{"Ruby", "Ruby", true},
		{"BSDL", "BSD-2-Clause", true},
		{"GPL-2.0-only", "GPL-2.0-only", true},
		// Hackage, Distribution.License
		{"BSD3", "BSD-3-Clause", true},
		{"GPL-3", "GPL-3.0-only", true},
		{"PublicDomain", "LicenseRef-public-domain", true},
		{"AllRightsReserved", "LicenseRef-proprietary", true},
		// lists
		{"MIT, BSD or ISC", "MIT OR BSD-3-Clause OR ISC", true},
		{"MIT, BSD and ISC", "MIT AND BSD-3-Clause AND ISC", true},
		{"MIT and MIT", "MIT", true},
		{"MIT & (ISC | Zlib)", "MIT AND (ISC OR Zlib)", true},
		{"BSD-3-clause and/or GPL-3+", "BSD-3-Clause OR GPL-3.0-or-later", true},
		{"Copyright © 2014 The CentOS Project. All rights reserved.", "LicenseRef-Copyright-2014-The-CentOS-Project.-All-rights-reserved", false},
		{"商用", Ref("商用"), false},
	}
	for _, tt := range tests {
		got, ok := Normalize(tt.raw)
		if got != tt.want || ok != tt.ok {
			t.Errorf("Normalize(%q) = %q, %v, want %q, %v", tt.raw, got, ok, tt.want, tt.ok)
		}
	}
}

// TestNormalizeList: what the list itself has must be read by identifier and
// by full name.
func TestNormalizeList(t *testing.T) {
	list := licenses()
	if len(list) < 700 {
		t.Fatalf("%d licences in the list", len(list))
	}
	if !slices.IsSortedFunc(list, func(a, b entry) int { return compareFold(a.id, b.id) }) {
		t.Error("licences.txt is not sorted")
	}
	if !slices.IsSortedFunc(exceptions(), func(a, b entry) int { return compareFold(a.id, b.id) }) {
		t.Error("exceptions.txt is not sorted")
	}
	names := 0
	for _, e := range list {
		got, ok := Normalize(strings.ToLower(e.id))
		if want := current(&e); got != want || !ok {
			t.Errorf("Normalize(%q) = %q, %v, want %q", e.id, got, ok, want)
		}
		if e.name == "" || e.deprecated {
			continue
		}
		if got, ok := Normalize(e.name); ok && got == e.id {
			names++
		} else {
			t.Logf("Normalize(%q) = %q, want %q", e.name, got, e.id)
		}
		if Category(e.id) == "unknown" {
			t.Errorf("%s has no category", e.id)
		}
	}
	if names < 650 {
		t.Errorf("only %d full names lead to their identifier", names)
	}
}

// TestAliases: every alias and address of the tables stands for a valid
// expression of known identifiers, and no name for two things.
func TestAliases(t *testing.T) {
	seen := map[string]string{}
	for line := range strings.Lines(aliasText) {
		expr, names, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if line[0] == '#' {
			continue
		}
		e, err := Parse(expr)
		if !ok || err != nil || len(e.Unknown()) > 0 || e.String() != expr {
			t.Errorf("%q: %v %v", line, err, e.Unknown())
		}
		for name := range strings.SplitSeq(names, "|") {
			if k := key(name); k == "" || seen[k] != "" && seen[k] != expr {
				t.Errorf("%q is %q and %q", name, seen[k], expr)
			} else {
				seen[k] = expr
			}
		}
	}
	for line := range strings.Lines(urlText) {
		if line[0] == '#' {
			continue
		}
		expr, _, ok := strings.Cut(line, "\t")
		if e, err := Parse(expr); !ok || err != nil || len(e.Unknown()) > 0 {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestNormalizeSeen holds the share of real statements that are understood.
// What is not are names that packages made up for texts of their own.
func TestNormalizeSeen(t *testing.T) {
	f, err := os.Open("testdata/seen.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type count struct{ all, ok int }
	counts := map[string]count{}
	var sum count
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		fields := strings.SplitN(sc.Text(), "\t", 3)
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			t.Fatal(err)
		}
		if isNothing(fields[2]) {
			continue
		}
		expr, ok := Normalize(fields[2])
		if _, err := Parse(expr); err != nil {
			t.Errorf("Normalize(%q) = %q: %v", fields[2], expr, err)
		}
		c := counts[fields[0]]
		c.all += n
		sum.all += n
		if ok {
			c.ok += n
			sum.ok += n
		} else {
			t.Logf("%d\t%s\t%s\t%s", n, fields[0], fields[2], expr)
		}
		counts[fields[0]] = c
	}
	least := map[string]float64{"dpkg": 0.95, "rpm": 0.94, "apk": 1, "npm": 1, "pypi": 0.97, "trove": 0.99, "gem": 1, "maven": 0.99}
	for eco, want := range least {
		c := counts[eco]
		if c.all == 0 || float64(c.ok) < want*float64(c.all) {
			t.Errorf("%s: %d of %d understood", eco, c.ok, c.all)
		}
		t.Logf("%s: %d of %d = %.2f %%", eco, c.ok, c.all, 100*float64(c.ok)/float64(c.all))
	}
	t.Logf("all: %d of %d = %.2f %%", sum.ok, sum.all, 100*float64(sum.ok)/float64(sum.all))
}

func TestLookups(t *testing.T) {
	if id, ok := Known("apache-2.0"); id != "Apache-2.0" || !ok {
		t.Error(id, ok)
	}
	if _, ok := Known("Apache-3.0"); ok {
		t.Error("Apache-3.0 is known")
	}
	if !Deprecated("GPL-2.0") || Deprecated("GPL-2.0-only") || !OSIApproved("MIT") || OSIApproved("JSON") {
		t.Error("flags")
	}
	for id, want := range map[string]string{"MIT": "permissive", "LGPL-2.1-only": "weak-copyleft", "MPL-2.0+": "weak-copyleft", "GPL-2.0-or-later": "strong-copyleft",
		"AGPL-3.0-only": "network-copyleft", "CC0-1.0": "public-domain", "LicenseRef-public-domain": "public-domain", "BUSL-1.1": "proprietary",
		"LicenseRef-UNLICENSED": "proprietary", "LicenseRef-x": "unknown", "nonsense": "unknown"} {
		if got := Category(id); got != want {
			t.Errorf("Category(%q) = %q, want %q", id, got, want)
		}
	}
}

func TestRef(t *testing.T) {
	for raw, want := range map[string]string{"My own (terms)": "LicenseRef-My-own-terms", "a_b": "LicenseRef-a-b", "GPLx+": "LicenseRef-GPLx-plus"} {
		if got := Ref(raw); got != want {
			t.Errorf("Ref(%q) = %q, want %q", raw, got, want)
		}
	}
	a, b := Ref(strings.Repeat("x", 500)), Ref(strings.Repeat("x", 501))
	if a == b || len(a) > 80 {
		t.Errorf("long texts: %q, %q", a, b)
	}
}

func FuzzNormalize(f *testing.F) {
	file, err := os.Open("testdata/seen.tsv")
	if err != nil {
		f.Fatal(err)
	}
	i := 0
	for sc := bufio.NewScanner(file); sc.Scan(); i++ {
		if fields := strings.SplitN(sc.Text(), "\t", 3); len(fields) == 3 && i%5 == 0 {
			f.Add(fields[2])
		}
	}
	file.Close()
	f.Add(`LGPL (>= 2.0, < 3) | file LICENSE;link="http://a"`)
	f.Fuzz(func(t *testing.T, raw string) {
		expr, ok := Normalize(raw)
		if expr == "" {
			if ok {
				t.Fatalf("Normalize(%q): nothing, and understood", raw)
			}
			return
		}
		e, err := Parse(expr)
		if err != nil || len(e.Unknown()) > 0 {
			t.Fatalf("Normalize(%q) = %q: %v %v", raw, expr, err, e.Unknown())
		}
		if again, ok := Normalize(expr); again != expr || !ok {
			t.Fatalf("Normalize(%q) = %q, and then %q", raw, expr, again)
		}
	})
}

func BenchmarkNormalize(b *testing.B) {
	for b.Loop() {
		for _, s := range [...]string{"MIT", "GPLv2+ and LGPLv2+", "Apache License, Version 2.0", "BSD-3-clause~Google"} {
			Normalize(s)
		}
	}
}
