package gates

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func rule(id, gate, trigger, action string, params ...string) string {
	var list []string
	for _, p := range params {
		k, v, _ := strings.Cut(p, "=")
		list = append(list, fmt.Sprintf(`{"name":%q,"value":%q}`, k, v))
	}
	return fmt.Sprintf(`{"id":%q,"gate":%q,"trigger":%q,"action":%q,"params":[%s]}`, id, gate, trigger, action, strings.Join(list, ","))
}

// bundle wraps rules, allowlist items and further members in a bundle that
// maps everything.
func bundle(rules, items, more string) string {
	return `{"id":"b","version":"1_0","policies":[{"id":"p","version":"1_0","rules":[` + rules + `]}],"whitelists":[{"id":"w","name":"list","version":"1_0","items":[` + items + `]}],
	"mappings":[{"id":"m","name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_id":"p","whitelist_ids":["w"]}]` + more + `}`
}

func judge(t testing.TB, doc string, s *policy.Subject) policy.Verdict {
	t.Helper()
	b, _, err := policy.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	v, err := policy.Evaluate(t.Context(), b, s, All())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func validate(t testing.TB, doc string) []policy.Problem {
	t.Helper()
	b, ps, err := policy.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return append(ps, policy.Validate(b, All(), now)...)
}

// where lists problems as "severity type path".
func where(ps []policy.Problem) []string {
	var out []string
	for i := range ps {
		out = append(out, ps[i].Severity+" "+ps[i].Type+" "+ps[i].Path)
	}
	return out
}

// TestChecklist is section 10 of the policy reference, in its order.
func TestChecklist(t *testing.T) {
	stop := rule("r", "always", "always", "STOP")
	everything := `{"name":"x","registry":"*","repository":"*","image":{"type":"tag","value":"*"}}`
	type want struct {
		action, policy policy.Action
		reason         string
		rows, mapping  int
		problems       []string
	}
	tests := []struct {
		name, doc string
		change    func(*policy.Subject)
		want      want
	}{
		{"1 no mapping", strings.Replace(bundle(stop, "", ""), `"registry":"*"`, `"registry":"quay.io"`, 1), nil, want{"go", "go", "policy_evaluation", 0, -1, nil}},
		{"2 on both lists", bundle("", "", `,"whitelisted_images":[`+everything+`],"blacklisted_images":[`+everything+`]`), nil, want{"stop", "go", "blacklisted", 0, 0, nil}},
		{"3 whitelisted image", bundle(stop, "", `,"whitelisted_images":[`+everything+`]`), nil, want{"go", "stop", "whitelisted", 1, 0, nil}},
		{"4 exact", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=os"), `{"gate":"VULNERABILITIES","trigger_id":"CVE-2024-0001+openssl"}`, ""), nil, want{"go", "go", "policy_evaluation", 1, 0, nil}},
		{"4 CVE+*", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=os"), `{"gate":"vulnerabilities","trigger_id":"CVE-2024-0001+*"}`, ""), nil, want{"go", "go", "policy_evaluation", 1, 0, nil}},
		{"4 *+package", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=os"), `{"gate":"vulnerabilities","trigger_id":"*+openssl"}`, ""), nil, want{"go", "go", "policy_evaluation", 1, 0, nil}},
		{"4 regexp", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=os"), `{"gate":"vulnerabilities","trigger_id":"regexp:CVE-20[0-9]+-0001"}`, ""), nil, want{"go", "go", "policy_evaluation", 1, 0, nil}},
		{"4 bare CVE", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=os"), `{"gate":"vulnerabilities","trigger_id":"CVE-2024-0001"}`, ""), nil, want{"stop", "stop", "policy_evaluation", 1, 0, nil}},
		{"4 wrong gate", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=os"), `{"gate":"always","trigger_id":"*"}`, ""), nil, want{"stop", "stop", "policy_evaluation", 1, 0, nil}},
		{"4 expired", bundle(stop, `{"gate":"always","trigger_id":"always","expires_on":"2026-02-28T00:00:00Z"}`, ""), nil, want{"stop", "stop", "policy_evaluation", 1, 0, nil}},
		{"5 wrong version of the bundle", strings.Replace(bundle(stop, "", ""), `"1_0"`, `"1_1"`, 1), nil, want{"stop", "stop", "policy_evaluation", 0, -1, []string{"error UnsupportedVersionError $.version"}}},
		{"5 wrong version of a policy", strings.Replace(bundle(stop, "", ""), `"id":"p","version":"1_0"`, `"id":"p","version":"9"`, 1), nil, want{"stop", "stop", "policy_evaluation", 0, 0, []string{"error UnsupportedVersionError $.policies[0].version"}}},
		{"6 both forms", strings.Replace(bundle(stop, "", ""), `"policy_id":"p"`, `"policy_id":"p","policy_ids":["p"]`, 1), nil, want{"stop", "stop", "policy_evaluation", 0, 0, []string{"error ValidationError $.mappings[0]"}}},
		{"6 neither", strings.Replace(bundle(stop, "", ""), `"policy_id":"p",`, ``, 1), nil, want{"stop", "stop", "policy_evaluation", 0, 0, []string{"error ValidationError $.mappings[0]"}}},
		{"6 two policies", strings.Replace(bundle(stop, "", ""), `"policy_id":"p"`, `"policy_ids":["p","p"]`, 1), nil, want{"stop", "stop", "policy_evaluation", 2, 0, nil}},
		{"7 duplicate rules", bundle(stop+","+stop, "", ""), nil, want{"stop", "stop", "policy_evaluation", 2, 0, nil}},
		{"8 star matches slashes", bundle(stop, "", ""), func(s *policy.Subject) { s.Tag = "quay.io/a/b/c:1" }, want{"stop", "stop", "policy_evaluation", 1, 0, nil}},
		{"8 docker.io matches a bare name", strings.Replace(bundle(stop, "", ""), `"registry":"*"`, `"registry":"docker.io"`, 1), func(s *policy.Subject) { s.Tag = "nginx:latest" }, want{"stop", "stop", "policy_evaluation", 1, 0, nil}},
		{"8 library is not inserted", strings.Replace(bundle(stop, "", ""), `"repository":"*"`, `"repository":"library/nginx"`, 1), func(s *policy.Subject) { s.Tag = "nginx:latest" }, want{"go", "go", "policy_evaluation", 0, -1, nil}},
		{"9 severity high without comparison", bundle(rule("r", "vulnerabilities", "package", "WARN", "package_type=all", "severity=high"), "", ""), nil, want{"warn", "warn", "policy_evaluation", 1, 0, nil}},
		{"10 vendor_only omitted", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=os", "severity=high"), "", ""), nil, want{"go", "go", "policy_evaluation", 0, 0, nil}},
		{"10 vendor_only omitted in blacklist", bundle(rule("r", "vulnerabilities", "blacklist", "STOP", "vulnerability_ids=CVE-2023-45853"), "", ""), nil, want{"go", "go", "policy_evaluation", 0, 0, nil}},
		{"11 unscored is less than 5", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=non-os", "severity_comparison=>=", "cvss_v3_base_score=5", "cvss_v3_base_score_comparison=<"), "", ""), nil, want{"stop", "stop", "policy_evaluation", 3, 0, nil}},
		{"12 max_days_since_fix alone", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=os", "max_days_since_fix=3650"), "", ""), nil, want{"stop", "stop", "policy_evaluation", 1, 0, nil}},
		{"13 guessed without HEALTHCHECK", bundle(rule("r", "dockerfile", "instruction", "WARN", "instruction=HEALTHCHECK", "check=not_exists"), "", ""), guessed("CMD x"), want{"warn", "warn", "policy_evaluation", 1, 0, nil}},
		{"13 unknown Dockerfile", bundle(rule("r", "dockerfile", "instruction", "WARN", "instruction=HEALTHCHECK", "check=not_exists"), "", ""), func(s *policy.Subject) { s.Dockerfile = policy.Dockerfile{Mode: policy.ModeUnknown, Text: "CMD x"} }, want{"go", "go", "policy_evaluation", 0, 0, nil}},
		{"14 removed gate in a stored bundle", bundle(rule("e", "anchoresec", "vulnhigh", "STOP")+","+rule("r", "always", "always", "WARN"), "", ""), nil, want{"warn", "warn", "policy_evaluation", 1, 0, []string{"error EndOfLifedError $.policies[0].rules[0].trigger"}}},
		{"15 upper-case parameter", bundle(rule("r", "vulnerabilities", "package", "STOP", "PACKAGE_TYPE=os"), "", ""), nil, want{"stop", "stop", "policy_evaluation", 1, 0, nil}},
		{"15 enum in wrong case", bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=OS"), "", ""), nil, want{"stop", "stop", "policy_evaluation", 0, 0, []string{"error ParameterValueInvalidError $.policies[0].rules[0].params[0].value"}}},
		{"15 unknown parameter", bundle(rule("r", "always", "always", "STOP", "x=y"), "", ""), nil, want{"stop", "stop", "policy_evaluation", 0, 0, []string{"error InvalidParameterError $.policies[0].rules[0].params[0].name"}}},
		{"16 size test", bundle(rule("r", "metadata", "attribute", "STOP", "attribute=size", "check=>", "value=test"), "", ""), nil, want{"stop", "stop", "policy_evaluation", 0, 0, []string{"error ParameterValueInvalidError $.policies[0].rules[0].params"}}},
		{"16 layer_count", bundle(rule("r", "metadata", "attribute", "WARN", "attribute=layer_count", "check=>=", "value=5"), "", ""), nil, want{"warn", "warn", "policy_evaluation", 1, 0, nil}},
		{"16 in", bundle(rule("r", "metadata", "attribute", "WARN", "attribute=distro", "check=in", "value=alpine,debian")+","+rule("r2", "metadata", "attribute", "STOP", "attribute=distro", "check=not_in", "value=alpine,debian"), "", ""), nil, want{"warn", "warn", "policy_evaluation", 1, 0, nil}},
		{"17 unknown action", bundle(rule("r", "always", "always", "MAYBE"), "", ""), nil, want{"stop", "stop", "policy_evaluation", 0, 0, []string{"error InvalidGateAction $.policies[0].rules[0].action"}}},
		{"17 GO yields rows", bundle(rule("r", "always", "always", "GO"), "", ""), nil, want{"go", "go", "policy_evaluation", 1, 0, nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := subject(t)
			if tt.change != nil {
				tt.change(s)
			}
			v := judge(t, tt.doc, s)
			got := want{v.Action, v.PolicyAction, v.Reason.In(policy.Format1), len(v.Rows), v.Mapping, where(v.Problems)}
			if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); d != "" {
				t.Errorf("%s\n%v", d, v.Problems)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	doc := `{"id":"b","version":"1_0","policies":[
		{"id":"p","version":"1_0","rules":[` + strings.Join([]string{
		rule("a", "nogate", "x", "STOP"), rule("b", "always", "never", "stop"), rule("c", "vulnerabilities", "package", "STOP", "severity=High", "color=red"),
		rule("d", "files", "name_match", "WARN", "regex=(?<=a)b"), rule("e", "pkgdiff", "pkgadd", "STOP"), rule("f", "files", "name_match", "HALT", "regex=["),
	}, ",") + `]},
		{"id":"p","version":"1_0","rules":[]}, {"id":"unused","version":"2","rules":[` + rule("z", "nogate", "x", "STOP") + `]}],
		"whitelists":[{"id":"w","version":"1_0","items":[{"gate":"always","trigger_id":"regexp:(","expires_on":"2020-10-15"},{"gate":"always","trigger_id":"always","expires_on":"2020-10-15T00:00:00Z"}]}],
		"mappings":[{"name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_ids":["p","q"],"whitelist_ids":["w","v"]},
			{"name":"n","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_ids":[],"whitelist_ids":[]},
			{"name":"o","registry":"regexp:(","repository":"*","image":{"type":"layer","value":"*"},"policy_id":"p","whitelist_ids":[]}]}`
	got := validate(t, doc)
	want := []string{
		"error ReferencedObjectNotFoundError $.mappings[0].policy_ids[1]",
		"error ReferencedObjectNotFoundError $.mappings[0].whitelist_ids[1]",
		"warn ValidationError $.mappings[1]",
		"error ValidationError $.mappings[2].registry",
		"error ValidationError $.mappings[2].image.type",
		"warn ValidationError $.mappings[2]",
		"error DuplicateIdentifierFoundError $.policies[1].id",
		"error GateNotFoundError $.policies[0].rules[0].gate",
		"error InvalidGateAction $.policies[0].rules[1].action",
		"error TriggerNotFoundError $.policies[0].rules[1].trigger",
		"error ParameterValueInvalidError $.policies[0].rules[2].params[0].value",
		"error InvalidParameterError $.policies[0].rules[2].params[1].name",
		"error ParameterValueInvalidError $.policies[0].rules[2].params",
		"error ParameterValueInvalidError $.policies[0].rules[3].params[0].value",
		"error EndOfLifedError $.policies[0].rules[4].trigger",
		"error InvalidGateAction $.policies[0].rules[5].action",
		"error ParameterValueInvalidError $.policies[0].rules[5].params[0].value",
		"warn UnsupportedVersionError $.policies[2].version",
		"error ValidationError $.whitelists[0].items[0].expires_on",
		"warn ValidationError $.whitelists[0].items[1].expires_on",
	}
	if d := cmp.Diff(want, where(got)); d != "" {
		t.Error(d)
	}
	for _, p := range got {
		switch p.Type {
		case policy.GateNotFound, policy.TriggerNotFound, policy.InvalidParameter, policy.InvalidAction:
			if len(p.Allowed) == 0 {
				t.Errorf("%s: without what is allowed", p.String())
			}
		}
		if strings.Contains(p.Path, "rules[3]") && !strings.Contains(p.Message, "look-behind") {
			t.Errorf("%s: without a word on look-around", p.String())
		}
		if p.Type == policy.EndOfLifed && !strings.Contains(p.Message, "removed") {
			t.Error(p.String())
		}
	}
	if ps := validate(t, strings.Replace(doc, `"version":"1_0"`, `"version":"3"`, 1)); len(ps) != 1 || !slices.Equal(ps[0].Allowed, []string{"1_0", "2"}) {
		t.Errorf("another version: %v", ps)
	}
}

func example(t testing.TB, name string) string {
	data, err := os.ReadFile("../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestExample judges the fixture by the example bundles of both formats.
func TestExample(t *testing.T) {
	doc := example(t, "prod-baseline-1_0.json")
	if ps := validate(t, doc); len(ps) > 0 {
		t.Fatal(ps)
	}
	v := judge(t, doc, subject(t))
	var got []string
	for _, r := range v.Rows {
		silenced := ""
		if r.Allowlisted != nil {
			silenced = " by " + r.Allowlisted.ItemID
		}
		got = append(got, fmt.Sprintf("%s/%s %s %s%s", r.RuleSetID, r.RuleID, r.TriggerID, r.Action, silenced))
	}
	md5 := func(gate, trigger, message string) string { return policy.TriggerID(gate, trigger, message) }
	want := []string{
		"core-security/r1 CVE-2024-0001+openssl stop",
		"core-security/r1 CVE-2021-44228+log4j-core-2.14.1.jar stop",
		"core-security/r3 " + md5("vulnerabilities", "stale_feed_data", "The vulnerability feed for this image distro is older than MAXAGE (3) days") + " warn",
		"core-security/r4 " + md5("secret_scans", "content_regex_checks", "Secret content search analyzer found regexp match in container: file=/root/.ssh/id_rsa regexp=PRIV_KEY=(?i)-+BEGIN.*PRIVATE KEY-+") + " stop",
		"core-security/r5 " + md5("dockerfile", "effective_user", "User root found as effective user, which is explicity not allowed") + " stop",
		"core-security/r6 " + md5("dockerfile", "exposed_ports", "Dockerfile exposes port (22) which is in policy file DENIEDPORTS list") + " stop",
		"core-security/r7 41cb7cdf04850e33a11f80c42bf660b3 warn",
		"content-rules/c1 " + md5("licenses", "blacklist_partial_match", "LICSUBMATCH Packages are installed that have blacklisted licenses: log4j-core(AGPL-3.0-only), log4j-core(SSPL-1.0)") + " warn",
		"content-rules/c2 " + md5("files", "attribute_match", "filename=/etc/shadow and mode=0o644 op=not_equals specified_mode=0o640") + " stop",
		"content-rules/c3 " + md5("metadata", "attribute", "Attribute check for attribute: 'size' check: '>' check_value: '786432000' matched image value: '838860800'") + " warn",
		"content-rules/c5 " + md5("passwd_file", "blacklist_usernames", "Blacklisted user 'games' found in image's /etc/passwd: pentry=games:x:6:61:games:/usr/games:/bin/sh") + " go",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if v.Action != policy.Stop || v.Mapping != 0 || len(v.Problems) > 0 {
		t.Errorf("%s by mapping %d, %v", v.Action, v.Mapping, v.Problems)
	}
	// The same in format 2: other names, the same rows.
	b, _, err := policy.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	two, _ := policy.Convert(b, policy.Format2)
	if ps := policy.Validate(two, All(), now); len(ps) > 0 {
		t.Error(ps)
	}
	v2, err := policy.Evaluate(t.Context(), two, subject(t), All())
	if err != nil {
		t.Fatal(err)
	}
	if len(v2.Rows) != len(v.Rows) || v2.Action != v.Action {
		t.Fatalf("format 2: %d rows, %s", len(v2.Rows), v2.Action)
	}
	for i := range v.Rows {
		a, b := v.Rows[i], v2.Rows[i]
		if a.Message != b.Message || a.Trigger == b.Trigger && a.TriggerID != b.TriggerID {
			t.Errorf("row %d: %v\n%v", i, a, b)
		}
	}
	if ps := validate(t, example(t, "prod-baseline-2.json")); policy.HasErrors(ps) {
		t.Error(ps)
	}
}

func TestResultDocuments(t *testing.T) {
	doc := bundle(rule("r1", "always", "always", "STOP"), `{"id":"w3","gate":"always","trigger_id":"always"}`, "")
	b, _, err := policy.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	s := subject(t)
	s.Image.ConfigDigest = inventory.Digest("sha256:" + strings.Repeat("3", 64))
	v, err := policy.Evaluate(t.Context(), b, s, All())
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Repeat("3", 64)
	var one map[string]any
	data, err := policy.Result1(&v, b, "admin")
	if err != nil || json.Unmarshal(data, &one) != nil {
		t.Fatal(err)
	}
	delete(one, "bundle")
	wantOne := fmt.Sprintf(`{"user_id":"admin","image_id":%[1]q,"tag":"registry.example.com:5000/prod/app:v1.2",
		"matched_mapping_rule":{"id":"m","name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_id":"p","whitelist_ids":["w"]},
		"matched_whitelisted_images_rule":false,"matched_blacklisted_images_rule":false,"final_action":"go","final_action_reason":"policy_evaluation",
		"created_at":1772366400,"last_modified":1772366400,"evaluation_problems":[],"image_digest":"sha256:d1","status":"pass",
		"result":{%[1]q:{"result":{"header":["Image_Id","Repo_Tag","Trigger_Id","Gate","Trigger","Check_Output","Gate_Action","Whitelisted","Policy_Id"],
			"rows":[[%[1]q,"registry.example.com:5000/prod/app:v1.2","always","always","always","Unconditional trigger match","go",{"whitelist_name":"list","whitelist_id":"w","matched_rule_id":"w3"},"p"]],
			"row_count":1,"final_action":"go"}},"policy_data":[],"whitelist_data":[],"policy_name":"","whitelist_names":[]}}`, id)
	sameJSON(t, wantOne, one)
	data, err = policy.Result2(&v, b, policy.Result2Options{Detail: true})
	var two map[string]any
	if err != nil || json.Unmarshal(data, &two) != nil {
		t.Fatal(err)
	}
	delete(two["details"].(map[string]any), "policy")
	sameJSON(t, `{"status":"pass","final_action":"go","final_action_reason":"policy_evaluation","evaluation_time":"2026-03-01T12:00:00Z","evaluation_problems":[],
		"image_allowlisted":false,"image_denylisted":false,"image_mapped_to_rule":true,"matched_allowlisted_images_rule":null,"matched_denylisted_images_rule":null,
		"matched_mapping_rule":{"id":"m","name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"rule_set_ids":["p"],"allowlist_ids":["w"]},
		"number_of_findings":1,"comparison_image_digest":null,"details":{"policy_action":"go","remediations":null,
		"findings":[{"trigger_id":"always","gate":"always","trigger":"always","message":"Unconditional trigger match","action":"go","policy_id":"p","rule_id":"r1","recommendation":"",
			"allowlisted":true,"allowlist_match":{"id":"w","name":"list","matched_rule_id":"w3"},"inherited_from_base":null}]}}`, two)
}

func sameJSON(t *testing.T, want string, got any) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(w, got); d != "" {
		t.Error(d)
	}
}

// TestSameBytes: evaluations share nothing that would change their outcome.
func TestSameBytes(t *testing.T) {
	b, _, err := policy.Decode([]byte(example(t, "prod-baseline-1_0.json")))
	if err != nil {
		t.Fatal(err)
	}
	e := policy.NewEvaluator(b, All())
	shared := subject(t)
	results := make(chan []byte, 8)
	for i := range cap(results) {
		s := shared
		if i%2 == 0 {
			s = subject(t)
		}
		go func() {
			v, err := e.Evaluate(t.Context(), s)
			if err != nil {
				t.Error(err)
			}
			data, err := json.Marshal(v)
			if err != nil {
				t.Error(err)
			}
			results <- data
		}()
	}
	first := <-results
	for range cap(results) - 1 {
		if got := <-results; !bytes.Equal(first, got) {
			t.Errorf("%s\n%s", first, got)
		}
	}
}

// load is the load that evaluation is measured by: 1,000 rules and 50,000
// allowlist items over 1,000 packages with 2,000 findings.
func load(tb testing.TB) (*policy.Bundle, func() *policy.Subject) {
	var rules, items []string
	for i := range 1000 {
		switch i % 10 {
		case 0, 1, 2, 3:
			rules = append(rules, rule(fmt.Sprint(i), "packages", "blacklist", "WARN", fmt.Sprintf("name=package-%d", i)))
		case 4, 5:
			rules = append(rules, rule(fmt.Sprint(i), "vulnerabilities", "blacklist", "STOP", fmt.Sprintf("vulnerability_ids=CVE-2024-%d", 10000+i)))
		case 6, 7:
			rules = append(rules, rule(fmt.Sprint(i), "files", "attribute_match", "STOP", fmt.Sprintf("filename=/etc/file%d", i), "mode=00644"))
		case 8:
			rules = append(rules, rule(fmt.Sprint(i), "licenses", "blacklist_exact_match", "STOP", fmt.Sprintf("licenses=L-%d", i)))
		default:
			rules = append(rules, rule(fmt.Sprint(i), "vulnerabilities", "package", "STOP", "package_type=all", "severity=critical", "cvss_v3_base_score=9.9"))
		}
	}
	rules[9] = rule("all", "vulnerabilities", "package", "STOP", "package_type=all", "severity_comparison=>=")
	for i := range 50_000 {
		id := fmt.Sprintf("CVE-2024-%d+package-%d", 10000+i, i%1000)
		switch i % 10 {
		case 0:
			id = fmt.Sprintf("CVE-2023-%d+*", i)
		case 1:
			id = fmt.Sprintf("*+lib%d", i)
		}
		items = append(items, fmt.Sprintf(`{"id":"%d","gate":"vulnerabilities","trigger_id":%q,"expires_on":"2031-01-31T00:00:00Z"}`, i, id))
	}
	doc := bundle(strings.Join(rules, ","), strings.Join(items, ","), "")
	b, ps, err := policy.Decode([]byte(doc))
	if err != nil || len(ps) > 0 {
		tb.Fatal(err, ps)
	}
	return b, func() *policy.Subject {
		img := &inventory.Image{Digest: "sha256:d1", ConfigDigest: "sha256:c1", Distro: &inventory.Distro{ID: "debian", Version: "12"}}
		scan := &match.Scan{Image: img, At: now}
		var files []inventory.File
		for i := range 1000 {
			img.Packages = append(img.Packages, inventory.Package{Type: "deb", Name: fmt.Sprintf("package-%d", i), Version: "1.2.3-4", Path: "var/lib/dpkg/status", Licenses: []inventory.License{{Expression: "MIT"}}})
			files = append(files, inventory.File{Path: fmt.Sprintf("etc/file%d", i), Perm: 0o600})
		}
		slices.SortFunc(files, func(a, b inventory.File) int { return strings.Compare(a.Path, b.Path) })
		img.Files = table(files...)
		for i := range 2000 {
			scan.Findings = append(scan.Findings, match.Finding{ID: fmt.Sprintf("CVE-2024-%d", 10000+i), Package: i / 2, Severity: advisory.Levels()[i%6], Fix: advisory.Fix{State: advisory.Fixed, Versions: []string{"1.2.4"}},
				URL: "https://example.org", Scores: []advisory.Severity{{Source: "nvd", Type: "CVSS_V3", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", Score: 7.5}}})
		}
		return &policy.Subject{Image: img, Scan: scan, Tag: "nginx:1", Now: now}
	}
}

// BenchmarkEvaluate judges a new image each time: cold with a bundle that
// was only decoded, warm with an evaluator that has judged before.
func BenchmarkEvaluate(b *testing.B) {
	bundle, fresh := load(b)
	gates := All()
	run := func(b *testing.B, e *policy.Evaluator, known bool) {
		b.StopTimer()
		s := fresh()
		if known {
			s.InventoryDigest, s.FindingsDigest = "sha256:i", "sha256:f"
		}
		if e == nil {
			b.StartTimer()
			e = policy.NewEvaluator(bundle, gates)
		}
		b.StartTimer()
		v, err := e.Evaluate(b.Context(), s)
		if err != nil || len(v.Rows) != 2600 || len(v.Problems) > 0 {
			b.Fatal(err, len(v.Rows), v.Problems)
		}
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			run(b, nil, false)
		}
	})
	b.Run("warm", func(b *testing.B) {
		e := policy.NewEvaluator(bundle, gates)
		run(b, e, false)
		for b.Loop() {
			run(b, e, false)
		}
	})
	b.Run("warm, digests known", func(b *testing.B) {
		e := policy.NewEvaluator(bundle, gates)
		run(b, e, true)
		for b.Loop() {
			run(b, e, true)
		}
	})
	b.Run("decode", func(b *testing.B) {
		data, err := policy.Encode(bundle)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, _, err := policy.Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
