package gates

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func files() policy.Gate {
	equals := func(name, description string) policy.ParamSpec {
		return policy.ParamSpec{Name: name, Type: policy.Enum, Values: []string{"equals", "not_equals"}, Default: "equals", Example: "not_equals", Description: description}
	}
	return newGate("files", "The image's files: their names, attributes and contents",
		trigger{policy.TriggerSpec{Name: "content_regex_match", Description: "A configured content search matched", Params: []policy.ParamSpec{
			{Name: "regex_name", Type: policy.String, Example: "CONTACT=.*@example.com", Description: "Name or whole expression of a configured search; without it all count"},
		}}, contentRegexMatch},
		trigger{policy.TriggerSpec{Name: "name_match", Description: "A path matches a regular expression", Params: []policy.ParamSpec{
			{Name: "regex", Type: policy.Regexp, Required: true, Example: `.*\.pem`, Description: "Regular expression, matched at the start of the whole path"},
		}}, nameMatch},
		trigger{policy.TriggerSpec{Name: "attribute_match", Description: "A file has, or has not, a checksum or mode", Prepare: prepareAttributes, Params: []policy.ParamSpec{
			{Name: "filename", Type: policy.Path, Required: true, Example: "/etc/passwd", Description: "Absolute path"},
			{Name: "checksum_algorithm", Type: policy.Enum, Values: []string{"sha256"}, Default: "sha256", Example: "sha256", Description: "Algorithm of the checksum"},
			{Name: "checksum", Type: policy.String, Example: "832cd0f75b227d13aac82b1f70b7f90191a4186c151f9db50851d209c45ede11", Description: "Checksum in hexadecimal digits"},
			equals("checksum_match", "How to compare the checksum"),
			{Name: "mode", Type: policy.Octal, Example: "00644", Description: "Permissions in octal digits"},
			equals("mode_op", "How to compare the mode"),
			{Name: "skip_missing", Type: policy.Bool, Default: "true", Example: "true", Description: "Do not fire when the file is not there"},
		}}, attributeMatch},
		trigger{policy.TriggerSpec{Name: "suid_or_guid_set", Description: "A file is setuid or setgid"}, setID},
		trigger{policy.TriggerSpec{Name: "owner", Description: "A file belongs, or does not belong, to given users or groups", Prepare: prepareOwner, Params: []policy.ParamSpec{
			{Name: "regex", Type: policy.Regexp, Required: true, Example: "/app/.*", Description: "Regular expression, matched at the start of the whole path"},
			{Name: "user_ids", Type: policy.NumberList, Example: "0", Description: "User ids"},
			{Name: "group_ids", Type: policy.NumberList, Example: "0", Description: "Group ids"},
			{Name: "type", Type: policy.Enum, Values: []string{"blacklist", "whitelist"}, Values2: []string{"denylist", "allowlist"}, Default: "blacklist", Example: "blacklist", Description: "Whether the lists say what is denied or what is allowed"},
		}}, fileOwner},
		trigger{policy.TriggerSpec{Name: "world_writable", Description: "Anybody may write to a file, or to a directory without the sticky bit", Params: []policy.ParamSpec{
			{Name: "exclude", Type: policy.Regexp, Example: "/tmp/.*", Description: "Regular expression, matched at the start of the whole path, of what does not count"},
		}}, worldWritable},
		capabilitiesTrigger(),
		deviceNodesTrigger(),
	)
}

// fileEvidence tells where a file is from.
func fileEvidence(s *policy.Subject, f *inventory.File) policy.Evidence {
	return policy.Evidence{Path: "/" + f.Path, Layer: s.LayerDigest(f.Layer)}
}

func contentRegexMatch(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if !s.Looked(policy.FactContentMatch) {
		return unknown("the contents of files were not searched"), nil
	}
	facts, err := policy.Facts[policy.ContentMatch](s, policy.FactContentMatch)
	if err != nil {
		return nil, err
	}
	name := p.Text("regex_name")
	var out []policy.Hit
	for i := range facts {
		f := &facts[i]
		if f.Hidden || name != "" && name != f.Fact.Name && name != f.Fact.Expression && name != f.Fact.Label() {
			continue
		}
		out = append(out, policy.Hit{Message: fmt.Sprintf("File content analyzer found regexp match in container: file=%s regexp=%s", f.Path, f.Fact.Label()), Evidence: matchEvidence(s, f)})
	}
	return out, nil
}

