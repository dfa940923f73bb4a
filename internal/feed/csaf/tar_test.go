package csaf

import (
	"archive/tar"
	"io"
)

// tarWriter writes archives for tests.
type tarWriter struct{ w *tar.Writer }

func newTar(w io.Writer) tarWriter { return tarWriter{tar.NewWriter(w)} }

func (t tarWriter) add(name, content string) {
	if err := t.w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		panic(err)
	}
	if _, err := io.WriteString(t.w, content); err != nil {
		panic(err)
	}
}

func (t tarWriter) close() {
	if err := t.w.Close(); err != nil {
		panic(err)
	}
}
