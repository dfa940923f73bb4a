package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/image"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/object"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// sourceFlags say which image is read, and how.
type sourceFlags struct {
	image         image.Options
	passwordStdin bool
	scope         string
	noCache       bool
	parallel      int
	limits        []string
	facts         bool // also what only policy asks about
	noFiles       bool // the command does not look at the file table
	search        searchFlags
	secrets       secretFlags
	licenses      bool // also licences that only texts show
	malware       malwareFlags
	verify        bool // compare packages' files with the digests of their databases
}

const sourceHelp = `IMAGE is a reference, with a prefix or as the obvious guess:

  registry:REF          an image of a registry; docker.io/library/ may be left out
  oci-dir:DIR[:TAG]     an OCI layout in a folder
  oci-archive:FILE      an OCI layout in a tar file
  docker-archive:FILE   what "docker save" writes
  docker:REF            an image of the Docker daemon
  podman:REF            an image of Podman's service
  containerd:REF        an image of containerd
  dir:DIR               a root file system
  sbom:FILE             a bill of materials: CycloneDX, SPDX, Syft or our own JSON`

func (s *sourceFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.image.Platform, "platform", "", "`os/arch[/variant]` to choose from an image of several (default: linux on this machine's architecture)")
	f.StringVar(&s.image.Username, "username", "", "user `name` at the registry (default: the credentials of docker, podman and their helpers)")
	f.BoolVar(&s.passwordStdin, "password-stdin", false, "read the password of --username from standard input")
	f.StringVar(&s.image.AuthFile, "auth-file", "", "`file` with registry credentials, in the form of docker's config.json")
	f.BoolVar(&s.image.PlainHTTP, "plain-http", false, "speak unencrypted HTTP with the registry")
	f.BoolVar(&s.image.SkipTLSVerify, "skip-tls-verify", false, "do not check the registry's certificate")
	f.StringArrayVar(&s.image.CAFiles, "ca-file", nil, "PEM `file` of a certificate authority to trust besides the system's (repeatable)")
	f.StringVar(&s.image.ClientCert, "client-cert", "", "PEM `file` of the client certificate")
	f.StringVar(&s.image.ClientKey, "client-key", "", "PEM `file` of its key")
	f.IntVar(&s.image.Retries, "retries", 0, "how often a failed request is tried again (0: 4 times, -1: never)")
	f.StringVar(&s.image.DockerSocket, "docker-socket", "", "`socket` of the Docker daemon")
	f.StringVar(&s.image.PodmanSocket, "podman-socket", "", "`socket` of Podman's service")
	f.StringVar(&s.image.ContainerdSocket, "containerd-socket", "", "`socket` of containerd")
	f.StringVar(&s.image.ContainerdNamespace, "containerd-namespace", "", "`namespace` in containerd")
	f.StringVar(&s.scope, "scope", "squashed", "squashed: what a container sees; all-layers: also what lower layers still contain")
	f.BoolVar(&s.facts, "secrets", s.facts, "also look for secrets, at accounts, and for what is configured to be looked for")
	s.search.add(f)
	s.secrets.add(f)
	f.BoolVar(&s.licenses, "license-texts", s.licenses, "also recognise licences by their texts")
	f.BoolVar(&s.verify, "verify-packages", s.verify, "compare the files of OS packages with the digests of their databases; MD5 and SHA-1 cost a second reading")
	s.malware.add(f)
	f.BoolVar(&s.noCache, "no-cache", false, "read every layer, remember nothing")
	f.IntVar(&s.parallel, "parallel", 0, "layers read at once (0: one per processor)")
	f.StringArrayVar(&s.limits, "limit", nil, "`NAME=VALUE`, repeatable: "+limitNames())
	cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions([]string{"squashed", "all-layers"}, cobra.ShellCompDirectiveNoFileComp))
}

// limit is a setting of --limit.
type limit struct {
	name, help string
	set        func(*sourceFlags, *analyze.Limits, int64)
}

// limits lists the bounds an owner may move.
func limits() []limit {
	return []limit{
		{"entries", "entries of one layer", func(_ *sourceFlags, l *analyze.Limits, n int64) { l.Entries = int(n) }},
		{"memory", "bytes of files that wait for their analysis", func(_ *sourceFlags, l *analyze.Limits, n int64) { l.Memory = n }},
		{"memory-file", "bytes of a wanted file up to which it stays in memory", func(_ *sourceFlags, l *analyze.Limits, n int64) { l.MemoryFile = n }},
		{"scratch", "bytes on disk for larger wanted files", func(_ *sourceFlags, l *analyze.Limits, n int64) { l.Scratch = n }},
		{"wanted-file", "bytes of a file that is still analyzed", func(_ *sourceFlags, l *analyze.Limits, n int64) { l.WantedFile = n }},
		{"facts", "packages, licences, binaries one analyzer learns of a layer", func(_ *sourceFlags, l *analyze.Limits, n int64) { l.Facts = int(n) }},
		{"fact-memory", "bytes of memory of all that is learned of an image", func(_ *sourceFlags, l *analyze.Limits, n int64) { l.FactMemory = n }},
		{"sparse", "bytes of the sparse files of a layer, holes included", func(_ *sourceFlags, l *analyze.Limits, n int64) { l.Sparse = n }},
		{"secret-search-file", "bytes of a file up to which --secret-search looks into it", func(s *sourceFlags, _ *analyze.Limits, n int64) { s.search.given.secrets.size = n }},
		{"content-search-file", "bytes of a file up to which --content-search looks into it", func(s *sourceFlags, _ *analyze.Limits, n int64) { s.search.given.contents.size = n }},
		{"retrieved-file", "bytes of a file up to which --retrieve-file keeps it", func(s *sourceFlags, _ *analyze.Limits, n int64) { s.search.given.pathSize = n }},
		{"layers", "layers of an image", func(s *sourceFlags, _ *analyze.Limits, n int64) { s.image.Limits.Layers = int(n) }},
		{"blob", "bytes of a layer's blob", func(s *sourceFlags, _ *analyze.Limits, n int64) { s.image.Limits.BlobBytes = n }},
		{"layer", "bytes of a layer, uncompressed", func(s *sourceFlags, _ *analyze.Limits, n int64) { s.image.Limits.LayerBytes = n }},
		{"ratio", "of uncompressed to compressed bytes", func(s *sourceFlags, _ *analyze.Limits, n int64) { s.image.Limits.Ratio = n }},
	}
}