func matchEvidence(s *policy.Subject, f *policy.Located[policy.ContentMatch]) policy.Evidence {
	e := policy.Evidence{Path: f.Path, Layer: s.LayerDigest(f.Layer)}
	if len(f.Fact.Lines) > 0 {
		e.Line = f.Fact.Lines[0] + 1
	}
	return e
}

func nameMatch(ctx context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	re, text := p.Regexp("regex"), p.Given()["regex"]
	var out []policy.Hit
	n := 0
	for f := range s.Image.Files.All() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f.Path != "" && re.MatchString("/"+f.Path) {
			out = append(out, policy.Hit{Message: fmt.Sprintf("Application of regex matched file found in container: file=/%s regexp=%s", f.Path, text), Evidence: fileEvidence(s, &f)})
		}
	}
	return out, nil
}

func prepareAttributes(p policy.Params) (any, error) {
	sum := strings.ToLower(p.Text("checksum"))
	if sum == "" {
		return sum, nil
	}
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("parameter checksum: %q is no SHA-256 in hexadecimal digits", p.Text("checksum"))
	}
	return sum, nil
}

func attributeMatch(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	name := p.Text("filename")
	f, ok := s.Image.Files.Lookup(strings.Trim(name, "/"))
	if !ok {
		if p.Bool("skip_missing") {
			return nil, nil
		}
		return hit(fmt.Sprintf("filename=%s and skip_missing=False", name)), nil
	}
	message := "filename=" + name
	tested := false
	if want, _ := p.Prepared().(string); want != "" {
		actual := "None"
		if f.Type == inventory.Regular {
			actual = hex.EncodeToString(f.SHA256[:])
		}
		op := p.Text("checksum_match")
		if (actual == want) != (op == "equals") {
			return nil, nil
		}
		message += fmt.Sprintf(" and checksum=%s op=%s specified_checksum=%s", actual, op, p.Text("checksum"))
		tested = true
	}
	if p.Has("mode") {
		actual, want, op := int64(f.Perm), p.Int("mode"), p.Text("mode_op")
		if (actual == want) != (op == "equals") {
			return nil, nil
		}
		message += fmt.Sprintf(" and mode=%s op=%s specified_mode=%s", octal(actual), op, octal(want))
		tested = true
	}
	if !tested {
		return nil, nil
	}
	return []policy.Hit{{Message: message, Evidence: fileEvidence(s, &f)}}, nil
}

func octal(n int64) string { return "0o" + strconv.FormatInt(n, 8) }

func setID(ctx context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	var out []policy.Hit
	n := 0
	for f := range s.Image.Files.All() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f.Type == inventory.Regular && f.Perm&0o6000 != 0 {
			out = append(out, policy.Hit{Message: fmt.Sprintf("SUID or SGID found set on file /%s. Mode: %s", f.Path, octal(0o100000|int64(f.Perm))), Evidence: fileEvidence(s, &f),
				Remedy: "Remove the bits in the step that brings the file: chmod a-s /" + f.Path})
		}
	}
	return out, nil
}

func prepareOwner(p policy.Params) (any, error) {
	if !p.Has("user_ids") && !p.Has("group_ids") {
		return nil, fmt.Errorf("one of the parameters user_ids and group_ids is required")
	}
	return nil, nil
}

func fileOwner(ctx context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	re, users, groups, allowed := p.Regexp("regex"), p.Numbers("user_ids"), p.Numbers("group_ids"), p.Text("type") == "whitelist"
	var out []policy.Hit
	n := 0
	for f := range s.Image.Files.All() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f.Path == "" || !re.MatchString("/"+f.Path) {
			continue
		}
		user := users != nil && slices.Contains(users, int64(f.UID)) != allowed
		group := groups != nil && slices.Contains(groups, int64(f.GID)) != allowed
		if user || group {
			out = append(out, policy.Hit{Message: fmt.Sprintf("File /%s belongs to uid %d, gid %d, which is not allowed", f.Path, f.UID, f.GID), Evidence: fileEvidence(s, &f)})
		}
	}
	return out, nil
}

func worldWritable(ctx context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	exclude := p.Regexp("exclude")
	var out []policy.Hit
	n := 0
	for f := range s.Image.Files.All() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f.Perm&0o002 == 0 || f.Type != inventory.Regular && (f.Type != inventory.Directory || f.Perm&0o1000 != 0) || exclude != nil && exclude.MatchString("/"+f.Path) {
			continue
		}
		out = append(out, policy.Hit{Message: fmt.Sprintf("Anybody may write to %s /%s. Mode: %s", f.Type, f.Path, octal(int64(f.Perm))), Evidence: fileEvidence(s, &f)})
	}
	return out, nil
}
