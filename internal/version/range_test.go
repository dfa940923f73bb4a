package version

import (
	"errors"
	"strings"
	"testing"
)

// ranges holds requirements with versions inside and outside of them, as the
// ecosystems' manuals explain them; insideOnlyPlain are those that the order alone
// puts inside, see Covers.
var ranges = []struct {
	scheme           Scheme
	text             string
	inside, outside  string
	insideOnlyPlain  string
	outsideEvenPlain string
}{
	{scheme: NPM, text: "^1.2 || >=2.1 <3", inside: "1.2.0 1.99.0 2.1.0 v2.9.9", outside: "1.1.9 2.0.0 3.0.0", insideOnlyPlain: "1.3.0-beta 2.2.0-0", outsideEvenPlain: "3.0.0-rc.1"},
	{scheme: NPM, text: "^1.2.3-beta.2", inside: "1.2.3-beta.2 1.2.3-beta.4 1.2.3 1.5.0", outside: "1.2.3-beta.1 2.0.0 2.0.0-rc.1", insideOnlyPlain: "1.2.4-beta.2"},
	{scheme: NPM, text: "^0.2.3", inside: "0.2.3 0.2.9", outside: "0.3.0 0.2.2"}, {scheme: NPM, text: "^0.0.3", inside: "0.0.3", outside: "0.0.4"},
	{scheme: NPM, text: "1.2.3 - 2.3", inside: "1.2.3 2.3.9", outside: "2.4.0 1.2.2"}, {scheme: NPM, text: "~1", inside: "1.0.0 1.9.9", outside: "2.0.0 0.9.9"},
	{scheme: NPM, text: "1.x", inside: "1.0.0", outside: "2.0.0"}, {scheme: NPM, text: "", inside: "0.0.0 9.9.9", insideOnlyPlain: "1.0.0-a"}, {scheme: NPM, text: ">= 1.0.0, < 1.4.2", inside: "1.0.0 1.4.1", outside: "1.4.2", insideOnlyPlain: "1.4.2-rc.1"},
	{scheme: NPM, text: ">1.2", inside: "1.3.0", outside: "1.2.9 1.2.0"}, {scheme: NPM, text: "<=1.2", inside: "1.2.9", outside: "1.3.0"}, {scheme: NPM, text: "= 1.2.3", inside: "1.2.3 1.2.3+x", outside: "1.2.4"},
	{scheme: Cargo, text: "1.2", inside: "1.2.0 1.9.0", outside: "2.0.0 1.1.0 1.3.0-alpha", outsideEvenPlain: "2.0.0"}, {scheme: Cargo, text: "=1.2.3", inside: "1.2.3", outside: "1.2.4"},
	{scheme: Cargo, text: ">=1.2, <1.5", inside: "1.2.0 1.4.9", outside: "1.5.0"}, {scheme: Cargo, text: "1.*", inside: "1.0.0 1.7.0", outside: "2.0.0"}, {scheme: Cargo, text: "~1.2.3", inside: "1.2.9", outside: "1.3.0"},
	{scheme: Julia, text: "1.2, 3", inside: "1.2.0 1.9.0 3.1.0", outside: "2.0.0 4.0.0"}, {scheme: Julia, text: "0.2 - 0.4", inside: "0.2.0 0.4.9", outside: "0.5.0"}, {scheme: Julia, text: "≥ 1.2", inside: "1.2.0 7.0.0", outside: "1.1.0"},
	{scheme: PEP440, text: ">=1,<2,!=1.5,~=1.4", inside: "1.4 1.4.1 1.6 1.9.post1", outside: "1.3 1.5 2.0 1.5.0", insideOnlyPlain: "1.6rc1", outsideEvenPlain: "2.0rc1"},
	{scheme: PEP440, text: "==1.1.*", inside: "1.1 1.1.post1 1.1.9", outside: "1.2 1.10", insideOnlyPlain: "1.1a1"}, {scheme: PEP440, text: "~=2.2.post3", inside: "2.2.post3 2.9", outside: "2.2 3.0"}, {scheme: PEP440, text: "==1.0", inside: "1.0 1 1.0+local", outside: "1.0.1"},
	{scheme: PEP440, text: "==1.0+a", inside: "1.0+A", outside: "1.0 1.0+b"}, {scheme: PEP440, text: ">1.7", inside: "1.7.1", outside: "1.7.0", insideOnlyPlain: "1.7.0.post1 1.7+x"}, {scheme: PEP440, text: "===1.0", inside: "1.0", outside: "1.0.0"}, {scheme: PEP440, text: "<1.0 || >=2", inside: "0.9 2.0", outside: "1.5", insideOnlyPlain: "1.0rc1"},
	{scheme: PEP440, text: ">=1.0rc1", inside: "1.0rc1 1.1a1 1.0", outside: "1.0b9"},
	{scheme: Maven, text: "[1,2),[3,)", inside: "1 1.9 3 4-alpha", outside: "2 0.9 2.5 3-rc1", outsideEvenPlain: "2"}, {scheme: Maven, text: "(,1.0]", inside: "0.9 1.0 1.0.0 1.0-SNAPSHOT", outside: "1.0.1"}, {scheme: Maven, text: "1.0", inside: "1.0.0 1", outside: "1.1"}, {scheme: Maven, text: ">= 2.0, < 2.15.0", inside: "2.0 2.14.1 2.15.0-rc1", outside: "2.15.0 2.0-beta9"},
	{scheme: NuGet, text: "[1.0,2.0)", inside: "1.0.0 1.9.9.9 2.0.0-rc", outside: "2.0 0.9"}, {scheme: NuGet, text: "1.0", inside: "1.0 9.0", outside: "0.9"}, {scheme: NuGet, text: "[1.0]", inside: "1.0.0.0", outside: "1.0.1"}, {scheme: NuGet, text: "1.2.*", inside: "1.2.0 3.0", outside: "1.1.9"}, {scheme: NuGet, text: "1.0.0-*", inside: "1.0.0-alpha 2.0", outside: "0.9"},
	{scheme: Gem, text: "~> 1.2, != 1.3", inside: "1.2 1.2.9 1.9 1.3.0.1", outside: "2.0 1.3 1.3.0 2.0.a 1.1"}, {scheme: Gem, text: "~> 1.2.3", inside: "1.2.3 1.2.9", outside: "1.3.0 1.3.a"}, {scheme: Gem, text: "~> 1", inside: "1 1.9", outside: "2"}, {scheme: Gem, text: "< 2.0.a", inside: "1.9", outside: "2.0.a 2.0"}, {scheme: Gem, text: "~> 3.2.5 || >= 4.1", inside: "3.2.6 4.1", outside: "4.0"},
	{scheme: Composer, text: "^1|~2.3", inside: "1.0.0 1.9 2.3.0 2.9 1.0-beta", outside: "2.2 3.0 0.9 2.0-dev", outsideEvenPlain: "3.0-alpha"}, {scheme: Composer, text: "1.0 - 2.0", inside: "1.0 2.0.9 1.0-beta", outside: "2.1"}, {scheme: Composer, text: ">=1.0 <1.1", inside: "1.0.5", outside: "1.1", insideOnlyPlain: "1.1-beta"}, {scheme: Composer, text: "1.*", inside: "1.0 1.9", outside: "2.0"}, {scheme: Composer, text: "dev-main", inside: "dev-main", outside: "dev-other 1.0"}, {scheme: Composer, text: "*", inside: "1.0 dev-main"}, {scheme: Composer, text: "~1.2.3", inside: "1.2.3 1.2.9", outside: "1.3.0"}, {scheme: Composer, text: "!=1.0,>0.9", inside: "1.1", outside: "1.0.0 0.9"},
	{scheme: Hex, text: "~> 2.0 and != 2.1.0 or > 5.0.0", inside: "2.0.0 2.9.9 6.0.0", outside: "2.1.0 3.0.0 3.0.0-rc.1 5.0.0"}, {scheme: Hex, text: "~> 2.0.1", inside: "2.0.9", outside: "2.1.0"}, {scheme: Hex, text: ">= 1.0.0 and < 1.6.16", inside: "1.6.15 1.6.16-rc.1", outside: "1.6.16"},
	{scheme: Pub, text: "^1.2.3", inside: "1.2.3 1.9.0", outside: "2.0.0 2.0.0-dev 1.2.2"}, {scheme: Pub, text: "^0.1.2", inside: "0.1.2 0.1.9", outside: "0.2.0"}, {scheme: Pub, text: ">=1.0.0 <2.0.0", inside: "1.0.0 1.5.0-a 1.0.0+1", outside: "2.0.0", insideOnlyPlain: "2.0.0-dev"}, {scheme: Pub, text: ">=2.0.0-a <2.0.0", inside: "2.0.0-a 2.0.0-dev", outside: "2.0.0"}, {scheme: Pub, text: "any", inside: "0.0.1"},
	{scheme: Hackage, text: ">=1.0 && (<2 || ==3.*)", inside: "1.0 1.9.9 3.0 3.9", outside: "2 0.9 4 2.9"}, {scheme: Hackage, text: "^>=1.2.3", inside: "1.2.3 1.2.9", outside: "1.3 1.2.2"}, {scheme: Hackage, text: "== {1.0, 2.1}", inside: "1.0 2.1", outside: "1.0.0 2"}, {scheme: Hackage, text: "^>={1.0,2.1}", inside: "1.0.5 2.1.1", outside: "1.1"}, {scheme: Hackage, text: "-any", inside: "0"}, {scheme: Hackage, text: ">= 1.0, < 1.2", inside: "1.1", outside: "1.2"},
	{scheme: Conan, text: "[>=1 <2]", inside: "1.0 1.9.9", outside: "2.0 0.9 2.0-rc", insideOnlyPlain: "1.5-rc 1.0-pre"}, {scheme: Conan, text: "~1.2", inside: "1.2 1.2.9", outside: "1.3"}, {scheme: Conan, text: "^1.2.3", inside: "1.2.3 1.9", outside: "2.0"}, {scheme: Conan, text: "^0.1.2", inside: "0.1.9", outside: "0.2"}, {scheme: Conan, text: ">=1 <2 || ~3, include_prerelease", inside: "1.5-rc 3.0", outside: "2.0 4"}, {scheme: Conan, text: "*", inside: "9"}, {scheme: Conan, text: ">=1.0, <1.3", inside: "1.2", outside: "1.3"},
	{scheme: Swift, text: `"1.0.0"..<"2.0.0"`, inside: "1.0.0 1.9.9", outside: "2.0.0"}, {scheme: Swift, text: "1.0.0...2.0.0", inside: "2.0.0", outside: "2.0.1"}, {scheme: Swift, text: ">= 1.0.0, < 1.2.0", inside: "1.1.0", outside: "1.2.0"},
	{scheme: APK, text: "~1.2", inside: "1.2 1.2.9-r3 1.2_rc1 1.2-r0", outside: "1.20 1.3 1"}, {scheme: APK, text: "<1.2.3-r1", inside: "1.2.3-r0 1.2.3_rc1", outside: "1.2.3-r1"}, {scheme: APK, text: ">=1.0 <2.0 || =3.1", inside: "1.0 3.1", outside: "2.0"},
	{scheme: Portage, text: "~1.2", inside: "1.2 1.2-r5", outside: "1.2.1 1.2_p1"}, {scheme: Portage, text: "=1.2*", inside: "1.2 1.2.9 1.2-r3 1.2_rc1", outside: "1.20 1.3"}, {scheme: Portage, text: "<1.2-r1", inside: "1.2", outside: "1.2-r1"},
	{scheme: Deb, text: "< 1.2", inside: "1.2~rc1 1.1-1", outside: "1.2 1.2-1"}, {scheme: Deb, text: "(>= 1:2.0-1), (<< 1:3)", inside: "1:2.0-1 1:2.9", outside: "2.5 1:3"}, {scheme: Deb, text: ">> 1 || = 0.5-1", inside: "2 0.5-1", outside: "1 0.5"},
	{scheme: RPM, text: "< 1.2-3.el8", inside: "1.2-2 1.1-9", outside: "1.2-3.el8 1.3", outsideEvenPlain: "1.2"}, {scheme: RPM, text: "<= 1.2", inside: "1.2-99 1.2 1.1", outside: "1.2.1-1 1:0-1"}, {scheme: RPM, text: "> 1.2", inside: "1.2.1-1", outside: "1.2-1"}, {scheme: RPM, text: "= 1:1.2", inside: "1:1.2-7", outside: "1.2-7"},
	{scheme: Pacman, text: ">=1.2-2", inside: "1.2-2 1.2 1.3-1", outside: "1.2-1"}, {scheme: Opam, text: `>= "1.2" & != "1.3"`, inside: "1.2 1.4", outside: "1.3 1.2~beta"},
	{scheme: Go, text: ">= v1.2.0, < 1.4.1", inside: "1.2.0 v1.4.0 v1.4.1-0.20200101000000-abcdefabcdef", outside: "1.4.1"}, {scheme: CRAN, text: ">= 1.0, < 2.0", inside: "1.0 1.9-9", outside: "2.0"}, {scheme: Bitnami, text: "< 1.2.3", inside: "1.2.2-9", outside: "1.2.3-0"}, {scheme: SemVer, text: ">=1.0.0 <2.0.0", inside: "1.0.0 2.0.0-rc.1", outside: "2.0.0"}, {scheme: Generic, text: "<= 1.0.2k", inside: "1.0.2 1.0.2k", outside: "1.0.2l 1.1.0"}, {scheme: Generic, text: "*", inside: "1"},
}

