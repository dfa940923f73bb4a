package policy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// echo is a gate whose hits are told by the rule.
type echo struct{}

func (echo) Spec() GateSpec {
	return GateSpec{Name: "echo", Triggers: []TriggerSpec{
		{Name: "say", Params: []ParamSpec{
			{Name: "what", Type: String}, {Name: "id", Type: String}, {Name: "mode", Type: Enum, Values: []string{"loud", "soft"}, Default: "soft"},
			{Name: "re", Type: Regexp}, {Name: "n", Type: Int}, {Name: "list", Type: List, Aliases: []string{"oldlist"}},
		}},
		{Name: "blacklist", Name2: "denylist", Params: []ParamSpec{{Name: "name", Type: String, Required: true}}},
		{Name: "fail"}, {Name: "unknown"},
		{Name: "gone", State: EOL, SupersededBy: "say"},
	}}
}

func (echo) Evaluate(_ context.Context, trigger string, _ *Subject, p Params) ([]Hit, error) {
	switch trigger {
	case "fail":
		return nil, errors.New("broken pipe")
	case "unknown":
		return []Hit{{Unknown: true, Message: "nobody looked"}}, nil
	case "blacklist":
		return []Hit{{Message: "listed " + p.Text("name")}}, nil
	}
	if p.Text("what") == "" {
		return nil, nil
	}
	return []Hit{{ID: p.Text("id"), Message: p.Text("what")}}, nil
}

// old is a gate that has been removed.
type old struct{}

func (old) Spec() GateSpec {
	return GateSpec{Name: "old", State: EOL, SupersededBy: "echo", Triggers: []TriggerSpec{{Name: "thing"}}}
}
func (old) Evaluate(context.Context, string, *Subject, Params) ([]Hit, error) { panic("never") }

func testGates() []Gate { return []Gate{echo{}, old{}} }

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func testSubject(tag string) *Subject {
	return &Subject{Tag: tag, Now: testNow, Image: &inventory.Image{Digest: "sha256:d1", ConfigDigest: "sha256:c1"}}
}

func mustDecode(t testing.TB, text string) *Bundle {
	t.Helper()
	b, ps, err := Decode([]byte(text))
	if err != nil || HasErrors(ps) {
		t.Fatalf("Decode: %v %v", err, ps)
	}
	return b
}

const ruleSay = `{"id":"r1","gate":"echo","trigger":"say","action":"%s","params":[{"name":"what","value":"hello"}]}`

// bundleWith wraps rules and items in a bundle with one mapping of everything.
func bundleWith(rules, items, more string) string {
	return `{"id":"b","version":"1_0","policies":[{"id":"p","version":"1_0","rules":[` + rules + `]}],
	"whitelists":[{"id":"w","name":"list","version":"1_0","items":[` + items + `]}],
	"mappings":[{"id":"m","name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_id":"p","whitelist_ids":["w"]}]` + more + `}`
}

func evaluate(t *testing.T, bundle string, s *Subject) Verdict {
	t.Helper()
	b, _, err := Decode([]byte(bundle))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Evaluate(t.Context(), b, s, testGates())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"*", "a/b", true}, {"*", "a\nb", false},
		{"a*", "abc", true}, {"a*", "ba", false}, {"*c", "abc", true}, {"a*c", "ac", true}, {"a*c", "abd", false},
		{"a*a", "a", false}, {"*b*b*", "abcb", true}, {"*b*b*", "abc", false}, {"a?c", "abc", false}, {"[a]", "a", false},
		{"A", "a", false}, {"CVE-2020-*+curl", "CVE-2020-1+curl", true}, {"CVE-2020-1234", "CVE-2020-1234+x", false},
		{"regexp:v[0-9]+\\.[0-9]+", "v1.2-rc", true}, {"  regexp:v[0-9]", "v1", true}, {"regexp:b", "ab", false}, {"regexp:b|ab", "ab", true},
		{"*x\ny*", "ax\nyb", true},
	}
	for _, tt := range tests {
		p, err := ParsePattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(tt.text); got != tt.want {
			t.Errorf("%q matches %q = %v, want %v", tt.pattern, tt.text, got, tt.want)
		}
	}
	for _, bad := range []string{"regexp:(", "regexp:(?=a)b", "regexp:(?<!a)b", `regexp:(a)\1`, "regexp:a)(b", strings.Repeat("x", MaxPattern+1)} {
		_, err := ParsePattern(bad)
		if err == nil {
			t.Errorf("ParsePattern(%.20q) gives no error", bad)
		}
		if strings.Contains(bad, "(?") && !strings.Contains(err.Error(), "look-") {
			t.Errorf("ParsePattern(%q) = %v, want a word on look-around", bad, err)
		}
	}
}

