package version

import (
	"errors"
	goversion "go/version"
	"strings"
	"testing"

	modsemver "golang.org/x/mod/semver"
)

// chains hold versions in their order, as the specifications and the tools' own
// tests give it: "a < b = c < d".
var chains = map[Scheme][]string{
	Deb: { // Debian policy 5.6.12, dpkg's t-version.c
		"1.0~~ < 1.0~~a < 1.0~ < 1.0~rc1 < 1.0~rc1+b1 < 1.0 = 1.0-0 = 0:1.0 < 1.0-0.1 < 1.0-1~bpo1 < 1.0-1 < 1.0-1a < 1.0-1+b1 < 1.0-1+deb12u1 < 1.0a < 1.0+dfsg < 1.0.1",
		"9 < 10 < 1:1 < 2:0.1 < 10:0", "1.0-1 = 1.0-01 = 01.0-1", "1.2.3~alpha < 1.2.3", "7.6p2-4 > 7.6-0", "1.0.3-3 > 1.0-1", "1.2.3 = 1.2.3-0 = 1.002.3",
		"0:0-0-0 > 0-0", "1.1.1n-0+deb11u5 < 3.0.11-1~deb12u2", "2.36-9+deb12u3 < 2.36-9+deb12u10", "1.0A < 1.0a < 1.0+", "20190114+really20220913-0+deb10u1 > 20190114-1",
	},
	RPM: { // rpm's rpmvercmp.at, and label comparison
		"1.0~rc1 < 1.0~rc2 < 1.0 < 1.0^ < 1.0^git1 < 1.0^git2 < 1.01 = 1.1", "1.0~rc1~git123 < 1.0~rc1", "1.0^git1~pre < 1.0^git1", "1.0~rc1^git1 > 1.0~rc1",
		"2.0.1a > 2.0.1", "5.5p1 < 5.5p2 < 5.5p10", "10xyz < 10.1xyz", "xyz10 < xyz10.1", "xyz.4 < xyz.4.0 = xyz_4_0 < 8 < 8.0", "5.5p2 < 5.6p1", "6.0 < 6.0.rc1", "10b2 > 10a1", "7.0 > 7", "1.0aa > 1.0a",
		"2.0 = 2_0", "1.0.. = 1.0", "a+ = a_", "+a = _a", "+_ = _+ = _ = +", "20101121 < 20101122", "1b.fc17 < 1.fc17 < 1g.fc17", "1.0 < 1.0-0 < 1.0-1 < 1.0-1.el8 < 1.0-2 < 1:0.5-1 < 2:0", "(none):1.0-1 = 0:1.0-1", "4.18.0-553.37.1.el8_10 < 4.18.0-553.40.1.el8_10",
		"1.0^20160101 < 1.0^20160102 < 1.0^20160102^git1", "1.0^ < 1.0a",
	},
	APK: { // apk-tools' test/version.data and its documented grammar
		"2.34 > 0.1.0_alpha", "0.1.0_alpha < 0.1.0_alpha2 < 0.1.0_beta < 0.1.0_pre1 < 0.1.0_rc1 < 0.1.0 < 0.1.0-r0 < 0.1.0_cvs < 0.1.0_svn1 < 0.1.0_git20200101 < 0.1.0_hg < 0.1.0_p1 < 0.1.0a < 0.1.0.1",
		"1.0-r9 < 1.0-r10", "1.0 < 1.00", "1.01 < 1.02 < 1.1 < 1.10", "1.0_p10-r0 < 1.0_p10-r1", "0.12.3_p1 > 0.12.3", "1.5.1_pre < 1.5.1", "2.0_beta16-r0 < 2.0_rc1", "1.3.1 < 1.3.1-r1 < 1.3.1~f00d < 1.3.1~f00d-r1 < 1.3.1a", "1.2.3_rc1~ab < 1.2.3_rc1~b",
		"6.5.2-r1 < 6.5.10-r0", "0.7.1_p1-r1 < 0.7.1a", "1.0_alpha_p1 > 1.0_alpha", "4.0.0_rc_alpha < 4.0.0_rc", "5.1p1-r0 < 5.1p2-r0 < 5.1p10",
	},
	Pacman: { // pacman's vercmptest.sh
		"1.0rc1 < 1.0 = 1.0-1", "1.0alpha < 1.0beta < 1.0p < 1.0pre < 1.0rc < 1.0 < 1.0.a < 1.0.1", "1.5.0 < 1.5.1", "1.5.1-1 < 1.5.1-2", "1.5-1 < 1.5.1-1", "1.5 = 1.5-1", "1.1-1 = 1.1", "1.0.. < 1.0.1", "2_0 > 1_3", "1.0. < 1.0.1",
		"1.5b < 1.5", "1.5b-1 < 1.5-1", "1.5 < 1.5.b", "0:1.0 = 1.0 < 1:1.0", "1:1.0 < 1:1.1", "1.0.a1 < 1.0.a2",
	},
	Portage: { // PMS chapter 3, Portage's test_vercmp.py
		"1.0_alpha < 1.0_alpha1 < 1.0_beta < 1.0_pre < 1.0_rc < 1.0 = 1.0-r0 < 1.0-r1 < 1.0_p < 1.0_p1 < 1.0b < 1.0.0", "12.2.5 > 12.2b", "1.001000000000000000001 < 1.001000000000000000002", "1.0.02 = 1.0.020", "1.02 < 1.1 < 1.10",
		"6.0_alpha1_p1 > 6.0_alpha1", "999999999999999999 < 999999999999999999999", "1_p = 1_p0",
	},
	PEP440: { // PEP 440's summary of permitted suffixes
		"1.dev0 < 1.0.dev456 < 1.0a1 < 1.0a2.dev456 < 1.0a12.dev456 < 1.0a12 < 1.0b1.dev456 < 1.0b2 < 1.0b2.post345.dev456 < 1.0b2.post345 < 1.0rc1.dev456 < 1.0rc1 < 1.0 = 1 = v1.0.0 = 0!1 < 1.0+abc.5 < 1.0+abc.7 < 1.0+5 < 1.0.post456.dev34 < 1.0.post456 < 1.0.15 < 1.1.dev1 < 1!0.1",
		"1.0alpha1 = 1.0.a.1 = 1.0-A1", "1.0-1 = 1.0.post1 = 1.0rev1 = 1.0-r.1", "1.0c1 = 1.0rc1 = 1.0preview1 = 1.0pre1", "1.0a = 1.0a0", "1.0+ubuntu-1 = 1.0+UBUNTU.1 = 1.0+ubuntu_1", "2013.10 > 2013.9",
	},
	NPM: {
		"1.0.0-alpha < 1.0.0-alpha.1 < 1.0.0-alpha.beta < 1.0.0-beta < 1.0.0-beta.2 < 1.0.0-beta.11 < 1.0.0-rc.1 < 1.0.0 = v1.0.0 = v=1.0.0 = 1.0.0+build = 1.0 = 1", "1.2.3beta = 1.2.3-beta", "01.02.03 = 1.2.3", "0 < 0.0.1", "1.2.3-4 < 1.2.3-4-foo", "1.2.3-r2 > 1.2.3-r100",
		"1.2.3-asdf < 1.2.3-asdf.1 = = 1.2.3-asdf.1+x",
	},
	SemVer: {"1.0.0-alpha < 1.0.0-alpha.1 < 1.0.0-alpha.beta < 1.0.0-beta < 1.0.0-beta.2 < 1.0.0-beta.11 < 1.0.0-rc.1 < 1.0.0 < 2.0.0 < 2.1.0 < 2.1.1", "v1.2 = 1.2.0", "1.0.0-1 < 1.0.0-10 < 1.0.0-a < 1.0.0-a-b"},
	Go: {
		"v0.0.0-20170915032832-14c0d48ead0c < v0.0.0-20180101000000-000000000000 < 0.0.1 < v1.2.3-0.20191109021931-daa7c04131f5 < v1.2.3 < v1.2.4-pre.0.20191109021931-daa7c04131f5 < 2.0.0+incompatible = v2.0.0",
		"go1.20rc1 = 1.20.0-rc.1 < go1.20 = 1.20 = 1.20.0 < go1.20.1 < go1.21 = 1.21.0-0 < 1.21beta1 < go1.21rc2 = 1.21.0-rc.2 < go1.21.0 < 1.21.3 = go1.21.3 = go1.21.3-vendor < go1.22.0", "1.9.7 < 1.10 = go1.10", "go1 = go1.0", "1.9rc1 < 1.9",
	},
	Maven: { // the POM reference, ComparableVersionTest
		"1-alpha2snapshot < 1-alpha2 < 1-alpha-123 < 1-beta-2 < 1-beta123 < 1-m2 < 1-m11 < 1-rc = 1-cr < 1-cr2 = 1-rc2 < 1-rc123 < 1-SNAPSHOT < 1 = 1-ga = 1.0.0-final = 1.0.RELEASE < 1-sp < 1-sp2 < 1-sp123 < 1-abc < 1-def < 1-pom-1 < 1-1-snapshot < 1-1 < 1-2 < 1-123",
		"2.0 < 2.0.a = 2.0.0.a < 2-1 < 2.0.2 < 2.0.123 < 2.1.0 < 2.1-a < 2.1b < 2.1-c < 2.1-1 < 2.1.0.1 < 2.2 < 2.123 < 11.a2 < 11.a11 < 11.b2 < 11.b11 < 11.m2 < 11.m11 < 11 < 11.a < 11b < 11c < 11m",
		"1x = 1-x = 1.0.0x = 1.0.0-x", "1a1 = 1-alpha-1", "1b2 = 1-beta-2", "1m3 = 1-milestone-3", "1X = 1x", "2.0.1-xyz > 2.0.1", "20190126.230843 > 6.1.0", "1.0.0.RC1 < 1.0.0-RC2", "4.1.100.Final > 4.1.99.Final", "31.1-jre > 31.1-android", "9.0.0.M1 < 9.0.0", "Finchley.RELEASE < Finchley.SR1", "2.13.4.2 > 2.13.4",
	},
	Gem: { // rubygems' test_gem_version.rb
		"1.0.a.2 < 1.0.b1 < 1.0 = 1 = 1.0.0", "1.8.2.a < 1.8.2.a9 < 1.8.2.a10 < 1.8.2.b < 1.8.2", "1.0.0-alpha < 1.0.0-beta < 1.0.0-rc1 < 1.0.0", "5.a < 5.0.0.rc2 < 5.x < 5.0", "0.beta.1 = 0.0.beta.1", "0.0.beta < 0.0.beta.1 < 0.beta.2", "1.9.3 < 1.9.3.1 < 1.10", "1.12.5-x86_64-linux = 1.12.5-java = 1.12.5",
		"1.0.0.pre.1 = 1.0.0-1",
	},
	Composer: {
		"dev-master < 1.0-dev < 1.0-alpha < 1.0-alpha1 < 1.0a2 < 1.0-beta = 1.0b < 1.0-beta.2 = 1.0b2 < 1.0-RC1 = 1.0.0rc1 < 1.0 = v1.0.0.0 = 1.0-stable = 1.0.0+meta < 1.0-patch1 = 1.0p1 = 1.0pl1 < 1.0.1 < 1.9.9 < 1.x-dev < 2.0",
		"2010.01.02 < 2010.1.3", "20230101 < 20230102", "1.0.x-dev > 1.0.9", "1.0@beta = 1.0", "8.7.14 < 8.10.0",
	},
	NuGet: {"1.0.0-alpha < 1.0.0-Beta = 1.0.0-beta < 1.0.0-beta.2 < 1.0.0-beta.10 < 1.0.0-rc < 1.0 = 1 = 1.0.0.0 = 01.0.0+meta < 1.0.0.1 < 1.0.1", "1.0.0-BETA.A < 1.0.0-beta.b", "13.0.0-rc1 < 13.0.1"},
	Cargo: {"0.2.6-0 < 0.2.6-alpha < 0.2.6 = 0.2.6+wasi < 0.2.10", "0 = 0.0.0"},
	CRAN:  {"0.9-1 = 0.9.1 < 0.9-10 < 0.10 < 1.0 < 1.0.0 < 1.0-1", "4.9.2 < 4.9.2.1"},
	Hex:   {"1.0.0-rc.0 < 1.0.0-rc.10 < 1.0.0 = 1.0.0+x < 1.0.1"},
	Pub: { // pub_semver's version_test.dart
		"1.0.0-alpha < 1.0.0-alpha.1 < 1.0.0-beta.2 < 1.0.0-beta.11 < 1.0.0-rc.1 < 1.0.0-rc.1+build.1 < 1.0.0 < 1.0.0+0.3.7 < 1.3.7+build < 1.3.7+build.2.b8f12d7 < 1.3.7+build.11.e0f985a < 2.0.0 < 2.1.0 < 2.2.0 < 2.11.0 < 2.11.1",
	},
	Hackage: {"1 < 1.0 < 1.0.0 < 1.0.1 < 1.1 < 1.10", "5.20140919 > 5.6.3"},
	Conan: { // Conan's test_version.py
		"1.0.0-rc.1 < 1.0.0 = 1.0 = 1 < 1.0.0+build < 1.0.1 < 1.0.2.3 < 1.0.2.10 < 1.1.abc", "1.2.3-alpha < 1.2.3-alpha.1 < 1.2.3-beta", "1.1.1a < 1.1.1b", "cci.20200101 < cci.20210101", "1.0.0+1 < 1.0.0+2",
	},
	Swift:   {"v1.0.0-beta.2 < 1.0.0 = 1.0 < 1.0.1"},
	Julia:   {"1.0- < 1.0-0 < 1.0-rc1 = 1.0rc1 < 1.0-rc1+1 < 1.0 = v1.0.0 < 1.0.0+0 < 1.0.0+1 < 1.0.0+10 < 1.0.0+a < 1.0+ < 1.0.1-"},
	Opam:    {"~beta2 < ~beta10 < 0.1 < 1.0~beta < 1.0 < 1.0-test < 1.0.1 < 1.0.10 < dev < trunk"},
	Bitnami: {"1.19.0-rc.1 < 1.19.0 = 1.19.0-0 < 1.19.0-1 < 1.19.0-10 < 1.19.1"},
	Generic: {"1.0~ < 1.0alpha1 < 1.0-dev < 1.0~git20200101 < 1.0~rc1 = 1.0rc1 < 1.0 = 1.0.0 = v1 < 1.0a < 1.0b < 1.0k < 1.0p1 < 1.0.1 < 1.2.4 < 1.2.4_5 < 1.2.10", "openssl-1.0.2k < openssl-1.0.2l", "2024-01-02 < 2024-01-10", "1.0b1 < 1.0"},
}