func TestRanges(t *testing.T) {
	for _, x := range ranges {
		r, err := ParseRange(x.scheme, x.text)
		if err != nil {
			t.Error(err)
			continue
		}
		check := func(list string, contains, covers bool) {
			for _, text := range strings.Fields(list) {
				v, err := Parse(x.scheme, text)
				if err != nil {
					t.Error(err)
					continue
				}
				if got := r.Contains(v); got != contains {
					t.Errorf("%s: %q contains %s: %v", x.scheme, x.text, text, got)
				}
				if got := r.Covers(v); covers && !got {
					t.Errorf("%s: %q does not cover %s", x.scheme, x.text, text)
				}
			}
		}
		check(x.inside, true, true)
		check(x.outside, false, false)
		check(x.insideOnlyPlain, false, true)
		for _, text := range strings.Fields(x.outsideEvenPlain) {
			if v, err := Parse(x.scheme, text); err != nil || r.Covers(v) {
				t.Errorf("%s: %q covers %s (%v)", x.scheme, x.text, text, err)
			}
		}
		if r.String() != x.text || r.Scheme() != x.scheme {
			t.Errorf("%s: %q became %q", x.scheme, x.text, r)
		}
	}
}

func TestUnreadableRanges(t *testing.T) {
	for s, texts := range map[Scheme][]string{
		NPM: {"latest", ">", "^", "1.2.3.4", ">=1 <", "1 - 2 - 3", "1.x.3", "git+ssh://x", "!1", "1.2-beta"}, Cargo: {"", "^^1", "latest", "1.2.3-01"}, Julia: {"", "x y"},
		PEP440: {"latest", "~=1", ">=1.*", "=>1", "==1.0.dev1.*", ">1.0+local", "1.0-SNAPSHOT", "><1"}, Maven: {"", "[1,2", "[2,1]", "(1)", "[1,2,3]", "[1,2)[3,4)", "[1,2),", "[,${x}]"}, NuGet: {"", "(1.0)", "[2.0,1.0]", "latest", "[a,b]"},
		Gem: {"", "~>", "~> x", "=> latest", "^1"}, Composer: {"", "^", "latest", "^dev-main", ">1.*", "|1", "1.0 - dev-main"}, Hex: {"", "~> 1", "^1.0.0", "and"}, Pub: {"", "^", "^x", ">=", "1.0.0 - 2.0.0"}, Hackage: {"", "(1", ">=1 &&", "1 2", ">1.*", "^>=", "==", "{1", "-some"},
		Conan: {">=", "^x", "<<1", "~a.b"}, APK: {"", "~", "~x", ">1.0-1"}, Deb: {"", "~1", "1.0 beta", ">=", "<1 ||", "()"}, RPM: {"", "^1", ">= %{v}"}, Generic: {"latest", "", "<"}, Go: {"", ">= (devel)", "^1"}, Portage: {"", "=x*", "~~1"}, Swift: {"1.0.0..<x", "..."},
	} {
		for _, text := range texts {
			r, err := ParseRange(s, text)
			var reason *RangeError
			if !errors.As(err, &reason) || reason.Scheme != s || reason.Reason == "" {
				t.Errorf("%s: %q is read as %v, error %v", s, text, r, err)
			}
		}
	}
	if _, err := ParseRange("bazaar", "1"); err == nil {
		t.Error("an unknown scheme is taken")
	}
}