func TestParseTag(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	tests := []struct {
		in   string
		want Tag
	}{
		{"nginx:1", Tag{Registry: "docker.io", Repository: "nginx", Tag: "1"}},
		{"nginx", Tag{Registry: "docker.io", Repository: "nginx", Tag: "latest"}},
		{"library/nginx:1", Tag{Registry: "docker.io", Repository: "library/nginx", Tag: "1"}},
		{"dockerhub/library/nginx:1", Tag{Registry: "docker.io", Repository: "library/nginx", Tag: "1"}},
		{"registry.example.com:5000/prod/app:v2", Tag{Registry: "registry.example.com:5000", Repository: "prod/app", Tag: "v2"}},
		{"host:5000/app", Tag{Registry: "host:5000", Repository: "app", Tag: "latest"}},
		{"localhost/app:x", Tag{Registry: "localhost", Repository: "app", Tag: "x"}},
		{"quay.io/a/b@sha256:" + hex, Tag{Registry: "quay.io", Repository: "a/b", Digest: "sha256:" + hex}},
		{"sha256:" + hex, Tag{Registry: "docker.io", Digest: "sha256:" + hex}},
		{hex, Tag{Registry: "docker.io", ID: hex}},
		{"", Tag{Registry: "*", Repository: "*", Tag: "*"}},
		{"*/*:*", Tag{Registry: "*", Repository: "*", Tag: "*"}},
	}
	for _, tt := range tests {
		if got := ParseTag(tt.in); got != tt.want {
			t.Errorf("ParseTag(%q) = %+v, want %+v", tt.in, got, tt.want)
		}
	}
}

