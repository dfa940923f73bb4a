package version

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestOrderIsTotal checks that every scheme orders its versions: reflexive,
// antisymmetric, transitive, and equal versions equal to all others alike.
func TestOrderIsTotal(t *testing.T) {
	for _, s := range Schemes() {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			list := parsable(t, s, 300)
			for _, v := range list {
				if v.Compare(v) != 0 {
					t.Fatalf("%s differs from itself", v)
				}
			}
			for _, v := range list {
				for _, w := range list {
					if v.Compare(w) != -w.Compare(v) {
						t.Fatalf("%s and %s: %d one way, %d the other", v, w, v.Compare(w), w.Compare(v))
					}
				}
			}
			switch s {
			case Conan: // a number and a word compare as text there, see compareConan
				return
			case Pacman: // a missing release equals all releases there
				list = slices.DeleteFunc(list, func(v Version) bool { return v.form.(*pacmanVersion).release == "" })
			}
			// Sorted, every version must be at least as new as all before it.
			slices.SortFunc(list, Version.Compare)
			for i := range list {
				for j := range i {
					if list[j].Compare(list[i]) > 0 {
						t.Fatalf("%s > %s although %s sorts first", list[j], list[i], list[j])
					}
					if list[j].Compare(list[i]) != 0 {
						continue
					}
					for k := range list {
						if list[j].Compare(list[k]) != list[i].Compare(list[k]) {
							t.Fatalf("%s = %s, but %s tells them apart", list[j], list[i], list[k])
						}
					}
				}
			}
		})
	}
}

// parsable returns n different readable versions, most of them mutated.
func parsable(tb testing.TB, s Scheme, n int) []Version {
	tb.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	versions, texts := real(tb, s), pieces(s)
	seen := map[string]bool{}
	var list []Version
	base := versions[0]
	for try := 0; len(list) < n && try < 100*n; try++ {
		if try%12 == 0 { // neighbours stress the order more than strangers do
			base = versions[r.IntN(len(versions))]
		}
		text := base
		if r.IntN(4) > 0 {
			text = mutate(r, base, texts)
		}
		if v, err := Parse(s, text); err == nil && !seen[text] {
			seen[text] = true
			list = append(list, v)
		}
	}
	if len(list) < n {
		tb.Fatalf("only %d versions can be read", len(list))
	}
	return list
}

// TestCanonical checks that a canonical form equals what it was made from, is its
// own canonical form, and that one form never stands for two versions.
func TestCanonical(t *testing.T) {
	for _, s := range Schemes() {
		forms := map[string]Version{}
		for _, v := range parsable(t, s, 400) {
			if isDate(v) {
				continue
			}
			c := Canonical(s, v.String())
			w, err := Parse(s, c)
			if err != nil || v.Compare(w) != 0 {
				t.Errorf("%s: %s becomes %s (%v)", s, v, c, err)
			}
			if again := Canonical(s, c); again != c {
				t.Errorf("%s: %s becomes %s and that %s", s, v, c, again)
			}
			if other, ok := forms[c]; ok && other.Compare(v) != 0 {
				t.Errorf("%s: %s stands for %s and %s", s, c, other, v)
			}
			forms[c] = v
		}
	}
}

// isDate tells whether Composer took v for a date: its normal form has other than
// four numbers and means something else when it is read again (1028-93).
func isDate(v Version) bool {
	c, ok := v.form.(*composerVersion)
	return ok && c.branch == "" && len(c.numbers) != 4
}

func TestLongVersions(t *testing.T) {
	for _, s := range Schemes() {
		for _, text := range []string{
			"1." + strings.Repeat("0", 900), strings.Repeat("9", MaxLength), "1" + strings.Repeat(".1", 500),
			"1" + strings.Repeat("a1", 500), "1" + strings.Repeat("-1", 500), "1" + strings.Repeat("~", 1000), "1" + strings.Repeat("-a.", 300),
			"1" + strings.Repeat("_p", 500), strings.Repeat(" ", 1000) + "1",
		} {
			v, err := Parse(s, text)
			if err == nil && v.Compare(v) != 0 {
				t.Errorf("%s: %.20s… differs from itself", s, text)
			}
		}
		_, err := Parse(s, strings.Repeat("1", MaxLength+1))
		if err == nil || !strings.Contains(err.Error(), "1024 bytes") {
			t.Errorf("%s: a version of %d bytes: %v", s, MaxLength+1, err)
		}
		if _, err := ParseRange(s, strings.Repeat("1", MaxRangeLength+1)); err == nil || !strings.Contains(err.Error(), "16384 bytes") {
			t.Errorf("%s: a range of %d bytes: %v", s, MaxRangeLength+1, err)
		}
		if _, err := ParseRange(s, strings.Repeat(">1,", 2000)+"<2"); err == nil || !strings.Contains(err.Error(), "1000") {
			t.Errorf("%s: a range of 2001 comparators: %v", s, err)
		}
	}
	if _, err := ParseRange(Hackage, strings.Repeat("(", 100)+"1"+strings.Repeat(")", 100)); err == nil || !strings.Contains(err.Error(), "deeper than 32") {
		t.Error("nesting:", err)
	}
}

