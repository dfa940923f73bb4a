package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter"
	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/image"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/object"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/report"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// checkFlags are the choices of check about policy and outcome.
type checkFlags struct {
	policy       string
	tag          string
	base         string
	dockerfile   string
	at           string
	detail       bool
	warnExit     int
	allowUnknown bool
}

func (a *app) checkCommand() *cobra.Command {
	source := sourceFlags{facts: true, licenses: true}
	var outputs []string
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check IMAGE",
		Short: "Judge an image by a policy: go, warn or stop",
		Long: `Read an image, match it with what publishers say, and judge it by a policy:
Anchore's bundles of format 1_0 and 2, or one that comes with the program
(` + strings.Join(shippedPolicies(), ", ") + `).

Exit codes: 0 go or warn (--warn-exit changes that of warn), 1 stop, 2 when the
policy asked what could not be told (--allow-unknown makes that 0), 2 for errors.

` + sourceHelp + purlHelp,
		Example: `  tidewaiter check alpine:3.20
  tidewaiter check --policy strict -o table -o junit=check.xml ghcr.io/org/app:1.2
  tidewaiter check --policy bundle.json --tag registry.example.com/org/app:1.2 app.tar
  tidewaiter check --at 2026-05-01 -o verdict-json debian:12
  tidewaiter check -o table -o verdict-record=app.record.gz app.tar && tidewaiter verify app.record.gz`,
		Args:              exactArgs(1, "one image"),
		ValidArgsFunction: completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), a, &source, outputs, args[0])
		},
	}
	source.add(cmd)
	fl := cmd.Flags()
	fl.StringArrayVarP(&outputs, "output", "o", []string{report.Table}, "`FORMAT[=FILE]`, repeatable: "+strings.Join(checkFormats(), ", "))
	fl.StringVar(&f.policy, "policy", "default", "`file` of a bundle, or the name of one that comes with the program: "+strings.Join(shippedPolicies(), ", "))
	fl.StringVar(&f.tag, "tag", "", "`reference` by which the policy's mappings tell the image (default: the one it was read by)")
	fl.StringVar(&f.base, "base", "", "`IMAGE` that this one was built on, for rules that compare with it (default: of the images judged before the one whose layers it begins with)")
	fl.StringVar(&f.dockerfile, "dockerfile", "", "`file` the image was built by; without it one is guessed from the image's history")
	fl.StringVar(&f.at, "at", "", "`instant` to take as now: 2026-05-01 or 2026-05-01T12:00:00Z; what was known then counts")
	fl.BoolVar(&f.detail, "detail", false, "show where each row was found, its remedy and trigger id, and what allowlists silenced")
	fl.IntVar(&f.warnExit, "warn-exit", exitGo, "exit `code` for warn")
	fl.BoolVar(&f.allowUnknown, "allow-unknown", false, "exit as the verdict says when the policy asked what could not be told")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(checkFormats(), cobra.ShellCompDirectiveNoSpace))
	cmd.RegisterFlagCompletionFunc("policy", cobra.FixedCompletions(shippedPolicies(), cobra.ShellCompDirectiveDefault))
	return cmd
}

func (f *checkFlags) run(ctx context.Context, a *app, source *sourceFlags, outputs []string, arg string) error {
	outs, err := parseOutputs(outputs, checkFormats())
	if err != nil {
		return err
	}
	for _, o := range outs {
		if o.format == report.Template {
			return errors.New("-o template: verdicts have no templates yet; use -o verdict-json")
		}
	}
	if f.warnExit < 0 || f.warnExit > 125 {
		return fmt.Errorf("--warn-exit %d: use 0 to 125", f.warnExit)
	}
	now := time.Now()
	var o engine.ScanOptions
	if f.at != "" {
		if now, err = parseInstant(f.at); err != nil {
			return fmt.Errorf("--at: %w", err)
		}
		o.AsOf = now
	}
	bundle, err := a.openPolicy(f.policy)
	if err != nil {
		return err
	}
	feeds, done, err := a.feeds(ctx)
	if err != nil {
		return err
	}
	defer done()
	if !source.noCache {
		defer a.keepMatches(ctx, feeds)()
	}
	feeds.Now = func() time.Time { return now }
	img, err := a.input(ctx, source, arg)
	if err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	q := engine.Question{Image: img, Bundle: bundle, Tag: f.tagOf(arg, img), Now: now, AsOf: o.AsOf}
	if f.base != "" {
		if q.Base, err = a.input(ctx, source, f.base); err != nil {
			return fmt.Errorf("--base %s: %w", f.base, err)
		}
	}
	if f.dockerfile != "" {
		if q.Dockerfile, err = readDockerfile(f.dockerfile); err != nil {
			return fmt.Errorf("--dockerfile: %w", err)
		}
	}
	if q.Scan, err = feeds.Scan(ctx, img, o); err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	gates, err := a.gates(ctx)
	if err != nil {
		return err
	}
	judge := engine.Judge{Gates: gates, Looked: slices.Concat(source.looked(), a.host.Facts()), Feeds: feeds}
	if !source.noCache {
		if judge.Inventories, err = f.inventories(a, source, feeds.DB); err != nil {
			return err
		}
	}
	subject, err := judge.Subject(ctx, q)
	if err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	v, err := policy.Evaluate(ctx, bundle, subject, judge.Gates)
	if err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	if f.at == "" { // what is judged as of another day is not seen on that day
		if err := judge.Remember(ctx, img, &v, q.Tag); err != nil {
			a.log.Warn("check: later images cannot be compared with this one", "error", err)
		}
	}
	a.code = f.exitCode(&v)
	return a.writeOutputs(outs, output.options, func(w writer, o output, _ report.Options) error {
		if o.format == verdictRecord {
			return writeRecord(w, o.file, subject, bundle, &v, judge.Gates)
		}
		return report.WriteVerdict(w, o.format, &v, bundle, report.VerdictOptions{Image: arg, Detail: f.detail, ToolVersion: version()})
	})
}

