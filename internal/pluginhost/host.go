// Package pluginhost runs plugins: executables in any language that are, to
// the rest of the program, analyzers, gates, sources or queries. It finds and
// describes them, starts each behind the walls that the kernel offers, speaks
// the protocol of package plugin or the plain mode for shell scripts, and
// checks all they answer as the input of a stranger. docs/plugins.md is the
// contract for those who write them.
//
// A plugin that crashes, hangs, floods or lies is killed with all its
// processes, and costs the one request: a Problem of an analyzer, an error of
// a gate, a failed update of a source, an error of a query.
package pluginhost

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/query"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// Config says which plugins there are and how they are run.
type Config struct {
	// Paths name executables, and folders with an executable called "plugin".
	Paths []string
	// Folder holds more of both; "" for none. That it is missing is no error.
	Folder string
	// Settings are values of plugins' parameters, by plugin and parameter.
	Settings map[string]map[string]string
	// RequireSandbox refuses to start a plugin where the kernel lacks what
	// keeps it from doing harm.
	RequireSandbox bool
	Read           []string // further files and folders that plugins may read and run, such as /opt/python
	Limits         Limits
	Cache          string // folder for descriptions; "": they are asked for every time
	Log            *slog.Logger

	// OSV reads one advisory in OSV JSON as the named source's. Sources need it.
	OSV func(source string, record []byte) iter.Seq2[*advisory.Advisory, error]
	// Gates, Sources and Queries are names that are taken.
	Gates, Sources, Queries []string
}

// Limits bound what a plugin may take. Zero fields take the default.
type Limits struct {
	Memory    int64         // bytes of all its processes; default 512 MiB
	Scratch   int64         // bytes it may write to its folder; default 64 MiB
	OpenFiles int           // default 256
	Processes int           // default 64
	Output    int64         // bytes of one answer; 16 times as much from a source; default 64 MiB
	Line      int           // bytes of one line of it; default 32 MiB
	Start     time.Duration // until it runs; default 10 s
	Describe  time.Duration // default 10 s
	Analyze   time.Duration // one layer; default 2 min
	Evaluate  time.Duration // one trigger; default 30 s
	Fetch     time.Duration // default 30 min
	Query     time.Duration // default 2 min
	Idle      time.Duration // after which it is stopped; default 1 min
	Files     int64         // bytes of all files handed to one analysis; default 1 GiB
	Items     int           // packages, facts, problems, hits or rows of one answer; default 100,000
	Plugin    int64         // bytes of the plugin itself with all its files; default 256 MiB

	Grace time.Duration // after its end, for what is still in its pipes; default 500 ms
	Watch time.Duration // between looks at its memory; default 50 ms
}

func (l Limits) withDefaults() Limits {
	l.Memory = cmp.Or(l.Memory, 512<<20)
	l.Scratch = cmp.Or(l.Scratch, 64<<20)
	l.OpenFiles = cmp.Or(l.OpenFiles, 256)
	l.Processes = cmp.Or(l.Processes, 64)
	l.Output = cmp.Or(l.Output, 64<<20)
	l.Line = cmp.Or(l.Line, 32<<20)
	l.Start = cmp.Or(l.Start, 10*time.Second)
	l.Describe = cmp.Or(l.Describe, 10*time.Second)
	l.Analyze = cmp.Or(l.Analyze, 2*time.Minute)
	l.Evaluate = cmp.Or(l.Evaluate, 30*time.Second)
	l.Fetch = cmp.Or(l.Fetch, 30*time.Minute)
	l.Query = cmp.Or(l.Query, 2*time.Minute)
	l.Idle = cmp.Or(l.Idle, time.Minute)
	l.Files = cmp.Or(l.Files, 1<<30)
	l.Items = cmp.Or(l.Items, 100_000)
	l.Plugin = cmp.Or(l.Plugin, 256<<20)
	l.Grace = cmp.Or(l.Grace, 500*time.Millisecond)
	l.Watch = cmp.Or(l.Watch, 50*time.Millisecond)
	return l
}

// Host runs plugins. It is safe for concurrent use; Close ends it.
type Host struct {
	config  Config
	limits  Limits
	log     *slog.Logger
	walls   *walls
	plugins []*Plugin // by name

	mu    sync.Mutex
	run   string   // folder of everything that is running; "" before the first start
	lock  *os.File // says that the folder is in use
	said  bool     // what the kernel lacks was said
	slots chan struct{}
}

