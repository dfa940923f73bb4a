package cli

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// zeros are n zero bytes.
func zeros(w io.Writer, n int64) error {
	block := make([]byte, 1<<20)
	for n > 0 {
		k, err := w.Write(block[:min(n, int64(len(block)))])
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}

// sized writes the header of a file of n bytes.
func sized(w *tar.Writer, name string, n int64) error {
	return w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: n, Typeflag: tar.TypeReg})
}

func emptyFiles(from, to int) func(*tar.Writer) error {
	return func(w *tar.Writer) error {
		h := tar.Header{Mode: 0o644, Typeflag: tar.TypeReg}
		for i := from; i < to; i++ {
			h.Name = fmt.Sprintf("srv/%03d/%03d/file-%07d.txt", i/100_000, i/1000%100, i)
			if err := w.WriteHeader(&h); err != nil {
				return err
			}
		}
		return nil
	}
}

// realistic writes files of n bytes in all that look like those of an image:
// texts, programs, jars, packages of Node.
func realistic(from int, n int64) func(*tar.Writer) error {
	return func(w *tar.Writer) error {
		random := rand.New(rand.NewPCG(uint64(from), 1))
		data := make([]byte, 4<<20)
		for i := range data {
			data[i] = byte(random.NormFloat64() * 20) // compresses to about three quarters
		}
		for i := from; n > 0; i++ {
			var err error
			size := int64(2000 + random.IntN(60_000))
			if i%500 == 0 {
				size = int64(1+random.IntN(3)) << 20
			}
			off := random.IntN(len(data) - int(size) + 1)
			content := data[off : off+int(size)]
			switch i % 20 {
			case 0:
				err = file(w, fmt.Sprintf("usr/lib/node_modules/m%d/package.json", i), fmt.Appendf(nil, `{"name":"m%d","version":"1.%d.0","license":"MIT"}`, i, i))
			case 1:
				b := bytes.Clone(content)
				copy(b, "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00\x01\x00\x00\x00")
				err = file(w, fmt.Sprintf("usr/bin/program%d", i), b)
			case 2:
				var b bytes.Buffer
				z := zip.NewWriter(&b)
				f, _ := z.Create(fmt.Sprintf("META-INF/maven/g/a%d/pom.properties", i))
				fmt.Fprintf(f, "groupId=g\nartifactId=a%d\nversion=1\n", i)
				f, _ = z.CreateHeader(&zip.FileHeader{Name: "x.class", Method: zip.Store})
				f.Write(content)
				z.Close()
				err = file(w, fmt.Sprintf("usr/share/java/a%d.jar", i), b.Bytes())
			default:
				err = file(w, fmt.Sprintf("usr/share/data/%d/%d.dat", i/1000, i), content)
			}
			if err != nil {
				return err
			}
			n -= size
		}
		return nil
	}
}

// jarInJar nests an archive, each stored in the next.
func jarInJar(levels int, method uint16) []byte {
	data := []byte("groupId=g\nartifactId=inmost\nversion=1.0\n")
	name := "META-INF/maven/g/inmost/pom.properties"
	for i := range levels {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		f, _ := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		f.Write(data)
		z.Close()
		data, name = b.Bytes(), fmt.Sprintf("lib/a%d.jar", i)
	}
	return data
}

// zipBomb is an archive of one file of n zero bytes.
func zipBomb(name string, n int64) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, _ := z.Create(name)
	_ = zeros(f, n)
	z.Close()
	return b.Bytes()
}

// jarOfMany is an archive with n nested ones.
func jarOfMany(n int, size int64) []byte {
	inner := zipBomb("x.class", size)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range n {
		f, _ := z.Create(fmt.Sprintf("lib/a%d.jar", i))
		f.Write(inner)
	}
	z.Close()
	return b.Bytes()
}

// scans runs the program over an image, cold and from the cache.
func (l *layout) scans(t *testing.T, name string, code int, message string, flags ...string) {
	t.Helper()
	image := l.finish(t)
	data := t.TempDir()
	args := append([]string{"sbom", "--secrets", "--data-dir", data, image}, flags...)
	runMain(t, nil, args...).result(t, name, code, message)
	if code == exitGo {
		runMain(t, nil, args...).result(t, name+", known", code, message)
	}
}