func TestChains(t *testing.T) {

	for _, s := range Schemes() {
		if len(chains[s]) == 0 {
			t.Errorf("%s has no chain", s)
		}
		for _, chain := range chains[s] {
			checkChain(t, s, chain)
		}
	}
}

// checkChain compares every version of a chain with all behind it, as far as the
// signs between them agree.
func checkChain(t *testing.T, s Scheme, chain string) {
	t.Helper()
	var versions []Version
	var signs []int
	for i, f := range strings.Split(chain, " ") {
		switch f {
		case "<", "=", ">":
			if i > 0 {
				signs = append(signs, strings.Index("<=>", f)-1)
				continue
			}
		case "":
			continue
		}
		v, err := Parse(s, f)
		if err != nil {
			t.Error(err)
			return
		}
		versions = append(versions, v)
	}
	for i := range versions {
		want := 0
		for j := i + 1; j < len(versions); j++ {
			if signs[j-1]*want < 0 {
				break
			}
			if want == 0 {
				want = signs[j-1]
			}
			if got := versions[i].Compare(versions[j]); got != want {
				t.Errorf("%s: %s %s %s, not %s", s, versions[i], symbol(got), versions[j], symbol(want))
			}
			if got := versions[j].Compare(versions[i]); got != -want {
				t.Errorf("%s: %s %s %s, not %s", s, versions[j], symbol(got), versions[i], symbol(-want))
			}
		}
	}
}

