package pluginhost

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/spdx"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// adapterVersion is raised when the same answer of a plugin would make another
// record.
const adapterVersion = 1

// maxFact bounds the data of one fact, in bytes.
const maxFact = 64 << 10

// analyzer makes a plugin an analyze.Analyzer. Its configuration digest holds
// the plugin's version, the digest of its bytes and its settings: a plugin that
// changed is asked again, also where its version does not say so.
type analyzer struct {
	p      *Plugin
	wants  wants
	heads  bool
	config string
}

var (
	_ analyze.Configured    = (*analyzer)(nil)
	_ analyze.LayerAnalyzer = (*analyzer)(nil)
)

func newAnalyzer(p *Plugin, others []analyze.Key) *analyzer {
	a := &analyzer{p: p}
	a.wants, _ = newWants(p.desc.Analyzer.Wants) // checked with the description
	for _, w := range a.wants {
		a.heads = a.heads || len(w.heads) > 0
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n", p.desc.Version, p.Digest)
	settings := p.settings()
	for _, name := range slices.Sorted(mapKeys(settings)) {
		fmt.Fprintf(h, "%q %q\n", name, settings[name])
	}
	if p.desc.Analyzer.Layer {
		for _, k := range others {
			fmt.Fprintf(h, "%s %d %s\n", k.Analyzer, k.Version, k.Config)
		}
	}
	a.config = hex.EncodeToString(h.Sum(nil)[:16])
	return a
}

func (a *analyzer) Name() string         { return "plugin:" + a.p.desc.Name }
func (a *analyzer) Version() int         { return adapterVersion }
func (a *analyzer) ConfigDigest() string { return a.config }
func (a *analyzer) NeedsLayer() bool     { return a.p.desc.Analyzer.Layer }

func (a *analyzer) Wants(e analyze.Entry) analyze.Interest { return a.wants.of(e) }

func (a *analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	return a.AnalyzeLayer(ctx, files, nil, out)
}

// AnalyzeLayer hands the plugin a folder with the files and, where it asked for
// it, what is known of the layer. When the plugin fails, the record is one to
// forget: it may succeed another time.
func (a *analyzer) AnalyzeLayer(ctx context.Context, files fs.FS, known []inventory.Record, out *inventory.Record) error {
	folder, err := a.p.request()
	if err != nil {
		out.Forget = true
		return a.p.error(err)
	}
	defer os.RemoveAll(folder)
	paths, err := a.hand(folder, files, out)
	if err != nil {
		out.Forget = true
		return a.p.error(err)
	}
	if len(paths) == 0 {
		return nil
	}
	if a.NeedsLayer() {
		if err := writeLayer(folder, known, a.p.Plain); err != nil {
			out.Forget = true
			return a.p.error(err)
		}
	}
	t := taker{a: a, out: out, given: map[string]bool{}, most: a.p.host.limits.Items}
	for i := range paths {
		t.given[paths[i].Path] = true
	}
	if len(paths) == 1 {
		t.only = paths[0].Path
	}
	if a.p.Plain {
		err = a.plain(ctx, folder, paths, &t)
	} else {
		err = a.p.call(ctx, &plugin.Request{Method: plugin.MethodAnalyze, Folder: folder, Files: paths}, a.p.host.limits.Analyze, a.p.host.limits.Output, t.take)
	}
	if err != nil {
		out.Forget = true
	}
	return err
}

func (a *analyzer) plain(ctx context.Context, folder string, paths []plugin.File, t *taker) error {
	if err := writeList(folder, "files.jsonl", true, []string{"path", "size", "mode", "kind"}, func(yield func(any, []string) error) error {
		for i := range paths {
			f := &paths[i]
			if err := yield(nil, []string{f.Path, strconv.FormatInt(f.Size, 10), f.Mode, f.Kind}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	b, err := a.p.script(ctx, []string{"analyze"}, []string{"TIDEWAITER_FILES=" + folder + "/files", "TIDEWAITER_INPUT=" + folder}, a.p.host.limits.Analyze, a.p.host.limits.Output)
	if err != nil {
		return err
	}
	answer, err := plainAnalysis(b, t.most)
	if err != nil {
		return a.p.error(fmt.Errorf("its answer is not of the plain mode: %w", err))
	}
	return t.take(&answer)
}

// hand writes the files to folder/files, and returns them. What cannot be
// written there is a Problem.
func (a *analyzer) hand(folder string, files fs.FS, out *inventory.Record) ([]plugin.File, error) {
	root := filepath.Join(folder, "files")
	if err := errors.Join(os.Chmod(folder, 0o755), os.Mkdir(root, 0o755), os.Chmod(root, 0o755)); err != nil {
		return nil, err
	}
	left := a.p.host.limits.Files
	made := map[string]bool{".": true}
	var list []plugin.File
	var head [64]byte
	for f, err := range analyze.Each(files) {
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
			continue
		}
		if a.heads {
			n, err := f.ReadAt(head[:], 0)
			if err != nil && !errors.Is(err, io.EOF) {
				analyze.Problemf(out, f.Path, "%w", err)
				continue
			}
			if !a.wants.begins(f.Entry, head[:n]) {
				continue
			}
		}
		if !filepath.IsLocal(f.Path) || strings.ContainsRune(f.Path, 0) {
			analyze.Problemf(out, f.Path, "its path cannot be handed to a plugin")
			continue
		}
		if !utf8.ValidString(f.Path) && !a.p.Plain {
			analyze.Problemf(out, f.Path, "its path is no UTF-8 and cannot be handed to a plugin")
			continue
		}
		if left -= f.Size; left < 0 {
			out.Problems = append(out.Problems, inventory.Problem{Analyzer: out.Analyzer, Path: f.Path, Limit: "plugin files",
				Message: fmt.Sprintf("with it the files for the plugin are larger than the limit of %d bytes; it was not handed on", a.p.host.limits.Files)})
			left += f.Size
			continue
		}
		dir := filepath.Dir(f.Path)
		if !made[dir] {
			if err := mkdirs(root, dir); err != nil {
				analyze.Problemf(out, f.Path, "handing it to the plugin: %w", errors.Unwrap(err))
				continue
			}
			made[dir] = true
		}
		content := io.Reader(f.Reader())
		if b := f.Bytes(); b != nil {
			content = bytes.NewReader(b)
		}
		if err := writeFile(filepath.Join(root, f.Path), 0o444, content); err != nil {
			if errors.Is(err, fs.ErrExist) || isLong(err) {
				analyze.Problemf(out, f.Path, "its path cannot be handed to a plugin")
				continue
			}
			return nil, err
		}
		list = append(list, plugin.File{Path: f.Path, Size: f.Size, Mode: fmt.Sprintf("%04o", f.Mode.Perm()), Kind: f.Kind.String()})
	}
	return list, nil
}

func isLong(err error) bool {
	return strings.Contains(err.Error(), "too long") || strings.Contains(err.Error(), "not a directory")
}

// writeLayer writes what is known of the layer, as for an image.
func writeLayer(dir string, known []inventory.Record, plain bool) error {
	var facts []inventory.Fact
	for i := range known {
		facts = append(facts, known[i].Facts...)
	}
	if err := writeFacts(dir, facts, plain); err != nil {
		return err
	}
	return writeList(dir, plugin.PackagesFile, plain, packageHeader, func(yield func(any, []string) error) error {
		for i := range known {
			for k := range known[i].Packages {
				if err := yield(packageRow(&known[i].Packages[k])); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// taker checks an answer and takes it into the record.
type taker struct {
	a     *analyzer
	out   *inventory.Record
	given map[string]bool // paths of the request's files
	only  string          // the one of them where there is one
	most  int
	n     int
}

func (t *taker) take(a *plugin.Answer) error {
	if t.n += len(a.Packages) + len(a.Facts) + len(a.Problems); t.n > t.most {
		return fmt.Errorf("it answered more than the limit \"plugin items\" of %d", t.most)
	}
	for i := range a.Packages {
		p, err := t.pkg(&a.Packages[i])
		if err != nil {
			t.problem("the plugin answered a package that cannot be: %w", err)
			continue
		}
		t.out.Packages = append(t.out.Packages, p)
	}
	for i := range a.Facts {
		f, err := t.fact(&a.Facts[i])
		if err != nil {
			t.problem("the plugin answered a fact that cannot be: %w", err)
			continue
		}
		t.out.Facts = append(t.out.Facts, f)
	}
	for _, p := range a.Problems {
		path := strings.TrimPrefix(p.Path, "/")
		if !t.given[path] {
			path = ""
		}
		t.out.Problems = append(t.out.Problems, inventory.Problem{Analyzer: t.out.Analyzer, Path: path, Message: cmp.Or(clean(p.Message, 1000), "the plugin does not say what")})
	}
	return nil
}

func (t *taker) problem(format string, err error) {
	analyze.Problemf(t.out, "", format, err)
}

// path is the file that an answer hangs on: one of those that were handed out.
func (t *taker) path(s string) (string, error) {
	if s == "" && t.only != "" {
		return t.only, nil
	}
	s = strings.TrimPrefix(s, "/")
	if !t.given[s] {
		return "", fmt.Errorf("its path %s is none of the files that the plugin was given", quote([]byte(s)))
	}
	return s, nil
}

func (t *taker) pkg(in *plugin.Package) (inventory.Package, error) {
	p, err := inventory.ParsePURL(in.PURL)
	if err != nil {
		return p, err
	}
	if !analyze.ValidName(p.Name) || p.Version != "" && !analyze.ValidName(p.Version) || len(p.Namespace) > analyze.MaxName || clean(p.Namespace, analyze.MaxName) != p.Namespace {
		return p, fmt.Errorf("%s has a name or version that is none", quote([]byte(in.PURL)))
	}
	if p.Path, err = t.path(in.Path); err != nil {
		return p, fmt.Errorf("%s: %w", quote([]byte(in.PURL)), err)
	}
	if len(in.Licenses)+len(in.Depends)+len(in.CPEs)+len(in.Hashes) > 10_000 || len(in.Owns) > 200_000 {
		return p, fmt.Errorf("%s has longer lists than there can be", quote([]byte(in.PURL)))
	}
	for _, l := range in.Licenses {
		raw := analyze.FirstLine(l)
		if raw == "" {
			continue
		}
		lic := inventory.License{Raw: raw, Source: "declared"}
		if expr, ok := spdx.Normalize(raw); ok {
			if lic.Expression = expr; expr == raw {
				lic.Raw = ""
			}
		}
		p.Licenses = append(p.Licenses, lic)
	}
	p.Supplier, p.Homepage, p.Description = analyze.FirstLine(clean(in.Supplier, 1000)), analyze.FirstLine(clean(in.Homepage, 1000)), analyze.FirstLine(clean(in.Description, 1000))
	if in.Declared {
		p.State = inventory.Declared
	}
	for _, d := range in.Depends {
		if analyze.ValidName(d) {
			p.Depends = append(p.Depends, d)
		}
	}
	for _, c := range in.CPEs {
		if strings.HasPrefix(c, "cpe:2.3:") && len(c) < 1000 && clean(c, 1000) == c {
			p.CPEs = append(p.CPEs, c)
		}
	}
	for alg, sum := range in.Hashes {
		if b, err := hex.DecodeString(sum); err == nil && slices.Contains([]string{"md5 16", "sha1 20", "sha256 32", "sha512 64"}, alg+" "+strconv.Itoa(len(b))) {
			if p.Hashes == nil {
				p.Hashes = map[string]string{}
			}
			p.Hashes[alg] = strings.ToLower(sum)
		}
	}
	var owns []string
	for _, o := range in.Owns {
		o = strings.TrimPrefix(o, "/")
		if o == "" || len(o) > 4096 || !filepath.IsLocal(strings.TrimSuffix(o, "/")) {
			return p, fmt.Errorf("%s owns %s, which is no path within an image", quote([]byte(in.PURL)), quote([]byte(o)))
		}
		owns = append(owns, o)
	}
	if owns != nil {
		p.Files = inventory.NewFileList(owns)
	}
	p.Technique = "plugin"
	return p, nil
}

func (t *taker) fact(in *plugin.Fact) (inventory.Fact, error) {
	f := inventory.Fact{Kind: in.Kind}
	if !slices.Contains(t.a.p.desc.Analyzer.Facts, in.Kind) {
		return f, fmt.Errorf("its kind %s is none of those that the plugin describes", quote([]byte(in.Kind)))
	}
	var err error
	if f.Path, err = t.path(in.Path); err != nil {
		return f, err
	}
	if len(in.Data) > maxFact {
		return f, fmt.Errorf("its data is longer than the limit of %d bytes", maxFact)
	}
	var object map[string]any
	if err := json.Unmarshal(in.Data, &object); err != nil || object == nil {
		return f, fmt.Errorf("its data %s is no JSON object", quote(in.Data))
	}
	if err := policy.CheckFact(in.Kind, in.Data); err != nil {
		return f, err
	}
	if f.Data, err = json.Marshal(object); err != nil { // members in order, so that equal facts are equal
		return f, err
	}
	return f, nil
}
