package dpkg

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// query is the format in which dpkg-query was asked for testdata/dpkg-query.tsv
// and is asked again for larger databases.
const query = `${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${Installed-Size}\t` +
	`${Maintainer}\t${Homepage}\t${Section}\t${Priority}\t${Essential}\t${binary:Synopsis}\n`

// truth turns dpkg-query's answer into packages, as far as it tells.
func truth(t *testing.T, tsv string) []inventory.Package {
	t.Helper()
	var out []inventory.Package
	for line := range strings.Lines(tsv) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 13 {
			t.Fatalf("line %q", line)
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		if f[0][1] == 'n' || f[0][1] == 'c' {
			continue
		}
		p := inventory.Package{
			Type: "deb", Name: f[1], Version: f[2], Arch: f[3], Supplier: f[7], Homepage: f[8], Description: strings.TrimSpace(f[12]),
			Path: statusFile, Technique: inventory.TechDatabase, Meta: map[string]string{},
		}
		if f[4] != f[1] || f[5] != f[2] {
			p.Source, p.SourceVersion = f[4], f[5]
		}
		if kib, err := strconv.ParseInt(f[6], 10, 64); err == nil {
			p.Size = kib << 10
		}
		for i, key := range []string{"Section", "Priority", "Essential"} {
			if f[9+i] != "" && !(key == "Essential" && f[9+i] == "no") {
				p.Meta[key] = f[9+i]
			}
		}
		if len(p.Meta) == 0 {
			p.Meta = nil
		}
		out = append(out, p)
	}
	return out
}

var fileLists = gocmp.Transformer("Strings", inventory.FileList.Strings)

// known leaves what truth can know of the packages.
func known(ps []inventory.Package) []inventory.Package {
	ps = slices.Clone(ps)
	for i := range ps {
		ps[i].Depends = nil
		if s := ps[i].Meta["Status"]; s != "" {
			m := map[string]string{}
			for k, v := range ps[i].Meta {
				if k != "Status" {
					m[k] = v
				}
			}
			ps[i].Meta = m
		}
	}
	return ps
}

func byName(ps []inventory.Package) []inventory.Package {
	slices.SortFunc(ps, func(a, b inventory.Package) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Arch, b.Arch))
	})
	return ps
}

