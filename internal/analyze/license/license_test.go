package license

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/google/licensecheck"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/spdx"
)

func words(ls []inventory.License) string {
	var out []string
	for _, l := range ls {
		out = append(out, fmt.Sprintf("%s %.2f", l.Raw, l.Confidence))
	}
	return strings.Join(out, ", ")
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDetect reads texts of real packages; what they are was read by a person.
func TestDetect(t *testing.T) {
	mit := string(read(t, "mit.txt"))
	a := &Analyzer{}
	for _, tt := range []struct{ name, text, want string }{
		{"whole text", mit, "MIT 0.99"},
		{"text in a comment", "/*\n * " + strings.ReplaceAll(mit, "\n", "\n * ") + "\n */", "MIT 0.99"},
		{"Windows line ends", strings.ReplaceAll(mit, "\n", "\r\n"), "MIT 0.99"},
		{"much else beside", mit + strings.Repeat("\nUnd noch manches andere Wort, das keine Lizenz ist.", 30), "MIT 0.90"},
		{"choice of two", string(read(t, "isc-or-mit.txt")), "ISC OR MIT 0.80"},
		{"Ruby's", string(read(t, "ruby.txt")), "Ruby 0.99"},
		{"Python's stack", string(read(t, "python.txt")), "Python-2.0 0.90"},
		{"sentences only", string(read(t, "bsd-varied.txt")), "BSD-2-Clause 0.60"},
		{"sentences in a comment", string(read(t, "mit-varied.txt")), "MIT 0.60"},
		{"addresses", string(read(t, "addresses.txt")), "CC-BY-2.5 0.70, CC-BY-3.0 0.70"},
		{"tag", "# SPDX-FileCopyrightText: 2024 Somebody\n# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n", "Apache-2.0 WITH LLVM-exception 0.99"},
		{"tag in HTML", "<!-- SPDX-License-Identifier: MIT OR 0BSD -->", "MIT OR 0BSD 0.99"},
		{"tag of nonsense", "SPDX-License-Identifier: see LICENSE file", ""},
		{"tag and text", "SPDX-License-Identifier: MIT\n\n" + mit, "MIT 0.99"},
		{"title", "GNU Affero General Public License\nVersion 3, 19 November 2007\n", "AGPL-3.0-only 0.60"},
		{"nothing", "All rights reserved. Ask the legal department.", ""},
		{"empty", "", ""},
	} {
		if got := words(a.detect([]byte(tt.text), true)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	// Of a copyright file package dpkg says what sentences mean.
	if got := words(a.detect(read(t, "mit-varied.txt"), false)); got != "" {
		t.Errorf("without guessing: %q", got)
	}
}

func TestWants(t *testing.T) {
	a := &Analyzer{}
	for path, want := range map[string]bool{
		"app/node_modules/a/LICENSE": true, "app/node_modules/a/license.md": true, "a/LICENCE.txt": true, "a/COPYING": true, "a/COPYING.LESSER": true, "a/LICENSE-MIT": true,
		"a/MIT-LICENSE.txt": true, "a/NOTICE": true, "a/UNLICENSE": true, "a/LICENSES/MIT.txt": true, "a/logo.png.license": true, "a/ThirdPartyNotices.txt": true, "a/LICENSE.esprima": true,
		"x/a-1.0.dist-info/licenses/AUTHORS": true, "usr/share/licenses/bash/COPYING": true, "usr/share/common-licenses/GPL-3": true, "usr/share/doc/bash/copyright": true,
		"a/licenser.txt": false, "a/license.js": false, "a/license.rb": false, "a/LICENSE.txt.tt": false, "a/notices.go": false, "a/README": false, "a/licenses/foo.txt": false, "a/notice.json": false,
		"usr/share/doc/bash/examples/x/copyright.h": false,
	} {
		got := a.Wants(analyze.Entry{Path: path, Size: 10, Kind: inventory.KindText}) != analyze.Ignore
		if got != want {
			t.Errorf("Wants(%s) = %v", path, got)
		}
		if got && a.Wants(analyze.Entry{Path: path, Size: 10, Kind: inventory.KindELFExec}) != analyze.Ignore {
			t.Errorf("Wants(%s) as a program", path)
		}
	}
	if a.Wants(analyze.Entry{Path: "a/b.jar", Size: 10, Kind: inventory.KindZip}) != analyze.Alone {
		t.Error("a jar is not wanted")
	}
}

func TestCopyright(t *testing.T) {
	prose := read(t, "libxau6.copyright")
	rec := analyzetest.Run(t, &Analyzer{}, fstest.MapFS{
		"usr/share/doc/libxau6/copyright": {Data: prose},
		"usr/share/doc/dep5/copyright":    {Data: append([]byte("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: X\n\n"), prose...)},
	})
	if len(rec.Licenses) != 1 || rec.Licenses[0].Package != "libxau6" || rec.Licenses[0].PackageType != "deb" || words(rec.Licenses[0].Licenses) != "HPND-sell-variant 0.90" {
		t.Errorf("%+v", rec.Licenses)
	}
}

// pack makes a zip archive by archive/zip, which is not the reader under test.
func pack(t testing.TB, method uint16, files ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		m, err := w.CreateHeader(&zip.FileHeader{Name: f[0], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchive(t *testing.T) {
	mit := string(read(t, "mit.txt"))
	inner := string(pack(t, zip.Deflate, [2]string{"META-INF/LICENSE.txt", mit}, [2]string{"org/x/LICENSE", mit}, [2]string{"A.class", "x"}))
	boot := pack(t, zip.Store, [2]string{"META-INF/NOTICE", "Nothing of importance."}, [2]string{"BOOT-INF/lib/a.jar", inner}, [2]string{"LICENSE", mit})
	rec := analyzetest.Run(t, &Analyzer{}, fstest.MapFS{
		"app/boot.jar":    {Data: boot},
		"app/started.jar": {Data: append([]byte("PK\x03\x04#!/bin/sh\nexec java -jar\n"), boot...)},
		"app/broken.jar":  {Data: boot[:len(boot)/2]},
	})
	var got []string
	for _, l := range rec.Licenses {
		got = append(got, l.Path+" "+l.Inner+" "+words(l.Licenses))
	}
	want := []string{
		"app/boot.jar LICENSE MIT 0.99", "app/boot.jar BOOT-INF/lib/a.jar!META-INF/LICENSE.txt MIT 0.99",
		"app/started.jar LICENSE MIT 0.99", "app/started.jar BOOT-INF/lib/a.jar!META-INF/LICENSE.txt MIT 0.99",
	}
	if d := gocmp.Diff(want, got); d != "" || len(rec.Problems) > 0 {
		t.Errorf("%s %v", d, rec.Problems)
	}
}

func TestLimits(t *testing.T) {
	mit := string(read(t, "mit.txt"))
	rec := analyzetest.Run(t, &Analyzer{}, fstest.MapFS{"a/LICENSE": {Data: []byte(mit + strings.Repeat("and more of it\n", maxText/10))}})
	if len(rec.Licenses) != 1 || words(rec.Licenses[0].Licenses) != "MIT 0.90" || len(rec.Problems) != 1 || rec.Problems[0].Limit != "licence text" {
		t.Errorf("%+v %+v", rec.Licenses, rec.Problems)
	}
	var many [][2]string
	for i := range maxMembers + 1 {
		many = append(many, [2]string{fmt.Sprintf("META-INF/LICENSE-%d", i), mit})
	}
	rec = analyzetest.Run(t, &Analyzer{}, fstest.MapFS{"a.jar": {Data: pack(t, zip.Deflate, many...)}})
	if len(rec.Licenses) != maxMembers || len(rec.Problems) != 1 || !strings.Contains(rec.Problems[0].Message, "limit of 100 licence files") {
		t.Errorf("%d licences, %+v", len(rec.Licenses), rec.Problems)
	}
}

// TestTexts compiles every text of the library and finds each name it gives.
func TestTexts(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles 423 texts")
	}
	unknown := 0
	for _, k := range texts().list {
		k.scan(nil)
		if k.scanner == nil {
			t.Errorf("%s does not compile", k.licenses[0].ID)
		}
		for _, l := range k.licenses {
			if _, ok := spdx.Normalize(l.ID); !ok {
				unknown++
			}
		}
	}
	if unknown > 20 {
		t.Errorf("%d of the library's names are not SPDX's", unknown)
	}
}

// TestSame compares the search by rare words with the library's own search of
// all texts at once, on every licence file of the corpus.
func TestSame(t *testing.T) {
	full, err := licensecheck.NewScanner(licensecheck.BuiltinLicenses())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[32]byte]bool{}
	differ := 0
	for _, layer := range []string{"slim", "node-app", "node-global", "py-debs", "ruby-debs"} {
		err := filepath.WalkDir(analyzetest.Layer(t, layer), func(p string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || !isLicense(strings.TrimPrefix(p, "/")) {
				return err
			}
			text, err := os.ReadFile(p)
			sum := sha256.Sum256(text)
			if err != nil || seen[sum] || len(text) > maxText {
				return err
			}
			seen[sum] = true
			var want, got []string
			for _, m := range full.Scan(text).Match {
				if !m.IsURL && !slices.Contains(want, m.ID) {
					want = append(want, m.ID)
				}
			}
			for _, m := range find(text) {
				if !m.address && !slices.Contains(got, m.id) {
					got = append(got, m.id)
				}
			}
			if !slices.Equal(want, got) {
				differ++
				t.Logf("%s: %v, the library %v", p, got, want)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// two texts lack or misspell a word of a notice of two lines, which the library forgives
	if differ > 2 || len(seen) < 500 {
		t.Errorf("%d of %d differ", differ, len(seen))
	}
}

// TestLabels compares with what a person read in the files.
func TestLabels(t *testing.T) {
	root := filepath.Join(analyzetest.Corpus(t), ".work", "layers")
	a := &Analyzer{}
	n, right := 0, 0
	for line := range strings.Lines(string(read(t, "labels.tsv"))) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 {
			continue
		}
		layer, path, _ := strings.Cut(f[0], "/")
		text, err := os.ReadFile(filepath.Join(root, layer, "fs", path))
		if err != nil {
			continue // a part of the corpus only
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != f[1] {
			t.Errorf("%s is another file now", f[0])
			continue
		}
		n++
		var ids []string
		for _, l := range a.detect(text, true) {
			expr, _ := spdx.Normalize(l.Raw)
			ids = append(ids, expr)
		}
		slices.Sort(ids)
		got, want := strings.Join(ids, ", "), f[2]
		if got == normal(want) {
			right++
		}
		if f[3] != "=" {
			want = f[3]
		}
		if got != normal(want) {
			t.Errorf("%s: %s, want %s", f[0], got, want)
		}
	}
	if n == 0 {
		t.Skip("none of the labelled layers is there")
	}
	t.Logf("%d of %d labelled files right", right, n)
}

func normal(list string) string {
	var out []string
	for s := range strings.SplitSeq(list, ", ") {
		expr, _ := spdx.Normalize(s)
		out = append(out, expr)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// TestDeclared compares with what npm packages say of themselves, where they
// say one licence and have one licence file beside package.json.
func TestDeclared(t *testing.T) {
	a := &Analyzer{}
	same, differ, nothing := 0, 0, 0
	for _, layer := range []string{"node-app", "node-global"} {
		dir := analyzetest.Layer(t, layer)
		err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			if err != nil || d.Name() != "package.json" {
				return err
			}
			var pkg struct {
				License any `json:"license"`
			}
			data, err := os.ReadFile(p)
			if err != nil || json.Unmarshal(data, &pkg) != nil {
				return err
			}
			said, _ := pkg.License.(string)
			declared, ok := spdx.Normalize(said)
			if !ok || strings.Contains(declared, " ") || strings.HasPrefix(declared, "LicenseRef") {
				return nil
			}
			for _, name := range []string{"LICENSE", "license", "LICENSE.md", "LICENSE.txt"} {
				text, err := os.ReadFile(filepath.Join(filepath.Dir(p), name))
				if err != nil {
					continue
				}
				got := a.detect(text, true)
				switch {
				case len(got) == 0:
					nothing++
				case slices.ContainsFunc(got, func(l inventory.License) bool { e, _ := spdx.Normalize(l.Raw); return e == declared }):
					same++
				default:
					differ++
					t.Logf("%s declares %s, its text is %s", strings.TrimPrefix(p, dir), declared, words(got))
				}
				break
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("same %d, another %d, nothing recognised %d", same, differ, nothing)
	if same < 1000 || differ+nothing > cmp.Or(same/100, 1) {
		t.Error("too many differ")
	}
}

func FuzzDetect(f *testing.F) {
	entries, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			f.Add(read(f, e.Name()))
		}
	}
	a := &Analyzer{}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, l := range a.detect(text, true) {
			if l.Raw == "" || l.Confidence <= 0 || l.Confidence > 1 {
				t.Errorf("%+v", l)
			}
		}
	})
}

func FuzzArchive(f *testing.F) {
	f.Add(pack(f, zip.Deflate, [2]string{"META-INF/LICENSE", "x"}, [2]string{"a.class", "y"}))
	f.Add(pack(f, zip.Store, [2]string{"lib/a.jar", string(pack(f, zip.Deflate, [2]string{"LICENSE", "x"}))}))
	a := &Analyzer{}
	f.Fuzz(func(t *testing.T, data []byte) {
		out := &inventory.Record{Analyzer: "license"}
		file := analyze.NewFile(analyze.Entry{Path: "a.jar", Kind: inventory.KindZip}, data)
		_ = a.readArchive(t.Context(), file, out)
	})
}
