package dpkg

import (
	"os"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func raw(ls []inventory.License) []string {
	var out []string
	for _, l := range ls {
		out = append(out, l.Raw)
	}
	return out
}

// testdata/python-debian.tsv is what debian.copyright of python-debian says
// of testdata/copyright: synopses of the header's, then the files' licences,
// of licence paragraphs where there are none; NOT where it is prose.
func TestDeclaredLicenses(t *testing.T) {
	truth, err := os.ReadFile("testdata/python-debian.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(truth)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		data, err := os.ReadFile("testdata/copyright/" + f[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := machineReadable(data); got != (f[1] == "DEP5") {
			t.Errorf("%s: machineReadable = %v", f[0], got)
		}
		if f[1] != "DEP5" {
			continue
		}
		got, err := licenses(data)
		if err != nil {
			t.Errorf("%s: %v", f[0], err)
		}
		if diff := gocmp.Diff(f[2:], raw(got)); diff != "" {
			t.Errorf("%s (-python-debian +got):\n%s", f[0], diff)
		}
		for _, l := range got {
			if l.Source != "declared" || l.Confidence != 0 || l.Expression != "" {
				t.Errorf("%s: %+v", f[0], l)
			}
		}
	}
}

// What the prose says was read by a person.
func TestDetectedLicenses(t *testing.T) {
	file := func(name string) string {
		data, err := os.ReadFile("testdata/copyright/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	tests := []struct {
		name, text string
		want       []string
	}{
		{"libxau6", file("libxau6"), []string{"HPND"}},
		{"zip", file("zip"), []string{"Info-ZIP"}},
		{"versionless", "licensed under the GNU General Public License,\n# version 2, or (at your option)\n# any later version.\n" +
			"On Debian systems see `/usr/share/common-licenses/GPL'.", []string{"GPL-2+"}},
		{"exact", "GNU GPL version 2.\nSee /usr/share/common-licenses/GPL-2.\n", []string{"GPL-2"}},
		{"two", "LGPL version 2.1 or any later version: \"/usr/share/common-licenses/LGPL-2.1\";\n the tools: /usr/share/common-licenses/GPL-3, not later",
			[]string{"LGPL-2.1+", "GPL-3"}},
		{"perl", "This is free software under the same terms\n as Perl itself: /usr/share/common-licenses/Artistic, any later version /usr/share/common-licenses/GPL-1",
			[]string{"Artistic or GPL-1+"}},
		{"unknown text", "/usr/share/common-licenses/Other", nil},
		{"other's version", "Version 1.3 of something, any later version. /usr/share/common-licenses/LGPL", []string{"LGPL"}},
		{"nothing", "Copyright 2001 somebody. All rights reserved.", nil},
		{"empty", "", nil},
		{"name is a sentence", "Format: x\n\nFiles: *\nLicense: Permission is hereby granted, free of charge, to any person obtaining\n a copy\n", []string{"MIT"}},
		{"only texts", "Format: x\n\nLicense: A\n text\n\nLicense: B or C\n", []string{"A", "B or C"}},
		{"texts that files refer to", "Format: x\nLicense: H\n\nFiles: *\nLicense: A or B\n\nLicense: A\n text\n\nLicense: B\n text\n", []string{"H", "A or B"}},
		{"nothing named", "Format: x\n\nFiles: *\nCopyright: me\nLicense:\n Redistribution and use in source and binary forms is fine\n", []string{"BSD-2-Clause"}},
	}
	for _, tt := range tests {
		got, err := licenses([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := gocmp.Diff(tt.want, raw(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestLicenseLimits(t *testing.T) {
	got, err := licenses([]byte("Format: x\nLicense: " + strings.Repeat("x", maxLicenseName+1) + "\n\nFiles: *\nLicense: A\n"))
	if err == nil || !strings.Contains(err.Error(), "limit of 500") {
		t.Errorf("error %v, want one that names the limit", err)
	}
	if diff := gocmp.Diff([]string{"A"}, raw(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzCopyright(f *testing.F) {
	for _, name := range []string{"bash", "libc6", "libxau6", "login", "mawk", "zip"} {
		data, err := os.ReadFile("testdata/copyright/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, _ := licenses(data)
		if len(got) > maxLicenses {
			t.Errorf("%d licences", len(got))
		}
		for _, l := range got {
			if l.Raw == "" || strings.Contains(l.Raw, "\n") {
				t.Errorf("licence %q", l.Raw)
			}
		}
	})
}
