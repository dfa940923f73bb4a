package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/policy/gates"
)

func bundle(t *testing.T, rules string) *policy.Bundle {
	t.Helper()
	b, problems, err := policy.Decode([]byte(`{"id":"b","version":"1_0","whitelists":[],"policies":[{"id":"p","version":"1_0","rules":[` + rules + `]}],
		"mappings":[{"name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_ids":["p"],"whitelist_ids":[]}]}`))
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if ps := policy.Validate(b, gates.All(), time.Time{}); len(ps) > 0 {
		t.Fatal(ps)
	}
	return b
}

func rule(gate, trigger string, params ...string) string {
	var list []map[string]string
	for i := 0; i < len(params); i += 2 {
		list = append(list, map[string]string{"name": params[i], "value": params[i+1]})
	}
	doc, err := json.Marshal(map[string]any{"id": gate + "/" + trigger, "gate": gate, "trigger": trigger, "action": "STOP", "params": slices.Concat([]map[string]string{}, list)})
	if err != nil {
		panic(err)
	}
	return string(doc)
}

var checkedAt = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// checked is an image whose history is written as Docker and BuildKit write it.
func checked() (*inventory.Image, *match.Scan) {
	var files inventory.Builder
	files.Add(inventory.File{Path: "usr/bin/su", Perm: 0o4755})
	img := &inventory.Image{
		Reference: "example.com/app:1", Digest: "sha256:d1", ConfigDigest: "sha256:c1",
		Config: inventory.Config{OS: "linux", Architecture: "amd64", ExposedPorts: []string{"22/tcp", "8080/tcp"}, History: []inventory.History{
			{CreatedBy: "/bin/sh -c #(nop) ADD file:5a7 in / "},
			{CreatedBy: `/bin/sh -c #(nop)  CMD ["bash"]`, EmptyLayer: true},
			{CreatedBy: "RUN /bin/sh -c apt-get update \\\n USER nobody # buildkit"},
			{CreatedBy: "EXPOSE map[8080/tcp:{}]", EmptyLayer: true},
		}},
		Layers:   []inventory.LayerInfo{{DiffID: "sha256:l0"}},
		Distro:   &inventory.Distro{ID: "debian", Version: "12"},
		Packages: []inventory.Package{{Type: "deb", Name: "openssl", Version: "3.0.11-1~deb12u2", Path: "var/lib/dpkg/status"}},
		Files:    files.Table(),
	}
	return img, &match.Scan{Image: img, At: checkedAt, Generation: 3,
		Findings: []match.Finding{{ID: "CVE-2024-0001", Severity: advisory.High, Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{"3.0.13-1~deb12u1"}}}},
		Feeds:    []match.FeedState{{Source: "debian", Records: 10, Checked: checkedAt.AddDate(0, 0, -9)}, {Source: "osv-debian", Records: 5, Checked: checkedAt.AddDate(0, 0, -3)}, {Source: "debianish", Checked: checkedAt}},
		Distro:   match.DistroState{Stream: "debian:12"}}
}

func TestCheckAsksWhatIsThere(t *testing.T) {
	b := bundle(t, strings.Join([]string{
		rule("vulnerabilities", "package", "package_type", "all", "severity_comparison", ">=", "severity", "high"),
		rule("vulnerabilities", "stale_feed_data", "max_days_since_sync", "2"),
		rule("vulnerabilities", "vulnerability_data_unavailable"),
		rule("dockerfile", "exposed_ports", "ports", "22,8080", "type", "blacklist"),
		rule("dockerfile", "effective_user", "users", "root", "type", "blacklist"),
		rule("dockerfile", "instruction", "instruction", "USER", "check", "exists"),
		rule("files", "suid_or_guid_set"),
		rule("secrets", "found"),
		rule("base_image", "package_added"),
	}, ","))
	img, scan := checked()
	j := Judge{Gates: gates.All(), Looked: []string{policy.FactMisconfigured}}
	v, err := j.Check(context.Background(), Question{Image: img, Scan: scan, Bundle: b, Tag: "example.com/app:1", Now: checkedAt})
	if err != nil {
		t.Fatal(err)
	}
	var got, unknown []string
	for _, r := range v.Rows {
		got = append(got, r.RuleID+": "+r.Message)
	}
	for _, u := range v.Unknowns {
		unknown = append(unknown, u.Gate+": "+u.Message)
	}
	want := []string{
		"vulnerabilities/package: HIGH Vulnerability found in os package type (dpkg) - openssl (fixed in: 3.0.13-1~deb12u1)(CVE-2024-0001 - https://nvd.nist.gov/vuln/detail/CVE-2024-0001)",
		"vulnerabilities/stale_feed_data: The vulnerability feed for this image distro is older than MAXAGE (2) days",
		"dockerfile/exposed_ports: Dockerfile exposes port (8080/tcp) which is in policy file DENIEDPORTS list",
		"dockerfile/exposed_ports: Dockerfile exposes port (22/tcp) which is in policy file DENIEDPORTS list", // of the configuration alone
		"dockerfile/effective_user: User root found as effective user, which is explicity not allowed",
		"files/suid_or_guid_set: SUID or SGID found set on file /usr/bin/su. Mode: 0o104755",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"secrets: the image was not searched for secrets", "base_image: the packages of the base image are not known: nothing is remembered"}, unknown); d != "" {
		t.Error(d)
	}
	if v.Action != policy.Stop || v.Generation != 3 {
		t.Errorf("action %s, generation %d", v.Action, v.Generation)
	}
	again, err := j.Check(context.Background(), Question{Image: img, Scan: scan, Bundle: b, Tag: "example.com/app:1", Now: checkedAt})
	if d := cmp.Diff(v, again); d != "" || err != nil {
		t.Error("the same arguments gave another verdict", err, d)
	}
}