// inventories makes what reads inventories of remembered layers.
func (f *checkFlags) inventories(a *app, source *sourceFlags, db *store.DB) (*engine.Engine, error) {
	dir, err := a.data()
	if err != nil {
		return nil, err
	}
	e, err := source.engine(a)
	if err != nil {
		return nil, err
	}
	e.Layers = &store.Layers{DB: db, Objects: object.Folder{Dir: filepath.Join(dir, "objects")}}
	return e, nil
}

// maxDockerfile is the size of the largest Dockerfile that is taken.
const maxDockerfile = 4 << 20

func readDockerfile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxDockerfile+1))
	switch {
	case err != nil:
		return "", err
	case len(data) > maxDockerfile:
		return "", fmt.Errorf("%s is larger than %d bytes", name, maxDockerfile)
	case strings.TrimSpace(string(data)) == "":
		return "", fmt.Errorf("%s is empty", name)
	}
	return string(data), nil
}

// tagOf is the tag to judge by: the one given, that of a registry or daemon, or
// the first of an archive's own; "" where there is none.
func (f *checkFlags) tagOf(arg string, img *inventory.Image) string {
	if f.tag != "" {
		return f.tag
	}
	if ref, err := image.ParseRef(arg); err == nil {
		switch ref.Kind {
		case image.Registry, image.Docker, image.Podman, image.Containerd:
			return ref.Name
		}
	}
	if len(img.Tags) > 0 {
		return img.Tags[0]
	}
	return ""
}

// onlyUnasked reports whether nothing but questions that could not be asked, as
// of a plugin that broke, stops the image: no rule said so.
func onlyUnasked(v *policy.Verdict) bool {
	unasked := false
	for i := range v.Problems {
		if v.Problems[i].IsError() {
			if v.Problems[i].Type != policy.TriggerEvaluation {
				return false
			}
			unasked = true
		}
	}
	return unasked && v.Reason == policy.ByPolicy && !slices.ContainsFunc(v.Rows, func(r policy.Row) bool { return r.Action == policy.Stop })
}

// exitCode is 1 for stop whatever else is so: more knowledge would not make it
// a pass. Where a list of images decided, no rule's question matters.
func (f *checkFlags) exitCode(v *policy.Verdict) int {
	switch {
	case v.Action == policy.Stop && onlyUnasked(v):
		return exitUnknown
	case v.Action == policy.Stop:
		return exitStop
	case v.Reason == policy.ByPolicy && len(v.Unknowns) > 0 && !f.allowUnknown:
		return exitUnknown
	case v.Action == policy.Warn:
		return f.warnExit
	}
	return exitGo
}

// looked are the kinds of facts that are looked for in an image.
func (s *sourceFlags) looked() []string {
	if !s.facts {
		return nil
	}
	out := []string{policy.FactSecret, policy.FactAccount, policy.FactAccountFile, policy.FactSecretMatch, policy.FactMisconfigured, policy.FactPackageFile}
	if s.search.contents {
		out = append(out, policy.FactContentMatch)
	}
	return out
}

const policyFolder = "examples/policies"

// shippedPolicies are the names of the policies that come with the program.
func shippedPolicies() []string {
	files, err := fs.Glob(tidewaiter.Policies, policyFolder+"/*.json")
	if err != nil {
		return nil
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, policyFolder+"/"), ".json")
	}
	return files
}

// readPolicy reads a bundle: standard input for "-", a file, else one that
// comes with the program.
func (a *app) readPolicy(name string) ([]byte, error) {
	var in io.Reader = a.in
	if name != "-" {
		file, err := os.Open(name)
		switch {
		case err == nil:
			defer file.Close()
			in = file
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("policy: %w", err)
		case slices.Contains(shippedPolicies(), name):
			return tidewaiter.Policies.ReadFile(policyFolder + "/" + name + ".json")
		default:
			return nil, fmt.Errorf("policy %s: no such file, and no policy of that name comes with the program; there are %s", name, strings.Join(shippedPolicies(), ", "))
		}
	}
	// One byte more than Decode takes, so that it can say so.
	data, err := io.ReadAll(io.LimitReader(in, policy.MaxBundleSize+1))
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", name, err)
	}
	return data, nil
}

// openPolicy reads a bundle to judge by. What is wrong with its form is an
// error that names everything; what is wrong with its meaning is in verdicts.
func (a *app) openPolicy(name string) (*policy.Bundle, error) {
	b, problems, err := a.decodePolicy(name)
	if err != nil {
		return nil, err
	}
	return b, problemError(name, problems)
}

func (a *app) decodePolicy(name string) (*policy.Bundle, []policy.Problem, error) {
	data, err := a.readPolicy(name)
	if err != nil {
		return nil, nil, err
	}
	b, problems, err := policy.Decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("policy %s: %w", name, err)
	}
	return b, problems, nil
}

// problemError is all errors among the problems as one, nil without any.
func problemError(name string, problems []policy.Problem) error {
	var lines []string
	for i := range problems {
		if problems[i].IsError() {
			lines = append(lines, "  "+problems[i].String())
		}
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("policy %s cannot be used:\n%s", name, clean(strings.Join(lines, "\n")))
}
