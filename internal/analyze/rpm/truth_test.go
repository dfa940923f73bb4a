package rpm

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// packageQuery and fileQuery are the formats in which rpm was asked for
// testdata/*.tsv and *.files, and is asked again for larger databases:
// rpm --dbpath DIR --define '_db_backend …' -qa --qf …
const (
	packageQuery = `%{NAME}\t%{EPOCH}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{VENDOR}\t%{PACKAGER}\t%{LICENSE}\t%{MODULARITYLABEL}\t` +
		`%{LONGSIZE}\t%{URL}\t%{SUMMARY}\t%{INSTALLTIME}\t%{RSAHEADER:pgpsig}|%{DSAHEADER:pgpsig}|%{SIGPGP:pgpsig}|%{SIGGPG:pgpsig}\n`
	fileQuery = `[%{=NAME}\t%{=VERSION}-%{=RELEASE}\t%{=ARCH}\t%{FILEMODES:perms}\t%{FILENAMES}\n]`
)

// line writes a package as packageQuery does, as far as we keep what it asks.
// Source and epoch are checked by rows.
func line(p *inventory.Package) string {
	epoch, rest, ok := strings.Cut(p.Version, ":")
	if !ok {
		epoch, rest = "", p.Version
	}
	i := strings.LastIndexByte(rest, '-')
	license := ""
	if len(p.Licenses) > 0 {
		license = p.Licenses[0].Raw
	}
	return strings.Join([]string{p.Name, epoch, rest[:i], rest[i+1:], p.Arch, p.Source, p.SourceVersion, p.Supplier, license, p.Module,
		strconv.FormatInt(p.Size, 10), p.Homepage, p.Description, p.Meta["INSTALLTIME"], p.Meta["keyid"]}, "\t")
}

// rows turns rpm's answer into lines as line makes them.
func rows(t testing.TB, tsv string) []string {
	t.Helper()
	var out []string
	for l := range strings.Lines(tsv) {
		f := strings.Split(strings.TrimSuffix(l, "\n"), "\t")
		if len(f) != 15 {
			t.Fatalf("line of %d columns: %q", len(f), l)
		}
		if f[0] == "gpg-pubkey" {
			continue
		}
		for i := range f {
			if f[i] == "(none)" {
				f[i] = ""
			}
		}
		if f[1] == "0" {
			f[1] = ""
		}
		// NAME-VERSION-RELEASE.src.rpm, from behind
		src, srcVersion := "", ""
		if nvr := strings.Split(strings.TrimSuffix(strings.TrimSuffix(f[5], ".src.rpm"), ".nosrc.rpm"), "-"); len(nvr) > 2 {
			n := len(nvr)
			src, srcVersion = strings.Join(nvr[:n-2], "-"), nvr[n-2]+"-"+nvr[n-1]
			switch {
			case src == f[0] && srcVersion == f[2]+"-"+f[3]:
				src, srcVersion = "", ""
			case f[1] != "" && srcVersion == f[2]+"-"+f[3]:
				srcVersion = f[1] + ":" + srcVersion
			}
		}
		supplier := f[6]
		if supplier == "" {
			supplier = f[7]
		}
		key := ""
		for _, sig := range strings.Split(f[14], "|") {
			if _, id, ok := strings.Cut(sig, "Key ID "); ok && key == "" {
				key = id
			}
		}
		summary := []rune(f[12])
		for len(string(summary)) > maxDescription {
			summary = summary[:len(summary)-1]
		}
		out = append(out, strings.Join([]string{f[0], f[1], f[2], f[3], f[4], src, srcVersion, supplier, f[8], f[9], f[10], f[11], string(summary), f[13], key}, "\t"))
	}
	slices.Sort(out)
	return out
}

// compare holds packages against rpm's answers to packageQuery and fileQuery;
// it returns the number of packages and files.
func compare(t *testing.T, name string, got []inventory.Package, tsv, files string) (int, int) {
	t.Helper()
	var lines, gotFiles, wantFiles []string
	for i := range got {
		p := &got[i]
		lines = append(lines, line(p))
		if p.Type != "rpm" || p.Technique != inventory.TechDatabase {
			t.Errorf("%s: %+v", name, p)
		}
		version := p.Version
		if _, rest, ok := strings.Cut(version, ":"); ok {
			version = rest
		}
		for path := range p.Files.All() {
			gotFiles = append(gotFiles, fmt.Sprintf("%s\t%s\t%s\t/%s", p.Name, version, p.Arch, path))
		}
	}
	slices.Sort(lines)
	if diff := gocmp.Diff(rows(t, tsv), lines); diff != "" {
		t.Errorf("%s: not what rpm says (-want +got):\n%s", name, diff)
	}
	for l := range strings.Lines(files) {
		f := strings.SplitN(strings.TrimSuffix(l, "\n"), "\t", 5)
		if f[3][0] != 'd' {
			wantFiles = append(wantFiles, strings.Join([]string{f[0], f[1], f[2], f[4]}, "\t"))
		}
	}
	slices.Sort(wantFiles)
	slices.Sort(gotFiles)
	wantFiles = slices.Compact(wantFiles)
	if diff := gocmp.Diff(wantFiles, gotFiles); diff != "" {
		t.Errorf("%s: files are not what rpm says (-want +got):\n%s", name, diff)
	}
	return len(lines), len(gotFiles)
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
