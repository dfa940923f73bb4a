package binary

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// makeELF builds a static amd64 program whose .rodata is data.
func makeELF(data []byte) []byte {
	names := "\x00.rodata\x00.shstrtab\x00"
	var b bytes.Buffer
	le := binary.LittleEndian
	const rodata = 64 + 56
	shoff := rodata + len(data) + len(names)
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	le.PutUint16(h[16:], etExec)
	le.PutUint16(h[18:], 62)
	le.PutUint32(h[20:], 1)
	le.PutUint64(h[32:], 64)
	le.PutUint64(h[40:], uint64(shoff))
	le.PutUint16(h[52:], 64)
	le.PutUint16(h[54:], 56)
	le.PutUint16(h[56:], 1)
	le.PutUint16(h[58:], 64)
	le.PutUint16(h[60:], 3)
	le.PutUint16(h[62:], 2)
	b.Write(h)
	ph := make([]byte, 56)
	le.PutUint32(ph, ptLoad)
	le.PutUint32(ph[4:], 4)
	le.PutUint64(ph[32:], uint64(rodata+len(data)))
	b.Write(ph)
	b.Write(data)
	b.WriteString(names)
	section := func(name, typ uint32, off, size int) {
		s := make([]byte, 64)
		le.PutUint32(s, name)
		le.PutUint32(s[4:], typ)
		le.PutUint64(s[24:], uint64(off))
		le.PutUint64(s[32:], uint64(size))
		b.Write(s)
	}
	section(0, 0, 0, 0)
	section(1, shtProgbits, rodata, len(data))
	section(9, shtStrtab, rodata+len(data), len(names))
	return b.Bytes()
}

func products(r inventory.Record) []string {
	var out []string
	for _, b := range r.Binaries {
		for _, p := range b.Products {
			out = append(out, p.Name+" "+p.Version)
		}
	}
	return out
}

func TestProducts(t *testing.T) {
	const redis = "redis_version:%s\x00*** FATAL CONFIG FILE ERROR (Redis %s) ***\x002.0.0\x007.2.4\x006.0.0\x00"
	tests := []struct {
		path, data string
		want       []string
	}{
		{"opt/r", redis, []string{"redis 7.2.4"}},
		{"usr/local/bin/redis-server", redis, []string{"redis 7.2.4"}},
		{"opt/r", redis + "*** FATAL CONFIG FILE ERROR (Valkey %s) ***\x008.0.1\x00", []string{"valkey 8.0.1"}},
		{"opt/r", "redis is nice 7.2.4\x007.2.4\x00", nil},
		{"opt/w", "x\x00nginx version: nginx/1.25.3\x00", []string{"nginx 1.25.3"}},
		{"opt/w", "x\x00nginx version: nginx/UNKNOWN\x00", nil},
		{"opt/w", "nginx version: openresty/1.21.4.3\x00", []string{"openresty 1.21.4.3"}},
		{"opt/bb", "BusyBox v1.36.1 (2023-11-07)\x00", []string{"busybox 1.36.1"}},
		{"opt/bb", "BusyBox v\x00busybox\x00", nil},
		// the version of OpenSSL's headers alone is no OpenSSL
		{"opt/x", "OpenSSL 3.0.11 19 Sep 2023\x00", nil},
		{"opt/x", "OpenSSL 3.0.11 19 Sep 2023\x00OPENSSLDIR: \"/usr/lib/ssl\"\x00", []string{"openssl 3.0.11"}},
		{"opt/x", "OpenSSL 1.1.1k  FIPS 25 Mar 2021\x00OPENSSLDIR: \"/etc/pki/tls\"\x00", []string{"openssl 1.1.1k"}},
		{"usr/lib64/libcrypto.so.1.0.2k", "OpenSSL 1.0.2k-fips  26 Jan 2017\x00", []string{"openssl 1.0.2k"}},
		{"opt/jdk/lib/server/libjvm.so", "OpenJDK 64-Bit Server VM (25.392-b08) for linux-amd64 JRE (1.8.0_392-b08), built on\x00", []string{"openjdk 1.8.0_392"}},
		{"opt/jdk/lib/server/libjvm.so", "Java HotSpot(TM) 64-Bit Server VM (21.0.1+12-LTS-29) for linux-amd64 JRE (21.0.1+12-LTS-29), built on\x00", []string{"oracle-jdk 21.0.1+12"}},
		{"usr/lib/libxml2.so.2", "\xff\xf7::20914\x00", []string{"libxml2 2.9.14"}},
		{"usr/bin/python3.11", "3.11.2\x003.2.0\x00", []string{"python 3.11.2"}},
		{"usr/bin/python3.12", "/opt/python/3.12.1\x003.13.0\x00", []string{"python 3.12.1"}},
		{"opt/mysqld", "10.11.6-MariaDB\x00Copyright (c) 2000, 2018, Oracle, MariaDB Corporation Ab and others.\x00", []string{"mariadb 10.11.6"}},
		{"usr/bin/other", redis, []string{"redis 7.2.4"}}, // static
		{"opt/x", "this program mentions curl/7.1 and zlib\x00", nil},
	}
	for _, tt := range tests {
		for _, spooled := range []bool{false, true} {
			r := run(t, makeELF([]byte("\x00"+tt.data)), tt.path, spooled)
			if got := products(r); !slices.Equal(got, tt.want) || len(r.Problems) > 0 {
				t.Errorf("%s %q: %q %v, want %q", tt.path, tt.data, got, r.Problems, tt.want)
			}
		}
	}
}

