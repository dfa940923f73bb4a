package dpkg

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// testdata/opkg holds entries of real databases: usr/lib of an OpenWrt 23.05
// image, var/lib of one of the Arago distribution, made with OpenEmbedded. What
// they say was read by a person.
func opkgRecord(t testing.TB) *inventory.Record {
	t.Helper()
	rec := analyzetest.Run(t, Opkg{}, os.DirFS("testdata/opkg"))
	analyzetest.NoProblems(t, rec)
	return rec
}

func TestOpkg(t *testing.T) {
	rec := opkgRecord(t)
	analyzetest.Check(t, rec,
		"pkg:opkg/busybox-syslog@1.20.2-r3-arago7?arch=armv7ahf-vfp-neon-3.2",
		"pkg:opkg/busybox@1.36.1-1?arch=x86_64",
		"pkg:opkg/busybox@1.36.1-1?arch=x86_64 declared[]",
		"pkg:opkg/coreutils-sort@9.3-1?arch=x86_64&upstream=coreutils%409.3-1 declared[]",
		"pkg:opkg/kmod-tun@5.15.137-1?arch=x86_64",
		"pkg:opkg/libc@1.2.4-4?arch=x86_64",
		"pkg:opkg/libopenssl3@3.0.12-1?arch=x86_64",
		"pkg:opkg/ltrace@0.5.3-r5?arch=armv7ahf-vfp-neon-3.2",
		"pkg:opkg/luci-app-opkg@git-23.311.75635-769b30c?arch=all",
		"pkg:opkg/openssl-util@3.0.12-1?arch=x86_64",
		"pkg:opkg/openssl-util@3.0.12-1?arch=x86_64&upstream=openssl%403.0.12-1 declared[]",
		"pkg:opkg/opkg@1:0.1.8%2Bsvnr633-r10.7-arago0?arch=armv7ahf-vfp-neon-3.2",
	)
	if got := analyzetest.Find(t, rec, "kmod-tun").Depends; !gocmp.Equal(got, []string{"kernel"}) {
		t.Error(got)
	}
	if got := analyzetest.Find(t, rec, "libc"); !gocmp.Equal(got.Meta, map[string]string{"Essential": "yes"}) {
		t.Error(got.Meta)
	}
	for _, o := range rec.Owned {
		if o.Type != "opkg" {
			t.Errorf("%+v", o)
		}
		if o.Name == "busybox" {
			want := []string{"bin/busybox", "bin/dmesg", "bin/sh", "etc/init.d/cron", "usr/bin/[", "usr/bin/id"}
			if d := gocmp.Diff(want, o.Files.Strings()); d != "" {
				t.Error(d)
			}
		}
	}
	if len(rec.Owned) != 2 {
		t.Errorf("%d lists", len(rec.Owned))
	}
}

// In an image the control files add to what the status file says, and what
// only they name is not installed.
func TestOpkgImage(t *testing.T) {
	rec := opkgRecord(t)
	var table inventory.Builder
	for _, p := range []string{"usr/lib/opkg/status", "var/lib/opkg/status", "usr/lib/opkg/info/busybox.control", "usr/lib/opkg/info/busybox.list",
		"usr/lib/opkg/info/openssl-util.control", "usr/lib/opkg/info/coreutils-sort.control", "usr/lib/opkg/info/coreutils-sort.list"} {
		table.Add(inventory.File{Path: p})
	}
	img := inventory.Squash([]inventory.Layer{{Files: table.Table(), Records: []inventory.Record{*rec}}})
	got := map[string]inventory.Package{}
	for _, p := range img.Packages {
		got[p.Name] = p
	}
	if len(img.Packages) != 9 || len(img.Declared) != 1 || img.Declared[0].Name != "coreutils-sort" {
		t.Fatalf("%d packages, declared %+v", len(img.Packages), img.Declared)
	}
	want := inventory.Package{Type: "opkg", Name: "openssl-util", Version: "3.0.12-1", Arch: "x86_64", Source: "openssl", SourceVersion: "3.0.12-1",
		Supplier: "Eneas U de Queiroz <cotequeiroz@gmail.com>", Path: "usr/lib/opkg/status", Technique: inventory.TechDatabase,
		Description: "The OpenSSL Project is a collaborative effort to develop a robust,", Depends: []string{"libc", "libopenssl-conf", "libopenssl3"},
		Licenses:  []inventory.License{{Expression: "Apache-2.0", Source: "declared"}},
		CPEs:      []string{"cpe:2.3:a:openssl:openssl:3.0.12:*:*:*:*:*:*:*"},
		Locations: []inventory.Location{{Path: "usr/lib/opkg/status", Analyzer: "opkg", Technique: inventory.TechDatabase}}}
	if d := gocmp.Diff(want, got["openssl-util"], fileLists); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	if p := got["busybox"]; p.Files.Len() != 6 || p.Source != "" || len(p.CPEs) != 1 || p.CPEs[0] != "cpe:2.3:a:busybox:busybox:1.36.1:*:*:*:*:*:*:*" {
		t.Errorf("%+v", p)
	}
}

