package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func askRule(id, gate, trigger string, params ...string) string {
	var list []string
	for i := 0; i < len(params); i += 2 {
		list = append(list, `{"name":"`+params[i]+`","value":"`+params[i+1]+`"}`)
	}
	return `{"id":"` + id + `","gate":"` + gate + `","trigger":"` + trigger + `","action":"WARN","params":[` + strings.Join(list, ",") + `]}`
}

func rulesText(rules ...string) string { return bundleText(strings.Join(rules, ","), "") }

// TestCheckKnowsRelatedImages judges real images that stand on one another and
// follow each other under a tag. What must differ was read off the images:
// debian-go is the lowest layer with packages of restic, rclone, gh and umoci.
func TestCheckKnowsRelatedImages(t *testing.T) {
	app := corpusImage(t, "debian-go")
	base := lowerImage(t, app, 1)
	c := newCommand(t)
	bundle := c.file("b.json", rulesText(
		askRule("none", "ancestry", "no_ancestors_analyzed"),
		askRule("denied", "ancestry", "denylist_ancestor_image_tag", "ancestor_tag", "example.com/base:1"),
		askRule("allowed", "ancestry", "allowed_base_image_tag", "base_tag", "example.com/base:1"),
		askRule("added", "base_image", "package_added", "package_type", "dpkg"),
		askRule("drift", "tag_drift", "packages_removed", "package_type", "dpkg"),
	))
	v := c.verdict(base, "--policy", bundle, "--tag", "example.com/base:1")
	rows := rowsByRule(&v)
	if len(rows["none"]) != 1 || len(rows["drift"]) != 0 || !strings.Contains(unknownText(&v), "the base image is not known") {
		t.Errorf("the base: %v\n%s", rows, unknownText(&v))
	}
	v = c.verdict(app, "--policy", bundle, "--tag", "example.com/base:1")
	rows = rowsByRule(&v)
	if len(rows["none"]) != 0 || len(rows["denied"]) != 1 || len(rows["allowed"]) != 0 {
		t.Errorf("ancestors: %v", rows)
	}
	for _, name := range []string{"gh", "rclone", "restic", "umoci"} {
		if !slices.ContainsFunc(rows["added"], func(m string) bool {
			return strings.HasPrefix(m, "Package "+name+" (dpkg) ") && strings.HasSuffix(m, " was added to the base image")
		}) {
			t.Errorf("%s is not said to be added: %v", name, rows["added"])
		}
	}
	if n := len(rows["drift"]); n != 0 {
		t.Errorf("%d packages went with a layer that was only added", n)
	}
	// The tag moves back: what the layer brought is gone.
	v = c.verdict(base, "--policy", bundle, "--tag", "example.com/base:1")
	if rows := rowsByRule(&v); len(rows["drift"]) < 4 {
		t.Errorf("the tag moved back: %v", rows["drift"])
	}
	// The same instant, another order: as of before the first there is nothing.
	v = c.verdict(app, "--policy", bundle, "--tag", "example.com/base:1", "--at", "2020-01-01")
	if rows := rowsByRule(&v); len(rows["none"]) != 1 {
		t.Errorf("as of 2020: %v", rows)
	}
	// What is not remembered is unknown, not the same.
	v = c.verdict(app, "--policy", bundle, "--tag", "example.com/base:1", "--no-cache")
	if u := unknownText(&v); !strings.Contains(u, "tag_drift/packages_removed: what the previous image of the tag holds is not known: nothing is remembered") ||
		!strings.Contains(u, "base_image/package_added: the packages of the base image are not known: nothing is remembered") {
		t.Errorf("without a memory: %s", u)
	}
	c.verdict(app, "--policy", bundle, "--tag", "example.com/base:1")
	if code, _, errs := c.run("cache", "prune", "--all"); code != 0 {
		t.Fatal(errs)
	}
	v = c.verdict(base, "--policy", bundle, "--tag", "example.com/base:1")
	if u := unknownText(&v); !strings.Contains(u, "tag_drift/packages_removed: what the previous image of the tag holds is not known: the layers of sha256:") {
		t.Errorf("pruned: %s", u)
	}
}

// TestCheckKnowsCycles: the end of support as eol/eslint.json, eol/pnpm.json
// and eol/log4j.json give it. Debian's own packages are Debian's to support.
func TestCheckKnowsCycles(t *testing.T) {
	node, java := corpusImage(t, "debian-node"), corpusImage(t, "debian-java")
	eol := filepath.Join(feedFolder(t), "eol")
	c := newCommand(t)
	bundle := c.file("b.json", rulesText(askRule("eol", "packages", "eol"), askRule("soon", "packages", "eol", "days_before", "3000")))
	v := c.verdict(node, "--policy", bundle)
	if u := unknownText(&v); !strings.Contains(u, "packages/eol: there is no data on the end of packages' support") {
		t.Errorf("without data: %s", u)
	}
	if code, _, errs := c.run("feed", "update", "eol", "--from", eol); code != 0 {
		t.Fatal(errs)
	}
	v = c.verdict(node, "--policy", bundle)
	want := []string{"Package eslint 8.57.1: support of eslint 8 ended on 2024-10-05", "Package pnpm 9.12.0: support of pnpm 9 ended on 2026-04-30"}
	if got := slices.Sorted(slices.Values(rowsByRule(&v)["eol"])); !slices.Equal(got, want) || len(v.Unknowns) > 0 {
		t.Errorf("%q, want %q; %s", got, want, unknownText(&v))
	}
	v = c.verdict(java, "--policy", bundle)
	if got := rowsByRule(&v)["eol"]; !slices.Contains(got, "Package log4j 1.2.17: support of log4j 1 ended on 2015-10-15") || slices.ContainsFunc(got, func(m string) bool { return strings.Contains(m, "openjdk") }) {
		t.Errorf("%q", got)
	}
}

