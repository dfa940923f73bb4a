package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// shared finds the folder of real images, or skips.
func shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TIDEWAITER_SHARED")
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for ; filepath.Dir(wd) != wd; wd = filepath.Dir(wd) {
			if exists(filepath.Join(wd, "go.mod")) {
				dir = filepath.Join(filepath.Dir(wd), "shared")
				break
			}
		}
	}
	if !exists(filepath.Join(dir, "images")) {
		t.Skip("no shared/images beside the repository (set TIDEWAITER_SHARED)")
	}
	return dir
}

// corpus finds the folder of images that shared/corpus/build.sh makes, or skips.
func corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TIDEWAITER_CORPUS")
	if !exists(filepath.Join(dir, "oci")) || dir == "" {
		t.Skip("no image corpus (set TIDEWAITER_CORPUS)")
	}
	return dir
}

// readAllLayers reads every layer to its end and gives the number of files and
// bytes. The streams verify themselves; the DiffIDs are compared once more.
func readAllLayers(t testing.TB, img *Image) (entries int, size int64) {
	t.Helper()
	for _, l := range img.Layers {
		s, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sum := sha256.New()
		count := &counter{}
		r := tar.NewReader(io.TeeReader(s, io.MultiWriter(sum, count)))
		for {
			_, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", l, err)
			}
			entries++
		}
		// What lies behind the end of the tar belongs to the DiffID as well.
		if _, err := io.Copy(io.MultiWriter(sum, count), s); err != nil {
			t.Fatal(err)
		}
		if err := s.Drain(); err != nil {
			t.Fatal(err)
		}
		size += count.n
		got := fmt.Sprintf("sha256:%x", sum.Sum(nil))
		if s.DiffID() != got || l.DiffID != "" && l.DiffID != got {
			t.Errorf("%s: DiffID = %s, Stream.DiffID() = %s, content has %s", l, l.DiffID, s.DiffID(), got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	return entries, size
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

func mustOpen(t testing.TB, ref string, o Options) *Image {
	t.Helper()
	img, err := tryOpen(t, ref, o)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func tryOpen(t testing.TB, ref string, o Options) (*Image, error) {
	t.Helper()
	r, err := ParseRef(ref)
	if err != nil {
		return nil, err
	}
	img, err := Open(t.Context(), r, o)
	if err == nil {
		t.Cleanup(func() { img.Close() })
	}
	return img, err
}

func TestRealArchives(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(shared(t), "images", "*.tar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no images: %v", err)
	}
	for _, p := range paths {
		t.Run(filepath.Base(p), func(t *testing.T) {
			saved := mustOpen(t, p, Options{})
			if saved.Ref.Kind != DockerArchive {
				t.Errorf("guessed %s", saved.Ref.Kind)
			}
			// The archive holds an OCI layout too: both views must agree.
			oci := mustOpen(t, "oci-archive:"+p, Options{})
			if oci.ConfigDigest != saved.ConfigDigest || oci.Digest != saved.Digest || saved.Digest == "" {
				t.Errorf("as docker archive %s %s, as OCI archive %s %s", saved.Digest, saved.ConfigDigest, oci.Digest, oci.ConfigDigest)
			}
			n, size := readAllLayers(t, saved)
			m, osize := readAllLayers(t, oci)
			if n == 0 || n != m || size != osize {
				t.Errorf("as docker archive %d files, %d bytes; as OCI archive %d, %d", n, size, m, osize)
			}
			t.Logf("%s %s, %d layers, %d files, %d bytes", saved.Digest, saved.Platform, len(saved.Layers), n, size)
		})
	}
}

func TestCorpus(t *testing.T) {
	dir := corpus(t)
	names, err := os.ReadDir(filepath.Join(dir, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range names {
		t.Run(d.Name(), func(t *testing.T) {
			var fetched counter
			oci := mustOpen(t, filepath.Join(dir, "oci", d.Name()), Options{Fetched: func(_ int, n int64) { fetched.n += n }})
			if oci.Ref.Kind != OCIDir {
				t.Errorf("guessed %s", oci.Ref.Kind)
			}
			if fetched.n != 0 {
				t.Errorf("Open read %d bytes of layers", fetched.n)
			}
			n, size := readAllLayers(t, oci)
			var blobs int64
			for _, l := range oci.Layers {
				blobs += l.Size
				if l.CreatedBy == "" {
					t.Errorf("%s has no instruction", l)
				}
			}
			if fetched.n != blobs {
				t.Errorf("Fetched reported %d bytes, blobs have %d", fetched.n, blobs)
			}
			t.Logf("%s, %d layers, %d files, %d bytes", oci.Digest, len(oci.Layers), n, size)
			saved := mustOpen(t, filepath.Join(dir, "tar", d.Name()+".tar"), Options{})
			if saved.ConfigDigest != oci.ConfigDigest {
				t.Errorf("archive has configuration %s, layout %s", saved.ConfigDigest, oci.ConfigDigest)
			}
		})
	}
	t.Run("legacy", func(t *testing.T) {
		img := mustOpen(t, filepath.Join(dir, "tar", "debian-base-legacy.tar"), Options{})
		if len(img.Tags) != 1 || img.Tags[0] != "corpus/debian-base:latest" {
			t.Errorf("Tags = %q", img.Tags)
		}
		readAllLayers(t, img)
	})
}

// TestCorpusVariants reads one image in every compression, and several
// architectures behind an index.
func TestCorpusVariants(t *testing.T) {
	dir := corpus(t)
	pack := filepath.Join(dir, ".work", "ocipack")
	if !exists(pack) {
		t.Skip("the corpus has no .work/ocipack")
	}
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(pack, args...).CombinedOutput(); err != nil {
			t.Fatalf("ocipack %v: %v\n%s", args, err, out)
		}
	}
	base := filepath.Join(dir, "oci", "secrets")
	want := mustOpen(t, base, Options{})
	wantFiles, wantBytes := readAllLayers(t, want)
	tmp := t.TempDir()
	for _, kind := range []string{"zstd", "none", "gzip"} {
		run("convert", "-c", kind, "-o", filepath.Join(tmp, kind), base)
		img := mustOpen(t, filepath.Join(tmp, kind), Options{})
		if n, size := readAllLayers(t, img); n != wantFiles || size != wantBytes {
			t.Errorf("%s: %d files, %d bytes, want %d, %d", kind, n, size, wantFiles, wantBytes)
		}
		for i, l := range img.Layers {
			if l.DiffID != want.Layers[i].DiffID {
				t.Errorf("%s: layer %d has DiffID %s", kind, i, l.DiffID)
			}
		}
		t.Log(img.Layers[0].MediaType)
	}
	index := filepath.Join(tmp, "index")
	run("index", "-o", index, "amd64="+filepath.Join(tmp, "zstd"), "arm64="+base)
	for platform, same := range map[string]string{"linux/amd64": filepath.Join(tmp, "zstd"), "linux/arm64": base} {
		img := mustOpen(t, index, Options{Platform: platform})
		if want := mustOpen(t, same, Options{}); img.Digest != want.Digest || img.IndexDigest == "" {
			t.Errorf("%s: %s, want %s", platform, img.Digest, want.Digest)
		}
	}
	_, err := tryOpen(t, index, Options{Platform: "linux/riscv64"})
	wantError(t, err, "there are: linux/amd64, linux/arm64")
}

func TestConfigOfRealImage(t *testing.T) {
	img := mustOpen(t, filepath.Join(shared(t), "images", "distroless.tar"), Options{})
	var raw struct {
		Architecture string `json:"architecture"`
		Config       struct{ Env []string }
		RootFS       struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(img.RawConfig, &raw); err != nil {
		t.Fatal(err)
	}
	if img.Platform.Arch != raw.Architecture || len(img.Config.Env) != len(raw.Config.Env) || len(raw.RootFS.DiffIDs) != len(img.Layers) {
		t.Errorf("Platform %v, Env %q, %d layers; the file says %+v", img.Platform, img.Config.Env, len(img.Layers), raw)
	}
}

func TestNoSuchThing(t *testing.T) {
	_, err := Open(t.Context(), Ref{OCIDir, filepath.Join(t.TempDir(), "no")}, Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("err = %v", err)
	}
	if _, err := Open(t.Context(), Ref{SBOM, "x.json"}, Options{}); !errors.Is(err, ErrSBOM) {
		t.Errorf("err = %v, want ErrSBOM", err)
	}
}