func TestOpkgOddities(t *testing.T) {
	rec := analyzetest.Run(t, Opkg{}, fstest.MapFS{
		"opt/lib/opkg/status": {Data: []byte("Package: gone\nVersion: 1\nStatus: deinstall ok not-installed\n\n" +
			"Package: half\nVersion: 2\nStatus: install user unpacked\n\nPackage: a b\nVersion: 1\n")},
		"opt/lib/opkg/info/half.list": {Data: []byte("/opt/bin/half\t0100755\n/opt/bin/link\t0120777\thalf\n/opt/bin\n\n")},
		"var/lib/opkg/status":         {Data: []byte("no database\n")},
		"home/lib/opkg/status":        {Data: []byte("Package: other\nVersion: 1\n")},
		"usr/lib/opkg/info/x/y.list":  {Data: []byte("/x\n")},
	})
	if len(rec.Packages) != 1 || rec.Packages[0].Name != "half" || rec.Packages[0].Meta["Status"] != "install user unpacked" {
		t.Errorf("%+v", rec.Packages)
	}
	if len(rec.Owned) != 1 || strings.Join(rec.Owned[0].Files.Strings(), " ") != "opt/bin/half opt/bin/link" {
		t.Errorf("%+v", rec.Owned)
	}
	if len(rec.Problems) != 2 {
		t.Errorf("%+v", rec.Problems)
	}
}

func TestOpkgNames(t *testing.T) {
	for field, want := range map[string]string{
		"package/openssl": "openssl", "feeds/packages/net/adblock": "adblock", "bash_3.2.48.bb": "bash", "recipes/bash_3.2.48.bb": "bash",
		"https://example.org/x.tar.gz": "", "": "", "package/": "package", "_1.bb": "",
	} {
		if got := recipe([]byte(field)); got != want {
			t.Errorf("recipe(%q) = %q", field, got)
		}
	}
	for _, c := range [][3]string{
		{"cpe:/a:gnu:coreutils", "9.3-1", "cpe:2.3:a:gnu:coreutils:9.3:*:*:*:*:*:*:*"}, {"cpe:/o:linux:linux_kernel", "6.6.86~64576e14-r1", "cpe:2.3:o:linux:linux_kernel:*:*:*:*:*:*:*:*"},
		{"cpe:/a:gnu:coreutils:9.3", "9.3", ""}, {"cpe:/a:gnu", "1", ""}, {"cpe:/h:a:b", "1", ""}, {"cpe:2.3:a:b:c", "1", ""}, {"", "1", ""},
	} {
		if got := opkgCPE(c[0], c[1]); got != c[2] {
			t.Errorf("opkgCPE(%q, %q) = %q", c[0], c[1], got)
		}
	}
}

func FuzzOpkg(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Opkg{}}, []string{"usr/lib/opkg/status", "var/lib/opkg/info/a.control", "opt/lib/opkg/info/a.list"}, func(t testing.TB, r *inventory.Record) {
		for _, p := range r.Packages {
			if p.Type != "opkg" || !word([]byte(p.Name)) || !word([]byte(p.Version)) {
				t.Errorf("%+v", p)
			}
		}
	}, "testdata/opkg")
}
