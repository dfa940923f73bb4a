package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// peakFile names, in the environment of a process, the file it writes its
// peak memory to when it ends.
const peakFile = "TIDEWAITER_TEST_PEAK"

// tellPeak writes the peak of this process's resident memory, in KiB, where
// the environment asks for it. The parent's accounting would count what the
// parent itself had before it started the program.
func tellPeak() {
	name := os.Getenv(peakFile)
	if name == "" {
		return
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	if m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status); m != nil {
		_ = os.WriteFile(name, m[1], 0o600)
	}
}

// ran is how a run of the program ended.
type ran struct {
	code           int
	stdout, stderr string
	peak           int // MiB; 0 where the system does not tell
	wall, cpu      time.Duration
}

// runMain runs the program in a process of its own.
func runMain(t testing.TB, env []string, args ...string) ran {
	t.Helper()
	r, err := ranAs(process(t, env, args...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// process makes a process of the program, with a home and a folder for
// temporary files of its own.
func process(t testing.TB, env []string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := exec.LookPath("tidewaiter")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	tmp := filepath.Join(home, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+filepath.Join(home, "cache"), "XDG_CONFIG_HOME="+filepath.Join(home, "config"),
		"TMPDIR="+tmp, peakFile+"="+filepath.Join(home, "peak"))
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func ranAs(cmd *exec.Cmd) (ran, error) {
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &errs
	start := time.Now()
	err := cmd.Run()
	r := ran{stdout: out.String(), stderr: errs.String(), wall: time.Since(start)}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = nil
	}
	if err != nil {
		return r, err
	}
	r.code = cmd.ProcessState.ExitCode()
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	for _, e := range cmd.Env {
		if name, ok := bytes.CutPrefix([]byte(e), []byte(peakFile+"=")); ok {
			if b, err := os.ReadFile(string(name)); err == nil {
				kib, _ := strconv.Atoi(string(b))
				r.peak = kib >> 10
			}
		}
	}
	return r, nil
}
