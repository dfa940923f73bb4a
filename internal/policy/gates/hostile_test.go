package gates

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// TestEveryErrorAtOnce: one bundle with everything that can be wrong, and all
// of it reported, with the place and what would be right.
func TestEveryErrorAtOnce(t *testing.T) {
	doc := `{"id":"b","version":"1_0","name":"x\u0000y","policies":[
		{"id":"p","version":"1_0","rules":[` + strings.Join([]string{
		rule("a", "nogate", "x", "STOP"), rule("b", "files", "nothing", "STOP"), rule("c", "files", "name_match", "STOP", "regex=("), rule("d", "files", "name_match", "STOP", "regex=(?!x)y"),
		rule("e", "files", "name_match", "STOP", "regex="+strings.Repeat("(a{9}){9}", 6)+strings.Repeat("{9}", 6)), rule("f", "files", "name_match", "STOP", "regex="+strings.Repeat("a", policy.MaxPattern+1)),
		rule("g", "vulnerabilities", "package", "STOP", "package_type=some"), rule("h", "packages", "blacklist", "STOP"), rule("i", "always", "always", "PANIC"), rule("j", "pkgdiff", "pkgadd", "STOP"),
		rule("k", "expression", "image", "STOP", "expression=image."), rule("l", "dockerfile", "exposed_ports", "STOP", "ports=x", "type=blacklist"),
	}, ",") + `]},{"id":"p","version":"1_0","rules":[]}],
		"whitelists":[{"id":"w","version":"1_0","items":[{"gate":"always","trigger_id":"regexp:[","expires_on":""},{"gate":"always","trigger_id":"x","expires_on":"2020-10-15"},{"gate":"always","trigger_id":"x","expires_on":"2020-10-15T00:00:00Z"}]}],
		"mappings":[{"name":"m","registry":"regexp:(","repository":"*","image":{"type":"tag","value":"*"},"policy_id":"p","policy_ids":["p"],"whitelist_ids":["w"]},
			{"name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_id":"missing","whitelist_ids":["w"]},
			{"name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_id":"p","whitelist_ids":[]}]}`
	got := validate(t, doc)
	all := map[string]*policy.Problem{}
	for i := range got {
		all[got[i].Path] = &got[i]
		if strings.ContainsRune(got[i].String(), 0) {
			t.Errorf("%q has a NUL byte", got[i].String())
		}
	}
	rules := func(i int, rest string) string { return fmt.Sprintf("$.policies[0].rules[%d]%s", i, rest) }
	for path, allowed := range map[string]bool{
		"$.name": false, rules(0, ".gate"): true, rules(1, ".trigger"): true, rules(2, ".params[0].value"): false, rules(3, ".params[0].value"): false, rules(4, ".params[0].value"): false, rules(5, ".params[0].value"): false,
		rules(6, ".params[0].value"): true, rules(7, ".params"): false, rules(8, ".action"): true, rules(9, ".trigger"): false, rules(10, ".params"): false, rules(11, ".params[0].value"): false,
		"$.policies[1].id": false, "$.whitelists[0].items[0].trigger_id": false, "$.whitelists[0].items[1].expires_on": false, "$.whitelists[0].items[2].expires_on": false,
		"$.mappings[0].registry": false, "$.mappings[0]": false, "$.mappings[1].policy_id": true, "$.mappings[2]": false,
	} {
		p := all[path]
		if p == nil {
			t.Errorf("nothing is said of %s", path)
		} else if allowed && len(p.Allowed) == 0 {
			t.Errorf("%s: without what is allowed", p.String())
		}
	}
	if v := judge(t, doc, subject(t)); v.Action != policy.Stop || len(v.Rows) != 0 {
		t.Errorf("it is evaluated half: %s, %d rows", v.Action, len(v.Rows))
	}
}

