package distro

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// testdata/os-release.json is what the Python package distro 1.8 reads in the
// files of testdata/os-release; the name in quoting is what sh makes of it.
func TestOSRelease(t *testing.T) {
	truth := make(map[string]map[string]string)
	if err := json.Unmarshal([]byte(read(t, "os-release.json")), &truth); err != nil {
		t.Fatal(err)
	}
	for name, want := range truth {
		d, err := osRelease(read(t, "os-release/"+name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := map[string]string{
			"id": d.ID, "id_like": strings.Join(d.IDLike, " "), "version_id": d.Version, "version_codename": d.Codename, "name": d.Name,
			"pretty_name": d.PrettyName, "variant_id": d.Variant, "cpe_name": d.CPE, "support_end": d.Support, "build_id": d.Build,
		}
		for k, v := range got {
			if v == "" {
				delete(got, k)
			}
		}
		// distro guesses a codename from VERSION; we take only what is named so
		if d.Codename == "" {
			delete(want, "version_codename")
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// testdata/release.tsv is what the same package makes of release lines: name,
// version, codename. The identifiers are those of the distributions' later
// os-release files.
func TestRelease(t *testing.T) {
	ids := map[string]string{
		"CentOS release 6.10 (Final)": "centos", "CentOS Linux release 7.9.2009 (Core)": "centos", "CentOS Stream release 8": "centos",
		"Red Hat Enterprise Linux Server release 6.10 (Santiago)": "rhel", "Red Hat Enterprise Linux release 8.4 (Ootpa)": "rhel",
		"Fedora release 41 (Container Image)": "fedora", "Oracle Linux Server release 6.10": "ol",
		"Enterprise Linux Enterprise Linux Server release 5.11 (Carthage)": "ol", "Amazon Linux AMI release 2018.03": "amzn",
		"Amazon Linux release 2 (Karoo)": "amzn", "Scientific Linux release 6.10 (Carbon)": "scientific",
		"Rocky Linux release 9.0 (Blue Onyx)": "rocky", "AlmaLinux release 8.5 (Arctic Sphynx)": "almalinux",
		"openEuler release 22.03 (LTS-SP1)": "openeuler", "Gentoo Base System release 2.14": "gentoo",
		"VMware Photon OS 4.0": "photon", "CBL-Mariner 2.0.20230811": "mariner", "Slackware 15.0": "slackware",
	}
	for line := range strings.Lines(read(t, "release.tsv")) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		d, err := release(f[0] + "\nPHOTON_BUILD_NUMBER=2f5aad892\n")
		if err != nil {
			t.Errorf("%s: %v", f[0], err)
		}
		if d.ID == "mariner" {
			f[2] = "2.0" // VERSION_ID of the same release
		}
		if got := []string{d.ID, d.Name, d.Version, d.Codename, d.PrettyName}; !gocmp.Equal(got, []string{ids[f[0]], f[1], f[2], f[3], f[0]}) {
			t.Errorf("release(%q) = %q, want %q", f[0], got, []string{ids[f[0]], f[1], f[2], f[3], f[0]})
		}
	}
}

func TestOtherFiles(t *testing.T) {
	tests := []struct {
		path, data string
		want       []inventory.Distro
	}{
		{"etc/debian_version", "9.13\n", []inventory.Distro{{ID: "debian", Name: "Debian GNU/Linux", Version: "9", PrettyName: "Debian GNU/Linux 9.13"}}},
		{"etc/debian_version", "trixie/sid\n", []inventory.Distro{{ID: "debian", Name: "Debian GNU/Linux", Codename: "trixie", PrettyName: "Debian GNU/Linux trixie/sid"}}},
		{"etc/debian_version", "\n", nil},
		{"etc/alpine-release", "3.10.4\n", []inventory.Distro{{ID: "alpine", Name: "Alpine Linux", Version: "3.10.4"}}},
		{"etc/arch-release", "", []inventory.Distro{{ID: "arch", Name: "Arch Linux"}}},
		{"etc/lsb-release", "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\nDISTRIB_CODENAME=noble\nDISTRIB_DESCRIPTION=\"Ubuntu 24.04.3 LTS\"\n",
			[]inventory.Distro{{ID: "ubuntu", Name: "Ubuntu", Version: "24.04", Codename: "noble", PrettyName: "Ubuntu 24.04.3 LTS"}}},
		{"etc/lsb-release", "LSB_VERSION=base-4.0-amd64:base-4.0-noarch\n", nil},
		{"etc/redhat-release", "altlinux-release", nil},
		{"etc/redhat-release", "Some Thing Linux Server release 3.1 (X)", []inventory.Distro{{ID: "some-thing", Name: "Some Thing Linux Server", Version: "3.1", Codename: "X",
			PrettyName: "Some Thing Linux Server release 3.1 (X)"}}},
		{"etc/SuSE-release", "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n",
			[]inventory.Distro{{ID: "sles", IDLike: []string{"suse"}, Name: "SLES", Version: "11.4", PrettyName: "SUSE Linux Enterprise Server 11 (x86_64)"}}},
		{"etc/SuSE-release", "openSUSE 13.1 (x86_64)\nVERSION = 13.1\nCODENAME = Bottle\n# /etc/SuSE-release is deprecated\n",
			[]inventory.Distro{{ID: "opensuse", IDLike: []string{"suse"}, Name: "openSUSE", Version: "13.1", Codename: "Bottle", PrettyName: "openSUSE 13.1 (x86_64)"}}},
		{"usr/lib/os-release", "NAME=Nameless\nVERSION_ID=@VERSION@\n", []inventory.Distro{{ID: "linux", Name: "Nameless"}}},
		{"x86_64-bottlerocket-linux-gnu/sys-root/usr/lib/os-release", "ID=bottlerocket\nVERSION_ID=1.47.0\n", []inventory.Distro{{ID: "bottlerocket", Version: "1.47.0"}}},
		{"etc/os-release", "\xef\xbb\xbfID=\"With Blank\"\nPRETTY_NAME=\"never ends\n", []inventory.Distro{{ID: "with-blank", PrettyName: "never ends"}}},
	}
	for _, tt := range tests {
		var out inventory.Record
		if err := (Analyzer{}).Analyze(t.Context(), fstest.MapFS{tt.path: {Data: []byte(tt.data)}}, &out); err != nil {
			t.Fatal(err)
		}
		for i := range tt.want {
			tt.want[i].Path = tt.path
		}
		if diff := gocmp.Diff(tt.want, out.Distros); diff != "" {
			t.Errorf("%s, %q (-want +got):\n%s", tt.path, tt.data, diff)
		}
		if len(out.Problems) != 0 {
			t.Errorf("%s: %v", tt.path, out.Problems)
		}
		if (Analyzer{}).Wants(analyze.Entry{Path: tt.path}) != analyze.Alone {
			t.Errorf("%s is not wanted", tt.path)
		}
	}
}

func TestProblems(t *testing.T) {
	for what, data := range map[string]string{"no assignment": "nothing here", "more than the limit": strings.Repeat("#", maxFile+1)} {
		var out inventory.Record
		if err := (Analyzer{}).Analyze(t.Context(), fstest.MapFS{"etc/os-release": {Data: []byte(data)}}, &out); err != nil {
			t.Fatal(err)
		}
		if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Message, what) || len(out.Distros) != 0 {
			t.Errorf("problems %v, want one with %q", out.Problems, what)
		}
	}
	for _, p := range []string{"etc/hosts", "os-release", "usr/etc/os-release", "a/b-bottlerocket-linux-gnu/sys-root/usr/lib/os-release", "etc/x/os-release", ""} {
		if (Analyzer{}).Wants(analyze.Entry{Path: p}) != analyze.Ignore {
			t.Errorf("%s is wanted", p)
		}
	}
}

func BenchmarkWants(b *testing.B) {
	e := analyze.Entry{Path: "etc/ssl/certs/ca-certificates.crt"}
	for b.Loop() {
		Analyzer{}.Wants(e)
	}
}

func FuzzFiles(f *testing.F) {
	paths := []string{"etc/os-release", "etc/redhat-release", "etc/SuSE-release", "etc/alpine-release", "etc/lsb-release", "etc/debian_version"}
	for _, name := range []string{"debian12", "fedora42", "quoting"} {
		f.Add(read(f, "os-release/"+name))
	}
	f.Add("CentOS release 6.10 (Final)\n")
	f.Add("SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n")
	f.Add("DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=24.04\n")
	f.Fuzz(func(t *testing.T, data string) {
		for _, p := range paths {
			d, _ := reader(p)(data)
			for _, s := range []string{d.ID, d.Version, d.Name, d.PrettyName, d.Codename} {
				if strings.ContainsAny(s, "\n\x00") {
					t.Errorf("%s: %q", p, s)
				}
			}
		}
	})
}
