package feed

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

type entry struct{ name, body string }

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, e.body)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Name: "dir/", Typeflag: tar.TypeDir, Mode: 0o755})
	w.WriteHeader(&tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"})
	for _, e := range entries {
		if err := w.WriteHeader(&tar.Header{Name: e.name, Size: int64(len(e.body)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, e.body)
	}
	w.Close()
	return b.Bytes()
}

func packed(t testing.TB, kind string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch kind {
	case "gz":
		w = gzip.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	case "zst":
		w, err = zstd.NewWriter(&out)
	case "bz2":
		c := exec.Command("python3", "-c", "import bz2,sys;sys.stdout.buffer.write(bz2.compress(sys.stdin.buffer.read()))")
		c.Stdin = bytes.NewReader(b)
		o, err := c.Output()
		if err != nil {
			t.Skipf("no bzip2 to pack with: %v", err)
		}
		return o
	default:
		return b
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func file(t testing.TB, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// list reads all members of name and writes each as "name=body", errors too.
func list(name string, l Limits) []string {
	var out []string
	for m, err := range Members(context.Background(), name, l) {
		if bad := (*BadRecord)(nil); errors.As(err, &bad) {
			out = append(out, bad.Record+"!"+bad.Err.Error())
			continue
		}
		if err != nil {
			out = append(out, "!"+err.Error())
			continue
		}
		b, err := m.Bytes(nil, 1<<20)
		if err != nil {
			out = append(out, m.Name+"!"+err.Error())
			continue
		}
		out = append(out, m.Name+"="+string(b))
	}
	return out
}

func TestMembers(t *testing.T) {
	two := []entry{{"./a.json", "1"}, {"../../b\\c.json", "22"}}
	want := []string{"a.json=1", "b/c.json=22"}
	for _, kind := range []string{"", "gz", "bz2", "xz", "zst"} {
		t.Run("tar"+kind, func(t *testing.T) {
			if got := list(file(t, "x", packed(t, kind, tarOf(t, two...))), Limits{}); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
		t.Run("file"+kind, func(t *testing.T) {
			got := list(file(t, "feed.json."+kind, packed(t, kind, []byte(`{"a":1}`))), Limits{})
			if want := []string{strings.TrimSuffix("feed.json.", map[bool]string{true: ".", false: ""}[kind != ""]) + `={"a":1}`}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	t.Run("zip", func(t *testing.T) {
		if got := list(file(t, "x", zipOf(t, two...)), Limits{}); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		os.MkdirAll(filepath.Join(dir, "sub", ".git"), 0o700)
		os.WriteFile(filepath.Join(dir, "sub", ".git", "config"), []byte("x"), 0o600)
		os.WriteFile(filepath.Join(dir, "z.json.gz"), packed(t, "gz", []byte("z")), 0o600)
		os.WriteFile(filepath.Join(dir, "sub", "all.zip"), zipOf(t, two...), 0o600)
		os.WriteFile(filepath.Join(dir, "a.json"), []byte("a"), 0o600)
		os.Symlink("/etc/passwd", filepath.Join(dir, "link"))
		want := []string{"a.json=a", "sub/all.zip/a.json=1", "sub/all.zip/b/c.json=22", "z.json=z"}
		if got := list(dir, Limits{}); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestMembersBroken(t *testing.T) {
	good := zipOf(t, entry{"a", strings.Repeat("abc", 100)}, entry{"b", "fine"}, entry{"c", "fine too"})
	broken := bytes.Clone(good)
	copy(broken[40:], "\xff\xff\xff\xff") // inside the first member's data
	if got := list(file(t, "x.zip", broken), Limits{}); len(got) != 3 || !strings.HasPrefix(got[0], "a!") || got[1] != "b=fine" || got[2] != "c=fine too" {
		t.Errorf("a zip with one broken member gave %q", got)
	}
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"cut zip", good[:len(good)-30], "!"},
		{"cut tar.gz", packed(t, "gz", tarOf(t, entry{"a", "1"}, entry{"b", string(noise(100000))}))[:5000], "unexpected EOF"},
		{"wrong checksum", flip(packed(t, "gz", tarOf(t, entry{"a", "1"})), -8), "checksum"},
		{"cut gz", packed(t, "gz", noise(100000))[:5000], "unexpected EOF"},
		{"web page", []byte("<!doctype html><title>Gone</title>"), `is a web page, not data: "Gone"`},
		{"web page, packed", packed(t, "gz", []byte("<html><head><title>Gone</title>")), `is a web page, not data: "Gone"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := list(file(t, "x.json", tt.b), Limits{})
			if len(got) == 0 || !strings.Contains(got[len(got)-1], tt.want) || !strings.Contains(got[len(got)-1], "!") {
				t.Errorf("got %q, want an error with %q at the end", got, tt.want)
			}
		})
	}
	if got := list(filepath.Join(t.TempDir(), "none"), Limits{}); len(got) != 1 || got[0][0] != '!' {
		t.Errorf("no file at all: %q", got)
	}
}

func flip(b []byte, at int) []byte {
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0xff
	return b
}

func TestMembersLimits(t *testing.T) {
	bomb := string(make([]byte, 100<<20))
	tests := []struct {
		name string
		b    []byte
		l    Limits
		want string
	}{
		{"members", zipOf(t, entry{"a", ""}, entry{"b", ""}, entry{"c", ""}), Limits{Members: 2}, "exceeds the limit of 2 members"},
		{"member", zipOf(t, entry{"a", "12345"}), Limits{Member: 4}, "exceeds the limit of 4 unpacked bytes of one file"},
		{"total", packed(t, "gz", tarOf(t, entry{"a", "12345"}, entry{"b", string(noise(200_000))})), Limits{Total: 100_000}, "exceeds the limit of 100000 unpacked bytes in all"},
		{"total of a zip", zipOf(t, entry{"a", "12345"}, entry{"b", "12345"}, entry{"c", "1"}), Limits{Total: 9}, "exceeds the limit of 9 unpacked bytes in all"},
		{"ratio", packed(t, "gz", tarOf(t, entry{"a", bomb}, entry{"b", "x"})), Limits{Ratio: 100}, "exceeds the limit of 100 unpacked bytes for each packed one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := list(file(t, "x", tt.b), tt.l)
			if len(got) == 0 || !strings.Contains(got[len(got)-1], tt.want) {
				t.Errorf("got %.300q, want %q", got, tt.want)
			}
		})
	}
	// A dictionary of 4 GiB is refused before it is made.
	x := packed(t, "xz", []byte("x"))
	x[16] = 40
	if got := list(file(t, "x.xz", x), Limits{}); len(got) != 1 || !strings.Contains(got[0], "its xz dictionary exceeds the limit") {
		t.Errorf("got %q", got)
	}
}

func TestUnpackedAndOpen(t *testing.T) {
	name := file(t, "f.xml.gz", packed(t, "gz", []byte("<a/>")))
	d, err := Input{From: name}.Open(t.Context(), "https://unused", Conditional{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, err := d.Unpacked(Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); string(b) != "<a/>" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := OpenFile(t.TempDir()); err == nil {
		t.Error("a folder was opened as a file")
	}
	var wrong *DigestError
	if _, err := (Input{From: name}).Open(t.Context(), "", Conditional{Digest: "md5:" + strings.Repeat("0", 32)}); !errors.As(err, &wrong) {
		t.Errorf("Open = %v, want a DigestError", err)
	}
}

// TestMembersRealFeeds counts the members of real feeds as the zip tool does.
func TestMembersRealFeeds(t *testing.T) {
	dir := sharedFeeds(t)
	for name, want := range map[string]int{
		"osv/RubyGems/all.zip": 1057, "osv/CleanStart/all.zip": 4109, "ubuntu/ubuntu-cve-tracker-2019-12-29.tar.gz": 32273, "debian/tracker-lists": 2,
	} {
		n := 0
		for m, err := range Members(t.Context(), filepath.Join(dir, name), Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, m); err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != want && !(strings.HasPrefix(name, "ubuntu") && n >= want) {
			t.Errorf("%s has %d members, want %d", name, n, want)
		}
	}
}

// sharedFeeds finds the folder of real feeds beside the repository.
func sharedFeeds(t testing.TB) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	for dir, _ := filepath.Abs("."); root == "" && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(filepath.Dir(dir), "shared")
		}
	}
	feeds := filepath.Join(root, "data", "feeds")
	if _, err := os.Stat(feeds); err != nil {
		t.Skipf("no real feeds: %v", err)
	}
	return feeds
}

func FuzzMembers(f *testing.F) {
	f.Add(zipOf(f, entry{"a", "1"}, entry{"b", "22"}))
	f.Add(packed(f, "gz", tarOf(f, entry{"a", "1"})))
	f.Add(packed(f, "xz", []byte("text")))
	f.Add(packed(f, "zst", []byte("text")))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &Download{URL: "x", blob: &spool{mem: b, size: int64(len(b))}, size: int64(len(b))}
		l := Limits{Members: 100, Member: 1 << 20, Total: 4 << 20}
		for m, err := range d.Members(t.Context(), l) {
			if err == nil {
				m.Bytes(nil, 1<<19)
			}
		}
	})
}

func ExampleMembers() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	os.WriteFile(filepath.Join(dir, "a.json"), []byte(`{"id":"A-1"}`), 0o600)
	for m, err := range Members(context.Background(), dir, Limits{}) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		b, err := m.Bytes(nil, MaxRecord)
		fmt.Println(m.Name, string(b), err)
	}
	// Output: a.json {"id":"A-1"} <nil>
}