// run reads the files below root as the walk over a layer would.
func run(t testing.TB, root string) *inventory.Record {
	t.Helper()
	out := &inventory.Record{Analyzer: "dpkg"}
	var together []*analyze.File
	for _, dir := range []string{adminDir, docDir} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			e := analyze.Entry{Path: filepath.ToSlash(rel)}
			interest := (Analyzer{}).Wants(e)
			if interest == analyze.Ignore {
				return nil
			}
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			f := analyze.NewFile(e, data)
			if interest == analyze.Together {
				together = append(together, f)
				return nil
			}
			return (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(f), out)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(together...), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// files reads what "dpkg-query -L" printed, without the directories that hold others.
func files(list string) []string {
	var all []string
	for line := range strings.Lines(list) {
		p := strings.TrimPrefix(strings.TrimSpace(line), "/")
		if p == "." || p == "" || strings.Contains(p, "diverted by ") || strings.Contains(p, "diverts others to: ") || strings.Contains(p, "locally diverted to: ") {
			continue
		}
		all = append(all, p)
	}
	parents := make(map[string]bool)
	for _, p := range all {
		for d := filepath.Dir(p); d != "."; d = filepath.Dir(d) {
			parents[d] = true
		}
	}
	all = slices.DeleteFunc(all, func(p string) bool { return parents[p] })
	slices.Sort(all)
	return slices.Compact(all)
}

func TestStatus(t *testing.T) {
	out := run(t, "testdata/real")
	tsv, err := os.ReadFile("testdata/dpkg-query.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var fromStatus []inventory.Package
	states := make(map[string]string)
	for _, p := range out.Packages {
		if p.Path == statusFile {
			fromStatus = append(fromStatus, p)
			if s := p.Meta["Status"]; s != "" {
				states[p.Name] = s
			}
		}
	}
	if diff := gocmp.Diff(byName(truth(t, string(tsv))), byName(known(fromStatus)), fileLists); diff != "" {
		t.Errorf("not what dpkg-query says (-want +got):\n%s", diff)
	}
	wantStates := map[string]string{
		"awaited": "install ok triggers-awaited", "pending": "install ok triggers-pending", "half-installed": "install reinstreq half-installed",
		"half-configured": "install ok half-configured", "unpacked": "install ok unpacked",
	}
	if diff := gocmp.Diff(wantStates, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	i := slices.IndexFunc(fromStatus, func(p inventory.Package) bool { return p.Name == "login" })
	// Pre-Depends: libaudit1 (>= 1:2.2.1), libc6 (>= 2.34), libcrypt1 (>= 1:4.1.0), libpam0g (>= 0.99.7.1), libpam-runtime, libpam-modules
	want := []string{"libaudit1", "libc6", "libcrypt1", "libpam-modules", "libpam-runtime", "libpam0g"}
	if diff := gocmp.Diff(want, fromStatus[i].Depends); diff != "" {
		t.Errorf("dependencies of login (-want +got):\n%s", diff)
	}
	if len(out.Problems) != 0 {
		t.Errorf("problems: %v", out.Problems)
	}
}

func TestLists(t *testing.T) {
	out := run(t, "testdata/real")
	got := make(map[string][]string)
	for _, o := range out.Owned {
		got[strings.TrimPrefix(o.Path, infoDir)+" "+o.Type+" "+o.Name+" "+o.Arch] = o.Files.Strings()
	}
	want := make(map[string][]string)
	for _, n := range []string{"login", "mawk"} {
		list, err := os.ReadFile("testdata/" + n + ".files")
		if err != nil {
			t.Fatal(err)
		}
		want[n+".list deb "+n+" "] = files(string(list))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("not what dpkg-query -L says (-want +got):\n%s", diff)
	}
}

func TestSumsStandInForLists(t *testing.T) {
	sums := "d41d8cd98f00b204e9800998ecf8427e  usr/bin/a\n0cc175b9c0f1b6a831c399e269772661  usr/share/a b\n"
	m := fstest.MapFS{
		"var/lib/dpkg/info/both.list":         {Data: []byte("/.\n/usr\n/usr/bin\n/usr/bin/x\n/usr/bin-y\n/etc/empty\n")},
		"var/lib/dpkg/info/both.md5sums":      {Data: []byte(sums)},
		"var/lib/dpkg/info/sums:i386.md5sums": {Data: []byte(sums)},
		"var/lib/dpkg/status.d/one.md5sums":   {Data: []byte(sums)},
		"var/lib/dpkg/info/bad.md5sums":       {Data: []byte("no sum here\n" + sums)},
	}
	var out inventory.Record
	if err := (Analyzer{}).Analyze(t.Context(), m, &out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range out.Owned {
		got = append(got, o.Name+"/"+o.Arch+": "+strings.Join(o.Files.Strings(), ","))
	}
	want := []string{
		"bad/: usr/bin/a,usr/share/a b", "both/: etc/empty,usr/bin-y,usr/bin/x",
		"sums/i386: usr/bin/a,usr/share/a b", "one/: usr/bin/a,usr/share/a b",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(out.Problems) != 1 || out.Problems[0].Path != "var/lib/dpkg/info/bad.md5sums" {
		t.Errorf("problems: %v", out.Problems)
	}
}

func TestDistroless(t *testing.T) {
	out := run(t, "testdata/real")
	var got []string
	for _, p := range out.Packages {
		if p.Path != statusFile {
			got = append(got, strings.Join([]string{strings.TrimPrefix(p.Path, statusDir), p.Name, p.Version, p.Arch, p.Source, p.SourceVersion}, " "))
		}
	}
	// read off the six files with grep
	want := []string{
		"base base-files 9.9+deb9u12 amd64  ", "libc6 libc6 2.24-11+deb9u4 amd64 glibc 2.24-11+deb9u4",
		"libssl1 libssl1.1 1.1.0l-1~deb9u1 amd64 openssl 1.1.0l-1~deb9u1", "netbase netbase 5.4 all  ",
		"openssl openssl 1.1.0l-1~deb9u1 amd64  ", "tzdata tzdata 2019c-0+deb9u1 all  ",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOddEntries(t *testing.T) {
	const in = "\n\nPackage: a\nVersion: 1\nSTATUS: install ok installed\nSource: src\n\n" + // no architecture
		"Package: b\r\nVersion: 2-1\r\nArchitecture: all\r\n\r\n" + // carriage returns, no status
		"Package: c\nVersion: 3\nStatus: deinstall ok config-files\n\n" +
		"Package: d\nStatus: install ok installed\n\n" + // no version
		"Version: 4\nStatus: install ok installed\n\n" + // no name
		"Package: e f\nVersion: 4\nStatus: install ok installed\n \t \n" +
		"Package: g\nVersion: 1+b2\nSource: g (1)\nDepends: x:any (>= 1) | y,\n z [amd64],x\nStatus: install ok installed"
	var out inventory.Record
	if err := readStatus(t.Context(), statusFile, []byte(in), false, &out); err == nil || !strings.HasPrefix(err.Error(), "3 entries cannot be read") {
		t.Errorf("error %v, want one of 3 entries", err)
	}
	var got []string
	for _, p := range out.Packages {
		got = append(got, p.Name+" "+p.Version+" "+p.Arch+" "+p.Source+" "+p.SourceVersion+" "+strings.Join(p.Depends, ","))
	}
	want := []string{"a 1  src 1 ", "b 2-1 all   ", "g 1+b2  g 1 x,y,z"}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := readStatus(t.Context(), statusFile, []byte("\x00\x01 nothing\n"), false, &out); err == nil {
		t.Error("a file without fields gave no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Analyzer{}).Analyze(ctx, fstest.MapFS{statusFile: {Data: []byte(in)}}, &out); err == nil {
		t.Error("no error from a cancelled context")
	}
}

func TestWants(t *testing.T) {
	tests := map[string]analyze.Interest{
		"var/lib/dpkg/status":                    analyze.Alone,
		"var/lib/dpkg/status-old":                analyze.Ignore,
		"var/lib/dpkg/status.d/libc6":            analyze.Alone,
		"var/lib/dpkg/status.d/libc6.md5sums":    analyze.Alone,
		"var/lib/dpkg/status.d/a/b":              analyze.Ignore,
		"var/lib/dpkg/info/libc6:amd64.list":     analyze.Together,
		"var/lib/dpkg/info/libc6:amd64.md5sums":  analyze.Together,
		"var/lib/dpkg/info/libc6:amd64.postinst": analyze.Ignore,
		"var/lib/dpkg/info/.list":                analyze.Ignore,
		"usr/share/doc/libc6/copyright":          analyze.Alone,
		"usr/share/doc/libc6/x/copyright":        analyze.Ignore,
		"usr/share/doc/copyright":                analyze.Ignore,
		"usr/share/doc//copyright":               analyze.Ignore,
		"srv/root/var/lib/dpkg/status":           analyze.Ignore,
	}
	for p, want := range tests {
		if got := (Analyzer{}).Wants(analyze.Entry{Path: p}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", p, got, want)
		}
	}
}

// layers finds unpacked layers of Debian: the folders below
// $TIDEWAITER_CORPUS/.work/layers/*/fs that hold a status file.
func layers(t testing.TB) []string {
	t.Helper()
	found := analyzetest.Layers(t, "*/fs/"+statusFile)
	if len(found) == 0 {
		t.Skip("no Debian layer in the corpus")
	}
	for i := range found {
		found[i] = strings.TrimSuffix(found[i], "/"+statusFile)
	}
	return found
}

func TestAgainstDpkgQuery(t *testing.T) {
	roots := layers(t)
	tool, err := exec.LookPath("dpkg-query")
	if err != nil {
		t.Skip("no dpkg-query here to compare with")
	}
	packages, lists := 0, 0
	for _, root := range roots {
		admin := "--admindir=" + adminCopy(t, root)
		tsv, err := exec.CommandContext(t.Context(), tool, admin, "-W", "-f="+query).Output()
		if err != nil {
			t.Fatal(err)
		}
		out := run(t, root)
		if diff := gocmp.Diff(byName(truth(t, string(tsv))), byName(known(out.Packages)), fileLists); diff != "" {
			t.Errorf("%s: not what dpkg-query says (-want +got):\n%s", root, diff)
		}
		for _, p := range out.Problems {
			t.Errorf("%s: %v", root, p)
		}
		packages += len(out.Packages)
		for _, o := range out.Owned {
			if !strings.HasSuffix(o.Path, listEnd) {
				continue
			}
			name := o.Name
			if o.Arch != "" {
				name += ":" + o.Arch
			}
			list, err := exec.CommandContext(t.Context(), tool, admin, "-L", name).Output()
			if err != nil {
				t.Errorf("%s: dpkg-query -L %s: %v", root, name, err)
				continue
			}
			if diff := gocmp.Diff(files(string(list)), o.Files.Strings()); diff != "" {
				t.Errorf("%s: files of %s (-want +got):\n%s", root, name, diff)
			}
			lists++
		}
	}
	t.Logf("%d databases, %d packages, %d lists of files compared", len(roots), packages, lists)
}

// adminCopy makes a whole database of what one layer holds of it: without
// info/format, which lies in the lowest layer, dpkg finds no list that has an
// architecture in its name.
func adminCopy(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	from := filepath.Join(root, adminDir)
	lists, err := filepath.Glob(from + "/info/*.list")
	if err == nil {
		err = os.Mkdir(dir+"/info", 0o755)
	}
	if err == nil {
		err = os.WriteFile(dir+"/info/format", []byte("1\n"), 0o644)
	}
	if err == nil {
		err = os.Symlink(from+"/status", dir+"/status")
	}
	for _, l := range lists {
		if err == nil {
			err = os.Symlink(l, dir+"/info/"+filepath.Base(l))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func BenchmarkLayer(b *testing.B) {
	root := ""
	for _, r := range layers(b) {
		if strings.Contains(r, "py-debs") {
			root = r
		}
	}
	if root == "" {
		b.Skip("no layer py-debs")
	}
	var alone []*analyze.FileSet
	var together []*analyze.File
	for _, dir := range []string{adminDir, docDir} {
		_ = filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil
			}
			rel, _ := filepath.Rel(root, p)
			e := analyze.Entry{Path: rel}
			data, _ := os.ReadFile(p)
			switch (Analyzer{}).Wants(e) {
			case analyze.Alone:
				alone = append(alone, analyze.NewFileSet(analyze.NewFile(e, data)))
			case analyze.Together:
				together = append(together, analyze.NewFile(e, data))
			}
			return nil
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		var out inventory.Record
		for _, f := range alone {
			_ = (Analyzer{}).Analyze(b.Context(), f, &out)
		}
		_ = (Analyzer{}).Analyze(b.Context(), analyze.NewFileSet(together...), &out)
	}
}

func FuzzStatus(f *testing.F) {
	for _, name := range []string{statusFile, statusDir + "libc6", statusDir + "openssl"} {
		data, err := os.ReadFile("testdata/real/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var out inventory.Record
		_ = readStatus(t.Context(), statusFile, data, false, &out)
		for _, p := range out.Packages {
			if p.Name == "" || p.Version == "" || strings.ContainsAny(p.Name+p.Version+p.Arch+p.Source+p.SourceVersion, " \n\t") {
				t.Errorf("package %+v", p)
			}
		}
	})
}

func FuzzList(f *testing.F) {
	for _, name := range []string{"login.list", "mawk.list", "login.md5sums"} {
		data, err := os.ReadFile("testdata/real/" + infoDir + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var out inventory.Record
		_ = readList("l", "n:a", data, &out)
		_ = readSums("s", "n", data, &out)
		for _, o := range out.Owned {
			for p := range o.Files.All() {
				if len(p) == 0 || p[0] == '/' || p[len(p)-1] == '/' {
					t.Errorf("path %q", p)
				}
			}
		}
	})
}
