package pluginhost

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// view is an image as a gate or query is to see it.
type view struct {
	image       *inventory.Image
	scan        *match.Scan
	verdict     *policy.Verdict
	base        *inventory.Image
	tag         string
	now         time.Time
	looked      []string // nil: all
	annotations map[string]string
	dockerfile  string
}

// writeImage writes an image's folder: what is asked for, as JSON, or as tables
// for the plain mode.
func writeImage(dir string, v *view, needs []plugin.Need, plain bool) error {
	if err := mkdirs(filepath.Dir(dir), filepath.Base(dir)); err != nil {
		return err
	}
	img := imageOf(v)
	if plain {
		if err := writeWith(dir, "image.txt", func(w *bufio.Writer) error { return imageLines(w, &img) }); err != nil {
			return err
		}
	} else if err := writeWith(dir, plugin.ImageFile, func(w *bufio.Writer) error { return json.NewEncoder(w).Encode(img) }); err != nil {
		return err
	}
	has := func(n plugin.Need) bool { return slices.Contains(needs, n) }
	if has(plugin.Packages) {
		if err := writeList(dir, plugin.PackagesFile, plain, packageHeader, func(yield func(any, []string) error) error {
			for i := range v.image.Packages {
				if err := yield(packageRow(&v.image.Packages[i])); err != nil {
					return err
				}
			}
			for i := range v.image.Declared {
				if err := yield(packageRow(&v.image.Declared[i])); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if has(plugin.Facts) {
		if err := writeFacts(dir, v.image.Facts, plain); err != nil {
			return err
		}
	}
	if has(plugin.Findings) {
		if err := writeFindings(dir, v.scan, plain); err != nil {
			return err
		}
	}
	if has(plugin.Files) {
		if err := writeList(dir, plugin.FilesFile, plain, fileHeader, func(yield func(any, []string) error) error {
			if v.image.Files == nil {
				return nil
			}
			for f := range v.image.Files.All() {
				if f.Path == "" {
					continue
				}
				if err := yield(fileRow(&f)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if has(plugin.Verdict) && v.verdict != nil {
		j := judgementOf(v.verdict)
		if !plain {
			if err := writeWith(dir, plugin.VerdictFile, func(w *bufio.Writer) error { return json.NewEncoder(w).Encode(j) }); err != nil {
				return err
			}
		} else if err := writeList(dir, "verdict.jsonl", true, []string{"action", "gate", "trigger", "trigger_id", "allowed", "message"}, func(yield func(any, []string) error) error {
			for _, r := range j.Rows {
				if err := yield(nil, []string{r.Action, r.Gate, r.Trigger, r.TriggerID, strconv.FormatBool(r.Allowed), r.Message}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if has(plugin.Base) && v.base != nil {
		below := slices.DeleteFunc(slices.Clone(needs), func(n plugin.Need) bool { return n == plugin.Base || n == plugin.Findings })
		return writeImage(filepath.Join(dir, plugin.BaseFolder), &view{image: v.base, now: v.now, looked: []string{}}, below, plain)
	}
	return nil
}

// writeWith makes a file that every user may read.
func writeWith(dir, name string, write func(*bufio.Writer) error) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = write(w)
	return errors.Join(err, w.Flush(), f.Chmod(0o444), f.Close())
}

// writeList writes rows: objects a line, or a table with a header.
func writeList(dir, name string, plain bool, header []string, rows func(yield func(any, []string) error) error) error {
	if plain {
		name = strings.TrimSuffix(name, ".jsonl") + ".tsv"
	}
	return writeWith(dir, name, func(w *bufio.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		if plain {
			writeCells(w, header)
		}
		return rows(func(v any, cells []string) error {
			if plain {
				return writeCells(w, cells)
			}
			return enc.Encode(v)
		})
	})
}

// writeCells writes a line of a table. What would break the table becomes a blank.
func writeCells(w io.StringWriter, cells []string) error {
	for i, c := range cells {
		if i > 0 {
			w.WriteString("\t")
		}
		if strings.ContainsAny(c, "\t\n\r\x00") {
			c = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ", "\x00", " ").Replace(c)
		}
		w.WriteString(c)
	}
	_, err := w.WriteString("\n")
	return err
}

var packageHeader = []string{"purl", "type", "name", "version", "arch", "licenses", "path", "layer", "declared", "owner", "source", "supplier"}

func packageRow(p *inventory.Package) (any, []string) {
	out := plugin.Package{
		PURL: p.PURL(), Path: p.Path, Supplier: p.Supplier, Homepage: p.Homepage, Description: p.Description, Declared: p.State == inventory.Declared, Depends: p.Depends, CPEs: p.CPEs, Hashes: p.Hashes,
		Type: p.Type, Name: nameOf(p), Version: p.Version, Arch: p.Arch, Source: p.Source, Distro: p.Distro, Owner: p.Owner, Layer: p.Layer,
	}
	for _, l := range p.Licenses {
		out.Licenses = append(out.Licenses, cmp.Or(l.Expression, l.Raw))
	}
	for _, l := range p.Locations {
		out.Paths = append(out.Paths, l.Path)
	}
	return &out, []string{out.PURL, out.Type, out.Name, out.Version, out.Arch, strings.Join(out.Licenses, ","), out.Path, strconv.Itoa(out.Layer), strconv.FormatBool(out.Declared), out.Owner, out.Source, out.Supplier}
}

// nameOf is a package's name as its ecosystem writes it.
func nameOf(p *inventory.Package) string {
	if p.OS() {
		return p.Name
	}
	return match.EcosystemName(p)
}

func writeFacts(dir string, facts []inventory.Fact, plain bool) error {
	return writeList(dir, plugin.FactsFile, plain, []string{"kind", "path", "layer", "data"}, func(yield func(any, []string) error) error {
		for i := range facts {
			f := &facts[i]
			if f.Hidden {
				continue
			}
			if err := yield(plugin.Fact{Kind: f.Kind, Path: f.Path, Data: f.Data, Layer: f.Layer}, []string{f.Kind, f.Path, strconv.Itoa(f.Layer), string(f.Data)}); err != nil {
				return err
			}
		}
		return nil
	})
}

func writeFindings(dir string, scan *match.Scan, plain bool) error {
	header := []string{"id", "severity", "package", "name", "version", "fixed", "fix_state", "epss", "exploited", "cvss", "suppressed", "layer", "summary"}
	return writeList(dir, plugin.FindingsFile, plain, header, func(yield func(any, []string) error) error {
		if scan == nil {
			return nil
		}
		for i := range scan.Findings {
			f := &scan.Findings[i]
			p := scan.Package(f)
			out := plugin.Finding{
				ID: f.ID, Aliases: f.Aliases, Severity: f.Severity.String(), Package: p.PURL(), Name: nameOf(p), Version: p.Version, Fixed: f.Fix.Versions, FixState: string(f.Fix.State),
				Exploited: f.Exploited != nil, CWEs: f.CWEs, Summary: f.Summary, Suppressed: f.Suppressed, URL: f.URL, Layer: p.Layer,
			}
			if f.EPSS != nil {
				out.EPSS = f.EPSS.Score
			}
			for _, s := range f.Scores {
				out.CVSS = max(out.CVSS, s.Score)
			}
			if !f.Published.IsZero() {
				out.Published = f.Published.UTC().Format(time.RFC3339)
			}
			if err := yield(&out, []string{out.ID, out.Severity, out.Package, out.Name, out.Version, strings.Join(out.Fixed, ","), out.FixState, strconv.FormatFloat(out.EPSS, 'g', 5, 64),
				strconv.FormatBool(out.Exploited), strconv.FormatFloat(out.CVSS, 'f', 1, 64), out.Suppressed, strconv.Itoa(out.Layer), out.Summary}); err != nil {
				return err
			}
		}
		return nil
	})
}

var fileHeader = []string{"path", "type", "kind", "mode", "uid", "gid", "size", "link", "sha256", "layer"}

func fileRow(f *inventory.File) (any, []string) {
	out := plugin.File{Path: f.Path, Type: f.Type.String(), Kind: f.Kind.String(), Mode: fmt.Sprintf("%04o", f.Perm), UID: f.UID, GID: f.GID, Size: f.Size, Link: f.Link, Layer: f.Layer}
	if f.Type == inventory.Regular {
		out.SHA256 = hex.EncodeToString(f.SHA256[:])
	}
	return &out, []string{out.Path, out.Type, out.Kind, out.Mode, strconv.Itoa(out.UID), strconv.Itoa(out.GID), strconv.FormatInt(out.Size, 10), out.Link, out.SHA256, strconv.Itoa(out.Layer)}
}

func judgementOf(v *policy.Verdict) plugin.Judgement {
	out := plugin.Judgement{Action: string(v.Action), Reason: string(v.Reason), Policy: v.BundleID, Rows: []plugin.Row{}}
	for i := range v.Rows {
		r := &v.Rows[i]
		out.Rows = append(out.Rows, plugin.Row{Gate: r.Gate, Trigger: r.Trigger, TriggerID: r.TriggerID, Action: string(r.Action), Message: r.Message, Allowed: r.Allowlisted != nil, Package: r.Evidence.Package, Path: r.Evidence.Path})
	}
	for i := range v.Unknowns {
		u := &v.Unknowns[i]
		out.Unknowns = append(out.Unknowns, u.Gate+"/"+u.Trigger+": "+u.Message)
	}
	return out
}

func imageOf(v *view) plugin.Image {
	img, c := v.image, &v.image.Config
	out := plugin.Image{
		Reference: img.Reference, Tag: v.tag, Tags: img.Tags, Digest: string(img.Digest), ConfigDigest: string(img.ConfigDigest), Now: v.now.UTC().Format(time.RFC3339),
		Annotations: v.annotations, Dockerfile: v.dockerfile, Packages: len(img.Packages), Matched: v.scan != nil, Looked: v.looked, Layers: []plugin.Layer{},
		Config: plugin.Config{Created: instant(c.Created), Author: c.Author, OS: c.OS, Architecture: c.Architecture, User: c.User, Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd, WorkingDir: c.WorkingDir,
			Labels: c.Labels, Ports: c.ExposedPorts, Volumes: c.Volumes},
	}
	if d := img.Distro; d != nil {
		out.Distro = &plugin.Distro{ID: d.ID, Version: d.Version, Codename: d.Codename, Name: d.PrettyName}
	}
	if c.Healthcheck != nil {
		out.Config.Healthcheck = c.Healthcheck.Test
	}
	for i := range c.History {
		s := &c.History[i]
		out.Config.History = append(out.Config.History, plugin.History{Created: instant(s.Created), CreatedBy: s.CreatedBy, EmptyLayer: s.EmptyLayer})
	}
	for i := range img.Layers {
		l := &img.Layers[i]
		out.Layers = append(out.Layers, plugin.Layer{DiffID: string(l.DiffID), Digest: string(l.Digest), Size: l.Size, CreatedBy: l.CreatedBy})
	}
	for i := range img.Problems {
		out.Problems = append(out.Problems, plugin.Problem{Path: img.Problems[i].Path, Message: img.Problems[i].Message})
	}
	return out
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// imageLines writes an image as "key value" lines: labels and variables of the
// environment as "label NAME VALUE" and "env NAME=VALUE".
func imageLines(w *bufio.Writer, img *plugin.Image) error {
	line := func(key string, values ...string) {
		text := strings.Join(strings.Fields(strings.Join(values, " ")), " ")
		if text != "" {
			w.WriteString(key + " " + text + "\n")
		}
	}
	line("reference", img.Reference)
	line("tag", img.Tag)
	line("digest", img.Digest)
	line("config-digest", img.ConfigDigest)
	line("now", img.Now)
	if d := img.Distro; d != nil {
		line("distro", d.ID)
		line("distro-version", d.Version)
		line("distro-codename", d.Codename)
	}
	c := &img.Config
	line("created", c.Created)
	line("os", c.OS)
	line("architecture", c.Architecture)
	line("user", c.User)
	line("workdir", c.WorkingDir)
	for _, e := range c.Env {
		line("env", e)
	}
	for _, k := range slices.Sorted(mapKeys(c.Labels)) {
		line("label", k, c.Labels[k])
	}
	for _, p := range c.Ports {
		line("port", p)
	}
	for _, v := range c.Volumes {
		line("volume", v)
	}
	line("entrypoint", c.Entrypoint...)
	line("cmd", c.Cmd...)
	line("healthcheck", c.Healthcheck...)
	for _, l := range img.Layers {
		line("layer", cmp.Or(l.DiffID, "-"), strconv.FormatInt(l.Size, 10), l.CreatedBy)
	}
	for _, h := range c.History {
		line("history", cmp.Or(h.Created, "-"), h.CreatedBy)
	}
	line("packages", strconv.Itoa(img.Packages))
	line("matched", strconv.FormatBool(img.Matched))
	for _, k := range img.Looked {
		line("looked", k)
	}
	return nil
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
