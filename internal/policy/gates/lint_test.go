package gates

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func lint(t *testing.T, doc string) []string {
	t.Helper()
	b, ps, err := policy.Decode([]byte(doc))
	if err != nil || policy.HasErrors(ps) {
		t.Fatal(err, ps)
	}
	return where(policy.Lint(b, All(), now))
}

// TestLintRules: one rule of a kind each, and beside it one that is sound.
func TestLintRules(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := []struct {
		gate, trigger string
		bad, good     []string
	}{
		{"dockerfile", "instruction", ps("instruction=RUN", "check=like"), ps("instruction=RUN", "check=like", "value=.*sudo.*")},
		{"dockerfile", "instruction", ps("instruction=RUN", "check=exists", "value=x"), ps("instruction=RUN", "check=exists")},
		{"dockerfile", "exposed_ports", ps("ports=70000", "type=blacklist"), ps("ports=65535", "type=blacklist")},
		{"files", "name_match", ps("regex=etc/shadow"), ps("regex=/etc/shadow")},
		{"files", "name_match", ps("regex=^id_rsa$"), ps("regex=.*/id_rsa$")},
		{"files", "attribute_match", ps("filename=/etc/shadow"), ps("filename=/etc/shadow", "skip_missing=false")},
		{"files", "attribute_match", ps("filename=/x", "mode=0644", "checksum_match=equals"), ps("filename=/x", "mode=0644", "mode_op=equals")},
		{"metadata", "attribute", ps("attribute=size", "check=>", "value="), ps("attribute=size", "check=>", "value=1gb")},
		{"metadata", "attribute", ps("attribute=distro_version", "check=<", "value=10"), ps("attribute=distro_version", "check==", "value=10")},
		{"retrieved_files", "content_regex", ps("path=/x", "regex=Listen 80", "check=match"), ps("path=/x", "regex=Listen.*", "check=match")},
		{"licenses", "blacklist_exact_match", ps("licenses=GPL v3"), ps("licenses=GPL-3.0-only,AGPL-3.0-only")},
		{"secret_scans", "content_regex_checks", ps("filename_regex=root/.*"), ps("filename_regex=/root/.*")},
		{"vulnerabilities", "package", ps("package_type=all", "severity_comparison=>", "severity=critical"), ps("package_type=all", "severity_comparison=>=", "severity=critical")},
		{"vulnerabilities", "package", ps("package_type=all", "cvss_v3_base_score=10", "cvss_v3_base_score_comparison=>"), ps("package_type=all", "cvss_v3_base_score=10")},
		{"vulnerabilities", "package", ps("package_type=all", "cvss_v3_base_score=-1"), ps("package_type=all", "cvss_v3_base_score=0", "cvss_v3_base_score_comparison=<")},
		{"vulnerabilities", "package", ps("package_type=all", "max_days_since_fix=3"), ps("package_type=all", "max_days_since_fix=3", "fix_available=true")},
		{"vulnerabilities", "package", ps("package_type=os", "package_path_exclude=/x"), ps("package_type=all", "package_path_exclude=/x")},
		{"vulnerabilities", "package", ps("package_type=all", "epss_score=50"), ps("package_type=all", "epss_score=0.5")},
		{"secrets", "found", ps("min_confidence=0.5", "max_confidence=0.4"), ps("min_confidence=0.4", "max_confidence=0.5")},
		{"vulnerabilities", "epss", ps("score=1.5"), ps("score=0.5")},
		{"ancestry", "denylist_ancestor_image_digest", ps("ancestor_digest=debian:12"), ps("ancestor_digest=" + digest)},
	}
	for _, tt := range tests {
		for _, bad := range []bool{true, false} {
			params := tt.good
			var want []string
			if bad {
				params, want = tt.bad, []string{"warn NeverFires $.policies[0].rules[0].params"}
			}
			got := lint(t, bundle(rule("r", tt.gate, tt.trigger, "STOP", params...), "", ""))
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s/%s %q: %s", tt.gate, tt.trigger, params, d)
			}
		}
	}
}

