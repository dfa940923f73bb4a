package pluginhost

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilled is no test: it is the process that TestPluginsEndWithUs kills.
func TestKilled(t *testing.T) {
	path := os.Getenv("TIDEWAITER_TEST_PLUGIN")
	if path == "" {
		t.Skip("the other half of TestPluginsEndWithUs")
	}
	h := open(t, Config{Paths: []string{path}})
	_, err := try(t, h)
	t.Error("it ended:", err)
}

// When tidewaiter is killed, its plugins end; what it left is removed the next
// time.
func TestPluginsEndWithUs(t *testing.T) {
	need(t, "python3")
	tmp := t.TempDir()
	if err := os.Chmod(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	mark := "mark-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	path := install(t, "bad", python(`
subprocess.Popen(["/usr/bin/python3", "-c", "import time; time.sleep(1000)", "`+mark+`"])
while True: time.sleep(1)`))
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
	cmd.Env = append(os.Environ(), "TIDEWAITER_TEST_PLUGIN="+path, "TMPDIR="+tmp)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		for try := 0; !ok(); try++ {
			if try > 600 {
				cmd.Process.Kill()
				t.Fatal(what)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	await("the plugin did not start", func() bool { return withMark(t, mark) != nil })
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	await("a plugin outlived the program", func() bool { return withMark(t, mark) == nil })
	left := func() string {
		dirs, err := filepath.Glob(tmp + "/" + runPrefix + "*")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(dirs, " ")
	}
	if left() == "" {
		t.Fatal("nothing was left: this test looks at nothing")
	}
	removeLeft(tmp, open(t, Config{}).log)
	if l := left(); l != "" {
		t.Errorf("left: %s", l)
	}
}