func TestExpiry(t *testing.T) {
	at := time.Date(2020, 10, 15, 1, 2, 3, 0, time.UTC)
	good := map[string]time.Time{"": {}, "2020-10-15T01:02:03Z": at, "2020-10-15T01:02:03.5Z": at.Add(time.Second / 2), "2020-10-15T01:02:03:250Z": at.Add(time.Second / 4)}
	for s, want := range good {
		if got, err := parseExpiry(s); err != nil || !got.Equal(want) {
			t.Errorf("parseExpiry(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"2020-10-15", "2020-10-15T01:02:03", "2020-10-15T01:02:03+01:00", "tomorrow", "2020-10-15T01:02:03.Z", "2020-13-15T01:02:03Z"} {
		if _, err := parseExpiry(s); err == nil {
			t.Errorf("parseExpiry(%q) gives no error", s)
		}
	}
}

func TestDecodeProblems(t *testing.T) {
	b, ps, err := Decode([]byte(`{"id":7,"version":"2","name":"x\u0000","rule_sets":[{"id":"a","name":"a","version":"2","rules":[
		{"id":"r","gate":"echo","trigger":"say","action":"GO","params":{}, "color":"red"}, 5, {"gate":"echo"}]}],
		"mappings":[{"image":3}],"policies":[],"id":"b"}`))
	if err != nil || b == nil {
		t.Fatal(err)
	}
	var got []string
	for i := range ps {
		got = append(got, ps[i].Path)
	}
	for _, want := range []string{"$.id", "$.name", "$.rule_sets[0].rules[0].params", "$.rule_sets[0].rules[0].color", "$.rule_sets[0].rules[1]",
		"$.rule_sets[0].rules[2].trigger", "$.rule_sets[0].rules[2].params", "$.mappings[0].image", "$.mappings[0].rule_set_ids", "$.policies"} {
		if !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("no problem at %s among\n%s", want, strings.Join(got, "\n"))
		}
	}
	for name, doc := range map[string][]byte{
		"syntax": []byte(`{"id":}`), "NUL": []byte("{\"id\":\"a\"}\x00"), "UTF-8": []byte("{\"id\":\"\xff\"}"),
		"depth": []byte(strings.Repeat("[", 100) + strings.Repeat("]", 100)), "size": bytes.Repeat([]byte(" "), MaxBundleSize+1),
		"values": []byte("[" + strings.Repeat("0,", MaxValues) + "0]"), "empty": nil,
	} {
		if _, _, err := Decode(doc); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, _, err := Decode(bytes.Repeat([]byte(" "), MaxBundleSize+1)); !errors.Is(err, ErrBundleSize) {
		t.Errorf("size: %v", err)
	}
}

func TestEvaluateAlgorithm(t *testing.T) {
	say := func(action string) string { return fmt.Sprintf(ruleSay, action) }
	id := TriggerID("echo", "say", "hello")
	tests := []struct {
		name, bundle, tag string
		action, policy    Action
		reason            Reason
		rows              int
	}{
		{"nothing found", bundleWith(``, ``, ``), "nginx", Go, Go, ByPolicy, 0},
		{"stop", bundleWith(say("STOP"), ``, ``), "nginx", Stop, Stop, ByPolicy, 1},
		{"any case of action, gate, trigger", bundleWith(strings.Replace(say("Warn"), `"echo"`, `"ECHO"`, 1), ``, ``), "nginx", Warn, Warn, ByPolicy, 1},
		{"go rows do not matter", bundleWith(say("GO"), ``, ``), "nginx", Go, Go, ByPolicy, 1},
		{"duplicate rules give duplicate rows", bundleWith(say("WARN")+","+say("WARN"), ``, ``), "nginx", Warn, Warn, ByPolicy, 2},
		{"silenced", bundleWith(say("STOP"), `{"gate":"Echo","trigger_id":"`+id+`"}`, ``), "nginx", Go, Go, ByPolicy, 1},
		{"silenced by pattern", bundleWith(say("STOP"), `{"gate":"echo","trigger_id":"`+id[:5]+`*"}`, ``), "nginx", Go, Go, ByPolicy, 1},
		{"silenced by regexp", bundleWith(say("STOP"), `{"gate":"echo","trigger_id":"regexp:[0-9a-f]+"}`, ``), "nginx", Go, Go, ByPolicy, 1},
		{"other gate", bundleWith(say("STOP"), `{"gate":"old","trigger_id":"*"}`, ``), "nginx", Stop, Stop, ByPolicy, 1},
		{"expired", bundleWith(say("STOP"), `{"gate":"echo","trigger_id":"*","expires_on":"2026-03-01T12:00:00Z"}`, ``), "nginx", Stop, Stop, ByPolicy, 1},
		{"not yet expired", bundleWith(say("STOP"), `{"gate":"echo","trigger_id":"*","expires_on":"2026-03-01T12:00:00.1Z"}`, ``), "nginx", Go, Go, ByPolicy, 1},
		{"allowed image", bundleWith(say("STOP"), ``, `,"whitelisted_images":[{"name":"a","registry":"docker.io","repository":"nginx","image":{"type":"tag","value":"1*"}}]`), "nginx:1.2", Go, Stop, ByAllowed, 1},
		{"denied beats allowed", bundleWith(say("GO"), ``, `,"whitelisted_images":[{"name":"a","registry":"*","repository":"*","image":{"type":"tag","value":"*"}}],
			"blacklisted_images":[{"name":"d","registry":"*","repository":"*","image":{"type":"digest","value":"sha256:d1"}}]`), "nginx", Stop, Go, ByDenied, 1},
		{"denied by id", bundleWith(``, ``, `,"blacklisted_images":[{"name":"d","registry":"*","repository":"*","image":{"type":"id","value":"c1"}}]`), "nginx", Stop, Go, ByDenied, 0},
		{"removed rule is skipped", bundleWith(say("WARN")+`,{"gate":"old","trigger":"thing","action":"STOP","params":[]}`, ``, ``), "nginx", Warn, Warn, ByPolicy, 1},
		{"removed trigger is skipped", bundleWith(`{"gate":"echo","trigger":"gone","action":"STOP"},`+say("WARN"), ``, ``), "nginx", Warn, Warn, ByPolicy, 1},
		{"failing trigger stops", bundleWith(say("WARN")+`,{"gate":"echo","trigger":"fail","action":"GO","params":[]}`, ``, ``), "nginx", Stop, Stop, ByPolicy, 1},
		{"unknown gate stops and asks no list", bundleWith(say("GO")+`,{"gate":"none","trigger":"x","action":"GO","params":[]}`, ``,
			`,"whitelisted_images":[{"name":"a","registry":"*","repository":"*","image":{"type":"tag","value":"*"}}]`), "nginx", Stop, Stop, ByPolicy, 0},
		{"no parameters member", bundleWith(`{"gate":"echo","trigger":"say","action":"STOP"}`, ``, ``), "nginx", Go, Go, ByPolicy, 0},
		{"bad expiry stops", bundleWith(say("GO"), `{"gate":"echo","trigger_id":"*","expires_on":"2020-10-15"}`, ``), "nginx", Stop, Stop, ByPolicy, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := evaluate(t, tt.bundle, testSubject(tt.tag))
			if v.Action != tt.action || v.PolicyAction != tt.policy || v.Reason != tt.reason || len(v.Rows) != tt.rows {
				t.Errorf("got %s (policy %s) because %s, %d rows, problems %v; want %s (%s) because %s, %d rows", v.Action, v.PolicyAction, v.Reason, len(v.Rows), v.Problems, tt.action, tt.policy, tt.reason, tt.rows)
			}
		})
	}
}

func TestMapping(t *testing.T) {
	doc := func(mappings string) string {
		return `{"id":"b","version":"1_0","policies":[{"id":"p","version":"1_0","rules":[` + fmt.Sprintf(ruleSay, "STOP") + `]},
			{"id":"q","version":"1_0","rules":[` + fmt.Sprintf(ruleSay, "WARN") + `]},
			{"id":"broken","version":"9","rules":[{"gate":"none","trigger":"x","action":"MAYBE"}]}],"mappings":[` + mappings + `]}`
	}
	m := func(id, registry, repository, kind, value, policies string) string {
		return fmt.Sprintf(`{"id":%q,"name":"n","registry":%q,"repository":%q,"image":{"type":%q,"value":%q},%s,"whitelist_ids":[]}`, id, registry, repository, kind, value, policies)
	}
	tests := []struct {
		name, bundle, tag string
		mapping           int
		action            Action
		sets              int
	}{
		{"none matches", doc(m("m", "quay.io", "*", "tag", "*", `"policy_id":"p"`)), "nginx:1", -1, Go, 0},
		{"star crosses slashes", doc(m("m", "*", "*", "tag", "*", `"policy_id":"p"`)), "a.io/x/y/z:1", 0, Stop, 1},
		{"docker.io is the registry of a bare name", doc(m("m", "docker.io", "nginx", "tag", "latest", `"policy_id":"p"`)), "nginx", 0, Stop, 1},
		{"library is not inserted", doc(m("m", "docker.io", "library/nginx", "tag", "*", `"policy_id":"p"`)), "nginx:latest", -1, Go, 0},
		{"first match wins", doc(m("a", "*", "*", "tag", "2*", `"policy_id":"p"`) + "," + m("b", "*", "*", "tag", "1*", `"policy_id":"q"`) + "," + m("c", "*", "*", "tag", "*", `"policy_id":"p"`)), "nginx:1", 1, Warn, 1},
		{"digest mapping", doc(m("a", "*", "*", "digest", "sha256:d2", `"policy_id":"p"`) + "," + m("b", "*", "*", "digest", "sha256:d1", `"policy_id":"q"`)), "nginx:1", 1, Warn, 1},
		{"id mapping", doc(m("a", "*", "*", "id", "c1", `"policy_id":"q"`)), "nginx:1", 0, Warn, 1},
		{"two policies, the worst counts", doc(m("a", "*", "*", "tag", "*", `"policy_ids":["q","p"]`)), "nginx:1", 0, Stop, 2},
		{"both forms", doc(m("a", "*", "*", "tag", "*", `"policy_id":"p","policy_ids":["q"]`)), "nginx:1", 0, Stop, 0},
		{"neither form", doc(`{"name":"n","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"whitelist_ids":[]}`), "nginx:1", 0, Stop, 0},
		{"missing policy", doc(m("a", "*", "*", "tag", "*", `"policy_id":"none"`)), "nginx:1", 0, Stop, 0},
		{"wrong version of a mapped policy", doc(m("a", "*", "*", "tag", "*", `"policy_id":"broken"`)), "nginx:1", 0, Stop, 0},
		{"no tag matches wildcards only", doc(m("a", "docker.io", "*", "tag", "*", `"policy_id":"p"`) + "," + m("b", "*", "*", "tag", "*", `"policy_id":"q"`)), "", 1, Warn, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := evaluate(t, tt.bundle, testSubject(tt.tag))
			if v.Mapping != tt.mapping || v.Action != tt.action || len(v.RuleSets) != tt.sets {
				t.Errorf("mapping %d, %s, %d rule sets, problems %v; want %d, %s, %d", v.Mapping, v.Action, len(v.RuleSets), v.Problems, tt.mapping, tt.action, tt.sets)
			}
		})
	}
}

