package dpkg

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Chisel reads the manifests of Ubuntu's chisel, which cuts images out of
// slices of Debian packages and keeps no database of dpkg: manifest.wall, in
// whatever directory, mostly var/lib/chisel. It is a text in zstd, a JSON
// object in each line: a header, the packages, and paths with the slices
// (PACKAGE_SLICE) that brought them.
//
// The manifest does not say which source a package was built from.
type Chisel struct{}

var _ analyze.Analyzer = Chisel{}

const (
	manifestName = "manifest.wall"

	maxManifestLine   = 1 << 20
	maxManifestWindow = 32 << 20 // of zstd; chisel uses 8 MiB
)

// Name implements [analyze.Analyzer].
func (Chisel) Name() string { return "chisel" }

// Version implements [analyze.Analyzer].
func (Chisel) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Chisel) Wants(e analyze.Entry) analyze.Interest {
	if e.Kind == inventory.KindZstd && strings.HasSuffix(e.Path, manifestName) && (len(e.Path) == len(manifestName) || e.Path[len(e.Path)-len(manifestName)-1] == '/') {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (Chisel) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err == nil {
			err = readManifest(ctx, f, out)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading the manifest of chisel: %w", err)
		}
	}
	return nil
}

// wallEntry is a line of a manifest: the header, a package or a path. Slices
// and the contents of each say nothing that the paths do not.
type wallEntry struct {
	Wall   string `json:"jsonwall"`
	Schema string `json:"schema"`
	Count  int    `json:"count"`

	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Arch    string `json:"arch"`
	SHA256  string `json:"sha256"`
	SHA384  string `json:"sha384"`
	SHA512  string `json:"sha512"`

	Path   string   `json:"path"`
	Slices []string `json:"slices"`
}

// readManifest appends the packages of a manifest with their files. What was
// read before an error is kept.
func readManifest(ctx context.Context, f *analyze.File, out *inventory.Record) error {
	z, err := zstd.NewReader(f.Reader(), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxManifestWindow))
	if err != nil {
		return err
	}
	defer z.Close()
	f.Exclusive()
	m := manifest{file: f.Path, byName: map[string]int{}, files: map[string][]string{}}
	err = m.read(ctx, z)
	m.finish()
	out.Packages = append(out.Packages, m.packages...)
	return err
}

type manifest struct {
	file     string
	packages []inventory.Package
	byName   map[string]int      // name to packages
	files    map[string][]string // name of package to its files
	paths    int
	bad      badEntries
}

func (m *manifest) read(ctx context.Context, in io.Reader) error {
	text := &io.LimitedReader{R: in, N: analyze.MaxStream + 1}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, maxManifestLine)
	seen, count := 0, 0
	for lines.Scan() {
		if seen%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var e wallEntry
		err := json.Unmarshal(line, &e)
		if seen == 0 {
			switch {
			case err != nil || e.Wall == "":
				return errors.New("no header of a jsonwall in the first line")
			case !strings.HasPrefix(e.Wall, "1."):
				return fmt.Errorf("jsonwall version %.20q is not known", e.Wall)
			case !strings.HasPrefix(e.Schema, "1."):
				return fmt.Errorf("schema version %.20q is not known", e.Schema)
			}
			count = e.Count
		} else if err != nil {
			m.bad.add(fmt.Errorf("line %.80q: %w", line, err))
		} else if err := m.add(&e); err != nil {
			return err
		}
		seen++
	}
	switch err := lines.Err(); {
	case text.N == 0:
		return fmt.Errorf("its text has more than the limit of %d bytes", analyze.MaxStream)
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("a line has more than the limit of %d bytes", maxManifestLine)
	case err != nil:
		return fmt.Errorf("after %d entries: %w", seen, err)
	case seen == 0:
		return errors.New("it is empty")
	case seen != count:
		m.bad.add(fmt.Errorf("it holds %d of %d entries", seen, count))
	}
	return m.bad.err()
}

// add takes an entry. Errors are those after which reading on makes no sense.
func (m *manifest) add(e *wallEntry) error {
	switch e.Kind {
	case "package":
		if !word([]byte(e.Name)) || !word([]byte(e.Version)) {
			m.bad.add(fmt.Errorf("package name %.80q, version %.80q", e.Name, e.Version))
			return nil
		}
		if _, ok := m.byName[e.Name]; ok {
			m.bad.add(fmt.Errorf("a second package %s", e.Name))
			return nil
		}
		if len(m.packages) == maxPackages {
			return fmt.Errorf("more than the limit of %d packages", maxPackages)
		}
		p := inventory.Package{Type: "deb", Name: e.Name, Version: e.Version, Path: m.file, Technique: inventory.TechDatabase}
		if word([]byte(e.Arch)) {
			p.Arch = e.Arch
		}
		for _, h := range [...]struct {
			name, hex string
			bytes     int
		}{{"sha256", e.SHA256, 32}, {"sha384", e.SHA384, 48}, {"sha512", e.SHA512, 64}} {
			if b, err := hex.DecodeString(h.hex); err == nil && len(b) == h.bytes {
				if p.Hashes == nil {
					p.Hashes = make(map[string]string, 1)
				}
				p.Hashes[h.name] = strings.ToLower(h.hex)
			}
		}
		m.byName[e.Name] = len(m.packages)
		m.packages = append(m.packages, p)
	case "path":
		p := relative(e.Path)
		if p == "" || strings.HasSuffix(e.Path, "/") {
			return nil // packages share directories
		}
		last := ""
		for _, s := range e.Slices {
			name, _, ok := strings.Cut(s, "_") // no name of a package has one
			if !ok || name == "" || len(name) > maxName {
				m.bad.add(fmt.Errorf("slice %.80q of %.80q", s, e.Path))
				continue
			}
			if name == last {
				continue
			}
			if m.paths++; m.paths > maxFiles {
				return fmt.Errorf("more than the limit of %d files", maxFiles)
			}
			m.files[name] = append(m.files[name], p)
			last = name
		}
	}
	return nil
}

func (m *manifest) finish() {
	for i := range m.packages {
		m.packages[i].Files = inventory.NewFileList(m.files[m.packages[i].Name])
	}
}
