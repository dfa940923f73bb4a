package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// entry is the name of the executable in a plugin that is a folder.
const entry = "plugin"

// maxPluginFiles bounds the files of a plugin that is a folder.
const maxPluginFiles = 10_000

// discover finds the plugins that the configuration names and those in its
// folder, each once.
func (h *Host) discover() ([]*Plugin, error) {
	var found []*Plugin
	var seen []os.FileInfo
	add := func(path string) {
		if path, err := filepath.Abs(path); err == nil {
			p := &Plugin{Path: path, host: h}
			info, err := os.Stat(path)
			if err != nil {
				p.Err = err
				found = append(found, p)
				return
			}
			for _, s := range seen {
				if os.SameFile(s, info) {
					return
				}
			}
			seen = append(seen, info)
			p.Digest, p.Err = p.measure(nil)
			found = append(found, p)
		}
	}
	for _, path := range h.config.Paths {
		add(path)
	}
	if h.config.Folder == "" {
		return found, nil
	}
	entries, err := os.ReadDir(h.config.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		path := filepath.Join(h.config.Folder, name)
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if info.IsDir() {
			if _, err := os.Stat(filepath.Join(path, entry)); err != nil {
				continue
			}
		} else if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue // a README, a helper
		}
		add(path)
	}
	return found, nil
}

// measure reads all bytes of a plugin and returns their digest; with copy it
// also hands every file on. Paths are below the plugin's folder; the executable
// of a plugin that is a single file has its own name.
func (p *Plugin) measure(copy func(path string, mode fs.FileMode, content io.Reader) error) (string, error) {
	h := sha256.New()
	left := p.host.limits.Plugin
	info, err := os.Stat(p.Path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		if err := measureFile(h, p.Path, filepath.Base(p.Path), true, &left, copy); err != nil {
			return "", err
		}
		return hex.EncodeToString(h.Sum(nil)), nil
	}
	n := 0
	executable := false
	err = filepath.WalkDir(p.Path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(p.Path, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "__pycache__" {
				return filepath.SkipDir
			}
			return nil
		}
		if n++; n > maxPluginFiles {
			return fmt.Errorf("it has more files than the limit of %d", maxPluginFiles)
		}
		if d.Type()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a symbolic link: a plugin's folder holds files only", name)
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file", name)
		}
		executable = executable || name == entry
		return measureFile(h, path, name, name == entry, &left, copy)
	})
	if err == nil && !executable {
		err = fmt.Errorf("the folder has no executable called %q", entry)
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

func measureFile(h hash.Hash, path, name string, run bool, left *int64, copy func(string, fs.FileMode, io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return fmt.Errorf("%s is no regular file", name)
	case run && mode&0o111 == 0:
		return fmt.Errorf("%s is not executable: chmod +x %s", name, path)
	case mode&0o002 != 0:
		return fmt.Errorf("everybody may change %s: chmod o-w %s", name, path)
	}
	size := info.Size()
	if *left -= size; *left < 0 {
		return fmt.Errorf("it is larger than the limit \"plugin size\"")
	}
	fmt.Fprintf(h, "%q %t %d\n", name, info.Mode()&0o111 != 0, size)
	content := io.TeeReader(io.LimitReader(f, size), h)
	if copy == nil {
		_, err = io.Copy(io.Discard, content)
		return err
	}
	return copy(name, info.Mode(), content)
}

// install copies the plugin to where it runs, and makes sure that it is the
// one that was described: what runs is what was measured.
func (p *Plugin) install() (string, error) {
	dir, err := p.folder()
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exe != "" {
		return p.exe, nil
	}
	root := filepath.Join(dir, "exe")
	digest, err := p.measure(func(path string, mode fs.FileMode, content io.Reader) error {
		at := filepath.Join(root, path)
		if err := mkdirs(root, filepath.Dir(path)); err != nil {
			return err
		}
		return writeFile(at, 0o444|mode&0o111, content)
	})
	if err != nil {
		return "", err
	}
	if digest != p.Digest {
		return "", errors.New("it was changed while tidewaiter was running; start again")
	}
	exe := filepath.Join(root, entry)
	if info, err := os.Stat(p.Path); err != nil || !info.IsDir() {
		exe = filepath.Join(root, filepath.Base(p.Path))
	}
	if err := os.Chmod(exe, 0o555); err != nil {
		return "", err
	}
	p.exe = exe
	return exe, nil
}

// mkdirs makes folders below root that every user may enter.
func mkdirs(root, path string) error {
	if path == "." || path == "" {
		return nil
	}
	at := filepath.Join(root, path)
	if _, err := os.Lstat(at); err == nil {
		return nil
	}
	if err := mkdirs(root, filepath.Dir(path)); err != nil {
		return err
	}
	if err := os.Mkdir(at, 0o755); err != nil {
		return err
	}
	return os.Chmod(at, 0o755) // whatever the umask
}

// writeFile makes a new file that every user may read.
func writeFile(path string, mode fs.FileMode, content io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Chmod(mode.Perm()), f.Close())
}