// TestWrongTypes puts a value of every other type in the place of every value
// of a good bundle: that is a problem with a place, or it is the same, and
// never a panic.
func TestWrongTypes(t *testing.T) {
	for _, name := range []string{"prod-baseline-1_0.json", "prod-baseline-2.json"} {
		places := 0
		var walk func(v any, set func(any), whole any)
		walk = func(v any, set func(any), whole any) {
			for _, wrong := range []any{nil, true, 7, "x", []any{}, map[string]any{}, []any{1}, map[string]any{"a": 1}} {
				set(wrong)
				data, err := json.Marshal(whole)
				if err != nil {
					t.Fatal(err)
				}
				b, ps, err := policy.Decode(data)
				if err != nil {
					t.Fatalf("%v: no bundle at all: %v", wrong, err)
				}
				for i := range ps {
					if ps[i].Path == "" || ps[i].Message == "" {
						t.Errorf("%+v says not where or what", ps[i])
					}
				}
				policy.Lint(b, All()[:1], now)
				places++
			}
			set(v)
			switch v := v.(type) {
			case map[string]any:
				for k, e := range v {
					walk(e, func(n any) { v[k] = n }, whole)
				}
			case []any:
				for i, e := range v[:min(len(v), 2)] {
					walk(e, func(n any) { v[i] = n }, whole)
				}
			}
		}
		var doc map[string]any
		if err := json.Unmarshal([]byte(example(t, name)), &doc); err != nil {
			t.Fatal(err)
		}
		for k, e := range doc {
			walk(e, func(n any) { doc[k] = n }, doc)
		}
		if places < 500 {
			t.Errorf("%s: only %d places", name, places)
		}
	}
}

// TestHostilePatterns: patterns that make other engines explode take linear
// time here; were it otherwise, the test would not end.
func TestHostilePatterns(t *testing.T) {
	long := strings.Repeat("a", 100_000)
	for _, pattern := range []string{
		"regexp:(a+)+$", "regexp:(a|aa)+b", "regexp:(.*)*(.*)*(.*)*b", "regexp:([a-z]+)*!", strings.Repeat("a*", 2000) + "b", strings.Repeat("*a", 2000), "*" + long + "*b",
	} {
		p, err := policy.ParsePattern(pattern)
		if err != nil {
			if len(pattern) <= policy.MaxPattern {
				t.Errorf("%.30s: %v", pattern, err)
			}
			continue
		}
		p.Match(long)
		p.Match(long[:2000] + "\n" + long[:2000]) // stars times bytes: lines are matched by an expression
	}
}

// TestManyItems: 50,000 items of every kind, each matched by one row, and no
// more memory than a few times the document.
func TestManyItems(t *testing.T) {
	var items []string
	for i := range 50_000 {
		id := [...]string{"CVE-%d+x", "CVE-%d+*", "*+pkg%d", "CVE-*+p%d"}[i%4]
		items = append(items, fmt.Sprintf(`{"id":"%d","gate":"vulnerabilities","trigger_id":%q,"expires_on":"2030-01-01T00:00:00Z"}`, i, fmt.Sprintf(id, i)))
	}
	items = append(items, `{"id":"last","gate":"vulnerabilities","trigger_id":"CVE-2024-0001+openssl"}`)
	doc := bundle(rule("r", "vulnerabilities", "package", "STOP", "package_type=os"), strings.Join(items, ","), "")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	v := judge(t, doc, subject(t))
	runtime.ReadMemStats(&after)
	if v.Action != policy.Go || len(v.Rows) != 1 || v.Rows[0].Allowlisted == nil || v.Rows[0].Allowlisted.ItemID != "last" {
		t.Errorf("%+v", v.Rows)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 40*uint64(len(doc)) {
		t.Errorf("%d bytes for a document of %d", n, len(doc))
	}
	if ps := validate(t, doc); policy.HasErrors(ps) {
		t.Error(ps[0])
	}
	// Every item wrong: a bounded list that says how many are not in it.
	bad := strings.ReplaceAll(doc, "2030-01-01T00:00:00Z", "soon")
	ps := validate(t, bad)
	if last := ps[len(ps)-1]; len(ps) > 1100 || !strings.Contains(last.Message, "more problems are not listed") {
		t.Errorf("%d problems, the last %s", len(ps), last.String())
	}
}

// TestWhitelistedImageDocument: the outer action is go, the table's own stop.
func TestWhitelistedImageDocument(t *testing.T) {
	doc := bundle(rule("r", "always", "always", "STOP"), "", `,"whitelisted_images":[{"name":"x","registry":"*","repository":"*","image":{"type":"tag","value":"*"}}]`)
	b, _, err := policy.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	s := subject(t)
	v, err := policy.Evaluate(t.Context(), b, s, All())
	if err != nil {
		t.Fatal(err)
	}
	data, err := policy.Result1(&v, b, "admin")
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Action string                     `json:"final_action"`
		Reason string                     `json:"final_action_reason"`
		Status string                     `json:"status"`
		Result map[string]json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	var table struct {
		Result struct {
			Action string `json:"final_action"`
			Rows   int    `json:"row_count"`
		}
	}
	if err := json.Unmarshal(out.Result[v.ImageID], &table); err != nil || out.Action != "go" || out.Reason != "whitelisted" || out.Status != "pass" || table.Result.Action != "stop" || table.Result.Rows != 1 {
		t.Errorf("%v: %+v %+v", err, out, table)
	}
}