func TestPackage(t *testing.T) {
	r := run(t, makeELF([]byte("\x00OpenSSH_9.2p1 Debian-2\x00")), "opt/sshd", false)
	want := []inventory.Binary{{Path: "opt/sshd", Arch: "amd64", Type: "executable", Static: true, Products: []inventory.Package{{
		Type: "generic", Name: "openssh", Version: "9.2p1", Path: "opt/sshd", Technique: inventory.TechSignature, Confidence: sureMatch,
		CPEs: []string{"cpe:2.3:a:openbsd:openssh:9.2:p1:*:*:*:*:*:*"},
	}}}}
	if diff := cmp.Diff(want, r.Binaries, cmp.AllowUnexported(inventory.FileList{})); diff != "" {
		t.Error(diff)
	}
	for version, want := range map[string]string{"1.2.3+dfsg": `1.2.3\+dfsg:*`, "2.0-RC1": "2.0-rc1:*", "php8": "php8:*"} {
		if got := cpe("v:p", version); got != "cpe:2.3:a:v:p:"+want+":*:*:*:*:*:*" {
			t.Errorf("cpe(%q) = %q", version, got)
		}
	}
}

// TestChunks moves a version over the borders between the pieces in which a
// spooled file is read.
func TestChunks(t *testing.T) {
	text := "\x00nginx version: nginx/1.25.3\x00"
	for _, border := range []int{chunkSize - 512, chunkSize - 448, chunkSize - 384, chunkSize - 256, chunkSize, 2*chunkSize - 448, 2*chunkSize - 900} {
		for shift := -40; shift <= 40; shift += 5 {
			data := bytes.Repeat([]byte{'x'}, 3*chunkSize)
			copy(data[border+shift:], text)
			s := scan{ctx: t.Context(), file: &analyze.File{Entry: analyze.Entry{Size: int64(len(data))}, ReaderAt: bytes.NewReader(data)}, elf: &elfFile{}, table: signatures()}
			places := 0
			s.chunks([]section{{size: uint64(len(data))}}, func(chunk []byte, from, to int) bool {
				if i := bytes.Index(chunk[from:], []byte(text)); i >= 0 && from+i < to {
					places++
				}
				return true
			})
			if places != 1 || s.err != nil {
				t.Fatalf("at %d%+d seen %d times, %v", border, shift, places, s.err)
			}
		}
	}
	data := bytes.Repeat([]byte{'x'}, 3*chunkSize)
	copy(data[chunkSize-450:], "\x007.2.4\x00")
	copy(data[2*chunkSize:], "\x00redis_version:%s\x00")
	if got := products(run(t, makeELF(data), "opt/r", true)); !slices.Equal(got, []string{"redis 7.2.4"}) {
		t.Errorf("string at a border: %q", got)
	}
}

// TestSearch compares the search for many literals with one after another.
func TestSearch(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		word := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = "ab"[rnd.IntN(2)]
			}
			return b
		}
		seen := map[string]bool{}
		var literals [][]byte
		for range 1 + rnd.IntN(10) {
			if l := word(minLiteral + rnd.IntN(5)); !seen[string(l)] {
				seen[string(l)] = true
				literals = append(literals, l)
			}
		}
		text := word(rnd.IntN(300))
		var got, want []string
		newMulti(literals).each(text, func(l, at int) bool {
			got = append(got, fmt.Sprint(at, string(literals[l])))
			return true
		})
		for at := range text {
			for _, l := range literals {
				if bytes.HasPrefix(text[at:], l) {
					want = append(want, fmt.Sprint(at, string(l)))
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%q in %q: %q, want %q", literals, text, got, want)
		}
	}
}