func TestUnreadable(t *testing.T) {
	for s, texts := range map[Scheme][]string{
		Deb:      {"latest", "v1.0", "1.0-", "a:1.0", ":1.0", "1:", "1.0 beta", "1.0_1", "1.0/2", "1.0-1:2", "ü1", "-1", "1.0-1-"},
		RPM:      {"not a version", "1.0-", "a:1", ":1", "-1", "1.0-1-", "1.0%{dist}", "1:", "1.0/1", "é"},
		APK:      {"latest", "v1.0", "1.0-1", "1.0_foo", "1.0.", "1..0", ".1", "1.0-r", "1.0_", "1.0ab", "1.0a.1", "1.0-r1-r2", "1.0~xyz", "1.0~", "1.0-r1_rc1", "1.0A", "1.14.2.r0", "1.0_rc1.2", "-r1"},
		Pacman:   {"", "a:1", "1.0-", "1 2"},
		Portage:  {"latest", "1.0_git1", "1.0-r", "1.0~", "1.0-1", "v1", "1.0ab", "1..0", "1.0_", "1.0_p-1", "cvs.1"},
		PEP440:   {"", "latest", "1.0-SNAPSHOT", "2004d", "1.0.x", "1.0+", "1.0+a..b", "!1", "1!", "1.0a1b1", "1.0.post1.post2", "1.0-bulbasaur", "1..0", "1.0.dev1.post1", "1.0+ü", "a1"},
		NPM:      {"latest", "", "1.2.3.4", "*", "1.x", "^1.0.0", "1.2.3-", "1.2.3-a..b", "1.2.3+", "1.0.0 || 2.0.0", "git://x", "1.2.3-ä"},
		SemVer:   {"latest", "1.2.3.4", "1.2.3-", "1.2.3-a_b", "1..2", "1.2.3beta", "v", "1.2.3-+x"},
		Go:       {"(devel)", "devel", "latest", "v1.2.3.4", "go1.21.3rc1", "go1.x", "gotip", "v01.2.3", "devel go1.23-abc", "1.21rcx", "v1.2.3-", "go", "1.2.3-01"},
		Maven:    {"latest", "RELEASE", "LATEST", "unknown", "${revision}", "[1,2)", "1.0 beta", "1/2", "1.0\x00"},
		Gem:      {"latest", "v1.0", "1.0.", ".1", "1..0", "1.0_1", "1.0 2", "a.1", "1.0-", ">= 1"},
		Composer: {"latest", "1.0.0.0.0", "1.x", "foo-dev", "1.0-foo", "dev-", "^1", "1.0.0<2", "1.2.3.x", "1.0 2"},
		NuGet:    {"latest", "v1.0", "1.0.0.0.0", "1.0-", "1.0.0-a_b", "[1.0]", "1.*", "1."},
		Cargo:    {"latest", "v1.0.0", "01.2.3", "1.2.3-01", "1.2.3.4", "^1", "*", "1.2.3-"},
		CRAN:     {"1.0a", "latest", "1..0", "1.", "v1.0", "1_0"},
		Hex:      {"latest", "v1.0.0", "1.2.3-01", "01.0.0", "1.0.0.0"},
		Pub:      {"latest", "any", "1.2.3.4", "1.2.3-", "^1.0.0"},
		Hackage:  {"1.0-1", "latest", "1.", "1.0a", "v1"},
		Conan:    {"1.0/2", "1 0", "[>1]", "-1", "~1", "1.0-+x"},
		Swift:    {"latest", "1.2.3.4", "main"},
		Julia:    {"latest", "1.2.3.4", "1.0_1", "x"},
		Opam:     {"1 0", "1/2", "~", "<1"},
		Bitnami:  {"latest", "nightly.2026-03-10.0", "1.2.3.4.5"},
		Generic:  {"latest", "unknown", "1 2", "ü1", "n/a", "-"},
	} {
		for _, text := range texts {
			v, err := Parse(s, text)
			var reason *Error
			if !errors.As(err, &reason) || reason.Scheme != s || reason.Version != text || reason.Reason == "" || v != (Version{}) {
				t.Errorf("%s: %q is read as %v, error %v", s, text, v, err)
			}
		}
	}
	if _, err := Parse("bazaar", "1"); err == nil || !strings.Contains(err.Error(), "scheme") {
		t.Error("an unknown scheme:", err)
	}
	if _, err := Compare(Deb, "1", "latest"); err == nil {
		t.Error("the second version is not checked")
	}
}

