package gates

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func retrievedFiles() policy.Gate {
	pathParam := policy.ParamSpec{Name: "path", Type: policy.String, Required: true, Example: "/etc/httpd.conf", Description: "Path of a file that the analysis is configured to keep"}
	return newGate("retrieved_files", "Contents of the files that the analysis is configured to keep",
		trigger{policy.TriggerSpec{Name: "content_not_available", Description: "The file was not kept", Params: []policy.ParamSpec{pathParam}}, retrievedMissing},
		trigger{policy.TriggerSpec{Name: "content_regex", Description: "A word of the file matches a regular expression, or none does", Params: []policy.ParamSpec{pathParam,
			{Name: "regex", Type: policy.Regexp, Required: true, Example: ".*SSlEnabled.*", Description: "Regular expression, matched at the start of each word of the file"},
			{Name: "check", Type: policy.Enum, Required: true, Values: []string{"match", "no_match"}, Example: "match", Description: "Whether to fire when a word matches, or when none does"},
		}}, retrievedContent},
	)
}

type retrievedFile struct {
	content   []byte
	truncated bool
	layer     inventory.Digest
}

func retrieved(s *policy.Subject) (map[string]retrievedFile, error) {
	return policy.Memo2(s, "retrieved files", func() (map[string]retrievedFile, error) {
		facts, err := policy.Facts[policy.RetrievedFile](s, policy.FactRetrievedFile)
		if err != nil {
			return nil, err
		}
		out := map[string]retrievedFile{}
		for i := range facts {
			if f := &facts[i]; !f.Hidden {
				out[f.Path] = retrievedFile{f.Fact.Content, f.Fact.Truncated, s.LayerDigest(f.Layer)}
			}
		}
		return out, nil
	})
}

// retrievedAt is the kept file that a path names, also by way of links.
func retrievedAt(s *policy.Subject, name string) (retrievedFile, bool, error) {
	all, err := retrieved(s)
	if err != nil {
		return retrievedFile{}, false, err
	}
	f, ok := all[policy.Absolute(name)]
	if !ok {
		if at, there := s.Image.Files.Resolve(name); there {
			f, ok = all[policy.Absolute(at.Path)]
		}
	}
	return f, ok, nil
}

func retrievedMissing(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	if _, ok, err := retrievedAt(s, p.Text("path")); ok || err != nil {
		return nil, err
	}
	return []policy.Hit{{Message: "Cannot locate file in the image analysis", Evidence: policy.Evidence{Path: p.Text("path")}}}, nil
}

func retrievedContent(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	name := p.Text("path")
	f, ok, err := retrievedAt(s, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		if _, there := s.Image.Files.Resolve(name); there {
			return unknown("the image has %s, but it was not kept by the analysis", name), nil
		}
		return nil, nil
	}
	re, regex := p.Regexp("regex"), p.Given()["regex"]
	found := false
	for word := range strings.FieldsSeq(string(f.content)) {
		if re.MatchString(word) {
			found = true
			break
		}
	}
	if !found && f.truncated {
		return unknown("only the beginning of %s was kept by the analysis", name), nil
	}
	if found != (p.Text("check") == "match") {
		return nil, nil
	}
	return []policy.Hit{{ID: p.RuleID() + "+file://" + name, Message: fmt.Sprintf("Content regex '%s' check '%s' found in retrieved file '%s'", regex, p.Text("check"), name),
		Evidence: policy.Evidence{Path: name, Layer: f.layer}}}, nil
}
