package cli

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// feedFolder finds whole feeds of real publishers, which are too large for the
// repository: in the folder "shared" beside it, or where TIDEWAITER_SHARED says.
func feedFolder(t testing.TB) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for ; dir != filepath.Dir(dir) && root == ""; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "shared", "data", "feeds")); err == nil {
				root = filepath.Join(filepath.Dir(dir), "shared")
			}
		}
	}
	folder := filepath.Join(root, "data", "feeds")
	if _, err := os.Stat(folder); err != nil || root == "" {
		t.Skip("the feeds of publishers are not there: set TIDEWAITER_SHARED")
	}
	return folder
}

// labelledFeeds are the sources that the labelled set speaks of, and where
// their data lies.
var labelledFeeds = []string{
	"debian=debian/security-tracker.json.gz", "debian-dsa=debian/tracker-lists", "ubuntu=ubuntu/ubuntu-cve-tracker-2019-12-29.tar.gz", "alpine=alpine-secdb",
	"wolfi=wolfi/security.json", "osv-almalinux=osv/AlmaLinux/all.zip", "azurelinux=azurelinux/azurelinux-3.0-oval.xml.gz", "mariner=azurelinux/cbl-mariner-2.0-oval.xml.gz",
	"osv-pypi=osv/PyPI/all.zip", "osv-npm=osv/npm/all.zip", "osv-maven=osv/Maven/all.zip", "osv-go=osv/Go/all.zip", "osv-crates.io=osv/crates.io/all.zip",
	"osv-rubygems=osv/RubyGems/all.zip", "rubysec=rubysec/ruby-advisory-db.zip", "osv-nuget=osv/NuGet/all.zip", "osv-bitnami=osv/Bitnami/all.zip", "osv-hackage=osv/Hackage/all.zip",
	"osv-cran=osv/CRAN/all.zip", "osv-julia=osv/Julia/all.zip", "friendsofphp=friendsofphp/security-advisories.zip", "elixir=elixir/elixir-security-advisories.zip",
	"retirejs=retirejs", "nodejs-security-wg=nodejs-security-wg/vuln.zip", "osv-wolfi=osv/Wolfi/all.zip", "osv-debian=osv/Debian/all.zip",
	"redhat-vex=redhat/sample/trustify-csaf/2024", "nvd=nvd", "nvd-overrides=nvd/nvd-data-overrides-2026-08-21.jsonl.gz", "osv-kubernetes=osv/Kubernetes/all.zip", "osv-opam=osv/opam/all.zip",
	// collections of single documents, some broken on purpose
	"amazon=amazon/sample", "oracle=oracle/sample", "suse-oval=suse/sample/vuls-data-update/oval", "photon=photon/sample/vuls-data-update", "osv-rocky=rocky/sample", "fedora=fedora/sample/vunnel",
	"openeuler=openeuler/sample/vuls-data-update/csaf", "bottlerocket=bottlerocket/sample", "arch=arch/sample/vunnel", "gentoo=gentoo/sample",
}

// realFeeds makes a database of the publishers' own files.
func realFeeds(t testing.TB, names ...string) *engine.Feeds {
	t.Helper()
	folder := feedFolder(t)
	db, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "tidewaiter.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	f := &engine.Feeds{DB: db, Sources: sources(), Client: &feed.Client{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	for _, entry := range labelledFeeds {
		name, path, _ := strings.Cut(entry, "=")
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		from := filepath.Join(folder, path)
		if strings.Contains(path, "/sample") && name != "redhat-vex" {
			if _, err := f.RefreshExamples(t.Context(), name, from, engine.RefreshOptions{}); err != nil {
				t.Fatal(err)
			}
		} else if _, err := f.Refresh(t.Context(), name, engine.RefreshOptions{From: from}); err != nil {
			t.Fatal(err)
		}
		on := true
		if err := f.Set(t.Context(), name, func(s *engine.FeedSetting) { s.Enabled = &on }); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// label is a line of the labelled set.
type label struct {
	file                             string
	line                             int
	ecosystem, purl, id, why, record string
	affected                         bool
	gap                              string // why it is known to come out wrong
}

func readLabels(t testing.TB, name string) []label {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []label
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) < 6 || f[3] != "yes" && f[3] != "no" {
			t.Fatalf("%s:%d: %d fields", name, i+1, len(f))
		}
		l := label{file: filepath.Base(name), line: i + 1, ecosystem: f[0], purl: f[1], id: f[2], affected: f[3] == "yes", why: f[4], record: f[5]}
		if len(f) > 6 {
			l.gap = strings.TrimPrefix(f[6], "known gap: ")
		}
		out = append(out, l)
	}
	return out
}