func TestCanonicalForms(t *testing.T) {
	for _, x := range []struct {
		scheme     Scheme
		text, want string
	}{
		{PEP440, "V1.0.0-ALPHA_1.Post2+Ubuntu-01", "1.0.0a1.post2+ubuntu.1"}, {PEP440, "01!002.0c", "1!2.0rc0"}, {PEP440, "1.0-SNAPSHOT", "1.0-SNAPSHOT"},
		{NuGet, "1.0", "1.0.0"}, {NuGet, "01.2.3.0-Beta+x", "1.2.3-beta"}, {NuGet, "1.2.3.4", "1.2.3.4"},
		{Composer, "v1.2", "1.2.0.0"}, {Composer, "1.0b2", "1.0.0.0-beta2"}, {Composer, "2.x-dev", "2.9999999.9999999.9999999-dev"}, {Composer, "master", "dev-master"},
		{NPM, "=v1.2", "1.2.0"}, {Go, "go1.21rc2", "1.21.0-rc.2"}, {Pub, "1.0.0+b", "1.0.0+b"}, {Bitnami, "1.2.3-04", "1.2.3-4"},
		{Deb, "0:1.0-1", "0:1.0-1"}, {Maven, "1.0.FINAL", "1.0.FINAL"},
	} {
		if got := Canonical(x.scheme, x.text); got != x.want {
			t.Errorf("%s: %s becomes %s, not %s", x.scheme, x.text, got, x.want)
		}
	}
}

