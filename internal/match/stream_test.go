package match

import (
	"slices"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

func TestStream(t *testing.T) {
	tests := []struct {
		distro inventory.Distro
		want   string // "" where nobody can tell
	}{
		{inventory.Distro{ID: "openeuler", Version: "24.03", PrettyName: "openEuler 24.03 (LTS-SP1)"}, "openeuler:24.03-LTS-SP1"},
		{inventory.Distro{ID: "openeuler", Version: "24.03", PrettyName: "openEuler 24.03 (LTS)"}, "openeuler:24.03-LTS"},
		{inventory.Distro{ID: "openeuler", Version: "23.09", PrettyName: "openEuler 23.09"}, "openeuler:23.09"},
		{inventory.Distro{ID: "openeuler", Version: "24.03"}, "openeuler:24.03"}, // of which there is no data: said so
		{inventory.Distro{ID: "openeuler", Version: "24.03", PrettyName: "openEuler 22.03 (LTS)"}, "openeuler:24.03"},
		{inventory.Distro{ID: "debian", Codename: "forky", PrettyName: "Debian GNU/Linux forky/sid"}, "debian:unstable"},
		{inventory.Distro{ID: "debian", Version: "13", Codename: "trixie", PrettyName: "Debian GNU/Linux 13 (trixie)"}, "debian:13"},
		{inventory.Distro{ID: "debian", Codename: "trixie"}, "debian:13"},
		{inventory.Distro{ID: "mariner", Version: "2.0.20240123"}, "mariner:2.0"},
		{inventory.Distro{ID: "azurelinux", Version: "3"}, "azurelinux:3.0"},
		{inventory.Distro{ID: "photon", Version: "5"}, "photon:5.0"},
		{inventory.Distro{ID: "opensuse-microos", Version: "20250101"}, "opensuse-tumbleweed"},
		{inventory.Distro{ID: "opensuse", Version: "20170101"}, "opensuse-tumbleweed"},
		{inventory.Distro{ID: "opensuse", Version: "42.3"}, "opensuse-leap:42.3"},
		{inventory.Distro{ID: "opensuse-leap-micro", Version: "5.2"}, "opensuse-leap-micro:5.2"},
		{inventory.Distro{ID: "sle_hpc", Version: "15.3"}, "sles:15.3"},
		{inventory.Distro{ID: "sl-micro", Version: "6.0"}, "sle-micro:6.0"},
		{inventory.Distro{ID: "altlinux", Version: "10"}, ""},
	}
	for _, tt := range tests {
		got, ok := Stream(&tt.distro)
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("Stream(%+v) = %q, %v; want %q", tt.distro, got, ok, tt.want)
		}
		if !ok {
			continue
		}
		// a package of the image has what its purl can carry of it
		p := inventory.Package{Type: "deb", Name: "a", Version: "1", Distro: tt.distro.ID + ":" + tt.distro.Version}
		if tt.distro.Version == "" {
			p.Distro += tt.distro.Codename
		}
		if got, _ := streamOf(&p, &tt.distro); got != tt.want {
			t.Errorf("a package of %+v has the stream %q; want %q", tt.distro, got, tt.want)
		}
	}
	if _, ok := Stream(nil); ok {
		t.Error("no distribution has a stream")
	}
}

// What the schema's ecosystems are called has to be what images lead to.
func TestStreamsOfOSV(t *testing.T) {
	for ecosystem, want := range map[string]string{
		"Azure Linux:3": "azurelinux:3.0", "Azure Linux:2": "mariner:2.0", "Azure Linux:3.0": "azurelinux:3.0", "Photon OS:4.0": "photon:4.0", "Photon OS:5": "photon:5.0",
		"openEuler:24.03-LTS-SP1": "openeuler:24.03-LTS-SP1", "Debian:4.0": "debian:4", "Debian:12": "debian:12", "Debian:sid": "debian:unstable",
		"SUSE:Package Hub 12": "sles:12", "SUSE:Linux Enterprise Server for SAP Applications 12 SP1": "sles:12.1", "SUSE:Linux Enterprise Micro 5.5": "sle-micro:5.5",
		"Red Hat:ocp_tools:4.15::el9": "rhel:9", "Red Hat:rhel_eus:9.2::appstream": "rhel:9", "Red Hat:enterprise_linux:9::baseos": "rhel:9", "Ubuntu:Pro:16.04:LTS": "ubuntu-pro:16.04",
		"openSUSE:Leap 15.5": "opensuse-leap:15.5", "openSUSE:Tumbleweed": "opensuse-tumbleweed",
	} {
		if got, _, ok := advisory.OSVStream(ecosystem); got != want || !ok {
			t.Errorf("OSVStream(%q) = %q, %v; want %q", ecosystem, got, ok, want)
		}
	}
}

// CVE-2014-9913 of unzip: Ubuntu's record gives 16.04 no fix, and one for 16.04
// with Pro.
func TestUbuntuPro(t *testing.T) {
	source := func(a *advisory.Affected) { a.Names = advisory.Source }
	db := list{
		says("u", "CVE-2014-9913", with(on("ubuntu:16.04", "unzip", version.Deb, "", ""), source), with(on("ubuntu-pro:16.04", "unzip", version.Deb, "", "6.0-20ubuntu1.1+esm1"), source)),
		says("u", "CVE-2020-0001", with(on("ubuntu-pro:16.04", "unzip", version.Deb, "", "6.0-20ubuntu1.1+esm2"), source)),
	}
	for version, want := range map[string][]string{
		"6.0-20ubuntu1.1":      {"CVE-2014-9913", "CVE-2020-0001"},
		"6.0-20ubuntu1.1+esm1": {"CVE-2020-0001"},
		"6.0-20ubuntu1.1+esm2": nil,
	} {
		in := Input{Packages: pkgs(t, "pkg:deb/ubuntu/unzip@"+version+"?distro=ubuntu-16.04")}
		r, got := find(t, in, db, Options{})
		if !slices.Equal(got, want) {
			t.Errorf("unzip %s: %v, want %v", version, got, want)
		}
		for _, f := range r.Findings {
			if f.ID == "CVE-2020-0001" && f.Fix.First() != "6.0-20ubuntu1.1+esm2" {
				t.Errorf("unzip %s: the fix is %v", version, f.Fix)
			}
		}
	}
}