func TestGiantImages(t *testing.T) {
	needGiants(t)
	t.Run("3 GB", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		for i := range 6 {
			l.layer(t, "gzip", realistic(i*1_000_000, 500<<20))
		}
		l.scans(t, "3 GB of files in six layers, gzip", exitGo, "npm")
	})
	t.Run("3 million files", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		l.layer(t, "gzip", emptyFiles(0, 3_000_000))
		l.scans(t, "3 million empty files in one layer", exitGo, "Packages +none")
	})
	t.Run("3 million files in three layers", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		for i := range 3 {
			l.layer(t, "gzip", emptyFiles(i*1_000_000, (i+1)*1_000_000))
		}
		l.scans(t, "3 million empty files in three layers", exitGo, "Packages +none")
	})
	t.Run("3 million files, thrice", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		for i := range 3 {
			l.layer(t, "gzip", func(w *tar.Writer) error {
				if err := file(w, "which", fmt.Append(nil, i)); err != nil {
					return err
				}
				return emptyFiles(0, 1_000_000)(w)
			})
		}
		l.scans(t, "the same million empty files in three layers", exitGo, "Packages +none")
	})
	t.Run("60,000 directories", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		l.layer(t, "gzip", func(w *tar.Writer) error {
			name := ""
			for i := range 60_000 {
				name += "d/"
				if len(name) > 4000 {
					name = fmt.Sprintf("e%d/", i)
				}
				if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Typeflag: tar.TypeDir}); err != nil {
					return err
				}
			}
			return nil
		})
		l.scans(t, "60,000 directories, nested 2,000 deep", exitGo, "Packages +none")
	})
	t.Run("one path of 60,000 directories", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		l.layer(t, "gzip", func(w *tar.Writer) error {
			return w.WriteHeader(&tar.Header{Name: strings.Repeat("d/", 60_000), Mode: 0o755, Typeflag: tar.TypeDir, Format: tar.FormatPAX})
		})
		l.scans(t, "a path of 60,000 directories", exitUnknown, `limit "path length" of 8192`)
	})
	t.Run("package.json of 4 GB", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		l.layer(t, "gzip", func(w *tar.Writer) error {
			const n = 4<<30 - 1
			if err := sized(w, "app/package.json", n); err != nil {
				return err
			}
			head := `{"name":"big","version":"1.0.0","x":"`
			io.WriteString(w, head)
			return zeros(w, n-int64(len(head)))
		})
		l.scans(t, "a package.json of 4 GB of zeros, gzip", exitUnknown, `Ratio = 1000`)
		l.scans(t, "the same with a limit that lets it through", exitGo, `more than the limit of`, "--limit", "ratio=100000")
	})
	for _, compression := range []string{"gzip", "zstd"} {
		t.Run(compression+" bomb", func(t *testing.T) {
			l := newLayout(t, t.TempDir())
			l.layer(t, compression, func(w *tar.Writer) error {
				if err := sized(w, "zeros", 20<<30); err != nil {
					return err
				}
				return zeros(w, 20<<30)
			})
			if compression == "gzip" { // packs less than a thousandfold
				l.scans(t, "20 GB of zeros, gzip", exitGo, "Packages +none")
				return
			}
			l.scans(t, "20 GB of zeros, zstd", exitUnknown, `Ratio = 1000`)
		})
	}
	t.Run("zip bombs", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		bomb := zipBomb("META-INF/MANIFEST.MF", 2<<30)
		nested := jarOfMany(40, 100<<20)
		for range 2 {
			l.layer(t, "", func(w *tar.Writer) error {
				for i := range 4 {
					if err := file(w, fmt.Sprintf("a/%d-%d.jar", len(l.layers), i), bomb); err != nil {
						return err
					}
					if err := file(w, fmt.Sprintf("b/%d-%d.jar", len(l.layers), i), nested); err != nil {
						return err
					}
					if err := file(w, fmt.Sprintf("c/%d-%d.whl", len(l.layers), i), zipBomb("a-1.dist-info/METADATA", 512<<20)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		l.scans(t, "zip bombs: manifests of 2 GB, jars of 100 MB in jars, wheels, two layers", exitGo, "limit")
	})
	t.Run("jar in jar", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		l.layer(t, "", func(w *tar.Writer) error {
			for _, n := range []int{20, 40} {
				for _, method := range []uint16{zip.Store, zip.Deflate} {
					if err := file(w, fmt.Sprintf("app/%d-%d.jar", n, method), jarInJar(n, method)); err != nil {
						return err
					}
				}
			}
			return nil
		})
		l.scans(t, "20 and 40 levels of jar in jar", exitGo, `(?s)/app/40-0.jar.*limit`)
	})
	t.Run("large jars in jars", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		for k := range 2 {
			l.layer(t, "", func(w *tar.Writer) error {
				data := make([]byte, 60<<20)
				random := rand.NewChaCha8([32]byte{byte(k)})
				random.Read(data)
				for range 3 {
					var b bytes.Buffer
					z := zip.NewWriter(&b)
					f, _ := z.CreateHeader(&zip.FileHeader{Name: "lib/x.jar", Method: zip.Deflate})
					f.Write(data)
					z.Close()
					data = b.Bytes()
				}
				return file(w, fmt.Sprintf("app/%d.jar", k), data)
			})
		}
		l.scans(t, "60 MB of noise in three jars in each other, two layers", exitGo, "Packages")
	})
	t.Run("documents", func(t *testing.T) {
		docs := hostileDocs()
		l := newLayout(t, t.TempDir())
		for k := range 2 {
			l.layer(t, "gzip", func(w *tar.Writer) error {
				for i := range docs {
					if i%4 != k {
						continue
					}
					var b bytes.Buffer
					docs[i].write(&b, 30<<20)
					if err := file(w, docs[i].path, b.Bytes()); err != nil {
						return err
					}
				}
				return nil
			})
		}
		l.scans(t, "30 MB full of packages in every other format, two layers at once", exitUnknown, `limit "(fact-memory|facts of all analyzers)"`)
	})
	t.Run("six lock files", func(t *testing.T) {
		docs := hostileDocs()
		l := newLayout(t, t.TempDir())
		for range 6 {
			l.layer(t, "gzip", func(w *tar.Writer) error {
				var b bytes.Buffer
				docs[0].write(&b, 2<<20)
				return file(w, fmt.Sprintf("app%d/package-lock.json", len(l.layers)), b.Bytes())
			})
		}
		l.scans(t, "55,000 packages in each of six lock files", exitUnknown, `limit "fact-memory"`)
	})
	t.Run("most facts", func(t *testing.T) {
		docs := hostileDocs()
		l := newLayout(t, t.TempDir())
		for range 3 {
			l.layer(t, "gzip", func(w *tar.Writer) error {
				var b bytes.Buffer
				docs[0].write(&b, 1_000_000)
				return file(w, fmt.Sprintf("app%d/package-lock.json", len(l.layers)), b.Bytes())
			})
		}
		l.scans(t, "25,000 packages in each of three lock files", exitGo, `Declared`)
	})
	t.Run("layers", func(t *testing.T) {
		for _, n := range []int{1000, 1001} {
			l := newLayout(t, t.TempDir())
			for i := range n {
				l.layer(t, "", func(w *tar.Writer) error { return file(w, fmt.Sprintf("f%d", i), []byte("x")) })
			}
			if n == 1000 {
				l.scans(t, "1,000 layers", exitGo, "Packages +none")
			} else {
				l.scans(t, "1,001 layers", exitUnknown, `Layers = 1000`)
			}
		}
	})
	t.Run("problems", func(t *testing.T) {
		l := newLayout(t, t.TempDir())
		for k := range 4 {
			l.layer(t, "gzip", func(w *tar.Writer) error {
				for i := range 2000 {
					name := fmt.Sprintf("%s/%d/%d", strings.Repeat("abcdefg/", 900), k, i)
					for _, base := range []string{"package-lock.json", "composer.lock", "Pipfile.lock", "packages.lock.json", "x.deps.json", "Package.resolved", "renv.lock", "conan.lock", "a.jar", "uv.lock"} {
						if err := file(w, name+"/"+base, []byte("[broken")); err != nil {
							return err
						}
					}
				}
				return nil
			})
		}
		l.scans(t, "80,000 broken files with names of 7 KB", exitUnknown, `limit "fact-memory"`)
	})
}