// TestBigNumbers compares numbers beyond every machine word.
func TestBigNumbers(t *testing.T) {
	big, bigger := strings.Repeat("9", 60), "1"+strings.Repeat("0", 60)
	for _, s := range Schemes() {
		for _, form := range []string{"%s", "1.%s", "0.0.%s"} {
			a, b := fmt.Sprintf(form, big), fmt.Sprintf(form, bigger)
			c, err := Compare(s, a, b)
			if s == Composer && form == "%s" && err != nil {
				continue // Composer's first number has five digits at most
			}
			if err != nil || c != -1 {
				t.Errorf("%s: %s and %s: %d, %v", s, a, b, c, err)
			}
		}
	}
}

func TestMixedSchemes(t *testing.T) {
	a, _ := Parse(Deb, "2")
	b, _ := Parse(RPM, "1")
	if a.Compare(b) != -1 || b.Compare(a) != 1 || (Version{}).Compare(a) != -1 || (Version{}).Compare(Version{}) != 0 {
		t.Error("versions of two schemes are not ordered by the schemes' names")
	}
	r, err := ParseRange(Deb, ">= 0")
	if err != nil || !r.Contains(a) || r.Contains(b) || r.Contains(Version{}) || (Range{}).Contains(a) {
		t.Error("a range contains a version of another scheme, or none of its own", err)
	}
}

func FuzzVersion(f *testing.F) {
	for i, s := range Schemes() {
		for _, v := range real(f, s)[:40] {
			f.Add(uint8(i), v, v+".1")
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, a, b string) {
		s := Schemes()[int(n)%len(Schemes())]
		v, err := Parse(s, a)
		if err != nil {
			if v != (Version{}) || err.Error() == "" {
				t.Fatal("an error with a version, or without words")
			}
			return
		}
		c := Canonical(s, a)
		if w, err := Parse(s, c); len(c) <= MaxLength && !isDate(v) && (err != nil || v.Compare(w) != 0) {
			t.Fatalf("%s: %q becomes %q: %v", s, a, c, err)
		}
		if v.Compare(v) != 0 || v.String() != a {
			t.Fatalf("%s: %q differs from itself", s, a)
		}
		w, err := Parse(s, b)
		if err != nil {
			return
		}
		if v.Compare(w) != -w.Compare(v) {
			t.Fatalf("%s: %q and %q: %d one way, %d the other", s, a, b, v.Compare(w), w.Compare(v))
		}
	})
}

func FuzzRange(f *testing.F) {
	for i := range Schemes() {
		for _, r := range []string{">=1.2 <3", "^1.2 || ~3", "[1,2),(3,]", "~> 1.2, != 1.3", "1.x - 2", ">=1 && (<2 || ==3.*)", "{1,2}", "^>=1.2", "1.*@dev|^2", "~=1.4,===2"} {
			f.Add(uint8(i), r, "1.2.3")
		}
	}
	f.Fuzz(func(t *testing.T, n uint8, text, version string) {
		s := Schemes()[int(n)%len(Schemes())]
		r, err := ParseRange(s, text)
		if err != nil {
			if r.expr != nil {
				t.Fatal("an error with a range")
			}
			return
		}
		if v, err := Parse(s, version); err == nil {
			r.Contains(v)
			r.Covers(v)
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	for _, s := range Schemes() {
		b.Run(string(s), func(b *testing.B) {
			list := realVersions(b, s)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				list[i%len(list)].Compare(list[(i*7+1)%len(list)])
			}
		})
	}
}

// BenchmarkCompareNear compares versions that part late.
func BenchmarkCompareNear(b *testing.B) {
	for _, s := range Schemes() {
		b.Run(string(s), func(b *testing.B) {
			list := realVersions(b, s)
			slices.SortFunc(list, Version.Compare)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				list[i%len(list)].Compare(list[(i+1)%len(list)])
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for _, s := range Schemes() {
		b.Run(string(s), func(b *testing.B) {
			list := realVersions(b, s)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := Parse(s, list[i%len(list)].text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func realVersions(b *testing.B, s Scheme) []Version {
	var list []Version
	for _, text := range real(b, s) {
		if v, err := Parse(s, text); err == nil {
			list = append(list, v)
		}
	}
	return list
}