func TestRowsAndUnknowns(t *testing.T) {
	v := evaluate(t, bundleWith(fmt.Sprintf(ruleSay, "STOP")+`,{"gate":"echo","trigger":"blacklist","action":"WARN","params":[{"name":"NAME","value":"x"}]},{"gate":"echo","trigger":"unknown","action":"STOP"}`,
		`{"id":"i1","gate":"echo","trigger_id":"`+TriggerID("echo", "denylist", "listed x")+`"}`, ``), testSubject("nginx"))
	want := []Row{
		{TriggerID: TriggerID("echo", "say", "hello"), Gate: "echo", Trigger: "say", Message: "hello", Action: Stop, RuleAction: Stop, RuleID: "r1", RuleSetID: "p", Params: []Param{{"what", "hello"}}},
		{TriggerID: TriggerID("echo", "blacklist", "listed x"), Gate: "echo", Trigger: "blacklist", Message: "listed x", Action: Go, RuleAction: Warn, RuleSetID: "p", Params: []Param{{"NAME", "x"}},
			Allowlisted: &Allowance{ListID: "w", ListName: "list", ItemID: "i1"}},
	}
	if d := cmp.Diff(want, v.Rows); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]UnknownAnswer{{Gate: "echo", Trigger: "unknown", Message: "nobody looked", Rules: []string{"p/2"}}}, v.Unknowns); d != "" {
		t.Error(d)
	}
}

