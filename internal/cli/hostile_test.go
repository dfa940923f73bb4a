package cli

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// told checks how a run ended: its exit code, and what it said.
func (r ran) told(t *testing.T, code int, message string) {
	t.Helper()
	if r.code != code || !regexp.MustCompile(message).MatchString(r.stderr+r.stdout) {
		t.Errorf("exit code %d, want %d and %q; it said:\n%s%s", r.code, code, message, r.stderr, r.stdout)
	}
	if code == exitUnknown && (r.stdout != "" || strings.Count(r.stderr, "\n") > 2 || strings.Contains(r.stderr, "goroutine ")) {
		t.Errorf("an error is one line on standard error; it said:\n%s%s", r.stderr, r.stdout)
	}
}

func small(w *tar.Writer) error {
	return file(w, "app/node_modules/here/package.json", []byte(`{"name":"here","version":"1.0.0"}`))
}

// A blob that is not what the manifest says is an error, whatever is wrong
// with it.
func TestBrokenBlobs(t *testing.T) {
	noise := func(w *tar.Writer) error {
		data := make([]byte, 300_000)
		for i, state := 0, uint32(1); i < len(data); i++ {
			state = state*1664525 + 1013904223
			data[i] = byte(state >> 24)
		}
		if err := file(w, "noise", data); err != nil {
			return err
		}
		return small(w)
	}
	tests := []struct {
		name, compression string
		change            func([]byte) []byte
		honest            bool // the manifest knows the changed blob
		want              string
	}{
		{"truncated gzip", "gzip", func(b []byte) []byte { return b[:len(b)/2] }, false, `(size|bytes|digest)`},
		{"truncated gzip, as the manifest says", "gzip", func(b []byte) []byte { return b[:len(b)/2] }, true, `(unexpected EOF|truncated|ends)`},
		{"a flipped bit", "gzip", func(b []byte) []byte { b[len(b)/2] ^= 4; return b }, false, `.`},
		{"a flipped bit, as the manifest says", "gzip", func(b []byte) []byte { b[len(b)/2] ^= 4; return b }, true, `.`},
		{"truncated zstd", "zstd", func(b []byte) []byte { return b[:len(b)/2] }, true, `.`},
		{"truncated tar", "", func(b []byte) []byte { return b[:100_000] }, true, `reading noise`},
		{"no tar at all", "", func(b []byte) []byte { return bytes.Repeat([]byte("this is no tar "), 1000) }, true, `tar`},
		{"another content", "gzip", func(b []byte) []byte {
			var other bytes.Buffer
			w := tar.NewWriter(&other)
			if err := small(w); err != nil {
				t.Fatal(err)
			}
			w.Close()
			return gzipped(other.Bytes())
		}, true, `(?i)diff`},
		{"more behind the end", "gzip", func(b []byte) []byte { return append(b, "rubbish"...) }, true, `.`},
		{"empty", "gzip", func([]byte) []byte { return nil }, true, `.`},
		{"missing", "gzip", nil, false, `(no such file|not found|missing)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLayout(t, t.TempDir())
			l.layer(t, tt.compression, noise)
			b := &l.layers[0]
			name := l.blob(b.Digest)
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if tt.change == nil {
				os.Remove(name)
			} else {
				data = tt.change(data)
				if tt.honest {
					b.Digest, b.Size = fmt.Sprintf("sha256:%x", sha256.Sum256(data)), int64(len(data))
				}
				if err := os.WriteFile(l.blob(b.Digest), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cache := t.TempDir()
			runMain(t, nil, "sbom", "--data-dir", cache, l.finish(t)).told(t, exitUnknown, tt.want)
			runMain(t, nil, "cache", "list", "--data-dir", cache).told(t, exitGo, "(?m)^0 layers")
		})
	}
}

// A bomb is stopped by a limit, which the error names.
func TestBombs(t *testing.T) {
	for _, compression := range []string{"gzip", "zstd"} {
		l := newLayout(t, t.TempDir())
		l.layer(t, compression, func(w *tar.Writer) error {
			if err := sized(w, "zeros", 200<<20); err != nil {
				return err
			}
			return zeros(w, 200<<20)
		})
		image := l.finish(t)
		runMain(t, nil, "sbom", "--limit", "ratio=100", image).told(t, exitUnknown, `Ratio = 100`)
		runMain(t, nil, "sbom", "--limit", "layer=100MiB", "--limit", "ratio=1000000", image).told(t, exitUnknown, `LayerBytes = 104857600`)
	}
}

// Names that lead out, links in circles, names that are no text, entries of
// odd kinds: all of it is read, and nothing of it leads anywhere.
func TestOddEntries(t *testing.T) {
	link := func(w *tar.Writer, kind byte, name, to string) error {
		return w.WriteHeader(&tar.Header{Name: name, Linkname: to, Typeflag: kind, Mode: 0o777})
	}
	l := newLayout(t, t.TempDir())
	l.layer(t, "gzip", func(w *tar.Writer) error {
		manifest := func(name string) []byte { return fmt.Appendf(nil, `{"name":%q,"version":"1.0.0"}`, name) }
		for name, data := range map[string][]byte{
			"/abs/node_modules/absolute/package.json":          manifest("absolute"),
			"../../../../dots/node_modules/dots/package.json":  manifest("dots"),
			"a/../../b/./c/../node_modules/inner/package.json": manifest("inner"),
			"bad\xff\xfe/node_modules/latin/package.json":      manifest("latin"),
			"ok/node_modules/bad\xff/package.json":             manifest("bad\xff"),
			"real/node_modules/linked/package.json":            manifest("linked"),
			"con\ttrol\n/node_modules/control/package.json":    manifest("control"),
			"etc/os-release": []byte("ID=debian\nVERSION_ID=\"12\"\n"),
			strings.Repeat("d/", 1000) + "node_modules/deep/package.json": manifest("deep"),
		} {
			if err := file(w, name, data); err != nil {
				return err
			}
		}
		for _, e := range []struct {
			kind     byte
			name, to string
		}{
			{tar.TypeSymlink, "self", "self"}, {tar.TypeSymlink, "ring/a", "b"}, {tar.TypeSymlink, "ring/b", "c"}, {tar.TypeSymlink, "ring/c", "a"},
			{tar.TypeSymlink, "up", "../../../../../../etc"}, {tar.TypeSymlink, "root", "/"}, {tar.TypeSymlink, "here", "."}, {tar.TypeSymlink, "dir/back", "../dir"},
			{tar.TypeLink, "hard1", "hard2"}, {tar.TypeLink, "hard2", "hard1"}, {tar.TypeLink, "hard3", "nothing"}, {tar.TypeLink, "hard4", "../../etc/os-release"},
			{tar.TypeSymlink, "usr/lib", "../real"},
		} {
			if err := link(w, e.kind, e.name, e.to); err != nil {
				return err
			}
		}
		return nil
	})
	l.layer(t, "", func(w *tar.Writer) error {
		// below links of the layer beneath: to itself, in a ring, out of the root
		for _, dir := range []string{"self", "ring/a", "up", "root/x", "here/here/here", "dir/back/back"} {
			if err := file(w, dir+"/node_modules/through-"+strings.ReplaceAll(dir, "/", "-")+"/package.json", fmt.Appendf(nil, `{"name":"through-%s","version":"1.0.0"}`, strings.ReplaceAll(dir, "/", "-"))); err != nil {
				return err
			}
		}
		return nil
	})
	r := runMain(t, nil, "sbom", l.finish(t))
	r.told(t, exitGo, "Packages")
	for _, name := range []string{"absolute", "dots", "inner", "latin", "linked", "control", "deep", "through-up", "through-root-x", "through-here-here-here"} {
		if !strings.Contains(r.stdout, name+" ") {
			t.Errorf("%s was not found", name)
		}
	}
	for _, problem := range []string{"hard1", "hard3"} {
		if !strings.Contains(r.stdout, problem) {
			t.Errorf("nothing is said of %s", problem)
		}
	}
	runMain(t, nil, "sbom", "-o", "json", l.finish(t)).told(t, exitGo, `"name":"latin"`)
}

func TestManyLayers(t *testing.T) {
	l := newLayout(t, t.TempDir())
	for range 5 {
		l.layer(t, "", func(w *tar.Writer) error { return file(w, fmt.Sprint("f", len(l.layers)), []byte("x")) })
	}
	image := l.finish(t)
	runMain(t, nil, "sbom", "--limit", "layers=5", image).told(t, exitGo, "")
	runMain(t, nil, "sbom", "--limit", "layers=4", image).told(t, exitUnknown, "Layers = 4")
}

// slowImage takes long enough to be interrupted.
func slowImage(t *testing.T) string {
	l := newLayout(t, t.TempDir())
	for i := range 2 {
		l.layer(t, "gzip", func(w *tar.Writer) error {
			// spooled, because it is wanted and large
			if err := sized(w, fmt.Sprintf("usr/bin/program%d", i), 150<<20); err != nil {
				return err
			}
			io.WriteString(w, "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00")
			return zeros(w, 150<<20-20)
		})
	}
	return l.finish(t)
}

// TestInterrupted ends a scan in the middle, by a signal that can be caught
// and by one that cannot: no temporary file stays, and the cache works on.
func TestInterrupted(t *testing.T) {
	image := slowImage(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, os.Kill} {
		cache, tmp := t.TempDir(), t.TempDir()
		cmd := process(t, []string{"TMPDIR=" + tmp}, "sbom", "--data-dir", cache, image)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// it is in the middle once the cache is there
		for i := 0; i < 1000; i++ {
			if _, err := os.Stat(filepath.Join(cache, "tidewaiter.db")); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		code := cmd.ProcessState.ExitCode()
		switch {
		case code == exitGo:
			t.Logf("%v: it had ended before", signal)
		case signal == os.Kill:
		case code != exitUnknown || !strings.Contains(errs.String(), "interrupted"):
			t.Errorf("%v: exit code %d: %s", signal, code, &errs)
		}
		if left, _ := os.ReadDir(tmp); len(left) > 0 {
			t.Errorf("%v leaves %v behind", signal, left)
		}
		runMain(t, nil, "sbom", "--data-dir", cache, image).told(t, exitGo, "")
		runMain(t, nil, "cache", "list", "--data-dir", cache).told(t, exitGo, "layers?, ")
	}
}

func TestReaderGoesAway(t *testing.T) {
	alpine, err := filepath.Abs("../../examples/images/alpine-3.10.tar")
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := process(t, nil, "sbom", "-o", "json", alpine)
	cmd.Stdout = w
	got, err := ranAs(cmd)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got.stderr, "goroutine") || got.code == exitGo || got.code == exitStop {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
}

func TestReadOnlyCache(t *testing.T) {
	if os.Getuid() == 0 {
		if _, err := exec.LookPath("setpriv"); err != nil {
			t.Skip("root may write anywhere, and there is no setpriv to be another")
		}
	}
	alpine, err := filepath.Abs("../../examples/images/alpine-3.10.tar")
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	runMain(t, nil, "sbom", "--data-dir", cache, alpine).told(t, exitGo, "14 apk")
	err = filepath.WalkDir(cache, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o444)
		if d.IsDir() {
			mode = 0o555
		}
		return os.Chmod(p, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		filepath.WalkDir(cache, func(p string, _ os.DirEntry, _ error) error { return os.Chmod(p, 0o755) })
	})
	run := func(dir string) ran {
		cmd := process(t, nil, "sbom", "--data-dir", dir, alpine)
		if os.Getuid() == 0 {
			// everything that the other user must reach lies below folders of the test
			for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
				os.Chmod(d, 0o555)
			}
			setpriv, _ := exec.LookPath("setpriv")
			cmd.Args = append([]string{setpriv, "--bounding-set", "-all", "--inh-caps", "-all", cmd.Path}, cmd.Args[1:]...)
			cmd.Path = setpriv
		}
		r, err := ranAs(cmd)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := run(cache)
	r.told(t, exitGo, "14 apk")
	empty := filepath.Join(t.TempDir(), "ro")
	os.Mkdir(empty, 0o555)
	r = run(empty)
	r.told(t, exitGo, "14 apk")
}

// full mounts a file system of a few bytes, or skips.
func full(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tidewaiter-test", dir).CombinedOutput(); err != nil {
		t.Skipf("no small file system: mount: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	return dir
}

func TestFullDisk(t *testing.T) {
	image := slowImage(t)
	t.Run("temporary files", func(t *testing.T) {
		runMain(t, []string{"TMPDIR=" + full(t, "8m")}, "sbom", "--no-cache", image).told(t, exitUnknown, `no space left on device`)
	})
	t.Run("cache", func(t *testing.T) {
		alpine, err := filepath.Abs("../../examples/images/alpine-3.10.tar")
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []string{"8k", "64k", "256k"} {
			r := runMain(t, nil, "sbom", "--data-dir", full(t, size), alpine)
			r.told(t, exitGo, "14 apk")
			if !strings.Contains(r.stderr, "layer cache") {
				t.Errorf("%s: nothing is said of the cache: %s", size, r.stderr)
			}
		}
	})
	t.Run("output", func(t *testing.T) {
		alpine, err := filepath.Abs("../../examples/images/alpine-3.10.tar")
		if err != nil {
			t.Fatal(err)
		}
		dir := full(t, "4k")
		runMain(t, nil, "sbom", "-o", "json="+dir+"/out.json", alpine).told(t, exitUnknown, `writing json.*no space left`)
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%v stay", left)
		}
	})
}

func TestTwentyProcessesOneCache(t *testing.T) {
	l := newLayout(t, t.TempDir())
	for i := range 4 {
		l.layer(t, "gzip", func(w *tar.Writer) error {
			return file(w, fmt.Sprintf("app%d/node_modules/p%d/package.json", i, i), fmt.Appendf(nil, `{"name":"p%d","version":"1.0.0"}`, i))
		})
	}
	image := l.finish(t)
	cache := filepath.Join(t.TempDir(), "new")
	results := make([]ran, 20)
	var all sync.WaitGroup
	for i := range results {
		cmd := process(t, nil, "sbom", "-o", "json", "--data-dir", cache, image)
		all.Go(func() { results[i], _ = ranAs(cmd) })
	}
	all.Wait()
	for i, r := range results {
		if r.code != exitGo || r.stderr != "" || r.stdout == "" || r.stdout != results[0].stdout {
			t.Errorf("process %d: exit code %d: %s", i, r.code, r.stderr)
		}
	}
	runMain(t, nil, "cache", "list", "--data-dir", cache).told(t, exitGo, "(?m)^4 layers, ")
}

func TestHostileRegistries(t *testing.T) {
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"circle", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, `redirect`},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html><body>Please log in</body></html>")
		}, `(?i)(html|json|media type|manifest)`},
		{"too many requests", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			http.Error(w, "slow down", http.StatusTooManyRequests)
		}, `429|(?i)too many requests`},
		{"far too long a wait", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "86400")
			http.Error(w, "slow down", http.StatusTooManyRequests)
		}, `429|(?i)too many requests`},
		{"forbidden", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, `403|(?i)(forbidden|denied|unauthorized)`},
		{"not found", http.NotFound, `404|(?i)not found`},
		{"broken", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oh", http.StatusInternalServerError) }, `500|(?i)internal server error`},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, `EOF|reset`},
		{"endless manifest", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			io.WriteString(w, `{"schemaVersion":2,"x":"`)
			zeros(w, 64<<20)
		}, `(?i)(manifest|4194304)`},
		{"asks for another's password", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://127.0.0.1:1/token",service="x"`)
			http.Error(w, "no", http.StatusUnauthorized)
		}, `127\.0\.0\.1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewServer(tt.answer)
			defer s.Close()
			host := strings.TrimPrefix(s.URL, "http://")
			runMain(t, nil, "sbom", "--plain-http", "--retries", "1", "registry:"+host+"/a/b:1").told(t, exitUnknown, tt.want)
		})
	}
}

// A registry that says nothing is left after a minute.
func TestStallingRegistry(t *testing.T) {
	needGiants(t)
	done := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(done)
	r := runMain(t, nil, "sbom", "--plain-http", "--retries", "-1", "registry:"+strings.TrimPrefix(s.URL, "http://")+"/a/b:1")
	r.told(t, exitUnknown, `(?i)(time|answer)`)
	r.result(t, "a registry that never answers, no retries", exitUnknown, "")
}