func limitNames() string {
	var b strings.Builder
	for i, l := range limits() {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(l.name + " (" + l.help + ")")
	}
	return b.String()
}

func (s *sourceFlags) applyLimits(to *analyze.Limits) error {
next:
	for _, setting := range s.limits {
		name, value, ok := strings.Cut(setting, "=")
		n, err := parseSize(value)
		if !ok || err != nil || n <= 0 {
			return fmt.Errorf("--limit %s: use NAME=VALUE with a positive number, such as memory=64MiB", setting)
		}
		for _, l := range limits() {
			if l.name == name {
				l.set(s, to, n)
				continue next
			}
		}
		return fmt.Errorf("--limit %s: no such limit; there are %s", setting, limitNames())
	}
	return nil
}

// parseSize reads a number with an optional unit of 1,024: KiB, MiB, GiB.
func parseSize(s string) (int64, error) {
	factor := int64(1)
	for unit, f := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, unit); ok {
			s, factor = strings.TrimSpace(rest), f
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > (1<<62)/factor {
		return 0, fmt.Errorf("%q is not a size", s)
	}
	return n * factor, nil
}

// inventory reads the image the flags and the argument name.
func (s *sourceFlags) inventory(ctx context.Context, a *app, arg string) (*inventory.Image, error) {
	switch s.scope {
	case "squashed", "all-layers":
	default:
		return nil, fmt.Errorf("--scope %s: use squashed or all-layers", s.scope)
	}
	if s.passwordStdin {
		b, err := io.ReadAll(io.LimitReader(a.in, 64<<10))
		if err != nil {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		s.image.Password = strings.TrimRight(string(b), "\r\n")
	}
	ref, err := image.ParseRef(arg)
	if err != nil {
		return nil, err
	}
	e, err := s.engine(a)
	if err != nil {
		return nil, err
	}
	if err := s.malware.apply(ctx, e); err != nil {
		return nil, err
	}
	host, err := a.pluginHost(ctx)
	if err != nil {
		return nil, err
	}
	e.Set.Analyzers = append(e.Set.Analyzers, host.Analyzers(e.Set.Keys())...)
	e.ImageAnalyzers = append(e.ImageAnalyzers, host.Broken())
	if !s.noCache && ref.Kind != image.SBOM {
		layers, err := a.layers(ctx)
		if err != nil {
			a.log.Warn("layer cache: not available, reading every layer", "error", err)
		} else {
			defer layers.DB.Close()
			e.Layers = layers
		}
	}
	s.image.UserAgent = "tidewaiter/" + version()
	p := a.progress()
	defer p.clear()
	return e.Inventory(ctx, ref, engine.InventoryOptions{Image: s.image, AllLayers: s.scope == "all-layers", NoFiles: s.noFiles, Progress: p.report})
}

// engine makes what reads images, without a memory.
func (s *sourceFlags) engine(a *app) (*engine.Engine, error) {
	set := &analyze.Set{Analyzers: analyzers()}
	if err := s.applyLimits(&set.Limits); err != nil {
		return nil, err
	}
	if s.licenses {
		set.Analyzers = append(set.Analyzers, licenseAnalyzers()...)
	}
	if s.facts {
		searching, err := s.search.analyzers()
		if err != nil {
			return nil, err
		}
		set.Analyzers = slices.Concat(set.Analyzers, factAnalyzers(), searching)
	}
	verify := engine.NotVerified
	switch {
	case s.verify:
		set.Analyzers = append(set.Analyzers, digestAnalyzers()...)
		verify = engine.ByDigests
	case s.facts:
		verify = engine.ByLayers
	}
	e := &engine.Engine{Verify: verify, Set: set, ImageAnalyzers: imageAnalyzers(s.facts), Parallel: s.parallel, Log: a.log, Build: build()}
	return e, s.secrets.apply(set.Analyzers, e.ImageAnalyzers)
}

// layers opens the layer cache.
func (a *app) layers(ctx context.Context) (*store.Layers, error) {
	dir, err := a.data()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := store.OpenSQLite(ctx, filepath.Join(dir, "tidewaiter.db"))
	if err != nil {
		return nil, err
	}
	return &store.Layers{DB: db, Objects: object.Folder{Dir: filepath.Join(dir, "objects")}}, nil
}
