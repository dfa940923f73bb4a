package portage

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Names and versions as PMS 3.1.2 and 3.2 define them.
func TestSplit(t *testing.T) {
	tests := []struct{ pf, name, version string }{
		{"bash-5.2_p26-r6", "bash", "5.2_p26-r6"},
		{"gtk+-2.24.33-r3", "gtk+", "2.24.33-r3"},
		{"font-adobe-100dpi-1.0.4", "font-adobe-100dpi", "1.0.4"},
		{"openssl-1.1.1w", "openssl", "1.1.1w"},
		{"foo-1_alpha1_beta_pre2_rc3_p4-r5", "foo", "1_alpha1_beta_pre2_rc3_p4-r5"},
		{"libsigc++-2.12.1", "libsigc++", "2.12.1"},
		{"linux-headers-6.6", "linux-headers", "6.6"},
		{"xorg-server-21.1.9999", "xorg-server", "21.1.9999"},
		{"db-1.85-2", "db-1.85", "2"},
		{"noversion", "noversion", ""},
		{"foo-r1", "foo-r1", ""},
		{"foo-1_q1", "foo-1_q1", ""},
		{"foo-1.", "foo-1.", ""},
		{"foo-1-r", "foo-1-r", ""},
		{"-1", "-1", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		if n, v := split(tt.pf); n != tt.name || v != tt.version {
			t.Errorf("split(%q) = %q, %q, want %q, %q", tt.pf, n, v, tt.name, tt.version)
		}
	}
}

func database() fstest.MapFS {
	m := make(fstest.MapFS)
	add := func(dir string, files map[string]string) {
		for n, data := range files {
			m[dbDir+dir+"/"+n] = &fstest.MapFile{Data: []byte(data)}
		}
	}
	add("app-shells/bash-5.2_p26-r6", map[string]string{
		"CONTENTS": "dir /bin\nobj /bin/bash 4ee3e1b2e6bc1d4b5ef9bb2bb4fb7bb6 1714514400\nsym /bin/sh -> bash 1714514400\n" +
			"dir /etc\nobj /etc/with blank 4ee3e1b2e6bc1d4b5ef9bb2bb4fb7bb6 1714514400\nfif /run/pipe\ndev /dev/null\nsym /usr/a b -> c d 1714514400\n",
		"PF": "bash-5.2_p26-r6\n", "SLOT": "0\n", "LICENSE": "GPL-3+\n", "repository": "gentoo\n", "SIZE": "7963527\n", "BUILD_TIME": "1714514401\n",
		"DESCRIPTION": "The standard GNU Bourne again shell\n", "HOMEPAGE": "https://tiswww.case.edu/php/chet/bash/bashtop.html https://git.savannah.gnu.org/cgit/bash.git\n",
		"RDEPEND": ">=sys-libs/ncurses-5.2-r2:0/6= sys-libs/readline:0/8.2=[abi_x86_64(-)] nls? ( virtual/libintl ) !!<sys-apps/old-1 || ( =app-misc/a-1* ~app-misc/b-2 ) sys-libs/readline\n",
	})
	add("virtual/libintl-0-r2", map[string]string{"PF": "libintl-0-r2\n", "SLOT": "0/2\n"})
	add("sys-apps/-MERGING-half-1", map[string]string{"CONTENTS": "obj /x 0 0\n"})
	add("sys-apps/unversioned", map[string]string{"PF": "x", "SLOT": "0"})
	add("sys-apps/broken-1", map[string]string{"CONTENTS": "obj /only\nobj /fine 0 0\nwhat /x\n"})
	return m
}

func TestDatabase(t *testing.T) {
	var out inventory.Record
	m := database()
	for p := range m {
		if (Analyzer{}).Wants(analyze.Entry{Path: p}) != analyze.Together {
			t.Errorf("%s is not wanted", p)
		}
	}
	if err := (Analyzer{}).Analyze(t.Context(), m, &out); err != nil {
		t.Fatal(err)
	}
	want := []inventory.Package{
		{
			Type: "ebuild", Namespace: "app-shells", Name: "bash", Version: "5.2_p26-r6", Path: dbDir + "app-shells/bash-5.2_p26-r6/CONTENTS",
			Technique: inventory.TechDatabase, Licenses: []inventory.License{{Raw: "GPL-3+", Source: "declared"}}, Size: 7963527,
			Description: "The standard GNU Bourne again shell", Homepage: "https://tiswww.case.edu/php/chet/bash/bashtop.html",
			Depends: []string{"app-misc/a", "app-misc/b", "sys-libs/ncurses", "sys-libs/readline", "virtual/libintl"},
			Meta:    map[string]string{"SLOT": "0", "repository": "gentoo", "BUILD_TIME": "1714514401"},
			Files:   inventory.NewFileList([]string{"bin/bash", "bin/sh", "etc/with blank", "run/pipe", "dev/null", "usr/a b"}),
		},
		{
			Type: "ebuild", Namespace: "sys-apps", Name: "broken", Version: "1", Path: dbDir + "sys-apps/broken-1/CONTENTS",
			Technique: inventory.TechDatabase, Files: inventory.NewFileList([]string{"fine"}),
		},
		{
			Type: "ebuild", Namespace: "virtual", Name: "libintl", Version: "0-r2", Path: dbDir + "virtual/libintl-0-r2/PF",
			Technique: inventory.TechDatabase, Meta: map[string]string{"SLOT": "0/2"},
		},
	}
	if diff := gocmp.Diff(want, out.Packages, gocmp.Transformer("Strings", inventory.FileList.Strings)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var problems []string
	for _, p := range out.Problems {
		problems = append(problems, fmt.Sprint(p.Path, ": ", p.Message))
	}
	if len(problems) != 2 || !strings.Contains(problems[0], "2 lines") || !strings.Contains(problems[1], "unversioned") {
		t.Errorf("problems %q", problems)
	}
}

func TestWants(t *testing.T) {
	for _, p := range []string{"var/db/pkg/a/b-1/environment.bz2", "var/db/pkg/a/CONTENTS", "var/db/pkg/a/b/c/CONTENTS", "srv/db/pkg/a/b-1/PF", "var/db/repos/gentoo/PF"} {
		if got := (Analyzer{}).Wants(analyze.Entry{Path: p}); got != analyze.Ignore {
			t.Errorf("Wants(%s) = %v", p, got)
		}
	}
}

func FuzzPackage(f *testing.F) {
	for name, file := range database() {
		f.Add(strings.Split(name, "/")[4], string(file.Data))
	}
	f.Fuzz(func(t *testing.T, pf, data string) {
		if n, v := split(pf); v != "" && n+"-"+v != pf {
			t.Errorf("split(%q) = %q, %q", pf, n, v)
		}
		list, _ := contents(data)
		for p := range list.All() {
			if p[0] == '/' || p[len(p)-1] == '/' {
				t.Errorf("path %q", p)
			}
		}
		for _, d := range depends(data) {
			if strings.Count(d, "/") != 1 {
				t.Errorf("dependency %q", d)
			}
		}
	})
}