// TestGoOracle compares with the packages that the go command itself uses.
func TestGoOracle(t *testing.T) {
	modules, toolchains := 0, 0
	for _, p := range randomPairs(t, Go, 8000) {
		a, b := "v"+strings.TrimPrefix(p.a, "v"), "v"+strings.TrimPrefix(p.b, "v")
		if !modsemver.IsValid(a) || !modsemver.IsValid(b) {
			continue
		}
		modules++
		if c, err := Compare(Go, p.a, p.b); err != nil || c != modsemver.Compare(a, b) {
			t.Errorf("%s %s %s, we say %d, %v", p.a, symbol(modsemver.Compare(a, b)), p.b, c, err)
		}
	}
	if c, err := Compare(Go, "go1.22.3 X:boringcrypto", "1.22.3"); c != 0 || err != nil {
		t.Error("a toolchain with experiments:", c, err)
	}
	texts := strings.Fields("go1 go1.0 go1.2 go1.2.1 go1.9beta1 go1.9rc2 go1.9 go1.9.1 go1.20 go1.20rc1 go1.20.1 go1.20.10 go1.21 go1.21rc2 go1.21rc10 go1.21.0 go1.21.0-vendor go1.21.1 go1.22rc1 go1.22.3-suffix go1.100.1 go2 go2.0.1")
	for _, a := range texts {
		for _, b := range texts {
			toolchains++
			if c, err := Compare(Go, a, b); err != nil || c != goversion.Compare(a, b) {
				t.Errorf("%s %s %s, we say %d, %v", a, symbol(goversion.Compare(a, b)), b, c, err)
			}
		}
	}
	if t.Logf("%d pairs of modules, %d of toolchains", modules, toolchains); modules < 2000 {
		t.Error("too few pairs are valid")
	}
}