// TestPublishedID is an id from a published answer of the v2 interface.
func TestPublishedID(t *testing.T) {
	if got := TriggerID("dockerfile", "instruction", "Dockerfile directive 'HEALTHCHECK' not found, matching condition 'not_exists' check"); got != "41cb7cdf04850e33a11f80c42bf660b3" {
		t.Errorf("got %s", got)
	}
}

func TestDeterministic(t *testing.T) {
	doc := bundleWith(fmt.Sprintf(ruleSay, "STOP"), `{"gate":"echo","trigger_id":"*zz*"}`, ``)
	var first []byte
	for range 5 {
		v := evaluate(t, doc, testSubject("nginx"))
		got, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		} else if !bytes.Equal(first, got) {
			t.Fatalf("%s\n%s", first, got)
		}
	}
}

func example(t testing.TB, name string) []byte {
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"prod-baseline-1_0.json", "prod-baseline-2.json"} {
		b := mustDecode(t, string(example(t, name)))
		out, err := Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(out)
		if got, err := Digest(b); err != nil || got != "sha256:"+hex.EncodeToString(sum[:]) {
			t.Errorf("%s: digest %s, %v, is not that of what is written", name, got, err)
		}
		again := mustDecode(t, string(out))
		if d := cmp.Diff(b, again); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		// Nothing of the original is lost.
		if got, want := leaves(t, out), leaves(t, example(t, name)); !subset(want, got) {
			t.Errorf("%s: lost members", name)
		}
	}
}