// TestLabelledSet compares matching with a set of packages and vulnerabilities
// that was labelled without it: the expected answers come from the publishers'
// files and from the ecosystems' own tools.
func TestLabelledSet(t *testing.T) {
	if testing.Short() {
		t.Skip("it imports whole feeds")
	}
	if raceDetector {
		t.Skip("importing whole feeds takes half an hour with the race detector: .ci/run has this test without it")
	}
	labels := slices.Concat(readLabels(t, "testdata/labelled.tsv"), readLabels(t, "testdata/labelled-samples.tsv"), readLabels(t, "testdata/labelled-hand.tsv"))
	f := realFeeds(t)
	img := &inventory.Image{Reference: "labelled"}
	for _, l := range labels {
		p := inventory.Package{Type: "binary", CPEs: []string{l.purl}, Layer: -1} // a program that a signature tells
		if f := strings.Split(l.purl, ":"); f[0] == "cpe" {
			p.Name, p.Version = f[4], f[5]
		} else if ps, err := engine.ReadPURLs(strings.NewReader(l.purl), "labelled"); err == nil {
			p = ps.Packages[0]
		} else {
			t.Fatal(err)
		}
		img.Packages = append(img.Packages, p)
	}
	start := time.Now()
	s, err := f.Scan(t.Context(), img, engine.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	found := map[int]map[string]bool{}
	for i := range s.Findings {
		x := &s.Findings[i]
		if x.Suppressed != "" {
			continue
		}
		if found[x.Package] == nil {
			found[x.Package] = map[string]bool{}
		}
		for _, id := range append([]string{x.ID}, x.Aliases...) {
			found[x.Package][id] = true
		}
	}
	unjudged := map[int]match.State{}
	for _, st := range s.States {
		if st.State != match.Stale {
			unjudged[st.Package] = st.State
		}
	}
	scores := map[string]*score{"": {}}
	for i, l := range labels {
		// Of Hex there is a source that knows some packages only.
		if state, ok := unjudged[i]; ok && l.ecosystem != "Hex" {
			t.Errorf("%s, line %d: %s was not judged: %s", l.file, l.line, l.purl, state)
		}
		got := found[i][l.id]
		if scores[l.ecosystem] == nil {
			scores[l.ecosystem] = &score{}
		}
		for _, sc := range []*score{scores[""], scores[l.ecosystem]} {
			sc.add(l, got)
		}
		if got != l.affected && l.gap == "" {
			t.Errorf("%s, line %d: %s, %s: affected is %v, want %v: %s (%s)", l.file, l.line, l.purl, l.id, got, l.affected, l.why, l.record)
		}
		if got == l.affected && l.gap != "" {
			t.Errorf("%s, line %d: %s, %s comes out right: it is no gap any more", l.file, l.line, l.purl, l.id)
		}
	}
	t.Logf("%d packages in %v", len(labels), took.Round(time.Millisecond))
	for _, e := range slices.Sorted(maps.Keys(scores)) {
		t.Logf("%-12s %s", e, scores[e])
	}
}

// score counts what came out right.
type score struct{ truePositive, falsePositive, trueNegative, falseNegative, gaps int }

func (s *score) add(l label, got bool) {
	switch {
	case l.gap != "":
		s.gaps++
	case got && l.affected:
		s.truePositive++
	case got:
		s.falsePositive++
	case l.affected:
		s.falseNegative++
	default:
		s.trueNegative++
	}
}

func (s *score) String() string {
	part := func(n, of int) float64 {
		if of == 0 {
			return 1
		}
		return float64(n) / float64(of)
	}
	return fmt.Sprintf("%3d affected, %3d not: recall %.3f, precision %.3f, %d known gaps", s.truePositive+s.falseNegative, s.trueNegative+s.falsePositive,
		part(s.truePositive, s.truePositive+s.falseNegative), part(s.truePositive, s.truePositive+s.falsePositive), s.gaps)
}
