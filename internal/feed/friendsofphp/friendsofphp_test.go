package friendsofphp

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

const database = "friendsofphp/security-advisories.zip"

func day(y int, m time.Month, d, h, min, s int) time.Time {
	return time.Date(y, m, d, h, min, s, 0, time.UTC)
}

// 1439 files is the count of the README beside the feeds; they are about 1090
// different vulnerabilities. The records are read off the files by hand.
func TestReal(t *testing.T) {
	got := feedtest.Fetch(t, Database{}, feed.Input{From: feedtest.Shared(t, database)}, feed.State{})
	if got.Err != nil || len(got.Bad) > 0 || len(got.Order) != 1090 || !got.Update.Whole {
		t.Fatalf("%d advisories, %q, %v; want 1090", len(got.Order), got.Bad, got.Err)
	}
	claims := map[string]advisory.Affected{}
	n := 0
	for id, a := range got.Advisories {
		for _, f := range a.Affected {
			n++
			claims[id+" "+f.Name] = f
			for _, in := range f.Intervals {
				for _, v := range []string{in.Introduced, in.Fixed, in.LastAffected} {
					if _, err := version.Parse(version.Composer, v); v != "" && err != nil {
						t.Errorf("%s, %s: %v", id, f.Name, err)
					}
				}
			}
			if f.Requirement != "" {
				t.Errorf("%s, %s: %q is no interval", id, f.Name, f.Requirement)
			}
		}
	}
	if n != 1439 {
		t.Errorf("%d claims, want 1439", n)
	}
	fixed := func(at time.Time, versions ...string) advisory.Fix {
		return advisory.Fix{State: advisory.Fixed, Versions: versions, Date: at}
	}
	for key, want := range map[string]advisory.Affected{
		"CVE-2016-5385 amphp/artax": {
			Intervals: []advisory.Interval{{Introduced: "0.7.1", After: true, Fixed: "1.0.4"}, {Introduced: "2", Fixed: "2.0.4"}},
			Fix:       fixed(day(2016, 7, 18, 16, 37, 40), "1.0.4", "2.0.4"),
		},
		"CVE-2016-5385 drupal/core": {
			Intervals: []advisory.Interval{{Introduced: "8.0", Fixed: "8.1.0"}, {Introduced: "8.1.0", Fixed: "8.1.7"}},
			Fix:       fixed(day(2016, 7, 18, 16, 1, 0), "8.1.7"),
		},
		"CVE-2016-5385 guzzlehttp/guzzle": {
			Intervals: []advisory.Interval{{Introduced: "4.0.0-rc2", Fixed: "4.2.4"}, {Introduced: "5", Fixed: "5.3.1"}, {Introduced: "6", Fixed: "6.2.1"}},
			Fix:       fixed(day(2015, 7, 15, 17, 14, 23), "4.2.4", "5.3.1", "6.2.1"),
		},
		"CVE-2019-7938 magento/magento1ce": {
			Intervals: []advisory.Interval{{Introduced: "1", Fixed: "1.9.4.2"}}, Note: "not a package of packagist.org",
			Fix: fixed(day(2019, 6, 25, 0, 0, 0), "1.9.4.2"),
		},
		"silverstripe/framework/SS-2016-003-1 silverstripe/framework": {
			Intervals: []advisory.Interval{{Introduced: "3.1.0", LastAffected: "3.1.16"}, {Introduced: "3.2.0", LastAffected: "3.2.1"}, {Introduced: "3.2", After: true, Fixed: "3.3.0"}},
			Fix:       fixed(day(2016, 2, 18, 11, 5, 0), "3.3.0"),
		},
		"nystudio107/craft-seomatic/2020-04-28-1 nystudio107/craft-seomatic": {
			Intervals: []advisory.Interval{{Fixed: "3.3.0"}}, Fix: fixed(day(2020, 4, 28, 18, 8, 0), "3.3.0"),
		},
		"CVE-2022-39261 twig/twig": {
			Intervals: []advisory.Interval{{Introduced: "1.0.0", Fixed: "1.44.7"}, {Introduced: "2.0.0", Fixed: "2.15.3"}, {Introduced: "3.0.0", Fixed: "3.4.3"}},
			Fix:       fixed(day(2022, 9, 28, 10, 36, 8), "1.44.7", "2.15.3", "3.4.3"),
		},
		"adodb/adodb-php/2018-03-06 adodb/adodb-php": {
			Intervals: []advisory.Interval{{Fixed: "5.20.12"}}, Fix: fixed(day(2018, 3, 6, 15, 40, 0), "5.20.12"),
		},
		"CVE-2022-31090 guzzlehttp/guzzle": {
			Intervals: []advisory.Interval{{Introduced: "4", Fixed: "6.5.8"}, {Introduced: "7", Fixed: "7.4.5"}},
			Fix:       fixed(day(2022, 6, 20, 22, 24, 0), "6.5.8", "7.4.5"),
		},
		"CVE-2016-10033 phpmailer/phpmailer": {
			Intervals: []advisory.Interval{{Introduced: "5.0.0", Fixed: "5.2.18"}}, Fix: fixed(day(2016, 12, 23, 23, 40, 0), "5.2.18"),
		},
	} {
		want.Key = advisory.Key{Stream: "composer", Name: key[strings.Index(key, " ")+1:]}
		want.Scheme = version.Composer
		if d := cmp.Diff(want, claims[key]); d != "" {
			t.Errorf("%s (-want +got):\n%s", key, d)
		}
	}
	if d := cmp.Diff(&advisory.Advisory{
		Source: "friendsofphp", ID: "CVE-2016-10033", Summary: "Remote Code Execution", URL: "https://github.com/PHPMailer/PHPMailer/releases/tag/v5.2.18",
		References: []advisory.Reference{{Type: "ADVISORY", URL: "https://github.com/PHPMailer/PHPMailer/releases/tag/v5.2.18"}},
		Affected:   []advisory.Affected{claims["CVE-2016-10033 phpmailer/phpmailer"]},
	}, got.Advisories["CVE-2016-10033"]); d != "" {
		t.Error(d)
	}
	if a := got.Advisories["CVE-2016-5385"]; len(a.Affected) != 7 {
		t.Errorf("CVE-2016-5385 is about %d packages, want 7", len(a.Affected))
	}
	steam := got.Advisories["socialiteproviders/steam/2021-01-29"]
	if steam == nil || !strings.Contains(string(steam.Affected[0].Fix.State), "fixed") {
		t.Errorf("%+v", steam)
	}
}

