package java

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// analyzeDir runs an analyzer over the regular files of a directory it wants.
func analyzeDir(t testing.TB, a analyze.Analyzer, dir string) *inventory.Record {
	t.Helper()
	out := &inventory.Record{Analyzer: a.Name()}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := d.Info()
		if err != nil {
			return err
		}
		head := make([]byte, analyze.SniffLen)
		n, _ := f.Read(head)
		e := analyze.Entry{Path: filepath.ToSlash(rel), Mode: info.Mode(), Size: info.Size(), Kind: analyze.Sniff(rel, head[:n])}
		if a.Wants(e) == analyze.Ignore {
			return nil
		}
		return a.Analyze(t.Context(), analyze.NewFileSet(&analyze.File{Entry: e, ReaderAt: f}), out)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// repositoryTruth reads Debian's Maven repository: links from the place of an
// artifact, group/artifact/version/, to the archive. It returns the artifacts
// of each archive, by the archive's path.
func repositoryTruth(t *testing.T, dir string) map[string][]coordinates {
	t.Helper()
	truth := map[string][]coordinates{}
	repo := filepath.Join(dir, "usr/share/maven-repo")
	err := filepath.WalkDir(repo, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".jar") {
			return err
		}
		rel, err := filepath.Rel(repo, p)
		if err != nil {
			return err
		}
		parts := strings.Split(filepath.ToSlash(rel), "/")
		n := len(parts)
		c := coordinates{strings.Join(parts[:n-3], "."), parts[n-3], parts[n-2]}
		target := p
		for range 10 {
			link, err := os.Readlink(target)
			if err != nil {
				break
			}
			if filepath.IsAbs(link) {
				target = filepath.Join(dir, link)
			} else {
				target = filepath.Join(filepath.Dir(target), link)
			}
		}
		if rel, err = filepath.Rel(dir, target); err != nil {
			return err
		}
		truth[filepath.ToSlash(rel)] = append(truth[filepath.ToSlash(rel)], c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return truth
}

// TestDebianJars compares every archive of an image with the coordinates under
// which the distribution's own Maven repository has it.
func TestDebianJars(t *testing.T) {
	dir := analyzetest.Layer(t, "java-debs")
	truth := repositoryTruth(t, dir)
	rec := analyzeDir(t, Analyzer{}, dir)
	for _, p := range rec.Problems {
		t.Errorf("problem: %+v", p)
	}
	own, right, version := 0, 0, 0
	seen := map[string]bool{}
	for _, p := range rec.Packages {
		if p.Inner != "" || p.Type != "maven" {
			continue
		}
		if seen[p.Path] {
			t.Errorf("%s has two identities", p.Path)
		}
		seen[p.Path] = true
		want := truth[p.Path]
		if want == nil {
			t.Logf("no truth: %s = %s:%s:%s", p.Path, p.Namespace, p.Name, p.Version)
			continue
		}
		own++
		ga, v := false, false
		for _, c := range want {
			if c.group == p.Namespace && c.artifact == p.Name {
				ga = true
				v = v || c.version == p.Version || equal(components(c.version), components(p.Version))
			}
		}
		if ga {
			right++
		}
		if v {
			version++
		}
		// its repository calls it 0.1-SNAPSHOT; the file says only what its source package's version is
		if strings.HasPrefix(p.Path, "usr/share/java/jsr305-0.1") && ga {
			continue
		}
		if !ga || !v {
			t.Errorf("%s = %s:%s:%s by %s, want one of %s", p.Path, p.Namespace, p.Name, p.Version, p.Technique, fmt.Sprint(want))
		}
	}
	for p := range truth {
		if !seen[p] {
			if _, err := os.Lstat(filepath.Join(dir, p)); err == nil {
				t.Errorf("%s not found", p)
			}
		}
	}
	if own < 100 {
		t.Errorf("only %d archives with known coordinates", own)
	}
	t.Logf("%d archives with known coordinates: %d group and artifact right, %d version too", own, right, version)
}

// TestApplication reads every pom.properties in the archives of an image, at
// any depth, with archive/zip, and wants each of them among the packages, and
// each nested archive once.
func TestApplication(t *testing.T) {
	dir := analyzetest.Layer(t, "java-app")
	want := map[string]bool{}
	archives := 0
	var read func(file, inner string, data []byte)
	read = func(file, inner string, data []byte) {
		archives++
		r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.File {
			isPom := path.Base(f.Name) == "pom.properties"
			if !isPom && path.Ext(f.Name) != ".jar" && path.Ext(f.Name) != ".war" {
				continue
			}
			rc, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(rc)
			if err != nil {
				t.Fatal(err)
			}
			if !isPom {
				read(file, inner+f.Name+"!", content)
				continue
			}
			v := map[string]string{}
			for line := range strings.Lines(string(content)) {
				k, x, _ := strings.Cut(strings.TrimSpace(line), "=")
				v[k] = x
			}
			want[fmt.Sprintf("%s!%s%s:%s:%s", file, inner, v["groupId"], v["artifactId"], v["version"])] = true
		}
	}
	rec := analyzeDir(t, Analyzer{}, dir)
	own := map[string]int{}
	for _, p := range rec.Packages {
		own[p.Path+"!"+p.Inner]++
	}
	for _, file := range []string{"srv/shop.war", "srv/billing-4.5.6.jar", "opt/dup/renamed.jar"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		read(file, "", data)
	}
	for _, p := range rec.Packages {
		k := p.Path + "!"
		if p.Inner != "" {
			k += p.Inner + "!"
		}
		delete(want, k+p.Namespace+":"+p.Name+":"+p.Version)
	}
	for k := range want {
		t.Errorf("missing %s", k)
	}
	for k, n := range own {
		if n != 1 {
			t.Errorf("%s has %d identities", k, n)
		}
	}
	if len(own) != archives || len(rec.Packages) != archives || len(rec.Problems) > 0 {
		t.Errorf("%d archives give %d packages in %d, problems %v", archives, len(rec.Packages), len(own), rec.Problems)
	}
}

// TestDerivedIdentity hides the pom of every archive that has one and checks
// that the other rules conclude the same, or leave the group out.
func TestDerivedIdentity(t *testing.T) {
	dir := os.Getenv("TIDEWAITER_JARS")
	if dir == "" {
		dir = analyzetest.Layer(t, "java-debs")
	}
	total, exact, groupless, wrong, versions := 0, 0, 0, 0, 0
	var lines []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.HasSuffix(p, ".jar") {
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		a, err := openArchive(memory(data))
		if err != nil {
			return nil
		}
		w := &walk{ctx: t.Context(), out: &inventory.Record{}, file: analyze.NewFile(analyze.Entry{Path: p}, data)}
		c, err := w.contents(a)
		if err != nil {
			return err
		}
		n := nested{src: memory(data), name: p}
		poms := w.poms(a, &c, n)
		if len(poms) != 1 {
			return nil
		}
		cl := clues{path: filepath.Base(p), file: parseFileName(p), has: a.has}
		if c.manifest != nil {
			cl.manifest = parseManifest(w.read(a, c.manifest, n, maxManifest))
		}
		id, _ := cl.identify()
		total++
		switch {
		case id.group == poms[0].group && id.artifact == poms[0].artifact:
			exact++
		case id.group == "" && id.artifact == poms[0].artifact:
			groupless++
		default:
			wrong++
			lines = append(lines, fmt.Sprintf("%s: %s, pom %s", filepath.Base(p), id.coordinates, poms[0].coordinates))
		}
		if id.version == poms[0].version {
			versions++
		} else {
			lines = append(lines, fmt.Sprintf("version %s: %s, pom %s", filepath.Base(p), id.coordinates, poms[0].coordinates))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	if total == 0 || exact*100 < total*85 && os.Getenv("TIDEWAITER_JARS") == "" {
		t.Errorf("only %d of %d as their pom says", exact, total)
	}
	t.Logf("%d archives: %d as their pom says, %d without group, %d otherwise; %d versions as the pom\n%s", total, exact, groupless, wrong, versions, strings.Join(lines, "\n"))
}