func TestLintBundle(t *testing.T) {
	mapping := func(registry, repository, kind, value, sets string) string {
		return fmt.Sprintf(`{"name":"m","registry":%q,"repository":%q,"image":{"type":%q,"value":%q},"policy_ids":[%s],"whitelist_ids":["w"]}`, registry, repository, kind, value, sets)
	}
	item := func(gate, id, end string) string {
		return fmt.Sprintf(`{"gate":%q,"trigger_id":%q,"expires_on":%q}`, gate, id, end)
	}
	const hash = "0123456789abcdef0123456789abcdef"
	digest := "sha256:" + hash + hash
	doc := `{"id":"b","version":"1_0","policies":[
		{"id":"p","version":"1_0","rules":[` + strings.Join([]string{
		rule("a", "dockerfile", "exposed_ports", "STOP", "ports=22", "type=blacklist"), rule("b", "dockerfile", "exposed_ports", "STOP", "TYPE=blacklist", "ports=22"), // 1: duplicate
		rule("c", "vulnerabilities", "package", "STOP", "package_type=os"), rule("d", "vulnerabilities", "package", "WARN", "package_type=os", "severity=unknown"), // 3: conflict, the default written out
		rule("e", "files", "suid_or_guid_set", "GO"), rule("f", "always", "always", "WARN"),
	}, ",") + `]}, {"id":"empty","version":"1_0","rules":[]}, {"id":"alone","version":"1_0","rules":[` + rule("x", "always", "always", "STOP") + `]}],
		"whitelists":[{"id":"w","version":"1_0","items":[` + strings.Join([]string{
		item("vulnerabilities", "CVE-2020-1", ""),              // 0: a bare id
		item("vulnerabilities", "CVE-2020-1+*", ""),            // 1
		item("vulnerabilities", "CVE-2020-1+openssl", ""),      // 2: behind 1
		item("files", "/usr/bin/su", ""),                       // 3: ids of the gate are hashes
		item("files", hash, "2030-01-01T00:00:00Z"),            // 4
		item("files", hash, ""),                                // 5: 4 ends
		item("files", hash, ""),                                // 6: behind 5
		item("licenses", hash, ""),                             // 7: nobody asks
		item("always", "always", ""),                           // 8
		item("always", "never", ""),                            // 9: another id
		item("files", "*", "2020-01-01T00:00:00Z"),             // 10: over, and the whole gate
		item("vulnerabilities", "regexp:CVE-2020-.*", ""),      // 11
		item("vulnerabilities", "*+curl", ""),                  // 12
		item("vulnerabilities", "CVE-2021-5+libcurl+curl", ""), // 13: behind 12
	}, ",") + `]}, {"id":"idle","version":"1_0","items":[]}],
		"mappings":[` + strings.Join([]string{
		mapping("docker.io", "app/*", "tag", "*", `"p"`),
		mapping("docker.io", "app/web*", "tag", "v1.*", `"empty"`), // 1: behind 0
		mapping("docker.io", "apps", "tag", "*", `"p"`),
		mapping("docker.io", "app/x", "digest", digest, `"p"`), // 3: may be pulled without a tag
		mapping("*", "regexp:app/.*", "tag", "*", `"p"`),
		mapping("quay.io/org", "app", "tag", "*", `"p"`),         // 5: a slash
		mapping("*", "quay.io/org/app", "tag", "*", `"p"`),       // 6: a registry
		mapping("*", "org/app", "digest", "sha256:*", `"p"`),     // 7: no pattern
		mapping("docker.io", "library/nginx", "tag", "1", `"p"`), // 8: note
		mapping("*", "org/lib", "tag", "*", ``),                  // 9: names nothing
	}, ",") + `],
		"whitelisted_images":[{"name":"a","registry":"*","repository":"old/app","image":{"type":"tag","value":"*"}}],
		"blacklisted_images":[{"name":"d","registry":"*","repository":"old/*","image":{"type":"tag","value":"*"}}]}`
	want := []string{
		"warn ValidationError $.whitelists[0].items[10].expires_on",
		"warn DuplicateRule $.policies[0].rules[1]",
		"warn ConflictingRules $.policies[0].rules[3]",
		"note NoEffect $.policies[0].rules[4].action",
		"warn NoEffect $.policies[1]",
		"warn Unused $.policies[2]",
		"warn ShadowedMapping $.mappings[1]",
		"warn MatchesNothing $.mappings[5].registry",
		"warn MatchesNothing $.mappings[6].repository",
		"warn MatchesNothing $.mappings[7].image.value",
		"note MatchesNothing $.mappings[8].repository",
		"warn NoEffect $.mappings[9]",
		"warn NoFinalMapping $.mappings",
		"warn ShadowedMapping $.whitelisted_images[0]",
		"warn MatchesNothing $.whitelists[0].items[0].trigger_id",
		"warn ShadowedItem $.whitelists[0].items[2]",
		"warn MatchesNothing $.whitelists[0].items[3].trigger_id",
		"warn ShadowedItem $.whitelists[0].items[6]",
		"warn MatchesNothing $.whitelists[0].items[7].gate",
		"warn MatchesNothing $.whitelists[0].items[9].trigger_id",
		"note NoEffect $.whitelists[0].items[10]",
		"warn ShadowedItem $.whitelists[0].items[13]",
		"warn Unused $.whitelists[1]",
	}
	if d := cmp.Diff(want, lint(t, doc)); d != "" {
		t.Error(d)
	}
	// A sound bundle, in both formats.
	for _, name := range []string{"prod-baseline-2.json"} {
		b, _, err := policy.Decode([]byte(example(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range policy.Lint(b, All(), now) {
			t.Logf("%s: %s %s", name, p.Type, p.String())
		}
	}
}

// TestLintIsBounded: large lists do not make the linter slow.
func TestLintIsBounded(t *testing.T) {
	var items []string
	for i := range 50_000 {
		id := fmt.Sprintf("CVE-2020-%d+pkg%d", i, i)
		if i%10 == 0 {
			id = fmt.Sprintf("CVE-2021-%d+*", i)
		}
		items = append(items, fmt.Sprintf(`{"id":"%d","gate":"vulnerabilities","trigger_id":%q}`, i, id))
	}
	start := time.Now()
	got := lint(t, bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=all"), strings.Join(items, ","), ""))
	if len(got) != 0 {
		t.Errorf("%d problems, the first %s", len(got), got[0])
	}
	t.Logf("%v", time.Since(start))
}

// TestIDForms: the forms that specs tell are those of the rows that the
// fixtures make.
func TestIDForms(t *testing.T) {
	for _, c := range gateCases() {
		s := subject(t)
		if c.change != nil {
			c.change(s)
		}
		gate, name, _ := strings.Cut(c.ask, "/")
		_, spec := findTrigger(t, gate, name)
		for _, h := range ask(t, s, c.ask, c.params...) {
			if h.Unknown {
				continue
			}
			if (h.ID == "") != (spec.IDs == "") {
				t.Errorf("%s: id %q, form %q", c.ask, h.ID, spec.IDs)
			}
			if h.ID != "" && strings.Count(h.ID, "+") < strings.Count(spec.IDs, "+") {
				t.Errorf("%s: id %q is not of the form %q", c.ask, h.ID, spec.IDs)
			}
		}
	}
}
