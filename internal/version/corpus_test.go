package version

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// real returns real versions of a scheme, taken from published advisories.
func real(tb testing.TB, s Scheme) []string {
	tb.Helper()
	name := string(s)
	switch s {
	case Pacman:
		name = string(RPM)
	case Portage:
		name = string(APK)
	case SemVer, Swift, Pub, Hex, Conan:
		name = string(Cargo)
	case Generic:
		name = string(Opam)
	}
	b, err := os.ReadFile(filepath.Join("testdata", "real", name+".txt"))
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Fields(string(b))
}

// pieces are texts that mean something in a scheme; mutations put them in.
func pieces(s Scheme) []string {
	common := []string{"0", "00", "1", "9", "10", "01", "20240131", "18446744073709551616", "184467440737095516160", ".", ".0", ".1", "-1", "a", "b", "rc", "alpha", "beta"}
	switch s {
	case Deb, Opam:
		return append(common, "~", "+", "~rc1", "+b1", "-", "+dfsg", "~~", "A", "-0", "~1", "+really1")
	case RPM:
		return append(common, "~", "^", "~rc1", "^git1", "-", ".el8", "_", "+", "..", "^", "~^", "el", ".fc40")
	case Pacman:
		return append(common, "+", "_", "..", "rc1", "-2", ".r3", "pre1", ".a", "a1")
	case APK, Portage:
		return append(common, "_rc1", "_alpha", "_beta2", "_pre", "_p1", "_p", "_git20200101", "_cvs", "_svn1", "_hg", "-r0", "-r1", "-r10", "~1f", "a", "z", ".01", ".10", ".00", ".010")
	case PEP440:
		return append(common, "1!", "0!", "a1", "b0", "rc2", "c3", ".post1", "-2", ".dev1", ".dev", "+local.1", "+1.a", "pre", "preview1", "-alpha-1", "_beta_2", "rev3", "r4", "v", "post", "+A-1_b")
	case Maven:
		return append(common, "-SNAPSHOT", ".RELEASE", "-ga", ".Final", "-sp", "-sp1", "-rc1", "-cr2", "-m1", "-M2", "-a1", "-b", "-milestone-3", "-jre", "-x", "--", "..", "-0", ".0-1", "sp", "final", "-final-0", ".x1", "-x1", "-alpha-1", "-1.0")
	case Gem:
		return append(common, ".pre", ".rc1", ".a", ".b2", "-rc", ".alpha", "-1.2", ".0.0", ".A", "a1", "-a-b")
	case Composer:
		return append(common, "-dev", "v", "-beta1", "-RC2", "-alpha", "-patch1", "p1", "pl2", "-stable", ".x-dev", "+meta", "-beta.2", "b3", "-rc-1.2", "_a1", ".1-dev", "@beta", "-alpha1-dev", "2023.01.02", "2023-01-02")
	case Conan:
		return append(common, "-rc.1", "+build", "cci.", "-pre", "_1", ".a", "+1", "-", ".0.0", "b2")
	case NuGet:
		return append(common, "-Beta", "-beta.1", "-BETA.2", "+meta", "-rc", ".1", "-a.b", "-1", "-x-y")
	case CRAN, Hackage:
		return append(common[:9:9], ".", "-", ".0", ".1", "-1")
	case Generic:
		return append(common, "k", "p1", "rc1", "-dev", "_5", "a", "~1", "b2", " ")
	}
	return append(common, "-rc.1", "-alpha", "-beta.2", "-0", "-1", "+build.1", "+2", "-a.b.c", "v", "rc1", "-x-1", "-rc.01", "+a", "-", "+", "-alpha.beta")
}

// mutate changes s in one to three places.
func mutate(r *rand.Rand, s string, pieces []string) string {
	for range 1 + r.IntN(3) {
		i := 0
		if len(s) > 0 {
			i = r.IntN(len(s) + 1)
		}
		piece := pieces[r.IntN(len(pieces))]
		switch r.IntN(7) {
		case 0: // at the end
			s += piece
		case 1: // inside
			s = s[:i] + piece + s[i:]
		case 2: // drop the end
			s = s[:i]
		case 3: // drop a byte
			if i < len(s) {
				s = s[:i] + s[i+1:]
			}
		case 4: // another number
			for j := range len(s) {
				if isDigit(s[j]) && r.IntN(3) == 0 {
					s = s[:j] + string(byte('0'+r.IntN(10))) + s[j+1:]
					break
				}
			}
		case 5: // a piece in place of the end
			s = s[:i] + piece
		case 6: // a zero more or less
			if strings.HasSuffix(s, ".0") {
				s = strings.TrimSuffix(s, ".0")
			} else {
				s += ".0"
			}
		}
	}
	return s
}

type pair struct{ a, b string }

// randomPairs returns n seeded pairs: one version mutated twice, or two that are
// near each other. Nothing in them needs quoting anywhere.
func randomPairs(tb testing.TB, s Scheme, n int) []pair {
	tb.Helper()
	r := rand.New(rand.NewPCG(20, uint64(len(s))))
	versions, texts := real(tb, s), pieces(s)
	list := make([]pair, 0, n)
	for len(list) < n {
		a := versions[r.IntN(len(versions))]
		b := a
		switch r.IntN(4) {
		case 0:
			b = versions[r.IntN(len(versions))]
		case 1:
			a = mutate(r, a, texts)
		}
		b = mutate(r, b, texts)
		if a != "" && b != "" && !strings.ContainsAny(a+b, "\t\n '\"\\") {
			list = append(list, pair{a, b})
		}
	}
	return list
}
