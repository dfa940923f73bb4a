//go:build !linux

package pluginhost

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

// Launch is for Linux.
func Launch() {}

type walls struct{}

func newWalls() *walls { return &walls{} }

func userOf() int { return -1 }

// start starts a plugin without walls, and says so.
func (w *walls) start(j jail, stdin, stdout, stderr *os.File, _ time.Duration) (*exec.Cmd, Held, error) {
	cmd := &exec.Cmd{Path: j.Exe, Args: j.Args, Env: j.Env, Dir: j.Scratch, Stdin: stdin, Stdout: stdout, Stderr: stderr}
	if err := cmd.Start(); err != nil {
		return nil, Held{}, err
	}
	var h Held
	for _, p := range []string{partRoot, partLandlock, partSeccomp, partNet, partPIDs, partPrivs, partLimits} {
		h.lack(p, errors.New("only on Linux"))
	}
	return cmd, h, nil
}

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func usage(int) (now, peak int64) { return 0, 0 }

func systemFolders() []string { return nil }