func TestCheckWithoutAMatchIsUnknown(t *testing.T) {
	img, _ := checked()
	b := bundle(t, rule("vulnerabilities", "package", "package_type", "all"))
	v, err := (&Judge{Gates: gates.All()}).Check(context.Background(), Question{Image: img, Bundle: b, Now: checkedAt})
	if err != nil || v.Action != policy.Go || len(v.Unknowns) != 1 {
		t.Errorf("%s with unknowns %v: %v", v.Action, v.Unknowns, err)
	}
}

func TestCheckComparesWithTheBase(t *testing.T) {
	img, scan := checked()
	b := bundle(t, rule("base_image", "package_added"))
	v, err := (&Judge{Gates: gates.All()}).Check(context.Background(), Question{Image: img, Scan: scan, Bundle: b, Now: checkedAt, Base: &inventory.Image{Packages: []inventory.Package{}}})
	if err != nil || len(v.Rows) != 1 || len(v.Unknowns) != 0 {
		t.Errorf("rows %v, unknowns %v: %v", v.Rows, v.Unknowns, err)
	}
}

// Nobody looked for secrets in what a bill of materials names.
func TestCheckKnowsWhatWasLookedFor(t *testing.T) {
	b := bundle(t, rule("secrets", "found"))
	j := Judge{Gates: gates.All(), Looked: []string{policy.FactSecret}}
	img, _ := checked()
	for _, c := range []struct {
		name     string
		img      *inventory.Image
		unknowns int
	}{{"image", img, 0}, {"SBOM", &inventory.Image{Packages: img.Packages}, 1}} {
		v, err := j.Check(context.Background(), Question{Image: c.img, Bundle: b, Now: checkedAt})
		if err != nil || len(v.Unknowns) != c.unknowns {
			t.Errorf("%s: unknowns %v, want %d: %v", c.name, v.Unknowns, c.unknowns, err)
		}
	}
}

func TestHistoryLines(t *testing.T) {
	for in, want := range map[string]string{
		"/bin/sh -c #(nop) ADD file:5a7 in / ":                           "ADD file:5a7 in /",
		"/bin/sh -c apt-get update":                                      "RUN apt-get update",
		"RUN /bin/sh -c apk add curl # buildkit":                         "RUN apk add curl",
		"EXPOSE map[22/tcp:{} 80/udp:{}]":                                "EXPOSE 22/tcp 80/udp",
		"EXPOSE [443/tcp]":                                               "EXPOSE 443/tcp",
		"/bin/sh -c #(nop)  EXPOSE 22 80":                                "EXPOSE 22 80",
		`HEALTHCHECK &{["CMD-SHELL" "true"] "0s" "0s" "0s" "0s" '\x00'}`: `HEALTHCHECK &{["CMD-SHELL" "true"] "0s" "0s" "0s" "0s" '\x00'}`,
		"# debian.sh --arch 'amd64' out/ 'bookworm'":                     "RUN # debian.sh --arch 'amd64' out/ 'bookworm'",
		"RUN /bin/sh -c echo \\\nUSER app\\":                             `RUN echo \ USER app`,
		"":                                                               "",
		"bazel build ...":                                                "RUN bazel build ...",
		"|1 VERSION=3 /bin/sh -c make":                                   "RUN |1 VERSION=3 /bin/sh -c make",
	} {
		if got := historyLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestGuessedDockerfile(t *testing.T) {
	if d := guessDockerfile(&inventory.Config{}); d.Mode != policy.ModeUnknown {
		t.Errorf("nothing is known, mode %s", d.Mode)
	}
	c := inventory.Config{OS: "linux", User: "app", ExposedPorts: []string{"22/tcp"}, Healthcheck: &inventory.Healthcheck{Test: []string{"CMD", "true"}}}
	if d, want := guessDockerfile(&c).Text, "FROM scratch\nEXPOSE 22/tcp\nUSER app\nHEALTHCHECK CMD true\n"; d != want {
		t.Errorf("%q, want %q", d, want)
	}
	c.History = []inventory.History{{CreatedBy: "EXPOSE 22"}, {CreatedBy: "USER app"}, {CreatedBy: "HEALTHCHECK CMD true"}}
	if d, want := guessDockerfile(&c).Text, "FROM scratch\nEXPOSE 22\nUSER app\nHEALTHCHECK CMD true\n"; d != want {
		t.Errorf("%q, want %q", d, want)
	}
}

func TestSourcesOfADistribution(t *testing.T) {
	for _, c := range []struct {
		source, id string
		want       bool
	}{
		{"debian", "debian", true}, {"debian-dsa", "debian", true}, {"osv-debian", "debian", true}, {"debianish", "debian", false}, {"ubuntu", "debian", false},
		{"redhat-vex", "rhel", true}, {"osv-redhat", "centos", true}, {"amazon", "amzn", true}, {"suse-oval", "opensuse-leap", true}, {"osv-opensuse", "opensuse-leap", true},
		{"osv-azure-linux", "mariner", true}, {"rocky-errata", "rocky", true}, {"osv-alpine", "alpine", true}, {"osv-npm", "alpine", false}, {"photon-oval", "photon", true}, {"oracle", "ol", true},
	} {
		if got := speaksOf(c.source, c.id); got != c.want {
			t.Errorf("%s of %s: %v", c.source, c.id, got)
		}
	}
}