// TestHeaders compares with debug/elf.
func TestHeaders(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"testdata/tini-0.19.0", "testdata/dumb-init-1.2.5", self}
	for _, pattern := range []string{"/usr/bin/*", "/usr/lib/x86_64-linux-gnu/*.so*", "/lib/ld-linux*"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	n := 0
	for _, name := range files {
		if n >= 300 {
			break
		}
		data, err := os.ReadFile(name)
		if err != nil || len(data) < 64 || len(data) > 8<<20 && name != self || string(data[:4]) != "\x7fELF" {
			continue
		}
		want, err := elf.NewFile(bytes.NewReader(data))
		if err != nil {
			continue
		}
		n++
		got, err := readELF(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		needed, err := want.ImportedLibraries()
		if err == nil && !slices.Equal(got.needed, needed) {
			t.Errorf("%s: needed %q, want %q", name, got.needed, needed)
		}
		if soname, err := want.DynString(elf.DT_SONAME); err == nil && strings.Join(soname, "") != got.soname {
			t.Errorf("%s: soname %q, want %q", name, got.soname, soname)
		}
		buildID := ""
		if s := want.Section(".note.gnu.build-id"); s != nil {
			if b, err := s.Data(); err == nil && len(b) > 16 {
				buildID = hex.EncodeToString(b[16:])
			}
		}
		if got.buildID != buildID {
			t.Errorf("%s: build id %q, want %q", name, got.buildID, buildID)
		}
		if len(got.sections) != len(want.Sections) || len(got.segments) != len(want.Progs) {
			t.Errorf("%s: %d sections, %d segments", name, len(got.sections), len(got.segments))
		}
	}
	t.Logf("%d files", n)
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	b := run(t, data, "opt/test", false).Binaries[0]
	if b.Language != "go" || b.Type != "executable" || b.Arch != runtime.GOARCH || len(b.Products) != 0 {
		t.Errorf("this test: %+v", b)
	}
}

func TestGoProducts(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skip("no go tool: ", err)
	}
	goTool := filepath.Join(strings.TrimSpace(string(root)), "bin", "go")
	data, err := os.ReadFile(goTool)
	if err != nil {
		t.Skip("no go tool: ", err)
	}
	got := products(run(t, data, "usr/local/go/bin/go", false))
	if want := []string{"go " + strings.TrimPrefix(runtime.Version(), "go")}; !slices.Equal(got, want) {
		t.Errorf("%s is %q, want %q", goTool, got, want)
	}
	for flags, want := range map[string]string{
		`-w -X "github.com/docker/docker/dockerversion.Version=20.10.24+dfsg1" -X x.Commit=1`: "20.10.24+dfsg1",
		`-X 'k8s.io/component-base/version.gitVersion=v1.29.0' -s`:                            "1.29.0",
		`-X main.Version=unknown`: "",
		`-s -w`:                   "",
	} {
		if got := linkedVersion(flags); got != want {
			t.Errorf("linkedVersion(%q) = %q, want %q", flags, got, want)
		}
	}
}