// Plugin is one plugin as it was found.
type Plugin struct {
	Path    string // as found: an executable, or a folder with one called "plugin"
	Digest  string // of all its bytes, hexadecimal SHA-256
	Plain   bool   // it speaks the plain mode
	Err     error  // why it is of no use; nil for one that works
	Problem []string

	host *Host
	desc plugin.Description

	mu      sync.Mutex
	exe     string // its copy, from which it runs; "" before the first start
	dir     string
	idle    []*child
	timer   *time.Timer
	started atomic.Int64
	numbers atomic.Int64
	stats   Stats
	inputs  []*imageInput
	closed  bool
}

// Stats say what a plugin took.
type Stats struct {
	Started int           `json:"started"` // processes
	Peak    int64         `json:"peak"`    // most bytes of memory of one process and those it started
	CPU     time.Duration `json:"cpu"`     // of those that have ended
}

// Open finds the plugins and learns what they are, from what is remembered of
// their bytes, else from themselves. What is wrong with one is in its Err; Open
// fails only when the configuration itself cannot be followed.
func Open(ctx context.Context, c Config) (*Host, error) {
	h := &Host{config: c, limits: c.Limits.withDefaults(), log: c.Log, walls: newWalls(), slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0)+2)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if c.RequireSandbox && runtime.GOOS != "linux" {
		return nil, errors.New("plugins: the sandbox that the configuration requires exists on Linux only")
	}
	for _, r := range c.Read {
		if !filepath.IsAbs(r) {
			return nil, fmt.Errorf("plugins: %s, which they may read, is no absolute path", r)
		}
	}
	found, err := h.discover()
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if p.Err == nil {
			p.Err = p.describe(ctx)
		}
		if ctx.Err() != nil {
			h.Close()
			return nil, ctx.Err()
		}
	}
	h.plugins = found
	h.distinct()
	slices.SortStableFunc(h.plugins, func(a, b *Plugin) int { return strings.Compare(a.Name(), b.Name()) })
	for _, p := range h.plugins {
		if p.Err != nil {
			h.log.Warn("plugin: not used", "plugin", p.Path, "error", p.Err)
		}
	}
	return h, nil
}

// Plugins returns all that were found, those of no use too, by name.
func (h *Host) Plugins() []*Plugin { return h.plugins }

// Name is what the plugin calls itself, or the name of its file where it could
// not be asked.
func (p *Plugin) Name() string {
	if p.desc.Name != "" {
		return p.desc.Name
	}
	return strings.TrimSuffix(filepath.Base(p.Path), filepath.Ext(p.Path))
}

// Description is what the plugin says of itself.
func (p *Plugin) Description() plugin.Description { return p.desc }

// Stats returns what the plugin took so far.
func (p *Plugin) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Started = int(p.started.Load())
	for _, c := range p.idle {
		s.Peak = max(s.Peak, c.peak.Load())
	}
	return s
}

func (p *Plugin) note(c *child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Peak = max(p.stats.Peak, c.peak.Load())
	if s := c.cmd.ProcessState; s != nil {
		p.stats.CPU += s.UserTime() + s.SystemTime()
	}
}

// distinct makes plugins of no use that claim a name that is taken: neither of
// two of one name may be meant.
func (h *Host) distinct() {
	type claim struct{ what, name string }
	owner := map[claim][]*Plugin{}
	taken := map[claim]bool{}
	for what, names := range map[string][]string{"gate": h.config.Gates, "source": h.config.Sources, "query": h.config.Queries} {
		for _, n := range names {
			taken[claim{what, strings.ToLower(n)}] = true
		}
	}
	for _, p := range h.plugins {
		if p.Err != nil {
			continue
		}
		claims := []claim{{"plugin", p.desc.Name}}
		if g := p.desc.Gate; g != nil {
			claims = append(claims, claim{"gate", strings.ToLower(g.Name)})
		}
		if s := p.desc.Source; s != nil {
			claims = append(claims, claim{"source", strings.ToLower(s.Name)})
		}
		if q := p.desc.Query; q != nil {
			claims = append(claims, claim{"query", strings.ToLower(q.Name)})
		}
		for _, c := range claims {
			owner[c] = append(owner[c], p)
			if taken[c] {
				p.Err = fmt.Errorf("the %s %q comes with the program; give the plugin's another name", c.what, c.name)
			}
		}
	}
	for c, ps := range owner {
		if len(ps) < 2 {
			continue
		}
		for i, p := range ps {
			p.Err = cmp.Or(p.Err, fmt.Errorf("two plugins have a %s named %q: %s and %s; neither is used", c.what, c.name, p.Path, ps[(i+1)%len(ps)].Path))
		}
	}
}

// usable yields the plugins of a kind that work.
func (h *Host) usable(k plugin.Kind) iter.Seq[*Plugin] {
	return func(yield func(*Plugin) bool) {
		for _, p := range h.plugins {
			if p.Err == nil && slices.Contains(p.desc.Kinds, k) && !yield(p) {
				return
			}
		}
	}
}