func TestBad(t *testing.T) {
	dir := feedtest.Folder(t, map[string]string{
		"a/b/CVE-2024-0001.yaml": "title: t\ncve: CVE-2024-0001\nreference: composer://A/b\nbranches:\n  1.x: {time: ~, versions: ['>=1', '<2']}\n",
		"a/c/CVE-2024-0001.yaml": "cve: CVE-2024-0001\nreference: composer://a/c\nbranches:\n  1.x: {time: 2024-01-01 00:00:00, versions: ['^1', '!=1.5']}\n",
		"a/b/1.yaml":             "reference: composer://a/b\nbranches: [\n",
		"a/b/2.yaml":             "reference: npm://a/b\n",
		"a/b/3.yaml":             "reference: composer://a/b\n",
		"a/b/4.yaml":             "reference: composer://a/b\nbranches: {1: {versions: []}}\n",
		"a/b/5.yaml":             "reference: composer://a/b\nbranches: {1: {time: soon, versions: ['<1']}}\n",
		"a/b/6.yaml":             "reference: composer://a/b\ncve: CVE-1\nbranches: {1: {versions: ['<1']}}\n",
		"a/b/7.yaml":             "a: &a [1,2,3,4,5,6,7,8,9]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\ntitle: *e\n",
		".github/workflows.yaml": "on: push\n",
		"README.md":              "# Advisories",
	})
	got := feedtest.Fetch(t, Database{}, feed.Input{From: dir}, feed.State{})
	if got.Err != nil || len(got.Order) != 2 || len(got.Bad) != 6 {
		t.Fatalf("%v %q %v", got.Order, got.Bad, got.Err)
	}
	f := got.Advisories["CVE-2024-0001"].Affected
	if f[0].Name != "a/b" || f[0].Fix.State != advisory.NotFixed || f[0].Intervals[0] != (advisory.Interval{Introduced: "1", Fixed: "2"}) {
		t.Errorf("%+v", f[0])
	}
	if f[1].Name != "a/c" || f[1].Requirement != "^1,!=1.5" || f[1].Intervals != nil || f[1].Fix.State != advisory.Fixed {
		t.Errorf("%+v", f[1])
	}
	if got := feedtest.Fetch(t, Database{}, feed.Input{From: t.TempDir()}, feed.State{}); got.Err == nil {
		t.Error("an empty folder was taken")
	}
	if got := feedtest.Fetch(t, Database{}, feed.Input{From: feedtest.Half(t, feedtest.Shared(t, database))}, feed.State{}); got.Err == nil {
		t.Error("a truncated archive was taken")
	}
}

func TestNetwork(t *testing.T) {
	feedtest.Download(t, Database{}, feedtest.Shared(t, database), 1090)
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("title: t\nlink: https://a\ncve: CVE-2021-21424\nbranches:\n    2.0.x:\n        time:     2021-05-12 08:00:00\n        versions: ['>=2.0.0', '<2.1.0']\n    1:\n        time: ~\n        versions: ['<=1']\nreference: composer://lexik/jwt-authentication-bundle\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := reader{byID: map[string]*advisory.Advisory{}}
		r.file("a/b/c.yaml", b)
		for id, a := range r.byID {
			if a.ID != id || len(a.Affected) != 1 || a.Affected[0].Name == "" || len(a.Affected[0].Intervals) == 0 && a.Affected[0].Requirement == "" {
				t.Errorf("%+v", a)
			}
		}
	})
}

func BenchmarkReal(b *testing.B) {
	feedtest.Benchmark(b, Database{}, feedtest.Shared(b, database), 1439)
}
