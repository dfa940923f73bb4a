package pluginhost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nobody is the user that plugins of root become.
const nobody = 65534

// walls starts plugins behind as many walls as the kernel allows; it remembers
// which namespaces it was refused.
type walls struct{ level atomic.Int32 }

// The levels of namespaces, from most to none.
const (
	levelUser = iota // a namespace of users, and with it all others
	levelRoot        // all others, for root
	levelNone
)

func newWalls() *walls { return &walls{} }

// userOf says whom plugins become: -1 for who we are.
func userOf() int {
	if os.Geteuid() == 0 {
		return nobody
	}
	return -1
}

const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// start starts the program of a jail with the given ends of pipes, and returns
// when it runs or cannot.
func (w *walls) start(j jail, stdin, stdout, stderr *os.File, wait time.Duration) (*exec.Cmd, Held, error) {
	var lacks []Lack
	for {
		level := w.level.Load()
		cmd, held, err := startAt(level, j, stdin, stdout, stderr, wait)
		if err == nil {
			held.Missing = append(held.Missing, lacks...)
			return cmd, held, nil
		}
		if level == levelNone || !errors.Is(err, errNamespaces) {
			return nil, Held{}, err
		}
		if next := level + 1; next == levelRoot && os.Geteuid() != 0 {
			w.level.CompareAndSwap(level, levelNone)
		} else {
			w.level.CompareAndSwap(level, next)
		}
	}
}

// errNamespaces says that the kernel refused a process in new namespaces.
var errNamespaces = errors.New("namespaces refused")

func startAt(level int32, j jail, stdin, stdout, stderr *os.File, wait time.Duration) (*exec.Cmd, Held, error) {
	attr := &syscall.SysProcAttr{Setsid: true}
	switch level {
	case levelUser:
		attr.Cloneflags = namespaces | unix.CLONE_NEWUSER
		if j.User >= 0 {
			attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: j.User, HostID: j.User, Size: 1}}
			attr.GidMappings, attr.GidMappingsEnableSetgroups = attr.UidMappings, true
		} else {
			attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
			attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
		}
		j.Users, j.Mounts, j.PIDs, j.Net = true, true, true, true
	case levelRoot:
		attr.Cloneflags = namespaces
		j.Mounts, j.PIDs, j.Net = true, true, true
	}
	told, err := json.Marshal(j)
	if err != nil {
		return nil, Held{}, err
	}
	r, wr, err := os.Pipe()
	if err != nil {
		return nil, Held{}, err
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{launcherName}, Env: []string{launchEnv + "=" + string(told), "GOMAXPROCS=1"},
		Stdin: stdin, Stdout: stdout, Stderr: stderr, ExtraFiles: []*os.File{wr}, SysProcAttr: attr,
	}
	err = cmd.Start()
	wr.Close()
	if err != nil {
		if level != levelNone {
			return nil, Held{}, fmt.Errorf("%w: %w", errNamespaces, err)
		}
		return nil, Held{}, err
	}
	held, err := readStatus(r, wait)
	if err != nil {
		kill(cmd)
		_ = cmd.Wait()
		return nil, Held{}, err
	}
	switch level {
	case levelRoot:
		held.Missing = append(held.Missing, Lack{partUser, "not permitted"})
	case levelNone:
		for _, p := range []string{partUser, partNet, partPIDs} {
			held.Missing = append(held.Missing, Lack{p, "not permitted"})
		}
	}
	return cmd, held, nil
}

// readStatus reads what the launcher says until it has become the plugin.
func readStatus(r *os.File, wait time.Duration) (Held, error) {
	_ = r.SetReadDeadline(time.Now().Add(wait)) // pipes have deadlines
	b, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err != nil {
		return Held{}, fmt.Errorf("starting: %w", err)
	}
	var held *Held
	for line := range bytes.Lines(b) {
		var s status
		if err := json.Unmarshal(line, &s); err != nil {
			return Held{}, fmt.Errorf("starting: the launcher said %.200q", line)
		}
		if s.Error != "" {
			return Held{}, errors.New(s.Error)
		}
		held = s.Held
	}
	if held == nil {
		return Held{}, errors.New("starting: this program does not launch plugins (pluginhost.Launch was not called)")
	}
	return *held, nil
}

// kill ends a plugin and all its processes: those of its namespace with its
// first, else those of its group.
func kill(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended already
	_ = cmd.Process.Kill()
}

// usage is the memory, in bytes, that a process and those it started hold now,
// and the most that the first has held.
func usage(pid int) (now, peak int64) {
	todo, seen := []int{pid}, 0
	for len(todo) > 0 && seen < 10_000 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		seen++
		dir := "/proc/" + strconv.Itoa(p)
		b, err := os.ReadFile(dir + "/statm")
		if err != nil {
			continue
		}
		if f := strings.Fields(string(b)); len(f) > 2 {
			pages, _ := strconv.ParseInt(f[1], 10, 64)
			shared, _ := strconv.ParseInt(f[2], 10, 64)
			if p == pid {
				now += pages * int64(os.Getpagesize())
			} else {
				now += (pages - shared) * int64(os.Getpagesize())
			}
		}
		tasks, err := os.ReadDir(dir + "/task")
		if err != nil {
			continue
		}
		for _, t := range tasks {
			b, err := os.ReadFile(dir + "/task/" + t.Name() + "/children")
			if err != nil {
				continue
			}
			for _, f := range strings.Fields(string(b)) {
				if n, err := strconv.Atoi(f); err == nil {
					todo = append(todo, n)
				}
			}
		}
	}
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			peak = kb << 10
		}
	}
	return now, max(peak, now)
}

// systemFolders are what programs of the machine need to run, and nothing with
// secrets in it.
func systemFolders() []string {
	return []string{
		"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store",
		"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime", "/etc/timezone",
		"/etc/perl", "/etc/python3", "/etc/python3.11", "/etc/mime.types", "/etc/java-17-openjdk",
	}
}