func TestSchemeOf(t *testing.T) {
	for name, want := range map[string]Scheme{
		"Debian:12": Deb, "Ubuntu:22.04:LTS": Deb, "deb": Deb, "Rocky Linux:9": RPM, "AlmaLinux:8": RPM, "Red Hat:enterprise_linux:9::baseos": RPM, "openSUSE:Leap 15.5": RPM, "SUSE:Linux Enterprise": RPM, "rpm": RPM, "openEuler:24.03": RPM, "Mageia:9": RPM,
		"Alpine:v3.18": APK, "Wolfi": APK, "Chainguard": APK, "MinimOS": APK, "apk": APK, "PyPI": PEP440, "pypi": PEP440, "npm": NPM, "crates.io": Cargo, "cargo": Cargo, "Go": Go, "golang": Go, "Maven": Maven, "Maven:https://repo1.maven.org": Maven,
		"RubyGems": Gem, "gem": Gem, "Packagist": Composer, "Packagist:https://packages.drupal.org/8": Composer, "composer": Composer, "NuGet": NuGet, "Hex": Hex, "Pub": Pub, "Hackage": Hackage, "GHC": Hackage, "ConanCenter": Conan, "conan": Conan, "CRAN": CRAN, "Bioconductor": CRAN,
		"SwiftURL": Swift, "swift": Swift, "Julia": Julia, "opam": Opam, "Bitnami": Bitnami, "bitnami": Bitnami, "alpm": Pacman, "ebuild": Portage, "generic": Generic, "GitHub Actions": SemVer, "github": SemVer, "kubernetes": SemVer, "Root:Alpine:3.18": APK, "TuxCare:PyPI": PEP440, "Echo": Deb,
	} {
		if got, ok := SchemeOf(name); !ok || got != want {
			t.Errorf("%s: %q %v, not %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "GIT", "Root", "Root:", "Windows", ":npm"} {
		if got, ok := SchemeOf(name); ok {
			t.Errorf("%q is taken for %s", name, got)
		}
	}
}