// Analyzers returns those of the plugins. others are the keys of the analyzers
// that work beside them, on which those depend that look at what others learned.
func (h *Host) Analyzers(others []analyze.Key) []analyze.Analyzer {
	var out []analyze.Analyzer
	for p := range h.usable(plugin.Analyzer) {
		out = append(out, newAnalyzer(p, others))
	}
	return out
}

// Facts are the kinds of facts that plugins look for.
func (h *Host) Facts() []string {
	var out []string
	for p := range h.usable(plugin.Analyzer) {
		out = append(out, p.desc.Analyzer.Facts...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Gates returns those of the plugins.
func (h *Host) Gates() []policy.Gate {
	var out []policy.Gate
	for p := range h.usable(plugin.Gate) {
		out = append(out, &gate{p})
	}
	return out
}

// Sources returns those of the plugins.
func (h *Host) Sources() []feed.Source {
	var out []feed.Source
	for p := range h.usable(plugin.Source) {
		out = append(out, &source{p})
	}
	return out
}

// Queries returns those of the plugins.
func (h *Host) Queries() []query.Query {
	var out []query.Query
	for p := range h.usable(plugin.Query) {
		out = append(out, &queryPlugin{p})
	}
	return out
}

// Broken reports the plugins of no use as Problems of every image: what they
// were to find was not looked for.
func (h *Host) Broken() analyze.ImageAnalyzer { return broken{h} }

type broken struct{ h *Host }

func (broken) Name() string { return "plugins" }
func (broken) Version() int { return 1 }

// ConfigDigest stands for the plugins of no use and what is wrong with them.
func (b broken) ConfigDigest() string {
	h := sha256.New()
	for _, p := range b.h.plugins {
		if p.Err != nil {
			fmt.Fprintf(h, "%s %s %v\n", p.Path, p.Digest, p.Err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (b broken) AnalyzeImage(_ context.Context, _ *inventory.Config, img *inventory.Image) error {
	for _, p := range b.h.plugins {
		if p.Err != nil {
			img.Problems = append(img.Problems, inventory.Problem{Analyzer: "plugins", Layer: -1, Message: fmt.Sprintf("the plugin %s was not used: %v", p.Path, p.Err)})
		}
	}
	return nil
}

// runPrefix begins the names of folders of what is running.
const runPrefix = "tidewaiter-plugins-"

// judge says once what the kernel lacks, and refuses to go on where the owner
// wants no plugin without it.
func (h *Host) judge(held *Held) error {
	weak := held.Weak()
	if weak == "" {
		return nil
	}
	if h.config.RequireSandbox {
		return fmt.Errorf("the sandbox does not hold on this machine, and the configuration requires it: a plugin could %s (%s)", weak, lacks(held))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.said {
		h.said = true
		h.log.Warn("plugins: the sandbox does not hold on this machine; require-sandbox refuses to run them", "a plugin could", weak, "missing", lacks(held))
	}
	return nil
}

func lacks(h *Held) string {
	var out []string
	for _, l := range h.Missing {
		out = append(out, l.Part+": "+l.Why)
	}
	return strings.Join(out, "; ")
}

func (p *Plugin) error(err error) error { return fmt.Errorf("plugin %s: %w", p.Name(), err) }

// settings are the plugin's parameters with their defaults.
func (p *Plugin) settings() map[string]string {
	if len(p.desc.Parameters) == 0 {
		return nil
	}
	given := p.host.config.Settings[p.desc.Name]
	out := map[string]string{}
	for _, q := range p.desc.Parameters {
		if v, ok := given[q.Name]; ok {
			out[q.Name] = v
		} else if q.Default != "" {
			out[q.Name] = q.Default
		}
	}
	return out
}

// Probe starts the plugin once, as for a request, and says what holds it.
func (p *Plugin) Probe(ctx context.Context) (Held, error) {
	if p.exe == "" && p.Err != nil {
		return Held{}, p.Err
	}
	c, err := p.launch([]string{"describe"}, nil, true, p.host.limits.Describe)
	if err != nil {
		return Held{}, err
	}
	c.stop()
	return c.held, nil
}

// Close ends all plugins and removes what they left.
func (h *Host) Close() error {
	for _, p := range h.plugins {
		p.mu.Lock()
		p.closed = true
		if p.timer != nil {
			p.timer.Stop()
		}
		p.mu.Unlock()
		p.rest()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run == "" {
		return nil
	}
	dir := h.run
	h.run = ""
	defer closeAll(h.lock)
	err := os.RemoveAll(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}
