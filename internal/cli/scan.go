package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/report"
)

// scanFlags are the choices of scan and explain about findings.
type scanFlags struct {
	failOn       string
	onlyFixed    bool
	vex          []string
	asOf         string
	ignoreFile   string
	suppressed   bool
	allowUnknown bool
}

const purlHelp = `
  purl:PKG              one package, as a package URL
  purls:FILE            package URLs, one a line, with the qualifiers distro,
                        arch, upstream and epoch; "-" reads standard input`

func (a *app) scanCommand() *cobra.Command {
	var source sourceFlags
	var outputs []string
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan IMAGE",
		Short: "Say what is vulnerable inside an image, and what could not be told",
		Long: `Read an image, every layer once, and match its packages with what publishers
say (tidewaiter feed update gets it). A distribution nobody speaks of, missing
or stale data are said as such: they are never "no vulnerability".

Exit codes: 0; 1 when --fail-on finds something; else 2 when something could not
be judged (--allow-unknown makes that 0); 2 for errors.

` + sourceHelp + purlHelp,
		Example: `  tidewaiter scan alpine:3.20
  tidewaiter scan -o table -o sarif=scan.sarif --fail-on high --only-fixed ghcr.io/org/app:1.2
  tidewaiter scan --vex app.openvex.json --ignore-file .tidewaiter-ignore.yaml app.tar
  tidewaiter scan --as-of 2026-05-01 debian:12
  tidewaiter scan purl:pkg:npm/lodash@4.17.20
  tidewaiter scan sbom:bom.json`,
		Args:              exactArgs(1, "one image"),
		ValidArgsFunction: completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			outs, err := parseOutputs(outputs, report.ScanFormats())
			if err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return err
			}
			source.noFiles = !slices.ContainsFunc(outs, output.ofFiles)
			s, err := f.scan(cmd.Context(), a, &source, args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			a.code = f.exitCode(s)
			if f.onlyFixed {
				s.Findings = slices.DeleteFunc(s.Findings, func(x match.Finding) bool { return x.Fix.State != advisory.Fixed })
			}
			return a.writeScan(outs, s, f.suppressed)
		},
	}
	source.add(cmd)
	addOutputs(cmd, &outputs, report.ScanFormats())
	fl := cmd.Flags()
	fl.StringVar(&f.failOn, "fail-on", "", "exit 1 when a finding has this `severity` or a higher one: negligible, low, medium, high, critical")
	fl.BoolVar(&f.onlyFixed, "only-fixed", false, "leave out what has no fix; --fail-on then counts only what has one")
	f.decisions(fl)
	fl.BoolVar(&f.suppressed, "show-suppressed", false, "list findings that do not count, with the reason")
	fl.BoolVar(&f.allowUnknown, "allow-unknown", false, "exit 0 instead of 2 when something could not be judged")
	cmd.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions([]string{"negligible", "low", "medium", "high", "critical"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (f *scanFlags) check() error {
	if f.failOn != "" && advisory.Level(f.failOn).Rank() < 1 {
		return fmt.Errorf("--fail-on %s: use negligible, low, medium, high or critical", f.failOn)
	}
	return nil
}

// options reads what the flags name.
func (f *scanFlags) options() (o engine.ScanOptions, err error) {
	if f.asOf != "" {
		if o.AsOf, err = parseInstant(f.asOf); err != nil {
			return o, fmt.Errorf("--as-of: %w", err)
		}
	}
	for _, name := range f.vex {
		statements, err := readVEX(name)
		if err != nil {
			return o, fmt.Errorf("--vex: %w", err)
		}
		o.Statements = append(o.Statements, statements...)
	}
	if f.ignoreFile != "" {
		in, err := os.Open(f.ignoreFile)
		if err != nil {
			return o, fmt.Errorf("--ignore-file: %w", err)
		}
		o.Ignore, err = engine.ReadIgnore(in)
		in.Close()
		if err != nil {
			return o, fmt.Errorf("--ignore-file %s: %w", f.ignoreFile, err)
		}
	}
	return o, nil
}

// decisions adds the flags of what findings are judged by besides advisories.
func (f *scanFlags) decisions(fl *pflag.FlagSet) {
	fl.StringArrayVar(&f.vex, "vex", nil, "VEX `file` to apply: OpenVEX, CSAF, CycloneDX (repeatable)")
	fl.StringVar(&f.asOf, "as-of", "", "`instant` to take as now: 2026-05-01 or 2026-05-01T12:00:00Z; what was known then counts")
	fl.StringVar(&f.ignoreFile, "ignore-file", "", "YAML `file` of findings to ignore, each with a reason and best an end")
}

// scan reads the input and matches it.
func (f *scanFlags) scan(ctx context.Context, a *app, source *sourceFlags, arg string) (*match.Scan, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	feeds, done, err := a.feeds(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if !source.noCache {
		defer a.keepMatches(ctx, feeds)()
	}
	img, err := a.input(ctx, source, arg)
	if err != nil {
		return nil, err
	}
	return feeds.Scan(ctx, img, o)
}

// input reads an image, or the packages that purl: and purls: name.
func (a *app) input(ctx context.Context, source *sourceFlags, arg string) (*inventory.Image, error) {
	if rest, ok := strings.CutPrefix(arg, "purl:"); ok {
		return engine.ReadPURLs(strings.NewReader(rest), arg)
	}
	if name, ok := strings.CutPrefix(arg, "purls:"); ok {
		if name == "-" {
			return engine.ReadPURLs(a.in, arg)
		}
		in, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		return engine.ReadPURLs(in, arg)
	}
	return source.inventory(ctx, a, arg)
}

// exitCode is 1 when --fail-on found something, else 2 when something could
// not be judged: missing data is never a pass.
func (f *scanFlags) exitCode(s *match.Scan) int {
	for i := range s.Findings {
		x := &s.Findings[i]
		if f.failOn != "" && x.Suppressed == "" && x.Severity.Rank() >= advisory.Level(f.failOn).Rank() && (!f.onlyFixed || x.Fix.State == advisory.Fixed) {
			return exitStop
		}
	}
	if f.allowUnknown {
		return exitGo
	}
	if s.Distro.State != match.Judged {
		return exitUnknown
	}
	for _, p := range s.States {
		switch p.State {
		case match.UnknownDistro, match.NoData, match.Stale, match.BadVersion:
			return exitUnknown
		}
	}
	return exitGo
}

func (a *app) writeScan(outs []output, s *match.Scan, suppressed bool) error {
	return a.writeOutputs(outs, func(o output) (report.Options, error) {
		opts, err := o.options()
		opts.Suppressed = suppressed
		return opts, err
	}, func(w writer, o output, opts report.Options) error { return report.WriteScan(w, o.format, s, opts) })
}

func (a *app) explainCommand() *cobra.Command {
	source := sourceFlags{noFiles: true}
	var f scanFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain IMAGE ID",
		Short: "Say why a vulnerability is reported for an image, or why it is not",
		Long:  "Show step by step how a vulnerability was compared with the packages of an image:\nfile, package, key, record, range, comparison. Also for one that is not reported,\nand what a VEX statement or an ignore rule did about it.\n\n" + sourceHelp + purlHelp,
		Example: `  tidewaiter explain debian:12 CVE-2023-4911
  tidewaiter explain purl:pkg:npm/lodash@4.17.20 GHSA-35jh-r3h4-6jhm --json
  tidewaiter explain --vex app.openvex.json --ignore-file .tidewaiter-ignore.yaml app.tar CVE-2024-1234`,
		Args: exactArgs(2, "an image and an identifier"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			feeds, done, err := a.feeds(cmd.Context())
			if err != nil {
				return err
			}
			defer done()
			img, err := a.input(cmd.Context(), &source, args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			e, err := feeds.Explain(cmd.Context(), img, args[1], o)
			if err != nil {
				return err
			}
			return report.WriteExplanation(a.out, e, asJSON)
		},
	}
	source.add(cmd)
	f.decisions(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