// TestCheckKnowsWhenFindingsWereSeen: a finding is as old as the later of the
// image's first verdict and the advisory. busybox and ssl_client are of one
// source package.
func TestCheckKnowsWhenFindingsWereSeen(t *testing.T) {
	c := newCommand(t)
	bundle := c.file("b.json", rulesText(
		askRule("new", "vulnerabilities", "package", "package_type", "os", "max_days_since_creation", "0"),
		askRule("old", "vulnerabilities", "package", "package_type", "os", "max_days_since_creation", "1"),
	))
	own := c.file("own.yaml", "id: ACME-2026-1\nsummary: a test\nseverity: high\npackages:\n  - purl: pkg:apk/alpine/busybox?distro=alpine-3.10\n    fixed: 99.0-r0\n")
	if code, out, errs := c.run("feed", "update", "own", "--from", own); code != 0 {
		t.Fatal(out, errs)
	}
	v := c.verdict(alpine, "--policy", bundle)
	rows := rowsByRule(&v)
	today := "max_days_since_creation=" + time.Now().UTC().Format(time.DateOnly)
	if len(rows["new"]) != 2 || !strings.Contains(rows["new"][0], today) || len(rows["old"]) != 0 || strings.Contains(unknownText(&v), "first seen") {
		t.Errorf("%v\n%s", rows, unknownText(&v))
	}
	// Two days on, the finding is as old; a change of the advisory does not
	// make it younger.
	if code, _, errs := c.run("feed", "update", "own", "--from", c.file("own.yaml", "id: ACME-2026-1\nsummary: another test\nseverity: high\npackages:\n  - purl: pkg:apk/alpine/busybox?distro=alpine-3.10\n    fixed: 98.0-r0\n")); code != 0 {
		t.Fatal(errs)
	}
	later := time.Now().UTC().AddDate(0, 0, 2).Format(time.RFC3339)
	v = c.verdict(alpine, "--policy", bundle, "--at", later)
	rows = rowsByRule(&v)
	if len(rows["old"]) != 2 || !strings.Contains(rows["old"][0], today) || !strings.Contains(rows["old"][0], "98.0-r0") {
		t.Errorf("two days on: %v", rows)
	}
	// Without a memory it cannot be told.
	if v = c.verdict(alpine, "--policy", bundle, "--no-cache"); !strings.Contains(unknownText(&v), "it is not recorded when 2 findings were first seen") {
		t.Errorf("without a memory: %s", unknownText(&v))
	}
}

func TestCheckTakesADockerfile(t *testing.T) {
	c := newCommand(t)
	bundle := c.file("b.json", rulesText(
		askRule("none", "dockerfile", "no_dockerfile_provided"),
		askRule("from", "dockerfile", "instruction", "instruction", "FROM", "check", "=", "value", "alpine:3.10", "actual_dockerfile_only", "true"),
	))
	v := c.verdict(alpine, "--policy", bundle)
	if rows := rowsByRule(&v); len(rows["none"]) != 1 || len(rows["from"]) != 0 {
		t.Errorf("without: %v", rows)
	}
	v = c.verdict(alpine, "--policy", bundle, "--dockerfile", c.file("Dockerfile", "# syntax\nFROM alpine:3.10\nRUN true\n"))
	if rows := rowsByRule(&v); len(rows["none"]) != 0 || len(rows["from"]) != 1 {
		t.Errorf("with: %v", rows)
	}
	for name, want := range map[string]string{c.file("empty", " \n"): "is empty", "missing": "no such file", c.file("large", strings.Repeat("#", maxDockerfile+1)): "larger than 4194304 bytes"} {
		if code, _, errs := c.run("check", alpine, "--dockerfile", name); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s", name, code, errs)
		}
	}
}

// TestStaleDataWithoutDistribution: an image of no distribution is as stale as
// the data as a whole.
func TestStaleDataWithoutDistribution(t *testing.T) {
	c := newCommand(t)
	bundle := c.file("b.json", rulesText(askRule("stale", "vulnerabilities", "stale_feed_data", "max_days_since_sync", "3")))
	const image = "purl:pkg:npm/lodash@4.17.20"
	v := c.verdict(image, "--policy", bundle)
	const want = "The vulnerability feed for this image distro is older than MAXAGE (3) days"
	if rows := rowsByRule(&v); !slices.Equal(rows["stale"], []string{want}) {
		t.Errorf("never synced: %v %s", rows, unknownText(&v))
	}
	own := c.file("own.yaml", "id: ACME-2026-1\nsummary: a test\nseverity: high\npackages:\n  - purl: pkg:npm/lodash\n    fixed: 99.0.0\n")
	if code, out, errs := c.run("feed", "update", "own", "--from", own); code != 0 {
		t.Fatal(out, errs)
	}
	if v = c.verdict(image, "--policy", bundle); len(v.Rows) != 0 {
		t.Errorf("synced: %v", rowsByRule(&v))
	}
	if v = c.verdict(image, "--policy", bundle, "--at", time.Now().UTC().AddDate(0, 0, 9).Format(time.RFC3339)); len(v.Rows) != 1 {
		t.Errorf("nine days on: %v", rowsByRule(&v))
	}
}
