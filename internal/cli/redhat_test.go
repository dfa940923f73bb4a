package cli

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// TestRedHatProducts asks Red Hat's own documents about packages of images with
// and without content manifests. What is right was read in the documents: for
// each CVE the products with their CPE, the builds that mend it in each, and in
// the repository map whose content a content set is.
func TestRedHatProducts(t *testing.T) {
	sample := filepath.Join(feedFolder(t), "redhat", "sample")
	db, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "tidewaiter.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	f := &engine.Feeds{DB: db, Sources: sources(), Client: &feed.Client{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	vex := t.TempDir()
	copyFiles(t, vex, filepath.Join(sample, "claircore/rhel/vex/cve-2023-38545.json"), filepath.Join(sample, "claircore/rhel/vex/cve-2023-42670.json"), filepath.Join(sample, "vuls-data-update/vex/v1/2023/cve-2023-6212.json"))
	for name, from := range map[string]string{"redhat-vex": vex, "redhat-repositories": filepath.Join(sample, "vuls-data-update/repository2cpe/repository-to-cpe.json")} {
		if _, err := f.Refresh(t.Context(), name, engine.RefreshOptions{From: from}); err != nil {
			t.Fatal(err)
		}
	}
	const (
		base9  = "rhel-9-for-x86_64-baseos-rpms rhel-9-for-x86_64-appstream-rpms"
		eus92  = "rhel-9-for-x86_64-appstream-eus-rpms__9_DOT_2"
		base8  = "rhel-8-for-x86_64-baseos-rpms rhel-8-for-x86_64-appstream-rpms"
		sat614 = "satellite-6.14-for-rhel-8-x86_64-rpms"
		jbcs   = "jb-coreservices-1-for-rhel-8-x86_64-rpms"
	)
	tests := []struct {
		name, purl string
		layer      int
		manifests  map[int]string // layer: content sets
		id         string
		fix        string // "" not affected, "-" affected without a fix
		origin     string // what the derivation says of where the package is from
	}{
		{"RHEL 9 of the manifest, main line", "pkg:rpm/redhat/firefox@115.4.0-1.el9_2?arch=x86_64&distro=rhel-9", 0, map[int]string{0: base9}, "CVE-2023-6212", "115.5.0-1.el9_3", "rhel-9-for-x86_64-appstream-rpms"},
		{"no manifest: a build of 9.2", "pkg:rpm/redhat/firefox@115.4.0-1.el9_2?arch=x86_64&distro=rhel-9", 0, nil, "CVE-2023-6212", "115.5.0-1.el9_2", "no content manifest"},
		{"no manifest: a build for 9 as such", "pkg:rpm/redhat/firefox@115.4.0-1.el9?arch=x86_64&distro=rhel-9", 0, nil, "CVE-2023-6212", "115.5.0-1.el9_3", "no content manifest"},
		{"extended support of the manifest", "pkg:rpm/redhat/firefox@115.4.0-1.el9_2?arch=x86_64&distro=rhel-9", 0, map[int]string{0: eus92}, "CVE-2023-6212", "115.5.0-1.el9_2", eus92},
		{"extended support, mended there", "pkg:rpm/redhat/firefox@115.5.0-1.el9_2?arch=x86_64&distro=rhel-9", 0, map[int]string{0: eus92}, "CVE-2023-6212", "", ""},
		{"main line, mended", "pkg:rpm/redhat/firefox@115.5.0-1.el9_3?arch=x86_64&distro=rhel-9", 0, map[int]string{0: base9}, "CVE-2023-6212", "", ""},
		{"RHEL 6 has no fix", "pkg:rpm/redhat/firefox@78.0-1.el6?arch=x86_64&distro=rhel-6", 0, nil, "CVE-2023-6212", "-", "no content manifest"},
		{"a manifest of no known repository", "pkg:rpm/redhat/firefox@115.4.0-1.el9?arch=x86_64&distro=rhel-9", 0, map[int]string{0: "ubi-9-own"}, "CVE-2023-6212", "115.5.0-1.el9_3", "no repository map"},
		{"curl of RHEL 9", "pkg:rpm/redhat/curl@7.76.1-23.el9_2.1?arch=x86_64&distro=rhel-9", 0, map[int]string{0: base9}, "CVE-2023-38545", "7.76.1-23.el9_2.4", "appstream"},
		{"curl of RHEL 8 is not affected", "pkg:rpm/redhat/curl@7.61.1-30.el8?arch=x86_64&distro=rhel-8", 0, map[int]string{0: base8}, "CVE-2023-38545", "", ""},
		{"Satellite's package in its layer", "pkg:rpm/redhat/puppet-agent@7.26.0-3.el8sat?arch=x86_64&distro=rhel-8", 1, map[int]string{0: base8, 1: sat614}, "CVE-2023-38545", "7.27.0-1.el8sat", sat614},
		{"Satellite's word is not for RHEL's layer", "pkg:rpm/redhat/puppet-agent@7.26.0-3.el8sat?arch=x86_64&distro=rhel-8", 0, map[int]string{0: base8, 1: sat614}, "CVE-2023-38545", "", ""},
		{"a layer on top of Red Hat's has what was below", "pkg:rpm/redhat/puppet-agent@7.26.0-3.el8sat?arch=x86_64&distro=rhel-8", 5, map[int]string{0: base8, 1: sat614}, "CVE-2023-38545", "7.27.0-1.el8sat", sat614},
		{"JBoss's curl", "pkg:rpm/redhat/jbcs-httpd24-curl@8.2.1-1.el8jbcs?arch=x86_64&distro=rhel-8", 0, map[int]string{0: jbcs}, "CVE-2023-38545", "8.4.0-2.el8jbcs", jbcs},
		{"JBoss's curl, mended", "pkg:rpm/redhat/jbcs-httpd24-curl@8.4.0-2.el8jbcs?arch=x86_64&distro=rhel-8", 0, map[int]string{0: jbcs}, "CVE-2023-38545", "", ""},
		{"samba is nowhere affected", "pkg:rpm/redhat/samba@4.17.5-102.el9?arch=x86_64&distro=rhel-9", 0, map[int]string{0: base9}, "CVE-2023-42670", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := inventory.ParsePURL(tt.purl)
			if err != nil {
				t.Fatal(err)
			}
			p.Layer = tt.layer
			img := &inventory.Image{Reference: "test", Packages: []inventory.Package{p}}
			for layer, sets := range tt.manifests {
				data, _ := json.Marshal(inventory.ContentSets{Sets: strings.Fields(sets)})
				img.Facts = append(img.Facts, inventory.Fact{Kind: inventory.ContentSetsKind, Path: "root/buildinfo/content_manifests/x.json", Layer: layer, Data: data})
			}
			s, err := f.Scan(t.Context(), img, engine.ScanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			fix, origin := "", ""
			for i := range s.Findings {
				if x := &s.Findings[i]; x.ID == tt.id && x.Suppressed == "" {
					if fix = x.Fix.First(); fix == "" {
						fix = "-"
					}
					for _, e := range x.Evidence {
						origin += e.Origin + "\n"
					}
				}
			}
			if fix != tt.fix || !strings.Contains(origin, tt.origin) {
				t.Errorf("the fix is %q, want %q; it is %q", fix, tt.fix, origin)
			}
			e, err := f.Explain(t.Context(), img, tt.id, engine.ScanOptions{})
			if err != nil || len(e.Packages) != 1 || (e.Packages[0].Finding != nil) != (tt.fix != "") {
				t.Errorf("explained: %+v, %v", e.Packages, err)
			}
		})
	}
}

func copyFiles(t *testing.T, folder string, names ...string) {
	t.Helper()
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(n)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
