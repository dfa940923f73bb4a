package gates

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func secretScans() policy.Gate {
	return newGate("secret_scans", "What the configured search for secrets found",
		trigger{policy.TriggerSpec{Name: "content_regex_checks", Description: "A configured expression matched a file, or none did", Params: []policy.ParamSpec{
			{Name: "content_regex_name", Type: policy.String, Example: "AWS_ACCESS_KEY", Description: "Names of configured expressions, such as AWS_ACCESS_KEY, AWS_SECRET_KEY, PRIV_KEY, DOCKER_AUTH, API_KEY; without it all count"},
			{Name: "filename_regex", Type: policy.Regexp, Example: "/etc/.*", Description: "Regular expression, matched at the start of the path"},
			{Name: "match_type", Type: policy.Enum, Values: []string{"found", "notfound"}, Default: "found", Example: "found", Description: "Whether to fire on what is found, or when nothing is"},
		}}, secretContent},
	)
}

func secretContent(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if !s.Looked(policy.FactSecretMatch) {
		return unknown("files were not searched for secrets"), nil
	}
	facts, err := policy.Facts[policy.ContentMatch](s, policy.FactSecretMatch)
	if err != nil {
		return nil, err
	}
	names, re := p.Text("content_regex_name"), p.Regexp("filename_regex")
	var out []policy.Hit
	for i := range facts {
		f := &facts[i]
		// The parameter may hold several names: any that contains the
		// expression's counts.
		if f.Hidden || names != "" && !strings.Contains(names, f.Fact.Name) || re != nil && !re.MatchString(f.Path) {
			continue
		}
		out = append(out, policy.Hit{Message: fmt.Sprintf("Secret content search analyzer found regexp match in container: file=%s regexp=%s", f.Path, f.Fact.Label()), Evidence: matchEvidence(s, f),
			Remedy: "Remove the secret from the image and replace it where it is used"})
	}
	if p.Text("match_type") != "notfound" {
		return out, nil
	}
	if len(out) > 0 {
		return nil, nil
	}
	file, name := "*", "all"
	if re != nil {
		file = p.Given()["filename_regex"]
	}
	if names != "" {
		name = names
	}
	return hit(fmt.Sprintf("Secret content search analyzer did not find regexp match in container: filename_regex=%s content_regex_name=%s", file, name)), nil
}

func secrets() policy.Gate {
	return newGate("secrets", "Secrets in files of any layer, environment, labels, history and build arguments",
		trigger{policy.TriggerSpec{Name: "found", Description: "A secret was found with at least the given confidence", Params: []policy.ParamSpec{
			{Name: "min_confidence", Type: policy.Float, Default: "0.5", Example: "0.8", Description: "Least confidence, 0 to 1"},
			{Name: "max_confidence", Type: policy.Float, Example: "0.8", Description: "Confidence that is too much, 0 to 1: for rules on what another rule does not take"},
			{Name: "validity", Type: policy.List, Example: "valid,unknown", Description: "What is known of the secret's validity: valid, invalid, expired, unknown; without it all count"},
			{Name: "rules", Type: policy.List, Example: "aws-access-key,private-key", Description: "Ids of rules; without it all count"},
			{Name: "categories", Type: policy.List, Example: "token,private-key", Description: "Categories of rules: token, private-key, key-store, password, url-password, connection-string, jwt, generic; without it all count"},
			{Name: "encrypted", Type: policy.Bool, Default: "true", Example: "false", Description: "Also what a passphrase protects"},
			{Name: "exclude", Type: policy.Regexp, Example: "/usr/share/doc/.*", Description: "Regular expression, matched at the start of the path, of what does not count"},
			{Name: "hidden", Type: policy.Bool, Default: "true", Example: "false", Description: "Also secrets of files that a later layer removed; who has the image has those, too"},
			{Name: "examples", Type: policy.Bool, Default: "false", Example: "true", Description: "Also those of documentation and test fixtures"},
		}}, secretFound},
	)
}

func secretFound(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if !s.Looked(policy.FactSecret) {
		return unknown("the image was not searched for secrets"), nil
	}
	facts, err := policy.Facts[policy.Secret](s, policy.FactSecret)
	if err != nil {
		return nil, err
	}
	validity, rules, categories, exclude := wanted(p.List("validity")), wanted(p.List("rules")), wanted(p.List("categories")), p.Regexp("exclude")
	var out []policy.Hit
	for i := range facts {
		f := &facts[i]
		state := f.Fact.Validity
		if state == "" {
			state = "unknown"
		}
		if f.Fact.Confidence < p.Float("min_confidence") || p.Has("max_confidence") && f.Fact.Confidence >= p.Float("max_confidence") || f.Hidden && !p.Bool("hidden") || f.Fact.Example && !p.Bool("examples") ||
			validity != nil && !validity[state] || rules != nil && !rules[f.Fact.Rule] || categories != nil && !categories[f.Fact.Category] || f.Fact.Encrypted && !p.Bool("encrypted") || exclude != nil && exclude.MatchString(f.Path) {
			continue
		}
		where, place := f.Path, f.Path
		if f.Fact.Where != "" && f.Fact.Where != "file" {
			where = secretPlace(&f.Fact)
			place = f.Fact.Where + ":" + f.Fact.Name
		}
		message := fmt.Sprintf("Secret %s found in %s", f.Fact.Rule, where)
		if f.Fact.Line > 0 {
			message += fmt.Sprintf(" line %d", f.Fact.Line)
		}
		if f.Hidden {
			message += " (removed by a later layer)"
		}
		out = append(out, policy.Hit{ID: f.Fact.Rule + "+" + place, Message: message, Remedy: "Revoke the secret, and build the image without it",
			Evidence: policy.Evidence{Path: f.Path, Line: f.Fact.Line, Layer: s.LayerDigest(f.Layer), Detail: fmt.Sprintf("confidence %.2f, validity %s", f.Fact.Confidence, state)}})
	}
	return out, nil
}

// secretPlace says where in the image configuration a secret stands.
func secretPlace(s *policy.Secret) string {
	where := map[string]string{"env": "environment variable", "label": "label", "argument": "build argument", "history": "the image's history", "command": "the image's command"}[s.Where]
	if where == "" {
		where = "image " + s.Where
	}
	if s.Name != "" && s.Where != "history" {
		where += " " + s.Name
	}
	return where
}