// leaves counts the scalar values of a document.
func leaves(t *testing.T, data []byte) map[string]int {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				out["member "+k]++
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		default:
			out[fmt.Sprint(v)]++
		}
	}
	walk(v)
	return out
}

func subset(a, b map[string]int) bool {
	for k, n := range a {
		if b[k] < n {
			return false
		}
	}
	return true
}

func TestConvert(t *testing.T) {
	one := mustDecode(t, string(example(t, "prod-baseline-1_0.json")))
	two, ps := Convert(one, Format2)
	if len(ps) > 0 {
		t.Errorf("converting to 2: %v", ps)
	}
	data, err := Encode(two)
	if err != nil {
		t.Fatal(err)
	}
	two = mustDecode(t, string(data)) // format 2 is closed: decoding proves the names
	if r := two.RuleSets[0].Rules[4]; r.Params[1].Value != "denylist" {
		t.Errorf("rule %+v", r)
	}
	if r := two.RuleSets[1].Rules[0]; r.Trigger != "denylist_partial_match" {
		t.Errorf("rule %+v", r)
	}
	back, _ := Convert(two, Format1)
	// What 1_0 leaves out is filled in; apart from that they are equal.
	want := *one
	want.RuleSets = append([]RuleSet{}, one.RuleSets...)
	want.Mappings = append([]Mapping{}, one.Mappings...)
	want.Mappings[2].RuleSetIDs, want.Mappings[2].HasRuleSetIDs, want.Mappings[2].PolicyID, want.Mappings[2].HasPolicyID = []string{"core-security"}, true, "", false
	if d := cmp.Diff(&want, back); d != "" {
		t.Error(d)
	}
	v2 := mustDecode(t, string(example(t, "prod-baseline-2.json")))
	_, ps = Convert(v2, Format1)
	var got []string
	for i := range ps {
		got = append(got, ps[i].Path)
	}
	if d := cmp.Diff([]string{"$.source_mappings", "$.rule_sets[0].rules[0].recommendation"}, got); d != "" {
		t.Error(d)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(example(f, "prod-baseline-1_0.json"))
	f.Add(example(f, "prod-baseline-2.json"))
	f.Add([]byte(bundleWith(fmt.Sprintf(ruleSay, "STOP"), `{"gate":"echo","trigger_id":"*","expires_on":"x"}`, `,"comment":"c\u0000","extra":[1,{"a":null}]`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, ps, err := Decode(data)
		if err != nil {
			return
		}
		Validate(b, testGates(), testNow)
		if _, err := Evaluate(t.Context(), b, testSubject("nginx:1"), testGates()); err != nil {
			t.Fatal(err)
		}
		if HasErrors(ps) {
			return
		}
		out, err := Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		again, ps, err := Decode(out)
		if err != nil || HasErrors(ps) {
			t.Fatalf("%v %v\n%s", err, ps, out)
		}
		twice, err := Encode(again)
		if err != nil || !bytes.Equal(out, twice) {
			t.Fatalf("%v\n%s\n%s", err, out, twice)
		}
		for _, format := range Formats() {
			c, _ := Convert(b, format)
			if _, err := Encode(c); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"*", "a*b", "regexp:a+", "regexp:(?=", "CVE-*+curl", "*+x"} {
		f.Add(s, "CVE-2020-1+curl")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		if p.re == nil && !strings.Contains(text, "\n") && utf8.ValidString(pattern) && utf8.ValidString(text) {
			if got, want := p.Match(text), p.matchLines(text); got != want {
				t.Fatalf("%q on %q: %v, by regular expression %v", pattern, text, got, want)
			}
		}
		// The index agrees with the pattern.
		s := compileAllowlists(&problems{}, []string{"$"}, []*Allowlist{{Items: []Item{{Gate: "g", TriggerID: pattern}}}})
		if _, item := s.find("g", testNow, text); text != "" && (item != nil) != (p.Match(text) || pattern == text) {
			t.Fatalf("index of %q on %q: %v", pattern, text, item != nil)
		}
	})
}
