package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tidewaiter/tidewaiter/internal/pluginhost"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/query"
)

// pluginFlags say which plugins there are and how they are run.
type pluginFlags struct {
	paths    []string
	folder   string
	off      bool
	settings []string
	read     []string
	limits   []string
	require  bool
}

func (p *pluginFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&p.paths, "plugin", nil, "`file` of a plugin, or folder with an executable called plugin (repeatable)")
	f.StringVar(&p.folder, "plugin-folder", "", "`folder` of plugins (default: tidewaiter/plugins in the user's configuration folder)")
	f.BoolVar(&p.off, "no-plugins", false, "run no plugins")
	f.StringArrayVar(&p.settings, "plugin-setting", nil, "`PLUGIN.NAME=VALUE` of a plugin's parameter (repeatable)")
	f.StringArrayVar(&p.read, "plugin-read", nil, "further `file or folder` that plugins may read and run, such as an interpreter's (repeatable)")
	f.StringArrayVar(&p.limits, "plugin-limit", nil, "`NAME=VALUE`, repeatable: "+pluginLimitNames())
	f.BoolVar(&p.require, "require-sandbox", false, "run no plugin where the kernel lacks what keeps it from doing harm")
}

type pluginLimit struct {
	name, help string
	size       func(*pluginhost.Limits, int64)
	time       func(*pluginhost.Limits, time.Duration)
}

func pluginLimits() []pluginLimit {
	return []pluginLimit{
		{"memory", "bytes of all its processes", func(l *pluginhost.Limits, n int64) { l.Memory = n }, nil},
		{"scratch", "bytes it may write", func(l *pluginhost.Limits, n int64) { l.Scratch = n }, nil},
		{"output", "bytes of an answer", func(l *pluginhost.Limits, n int64) { l.Output = n }, nil},
		{"files", "bytes of the files for one analysis", func(l *pluginhost.Limits, n int64) { l.Files = n }, nil},
		{"processes", "processes of one plugin", func(l *pluginhost.Limits, n int64) { l.Processes = int(n) }, nil},
		{"items", "packages, facts, hits or rows of an answer", func(l *pluginhost.Limits, n int64) { l.Items = int(n) }, nil},
		{"time", "of one request, such as 30s", nil, func(l *pluginhost.Limits, d time.Duration) { l.Analyze, l.Evaluate, l.Query, l.Fetch = d, d, d, d }},
	}
}

func pluginLimitNames() string {
	var out []string
	for _, l := range pluginLimits() {
		out = append(out, l.name+" ("+l.help+")")
	}
	return strings.Join(out, "; ")
}

func (p *pluginFlags) config(a *app) (pluginhost.Config, error) {
	c := pluginhost.Config{Paths: p.paths, Folder: p.folder, Settings: map[string]map[string]string{}, RequireSandbox: p.require, Read: p.read, Log: a.log, OSV: readOSV}
	if c.Folder == "" {
		if dir, err := os.UserConfigDir(); err == nil {
			c.Folder = filepath.Join(dir, "tidewaiter", "plugins")
		}
	}
	if dir, err := a.data(); err == nil {
		c.Cache = filepath.Join(dir, "plugins")
	}
	for _, s := range p.settings {
		name, value, ok := strings.Cut(s, "=")
		plugin, param, dot := strings.Cut(name, ".")
		if !ok || !dot {
			return c, fmt.Errorf("--plugin-setting %s: use PLUGIN.NAME=VALUE", s)
		}
		if c.Settings[plugin] == nil {
			c.Settings[plugin] = map[string]string{}
		}
		c.Settings[plugin][param] = value
	}
next:
	for _, s := range p.limits {
		name, value, _ := strings.Cut(s, "=")
		for _, l := range pluginLimits() {
			if l.name != name {
				continue
			}
			if l.time != nil {
				d, err := time.ParseDuration(value)
				if err != nil || d <= 0 {
					return c, fmt.Errorf("--plugin-limit %s: use a duration such as 30s", s)
				}
				l.time(&c.Limits, d)
				continue next
			}
			n, err := parseSize(value)
			if err != nil || n <= 0 {
				return c, fmt.Errorf("--plugin-limit %s: use a positive number such as %s=64MiB", s, name)
			}
			l.size(&c.Limits, n)
			continue next
		}
		return c, fmt.Errorf("--plugin-limit %s: no such limit; there are %s", s, pluginLimitNames())
	}
	for _, g := range policyGates() {
		c.Gates = append(c.Gates, g.Spec().Name)
	}
	for _, s := range sources() {
		c.Sources = append(c.Sources, s.Info().Name)
	}
	for _, q := range query.Builtin() {
		c.Queries = append(c.Queries, q.Spec().Name)
	}
	return c, nil
}

// pluginHost opens the plugins, once for a command.
func (a *app) pluginHost(ctx context.Context) (*pluginhost.Host, error) {
	if a.host != nil {
		return a.host, nil
	}
	var c pluginhost.Config
	if !a.plugins.off {
		var err error
		if c, err = a.plugins.config(a); err != nil {
			return nil, err
		}
	}
	h, err := pluginhost.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	a.host = h
	return h, nil
}

func (a *app) closePlugins() {
	if a.host == nil {
		return
	}
	if err := a.host.Close(); err != nil {
		a.log.Warn("plugins: leaving", "error", err)
	}
}

// gates are those of the product and its plugins.
func (a *app) gates(ctx context.Context) ([]policy.Gate, error) {
	h, err := a.pluginHost(ctx)
	if err != nil {
		return nil, err
	}
	return append(policyGates(), h.Gates()...), nil
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}
