// Package object keeps bytes by key. Keys are slash-separated and made by us;
// a key is written once with one content, so writing it again changes nothing.
package object

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotFound says that no object has the key.
var ErrNotFound = errors.New("no such object")

// Folder keeps objects as files below a folder. It is safe for concurrent use
// by goroutines and processes: an object is there whole or not at all.
type Folder struct{ Dir string }

func (f Folder) path(key string) (string, error) {
	if !fs.ValidPath(key) || key == "." || strings.ContainsAny(key, "\\:\x00") {
		return "", fmt.Errorf("object key %q is not valid", key)
	}
	return filepath.Join(f.Dir, filepath.FromSlash(key)), nil
}

// Put writes an object. It replaces one of the same key at once.
func (f Folder) Put(ctx context.Context, key string, data []byte) error {
	return f.Write(ctx, key, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Write is Put for an object that is written piece by piece. When write fails
// nothing changes.
func (f Folder) Write(_ context.Context, key string, write func(io.Writer) error) (err error) {
	p, err := f.path(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(p), ".put-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if err := write(tmp); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), p)
}

// Get reads an object; the error is ErrNotFound where there is none.
func (f Folder) Get(_ context.Context, key string) ([]byte, error) {
	p, err := f.path(key)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, key)
	}
	return b, err
}

// Delete removes an object; one that is not there is no error.
func (f Folder) Delete(_ context.Context, key string) error {
	p, err := f.path(key)
	if err != nil {
		return err
	}
	if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List yields the keys below a prefix, which is a folder or "", with their
// sizes in bytes.
func (f Folder) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		root := filepath.Join(f.Dir, filepath.FromSlash(prefix))
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if d.IsDir() || strings.HasPrefix(d.Name(), ".put-") {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return nil // removed meanwhile
			}
			rel, err := filepath.Rel(f.Dir, p)
			if err != nil {
				return err
			}
			if !yield(Info{Key: filepath.ToSlash(rel), Size: info.Size()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Info{}, err)
		}
	}
}

// Info describes an object.
type Info struct {
	Key  string
	Size int64
}
