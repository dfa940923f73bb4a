package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// caseResult is what came of one case.
type caseResult struct {
	File        string        `json:"file"`
	Name        string        `json:"name"`
	Passed      bool          `json:"passed"`
	Differences []string      `json:"differences,omitempty"`
	Error       string        `json:"error,omitempty"` // why it could not be judged
	Action      policy.Action `json:"action,omitempty"`
	Rows        int           `json:"rows"`
}

func (a *app) policyTestCommand() *cobra.Command {
	source := sourceFlags{facts: true, scope: "squashed"}
	var asJSON, verbose bool
	var only string
	cmd := &cobra.Command{
		Use: "test FILE...", Short: "Try policies on images and compare with what they have to say", Args: atLeast(1, "a file of cases"),
		Long: `Try policies on images and compare with what they have to say. FILE is YAML or
JSON: cases, each with a policy, an image and what is expected. The image is
given in the case itself (distribution, packages, findings, files, Dockerfile),
or it is an image, an inventory of "sbom -o json", or a record of
"check -o verdict-record". docs/policy.md describes every member.

  policy: strict
  now: 2026-05-01T00:00:00Z
  cases:
    - name: a known vulnerability with a fix stops
      given:
        distro: {id: debian, version: "12"}
        packages: ["pkg:deb/debian/openssl@3.0.11-1~deb12u2?distro=debian-12"]
        findings: [{id: CVE-2024-0727, package: openssl, severity: high, fixed: 3.0.13-1}]
        dataAge: 0
      expect:
        action: stop
        rows: [{gate: vulnerabilities, action: stop, id: CVE-2024-0727+openssl}]

Exit code 0 when every case is as expected, 1 when one is not, 2 when one could
not be judged.`,
		Example: "  tidewaiter policy test cases.yaml\n  tidewaiter policy test --run 'openssl' --json cases/*.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			pick, err := regexp.Compile(only)
			if err != nil {
				return fmt.Errorf("--run: %w", err)
			}
			var results []caseResult
			for _, name := range args {
				list, err := a.testFile(cmd.Context(), &source, name, pick)
				if err != nil {
					return err
				}
				results = append(results, list...)
			}
			if len(results) == 0 {
				return fmt.Errorf("--run %s: no case has such a name", only)
			}
			failed, broken := 0, 0
			var out strings.Builder
			for _, r := range results {
				switch {
				case r.Error != "":
					broken++
					fmt.Fprintf(&out, "ERROR %s: %s\n      %s\n", r.File, r.Name, strings.ReplaceAll(r.Error, "\n", "\n      "))
				case !r.Passed:
					failed++
					fmt.Fprintf(&out, "FAIL  %s: %s\n", r.File, r.Name)
					for _, d := range r.Differences {
						fmt.Fprintf(&out, "      %s\n", strings.ReplaceAll(d, "\n", "\n      "))
					}
				case verbose:
					fmt.Fprintf(&out, "ok    %s: %s (%s, %d rows)\n", r.File, r.Name, r.Action, r.Rows)
				}
			}
			fmt.Fprintf(&out, "%d cases: %d as expected, %d not, %d could not be judged\n", len(results), len(results)-failed-broken, failed, broken)
			switch {
			case broken > 0:
				a.code = exitUnknown
			case failed > 0:
				a.code = exitStop
			}
			if asJSON {
				return a.printJSON(map[string]any{"passed": failed+broken == 0, "cases": results})
			}
			_, err = io.WriteString(a.out, clean(out.String()))
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.BoolVarP(&verbose, "verbose", "v", false, "also name the cases that are as expected")
	f.StringVar(&only, "run", "", "only cases whose name this regular `expression` matches")
	f.BoolVar(&source.noCache, "no-cache", false, "read every layer of images, remember nothing")
	return cmd
}

// testFile tries the cases of one file.
func (a *app) testFile(ctx context.Context, source *sourceFlags, name string, pick *regexp.Regexp) ([]caseResult, error) {
	in := a.in
	dir := "."
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in, dir = file, filepath.Dir(name)
	}
	suite, err := engine.ReadSuite(in)
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", name, err)
	}
	t := tester{app: a, source: source, dir: dir, bundles: map[string]*policy.Bundle{}, known: policy.Cache{Gates: policyGates()}}
	var out []caseResult
	for i := range suite.Cases {
		c := &suite.Cases[i]
		if !pick.MatchString(c.Name) {
			continue
		}
		r := caseResult{File: name, Name: c.Name}
		var v policy.Verdict
		if r.Differences, v, err = t.run(ctx, c); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			r.Error = err.Error()
		} else {
			r.Passed, r.Action, r.Rows = len(r.Differences) == 0, v.Action, len(v.Rows)
		}
		out = append(out, r)
	}
	return out, nil
}

