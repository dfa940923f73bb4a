package pluginhost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// root is the folder of everything that is running.
func (h *Host) root() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run != "" {
		return h.run, nil
	}
	dir, err := os.MkdirTemp("", runPrefix)
	if err != nil {
		return "", err
	}
	// A plugin that became another user must reach its own folder below.
	if err := errors.Join(os.Chmod(dir, 0o711), os.Mkdir(filepath.Join(dir, "root"), 0o755)); err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	if h.lock, err = lockFolder(dir); err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	h.run = dir
	removeLeft(filepath.Dir(dir), h.log)
	return dir, nil
}

// folder is the plugin's own below it, with "exe" for its copy and "in" for
// what it is asked about.
func (p *Plugin) folder() (string, error) {
	run, err := p.host.root()
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dir != "" {
		return p.dir, nil
	}
	dir, err := os.MkdirTemp(run, "p-")
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.Chmod(dir, 0o711), os.Mkdir(filepath.Join(dir, "exe"), 0o755), os.Mkdir(filepath.Join(dir, "in"), 0o755)); err != nil {
		return "", err
	}
	p.dir = dir
	return dir, nil
}

// request makes a folder for the input of one request.
func (p *Plugin) request() (string, error) {
	dir, err := p.folder()
	if err != nil {
		return "", err
	}
	at := fmt.Sprintf("%s/in/%d", dir, p.numbers.Add(1))
	return at, os.Mkdir(at, 0o755)
}
