package secret

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// maxConfig bounds one string of the image configuration that is searched.
const maxConfig = 1 << 20

// ImageAnalyzer finds secrets in the image configuration: environment,
// labels, commands, and the history with the build arguments in it. Its facts
// have no Path; Layer is that of the step of the history, else -1.
type ImageAnalyzer struct {
	// Analyzer has the rules and the key; nil is the built-in ones.
	Analyzer *Analyzer
}

var _ analyze.ImageAnalyzer = ImageAnalyzer{}

// Name implements [analyze.ImageAnalyzer].
func (ImageAnalyzer) Name() string { return "secret-config" }

// Version implements [analyze.ImageAnalyzer].
func (ImageAnalyzer) Version() int { return 1 }

// ConfigDigest is that of the rules and the key.
func (a ImageAnalyzer) ConfigDigest() string {
	if a.Analyzer == nil {
		return (&Analyzer{}).ConfigDigest()
	}
	return a.Analyzer.ConfigDigest()
}

// AnalyzeImage implements [analyze.ImageAnalyzer].
func (a ImageAnalyzer) AnalyzeImage(ctx context.Context, config *inventory.Config, img *inventory.Image) error {
	by := a.Analyzer
	if by == nil {
		by = &Analyzer{}
	}
	set, err := by.rules()
	if err != nil {
		return err
	}
	c := configScanner{ctx: ctx, set: set, key: by.key(), preview: by.Preview, img: img, layer: -1, seen: map[string]bool{}}
	for _, e := range config.Env {
		name, _, _ := strings.Cut(e, "=")
		c.scan(WhereEnv, name, e)
	}
	for _, k := range slices.Sorted(maps.Keys(config.Labels)) {
		c.scan(WhereLabel, k, k+"="+config.Labels[k])
	}
	c.scan(WhereCommand, "entrypoint", strings.Join(config.Entrypoint, "\n"))
	c.scan(WhereCommand, "cmd", strings.Join(config.Cmd, "\n"))
	c.scan(WhereCommand, "onbuild", strings.Join(config.OnBuild, "\n"))
	if config.Healthcheck != nil {
		c.scan(WhereCommand, "healthcheck", strings.Join(config.Healthcheck.Test, "\n"))
	}
	layer := 0
	for _, h := range config.History {
		c.layer = -1
		if !h.EmptyLayer {
			c.layer = layer
			layer++
		}
		clear(c.seen)
		for _, arg := range buildArguments(h.CreatedBy) {
			name, _, _ := strings.Cut(arg, "=")
			c.scan(WhereArgument, name, arg)
		}
		c.scan(WhereHistory, "", h.CreatedBy)
		c.scan(WhereHistory, "", h.Comment)
	}
	return c.err
}

// buildArguments returns NAME=value of the arguments of a build, as the
// history has them: "|2 A=x B=y /bin/sh -c …" before the command of RUN, and
// the default of ARG.
func buildArguments(createdBy string) []string {
	if rest, ok := strings.CutPrefix(createdBy, "RUN "); ok {
		createdBy = rest
	}
	if rest, ok := strings.CutPrefix(createdBy, "ARG "); ok {
		return strings.Fields(rest)
	}
	if i := strings.Index(createdBy, " ARG "); i >= 0 && strings.Contains(createdBy[:i], "#(nop)") {
		return strings.Fields(createdBy[i+len(" ARG "):])
	}
	rest, ok := strings.CutPrefix(createdBy, "|")
	if !ok {
		return nil
	}
	var args []string
	for i, f := range strings.Fields(rest) {
		if i == 0 {
			continue
		}
		if !strings.Contains(f, "=") || f[0] == '/' {
			break
		}
		args = append(args, f)
	}
	return args
}

type configScanner struct {
	ctx     context.Context
	set     *set
	key     []byte
	preview bool
	img     *inventory.Image
	layer   int
	seen    map[string]bool // fingerprints of the arguments of this step, which its command repeats
	err     error
}

// scan searches one string of the configuration. A variable whose name says
// that it is a secret nearly always is one: there is no code around it.
func (c *configScanner) scan(where, name, text string) {
	if c.err != nil || text == "" {
		return
	}
	if len(text) > maxConfig {
		text = text[:maxConfig]
		c.img.Problems = append(c.img.Problems, inventory.Problem{Analyzer: "secret-config", Layer: c.layer, Limit: "configuration text",
			Message: "a text of the configuration is longer than the limit of 1 MiB: its rest was not searched for secrets"})
	}
	found, err := c.set.scan(c.ctx, "", []byte(text), c.key)
	if limit := limitError(""); errors.As(err, &limit) {
		c.img.Problems = append(c.img.Problems, inventory.Problem{Analyzer: "secret-config", Layer: c.layer, Limit: string(limit), Message: err.Error()})
	} else if err != nil {
		c.err = err
		return
	}
	for i := range found {
		s := &found[i].Secret
		if where == WhereHistory && c.seen[s.Fingerprint] {
			continue
		}
		c.seen[s.Fingerprint] = where == WhereArgument
		if c.preview {
			s.Preview = Redact([]byte(text)[found[i].Start:found[i].End])
		}
		s.Where, s.Line, s.Column = where, 0, 0
		if name != "" {
			s.Name = name
		}
		if s.Category == CategoryGeneric && (where == WhereEnv || where == WhereArgument) {
			s.Confidence = min(0.8, s.Confidence+0.2)
		}
		fact, err := newFact("", s)
		if err != nil {
			c.err = err
			return
		}
		fact.Layer = c.layer
		c.img.Facts = append(c.img.Facts, fact)
	}
}