// tester tries the cases of one file; policies are read once.
type tester struct {
	app     *app
	source  *sourceFlags
	dir     string // of the file: names in it are looked for there
	bundles map[string]*policy.Bundle
	known   policy.Cache
}

func (t *tester) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(t.dir, name)
}

func (t *tester) bundle(name string) (*policy.Bundle, error) {
	if b := t.bundles[name]; b != nil {
		return b, nil
	}
	file := name
	if _, err := os.Stat(t.beside(name)); err == nil {
		file = t.beside(name)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else if !slices.Contains(shippedPolicies(), name) {
		return nil, fmt.Errorf("policy %s: there is no such file beside the cases, and no policy of that name comes with the program", name)
	}
	b, err := t.app.openPolicy(file)
	if err == nil {
		t.bundles[name] = b
	}
	return b, err
}

func (t *tester) run(ctx context.Context, c *engine.Case) ([]string, policy.Verdict, error) {
	var v policy.Verdict
	var b *policy.Bundle
	var err error
	if c.Policy != "" {
		if b, err = t.bundle(c.Policy); err != nil {
			return nil, v, err
		}
	}
	s, b, err := t.subject(ctx, c, b)
	if err != nil {
		return nil, v, err
	}
	return c.Evaluate(ctx, s, b, &t.known)
}

// subject is what a case is about, and the policy it is judged by: a record
// has its own where the case names none.
func (t *tester) subject(ctx context.Context, c *engine.Case, b *policy.Bundle) (*policy.Subject, *policy.Bundle, error) {
	now := time.Now()
	if c.Now != nil {
		now = *c.Now
	}
	switch {
	case c.Given != nil:
		s, err := c.Given.Subject(c.Tag, now)
		return s, b, err
	case c.Record != "":
		in, err := os.Open(t.beside(c.Record))
		if err != nil {
			return nil, nil, err
		}
		defer in.Close()
		r, err := policy.ReadRecord(in)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Record, err)
		}
		s, err := r.Subject()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Record, err)
		}
		if c.Now != nil {
			s.Now = now
		}
		if c.Tag != "" {
			s.Tag = c.Tag
		}
		if b == nil {
			var problems []policy.Problem
			if b, problems, err = policy.Decode(r.Bundle); err == nil {
				err = problemError("of "+c.Record, problems)
			}
		}
		return s, b, err
	}
	feeds, done, err := t.app.feeds(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	feeds.Now = func() time.Time { return now }
	q := engine.Question{Bundle: b, Tag: c.Tag, Now: now}
	if c.Inventory != "" {
		in, err := os.Open(t.beside(c.Inventory))
		if err != nil {
			return nil, nil, err
		}
		defer in.Close()
		if q.Image, _, err = bom.Read(in, bom.Limits{}); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Inventory, err)
		}
	} else {
		source := *t.source
		ref := c.Image
		if kind, name, ok := strings.Cut(c.Image, ":"); ok && slices.Contains([]string{"oci-dir", "oci-archive", "docker-archive", "dir", "sbom"}, kind) {
			ref = kind + ":" + t.beside(name)
		}
		if q.Image, err = t.app.input(ctx, &source, ref); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", c.Image, err)
		}
		if q.Tag == "" {
			q.Tag = (&checkFlags{}).tagOf(c.Image, q.Image)
		}
	}
	if q.Scan, err = feeds.Scan(ctx, q.Image, engine.ScanOptions{}); err != nil {
		return nil, nil, err
	}
	judge := engine.Judge{Gates: t.known.Gates, Looked: t.source.looked(), Feeds: feeds}
	s, err := judge.Subject(ctx, q)
	return s, b, err
}
