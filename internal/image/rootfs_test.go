package image

import (
	"archive/tar"
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tarHeaders reads the names and headers of a tar.
func tarHeaders(t testing.TB, r io.Reader) (names []string, by map[string]*tar.Header) {
	t.Helper()
	by = map[string]*tar.Header{}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return names, by
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		by[h.Name] = h
	}
}

func readDir(t testing.TB, dir string, o Options) ([]byte, *Layer) {
	t.Helper()
	img := mustOpen(t, "dir:"+dir, o)
	s, err := img.Layers[0].Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	if s.DiffID() != sha(b) {
		t.Errorf("DiffID = %s, want %s", s.DiffID(), sha(b))
	}
	return b, img.Layers[0]
}

func TestRootfs(t *testing.T) {
	noLeaks(t)
	dir, err := os.MkdirTemp("", "r") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	write := func(name, data string) {
		p := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(p), 0o755)
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/os-release", "ID=test\n")
	write("usr/bin/tool", strings.Repeat("x", 700_000))
	write("z", "")
	write(strings.Repeat("long/", 60)+"name", "deep")
	for _, err := range []error{
		os.Link(filepath.Join(dir, "usr/bin/tool"), filepath.Join(dir, "usr/bin/zool")),
		os.Symlink("/etc/passwd", filepath.Join(dir, "etc/link")),
		os.Symlink("usr/bin", filepath.Join(dir, "bin")),
		syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600),
		os.Chmod(filepath.Join(dir, "usr/bin/tool"), 0o755|os.ModeSetuid),
		os.Chtimes(filepath.Join(dir, "z"), time.Time{}, time.Unix(1234567890, 999)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	b, layer := readDir(t, dir, Options{})
	names, by := tarHeaders(t, bytes.NewReader(b))
	if len(layer.Problems()) != 0 {
		t.Errorf("Problems = %v", layer.Problems())
	}
	want := []string{"bin", "etc/", "etc/link", "etc/os-release", "fifo", "long/"}
	if !reflect.DeepEqual(names[:len(want)], want) || by["sock"] != nil {
		t.Errorf("names = %q", names)
	}
	for name, h := range map[string]tar.Header{
		"bin":          {Typeflag: tar.TypeSymlink, Linkname: "usr/bin"},
		"etc/link":     {Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		"fifo":         {Typeflag: tar.TypeFifo},
		"usr/bin/tool": {Typeflag: tar.TypeReg, Size: 700_000},
		"usr/bin/zool": {Typeflag: tar.TypeLink, Linkname: "usr/bin/tool"},
		"z":            {Typeflag: tar.TypeReg},
	} {
		got := by[name]
		if got == nil || got.Typeflag != h.Typeflag || got.Linkname != h.Linkname || got.Size != h.Size || got.Uid != os.Getuid() {
			t.Errorf("%s: %+v, want %+v", name, got, h)
		}
	}
	if by["usr/bin/tool"].Mode != 0o4755 || !by["z"].ModTime.Equal(time.Unix(1234567890, 0)) {
		t.Errorf("mode %o, time %v", by["usr/bin/tool"].Mode, by["z"].ModTime)
	}
	if again, _ := readDir(t, dir, Options{}); !bytes.Equal(b, again) {
		t.Error("two readings differ")
	}
	// GNU tar must find the same files; only times are coarser.
	cmd := exec.Command("tar", "-C", dir, "--compare", "-f", "-")
	cmd.Stdin = bytes.NewReader(b)
	out, _ := cmd.CombinedOutput()
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if line != "" && !strings.HasSuffix(line, "Mod time differs") {
			t.Errorf("tar --compare: %s", line)
		}
	}

	_, layer = readDir(t, dir, Options{Limits: Limits{DirDepth: 10}})
	if p := layer.Problems(); len(p) != 1 || !strings.Contains(p[0].Err.Error(), "DirDepth = 10") {
		t.Errorf("Problems = %v", p)
	}
}

func TestRootfsCapability(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "ping")
	os.WriteFile(p, []byte("x"), 0o755)
	setcap, err := exec.LookPath("setcap")
	if err != nil {
		t.Skip("setcap is not installed")
	}
	if out, err := exec.Command(setcap, "cap_net_raw+ep", p).CombinedOutput(); err != nil {
		t.Skipf("setcap does not work here: %s", out)
	}
	b, _ := readDir(t, dir, Options{})
	_, by := tarHeaders(t, bytes.NewReader(b))
	// VFS_CAP_REVISION_2 with the effective bit, CAP_NET_RAW = 13 permitted.
	want := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	if got := by["ping"].PAXRecords["SCHILY.xattr.security.capability"]; got != want {
		t.Errorf("capability = %x, want %x", got, want)
	}
}

func TestRootfsUnreadable(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"a", "b", "c"} {
		os.WriteFile(filepath.Join(dir, n), []byte(n), 0o644)
	}
	os.Chmod(filepath.Join(dir, "b"), 0)
	os.MkdirAll(filepath.Join(dir, "d", "e"), 0o755)
	os.Chmod(filepath.Join(dir, "d"), 0)
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "d"), 0o755) })
	if os.Getuid() == 0 {
		t.Skip("root can read everything")
	}
	b, l := readDir(t, dir, Options{})
	names, _ := tarHeaders(t, bytes.NewReader(b))
	if p := l.Problems(); len(p) != 2 || p[0].Path != "b" || p[1].Path != "d" || strings.Join(names, " ") != "a c d/" {
		t.Errorf("names %q, Problems %v", names, p)
	}
}

func TestRootfsOfThisMachine(t *testing.T) {
	_, l := readDir(t, "/etc", Options{})
	for _, p := range l.Problems() {
		t.Logf("%s: %v", p.Path, p.Err)
	}
	if _, err := Open(t.Context(), Ref{Dir, "/etc/passwd"}, Options{}); err == nil {
		t.Error("a file is no directory")
	}
	for dir, want := range map[string]bool{"/proc": true, "/sys": true, "/etc": false} {
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Skip(err)
		}
		defer root.Close()
		if got := isKernelFS(root); got != want {
			t.Errorf("isKernelFS(%s) = %v", dir, got)
		}
	}
}