func TestSignatures(t *testing.T) {
	seen := map[string]bool{}
	proven := 0
	for _, sig := range signatures().list {
		if seen[sig.name] {
			t.Errorf("%s is there twice", sig.name)
		}
		seen[sig.name] = true
		if len(sig.cpes) == 0 || len(sig.files) == 0 {
			t.Errorf("%s lacks a CPE or files", sig.name)
		}
		if len(sig.matches)+len(sig.strings)+len(sig.goPaths) == 0 && sig.fileName == nil {
			t.Errorf("%s has no way to its version", sig.name)
		}
		if sig.proven {
			proven++
		}
		patterns := slices.Clone(sig.strings)
		for _, m := range sig.matches {
			patterns = append(patterns, m.pattern)
		}
		if sig.given != nil {
			patterns = append(patterns, sig.given.pattern)
		}
		for _, p := range patterns {
			re, err := regexp.Compile(strings.NewReplacer("{*}", "1", "{1}", "1").Replace(p.source))
			if err != nil || re.NumSubexp() == 0 {
				t.Errorf("%s: %s: %v", sig.name, p.source, err)
			}
		}
	}
	if len(seen) < 60 {
		t.Errorf("%d products", len(seen))
	}
	t.Logf("%d products, %d proven, %d literals", len(seen), proven, len(signatures().search().literals))
	for _, bad := range []string{"cpe a:b", "[x]\nnonsense 1", "[x]\nanchor abc", "[x]\nmatch abc", `[x]` + "\n" + `match "abcdef`} {
		if _, err := parseTable(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, name, star string
		ok                  bool
	}{
		{"nginx", "nginx", "", true},
		{"nginx", "nginx2", "", false},
		{"python3*", "python3.11", ".11", true},
		{"libpython3*.so*", "libpython3.11.so.1.0", ".11", true},
		{"libpython3*.so*", "libpython3.11.a", "", false},
		{"*-as", "x86_64-linux-gnu-as", "x86_64-linux-gnu", true},
		{"a*a", "a", "", false},
	}
	for _, tt := range tests {
		star, ok := glob(strings.Split(tt.pattern, "*")).match(tt.name)
		if ok != tt.ok || ok && star != tt.star {
			t.Errorf("%q matches %q: %q, %v", tt.pattern, tt.name, star, ok)
		}
	}
}

func TestManaged(t *testing.T) {
	for p, want := range map[string]bool{"usr/bin/x": true, "bin/x": true, "lib64/x": true, "usr/lib/x": true, "usr/libexec/x": true, "usr/share/x": true, "var/lib/x": true,
		"usr/local/bin/x": false, "opt/x": false, "app": false, "home/u/bin/x": false, "usr": false, "var/www/x": false, "root/x": false} {
		if got := managed(p); got != want {
			t.Errorf("managed(%q) = %v", p, got)
		}
	}
}

func TestBroken(t *testing.T) {
	good, err := os.ReadFile("testdata/tini-0.19.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{20, 63, 100, 1000, len(good) / 2, len(good) - 1} {
		r := run(t, good[:n], "opt/x", n%2 == 0)
		if len(r.Problems) == 0 {
			t.Errorf("cut to %d bytes: no problem reported", n)
		}
	}
	// headers that promise more than a limit allows
	bad := makeELF([]byte("x"))
	binary.LittleEndian.PutUint16(bad[60:], 65000)
	if r := run(t, bad, "opt/x", false); len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "limit of 20000") || len(r.Binaries) != 1 {
		t.Errorf("65000 sections: %+v", r)
	}
}

func FuzzAnalyze(f *testing.F) {
	for _, name := range []string{"testdata/tini-0.19.0", "testdata/dumb-init-1.2.5"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(makeELF([]byte("\x00*** FATAL CONFIG FILE ERROR (Redis\x007.2.4\x00nginx version: nginx/1.2.3\x00")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 {
			return
		}
		data = slices.Clone(data)
		copy(data, "\x7fELF")
		for _, kind := range []inventory.Kind{inventory.KindELFExec, inventory.KindELFLib} {
			var first inventory.Record
			for i, spooled := range []bool{false, true} {
				e := analyze.Entry{Path: "opt/python3", Kind: kind, Size: int64(len(data))}
				file := analyze.NewFile(e, data)
				if spooled {
					file = &analyze.File{Entry: e, ReaderAt: bytes.NewReader(data)}
				}
				out := inventory.Record{Analyzer: "binary"}
				if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(file), &out); err != nil {
					t.Fatal(err)
				}
				if len(out.Binaries)+len(out.Problems) == 0 {
					t.Fatal("neither a binary nor a problem")
				}
				if i == 0 {
					first = out
				} else if diff := cmp.Diff(first, out, cmp.AllowUnexported(inventory.FileList{})); diff != "" {
					t.Fatalf("in memory and spooled differ: %s", diff)
				}
			}
		}
	})
}

func BenchmarkHeaders(b *testing.B) {
	data, err := os.ReadFile("testdata/tini-0.19.0")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		run(b, data, "usr/bin/other", false)
	}
}

func BenchmarkSearch(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		b.Fatal(err)
	}
	set := signatures().search()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		set.each(data, func(int, int) bool { return true })
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		t, err := parseTable(signatureText)
		if err != nil {
			b.Fatal(err)
		}
		t.search()
	}
}
