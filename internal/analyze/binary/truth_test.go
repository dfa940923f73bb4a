package binary

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// run analyzes data as a file at path. spooled keeps the bytes from the
// analyzer, as with large files.
func run(t testing.TB, data []byte, path string, spooled bool) inventory.Record {
	t.Helper()
	e := analyze.Entry{Path: path, Mode: 0o755, Kind: analyze.Sniff(path, data), Size: int64(len(data))}
	f := analyze.NewFile(e, data)
	if spooled {
		f = &analyze.File{Entry: e, ReaderAt: strings.NewReader(string(data))}
	}
	out := inventory.Record{Analyzer: "binary"}
	if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(f), &out); err != nil {
		t.Error(err)
	}
	return out
}

// upstream is the upstream part of a Debian version.
func upstream(v string) string {
	if _, rest, ok := strings.Cut(v, ":"); ok {
		v = rest
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		v = v[:i]
	}
	if _, really, ok := strings.Cut(v, "+really"); ok {
		v = really
	}
	return v
}

// agrees reports whether what a signature found is the upstream version of a
// package: "2.6.2" and "2.6.2+dfsg1", "6.9.11-60" and "6.9.11.60".
func agrees(found, deb string) bool {
	plain := strings.NewReplacer("-", ".", "~", ".")
	found, _, _ = strings.Cut(plain.Replace(found), "+")
	rest, ok := strings.CutPrefix(plain.Replace(upstream(deb)), found)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '+' || strings.HasPrefix(rest, "dfsg"))
}

// elves calls visit for every ELF program and library below root.
func elves(t *testing.T, root string, visit func(rel string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(p)
		if err != nil {
			return nil
		}
		defer f.Close()
		var head [18]byte
		if _, err := io.ReadFull(f, head[:]); err != nil || string(head[:4]) != "\x7fELF" || head[16] != 2 && head[16] != 3 {
			return nil
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		data, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		visit(filepath.ToSlash(rel), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDebs compares with the versions of Debian packages: TIDEWAITER_DEBS is a
// folder of packages unpacked by dpkg -x into folders NAME_VERSION_ARCH. Every
// file is read at its own place, where its name selects the signatures, and as
// opt/app/thing, where its content must.
func TestDebs(t *testing.T) {
	debs := os.Getenv("TIDEWAITER_DEBS")
	if debs == "" {
		t.Skip("TIDEWAITER_DEBS is not set: no unpacked packages")
	}
	dirs, err := filepath.Glob(filepath.Join(debs, "*_*_*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no packages in %s: %v", debs, err)
	}
	proven, renamed := map[string]bool{}, map[string]bool{}
	var named, blind int
	for _, dir := range dirs {
		fields := strings.SplitN(filepath.Base(dir), "_", 3)
		version := strings.ReplaceAll(fields[1], "%3a", ":")
		elves(t, dir, func(rel string, data []byte) {
			for _, p := range run(t, data, rel, false).Binaries[0].Products {
				if p.Meta["embedded"] != "" {
					continue // another product; its version is its own
				}
				named++
				proven[p.Name] = true
				if !agrees(p.Version, version) {
					t.Errorf("%s: %s: %s %s, package has %s", fields[0], rel, p.Name, p.Version, version)
				}
			}
			for _, p := range run(t, data, "opt/app/thing", false).Binaries[0].Products {
				if agrees(p.Version, version) {
					blind++
					renamed[p.Name] = true
				} else if p.Meta["embedded"] == "" {
					t.Errorf("%s: %s renamed: %s %s, package has %s", fields[0], rel, p.Name, p.Version, version)
				} else {
					t.Logf("%s: %s contains %s %s", fields[0], rel, p.Name, p.Version)
				}
			}
		})
	}
	t.Logf("%d findings by name in %d products, %d by content in %d products", named, len(proven), blind, len(renamed))
	for _, sig := range signatures().list {
		if proven[sig.name] && !sig.proven {
			t.Logf("%s may be marked as proven", sig.name)
		}
	}
}

// TestCorpus compares with dpkg: what is found in a file that a package owns
// must have the version of that package. Files that are no product's, nearly
// all, must be found to be none.
func TestCorpus(t *testing.T) {
	layers := analyzetest.Layers(t, "*/fs")
	if len(layers) == 0 {
		t.Fatal("no layers in the corpus")
	}
	var files, agreed, disagreed, embedded, unowned int
	for _, layer := range layers {
		owner, version := dpkgOwners(t, layer)
		elves(t, layer, func(rel string, data []byte) {
			files++
			deb, owned := owner[strings.TrimPrefix(rel, "usr/")]
			for _, path := range []string{rel, "opt/app/" + filepath.Base(rel)} {
				for _, b := range run(t, data, path, false).Binaries {
					for _, p := range b.Products {
						switch {
						case p.Meta["embedded"] != "":
							embedded++
							t.Logf("%s: %s contains %s %s", deb, rel, p.Name, p.Version)
						case !owned:
							unowned++
							t.Logf("%s: %s %s, owned by nobody", rel, p.Name, p.Version)
						case agrees(p.Version, version[deb]):
							agreed++
						default:
							disagreed++
							t.Errorf("%s: %s: %s %s, package has %s", deb, path, p.Name, p.Version, version[deb])
						}
					}
				}
			}
		})
	}
	t.Logf("%d files (each at its place and below opt): %d findings agree with dpkg, %d do not; %d in files that nobody owns, %d parts of other programs", files, agreed, disagreed, unowned, embedded)
}

// dpkgOwners reads a layer's package lists; paths are without usr/, as
// distributions merge the two.
func dpkgOwners(t *testing.T, layer string) (owner, version map[string]string) {
	t.Helper()
	owner, version = map[string]string{}, map[string]string{}
	f, err := os.Open(filepath.Join(layer, "var/lib/dpkg/status"))
	if err != nil {
		return owner, version
	}
	defer f.Close()
	name := ""
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if v, ok := strings.CutPrefix(sc.Text(), "Package: "); ok {
			name = v
		} else if v, ok := strings.CutPrefix(sc.Text(), "Version: "); ok {
			version[name] = v
		}
	}
	lists, err := filepath.Glob(filepath.Join(layer, "var/lib/dpkg/info/*.list"))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		if info, err := os.Lstat(list); err != nil || !info.Mode().IsRegular() {
			continue // a whiteout
		}
		data, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(list), ".list"), ":")
		for line := range strings.Lines(string(data)) {
			owner[strings.TrimPrefix(strings.Trim(line, "/\n"), "usr/")] = name
		}
	}
	return owner, version
}

// TestReal reads the small real programs of testdata; the versions are those
// that the programs print.
func TestReal(t *testing.T) {
	for file, want := range map[string]string{"tini-0.19.0": "tini 0.19.0", "dumb-init-1.2.5": "dumb-init 1.2.5"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(want, " ")
		for _, path := range []string{"usr/bin/" + name, "opt/thing", "app/" + name} {
			for _, spooled := range []bool{false, true} {
				r := run(t, data, path, spooled)
				var got []string
				for _, p := range r.Binaries[0].Products {
					got = append(got, p.Name+" "+p.Version)
				}
				if !slices.Equal(got, []string{want}) || len(r.Problems) > 0 {
					t.Errorf("%s: %q, %v, want %q", path, got, r.Problems, want)
				}
			}
		}
		// a managed place and a name that no signature has: not searched
		if r := run(t, data, "usr/bin/other", false); len(r.Binaries) != 1 || len(r.Binaries[0].Products) != 0 {
			t.Errorf("usr/bin/other: %+v", r)
		}
	}
}
