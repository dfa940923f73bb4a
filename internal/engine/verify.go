package engine

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/image"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// Verification says how the files of OS packages are compared with what
// belongs to them.
type Verification int

const (
	NotVerified Verification = iota
	ByLayers                 // what layers above a package's own changed
	ByDigests                // also with the digests of package databases; Set must have the analyzers that read these
)

const verifier = "package-verify"

// maxDeviations is how many deviations of one image are listed.
const maxDeviations = 100_000

// deviations collects facts about package files, one for each path.
type deviations struct {
	facts []inventory.Fact
	seen  map[string]bool
	more  int
	err   error
}

func (d *deviations) add(path string, layer int, f policy.PackageFile) {
	key := f.Package + "\x00" + path
	if d.seen[key] {
		return
	}
	d.seen[key] = true
	if len(d.facts) == maxDeviations {
		d.more++
		return
	}
	fact, err := policy.NewFact(policy.FactPackageFile, path, f)
	if err != nil {
		d.err = err
	}
	fact.Layer = layer
	d.facts = append(d.facts, fact)
}

// verify adds to the image what is not as its OS packages brought it.
func (e *Engine) verify(ctx context.Context, src *image.Image, layers []inventory.Layer, img *inventory.Image) error {
	var expected []inventory.PackageDigests
	var kept []inventory.Fact
	for _, f := range img.Facts {
		if f.Kind != inventory.KindPackageDigests {
			kept = append(kept, f)
			continue
		}
		var d inventory.PackageDigests
		if f.Hidden {
			continue
		}
		if err := json.Unmarshal(f.Data, &d); err != nil {
			return fmt.Errorf("digests of %s: %w", f.Path, err)
		}
		expected = append(expected, d)
	}
	img.Facts = kept
	if e.Verify == NotVerified {
		return nil
	}
	d := deviations{seen: map[string]bool{}}
	if e.Verify == ByDigests {
		if err := e.compare(ctx, src, img, expected, &d); err != nil {
			return err
		}
	}
	for _, c := range inventory.Changes(layers, img) {
		status := "changed"
		if c.Missing {
			status = "missing"
		}
		d.add(c.Path, c.Layer, policy.PackageFile{Package: c.Package.Name, Type: c.Package.Type, Status: status, Config: c.Config(), Detail: c.Detail})
	}
	if d.more > 0 {
		img.Problems = append(img.Problems, inventory.Problem{Analyzer: verifier, Layer: -1, Limit: "deviations",
			Message: fmt.Sprintf("%d files of packages that are not as they should be, beyond the limit of %d, are not listed", d.more, maxDeviations)})
	}
	img.Facts = append(img.Facts, d.facts...)
	slices.SortStableFunc(img.Facts, inventory.CompareFacts)
	return d.err
}

// pending is a file whose digest must be computed.
type pending struct {
	pkg   *inventory.PackageDigests
	file  inventory.FileDigest
	path  string // in the image
	at    string // in its layer's archive
	layer int
}

// compare compares files with the digests of package databases. SHA-256 is in
// the file table; MD5 and SHA-1 are computed in a pass of their own over the
// layers whose files need it.
func (e *Engine) compare(ctx context.Context, src *image.Image, img *inventory.Image, expected []inventory.PackageDigests, out *deviations) error {
	diverted := map[string]inventory.FileDigest{}
	owner := map[string]string{}
	for i := range expected {
		if expected[i].Type == "diversion" {
			for _, f := range expected[i].Files {
				diverted[f.Path], owner[f.Path] = f, expected[i].Name
			}
		}
	}
	resolve := inventory.NewResolver(img.Files)
	var todo []pending
	want := map[int]map[string]func() hash.Hash{}
	for i := range expected {
		p := &expected[i]
		if p.Type == "diversion" {
			continue
		}
		for _, f := range p.Files {
			listed := f.Path
			if to, ok := diverted[listed]; ok && owner[listed] != p.Name {
				listed = to.Link
			}
			path := resolve.Real(listed)
			now, ok := img.Files.Lookup(path)
			bad := func(status, detail string) {
				layer := -1
				if ok {
					layer = now.Layer
				}
				out.add(path, layer, policy.PackageFile{Package: p.Name, Type: p.Type, Status: status, Config: f.Config, Detail: detail})
			}
			if !ok {
				bad("missing", "not in the image")
				continue
			}
			if detail := attributes(p, &f, &now); detail != "" {
				bad("changed", detail)
				continue
			}
			if f.Digest == "" || now.Type != inventory.Regular {
				continue
			}
			if p.Algorithm == "sha256" {
				if hex.EncodeToString(now.SHA256[:]) != f.Digest {
					bad("changed", "another SHA-256")
				}
				continue
			}
			at := path
			if now.Link != "" {
				at = now.Link // a hard link: the bytes stand under the other name
			}
			if want[now.Layer] == nil {
				want[now.Layer] = map[string]func() hash.Hash{}
			}
			maker := md5.New
			if p.Algorithm == "sha1" {
				maker = sha1.New
			}
			want[now.Layer][at] = maker
			todo = append(todo, pending{p, f, path, at, now.Layer})
		}
	}
	sums := map[int]map[string][]byte{}
	for layer, files := range want {
		got, err := sumsOf(ctx, src.Layers[layer], files)
		if err != nil {
			return err
		}
		sums[layer] = got
	}
	unread := 0
	for _, t := range todo {
		sum, ok := sums[t.layer][t.at]
		switch {
		case !ok:
			unread++
		case hex.EncodeToString(sum) != t.file.Digest:
			out.add(t.path, t.layer, policy.PackageFile{Package: t.pkg.Name, Type: t.pkg.Type, Status: "changed", Config: t.file.Config, Detail: "another " + map[string]string{"md5": "MD5", "sha1": "SHA-1"}[t.pkg.Algorithm]})
		}
	}
	if unread > 0 {
		img.Problems = append(img.Problems, inventory.Problem{Analyzer: verifier, Layer: -1, Message: fmt.Sprintf("%d files of packages lie in their layer under a name that a link changes: they were not compared", unread)})
	}
	return nil
}

// attributes compares all but the content.
func attributes(p *inventory.PackageDigests, f *inventory.FileDigest, now *inventory.File) string {
	switch {
	case f.Link != "" && (now.Type != inventory.Symlink || now.Link != f.Link):
		return fmt.Sprintf("should be a link to %s", f.Link)
	case f.Link != "":
		return ""
	case now.Type == inventory.Symlink && p.Type == "apk":
		if sum := sha1.Sum([]byte(now.Link)); f.Digest != "" && hex.EncodeToString(sum[:]) != f.Digest {
			return "a link to another target"
		}
		return ""
	case f.Digest != "" && now.Type != inventory.Regular:
		return fmt.Sprintf("is a %s", now.Type)
	case f.Mode != nil && now.Type != inventory.Symlink && int64(now.Perm) != *f.Mode:
		return fmt.Sprintf("mode should be %04o, is %04o", *f.Mode, now.Perm)
	}
	return ""
}

func sumsOf(ctx context.Context, l *image.Layer, files map[string]func() hash.Hash) (map[string][]byte, error) {
	stream, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	got, err := analyze.Sums(ctx, stream, files)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l, err)
	}
	return got, stream.Drain()
}
