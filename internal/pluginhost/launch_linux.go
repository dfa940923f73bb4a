package pluginhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	launcherName = "tidewaiter-plugin"
	launchEnv    = "TIDEWAITER_LAUNCH"
	statusFD     = 3
)

// status is what the launcher says on its way: what holds, or why it failed.
type status struct {
	Held  *Held  `json:"held,omitempty"`
	Error string `json:"error,omitempty"`
}

// Launch turns a process that was started as the launcher into the plugin it
// was started for; in any other it returns at once. A program that runs
// plugins calls it first in main.
func Launch() {
	if len(os.Args) == 0 || os.Args[0] != launcherName {
		return
	}
	// What follows holds for one thread, the one that becomes the plugin.
	runtime.LockOSThread()
	out := os.NewFile(statusFD, "status")
	unix.CloseOnExec(statusFD)
	say := func(s status) {
		b, _ := json.Marshal(s) // of strings only
		out.Write(append(b, '\n'))
	}
	var j jail
	if err := json.Unmarshal([]byte(os.Getenv(launchEnv)), &j); err != nil {
		say(status{Error: "the launcher was not told what to launch: " + err.Error()})
		os.Exit(126)
	}
	held, err := j.enter()
	if err != nil {
		say(status{Error: err.Error()})
		os.Exit(126)
	}
	say(status{Held: &held})
	if err := j.limits(); err != nil { // from here on memory may be short
		say(status{Error: err.Error()})
		os.Exit(126)
	}
	err = syscall.Exec(j.Exe, j.Args, j.Env)
	say(status{Error: execError(j.Args[0], err)})
	os.Exit(126)
}

func execError(name string, err error) string {
	switch {
	case errors.Is(err, syscall.ENOENT):
		return fmt.Sprintf("%s: its interpreter, the program after #!, is not there or not readable for plugins", name)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Sprintf("%s: no program: a script begins with a line such as #!/bin/bash", name)
	}
	return fmt.Sprintf("%s: %v", name, err)
}

// enter puts up the walls, each where it can.
func (j *jail) enter() (Held, error) {
	var h Held
	unix.Umask(0o077)
	if j.Users {
		h.Parts = append(h.Parts, partUser)
	}
	if j.Net {
		h.Parts = append(h.Parts, partNet)
	}
	if j.PIDs {
		h.Parts = append(h.Parts, partPIDs)
	}
	proc := false
	if j.Mounts {
		var err error
		if proc, err = j.privateRoot(); err != nil {
			h.lack(partRoot, err)
		} else {
			h.Parts = append(h.Parts, partRoot)
		}
	} else {
		h.lack(partRoot, errors.New("namespaces of mounts are not permitted"))
	}
	if err := os.Chdir(j.Scratch); err != nil {
		return h, err
	}
	if err := j.dropPrivileges(&h); err != nil {
		return h, err
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return h, fmt.Errorf("asking to end with tidewaiter: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		h.lack(partPrivs, err)
		return h, nil // neither of the following works without
	}
	h.Parts = append(h.Parts, partPrivs)
	if abi, err := j.landlock(proc); err != nil {
		h.lack(partLandlock, err)
	} else {
		h.Parts = append(h.Parts, fmt.Sprintf("%s %d", partLandlock, abi))
	}
	if err := filterCalls(!j.PIDs); err != nil {
		h.lack(partSeccomp, err)
	} else {
		h.Parts = append(h.Parts, partSeccomp)
	}
	h.Parts = append(h.Parts, partLimits) // what fails from here on fails the start
	return h, nil
}

// dropPrivileges makes root nobody and gives up every capability.
func (j *jail) dropPrivileges(h *Held) error {
	for c := 0; c <= 63; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			break // the last one is behind us, or it is not ours to drop
		}
	}
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) // there is none by default
	if j.User >= 0 {
		for fd := range 3 {
			_ = unix.Fchown(fd, j.User, j.User) // so that /dev/stderr can be opened; a convenience
		}
		id := uintptr(j.User)
		if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); e != 0 && e != unix.EPERM {
			return fmt.Errorf("leaving all groups: %w", e)
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, id, id, id); e != 0 {
			return fmt.Errorf("becoming nobody: %w", e)
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); e != 0 {
			return fmt.Errorf("becoming nobody: %w", e)
		}
		h.Parts = append(h.Parts, partNobody)
	} else if os.Getuid() == 0 && !j.Users {
		h.lack(partNobody, errors.New("the user nobody is not known here"))
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&hdr, &none[0]); err != nil {
		return fmt.Errorf("giving up capabilities: %w", err)
	}
	return nil
}

// limits are set last: the launcher itself needs more than some plugins may.
func (j *jail) limits() error {
	for _, l := range []struct {
		what  int
		value uint64
		name  string
	}{
		{unix.RLIMIT_CORE, 0, "core files"},
		{unix.RLIMIT_CPU, j.CPU, "processor time"},
		{unix.RLIMIT_FSIZE, j.ScratchSize, "size of files"},
		{unix.RLIMIT_NOFILE, j.OpenFiles, "open files"},
		{unix.RLIMIT_NPROC, j.Processes, "processes"},
		{unix.RLIMIT_MEMLOCK, 64 << 10, "locked memory"},
		{unix.RLIMIT_STACK, 64 << 20, "stack"},
		{unix.RLIMIT_DATA, j.Memory, "memory"},
		{unix.RLIMIT_AS, 16 * j.Memory, "address space"},
	} {
		r := unix.Rlimit{Cur: l.value, Max: l.value}
		if l.what == unix.RLIMIT_STACK {
			r.Cur = 8 << 20
		}
		var old unix.Rlimit
		if unix.Getrlimit(l.what, &old) == nil { // never more than we have ourselves
			r.Max = min(r.Max, old.Max)
			r.Cur = min(r.Cur, r.Max)
		}
		if err := unix.Setrlimit(l.what, &r); err != nil {
			return fmt.Errorf("limiting %s: %w", l.name, err)
		}
	}
	return nil
}

// privateRoot makes a file system of nothing but what the plugin may see, and
// moves into it. It reports whether /proc, of the plugin's own processes, is
// there.
func (j *jail) privateRoot() (proc bool, err error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return false, fmt.Errorf("keeping mounts to itself: %w", err)
	}
	if err := unix.Mount("tmpfs", j.Root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=1m,mode=0755"); err != nil {
		return false, fmt.Errorf("making a root: %w", err)
	}
	unix.Umask(0o022)
	defer unix.Umask(0o077)
	for _, p := range j.Read {
		if err := j.bind(p, true); err != nil {
			return false, err
		}
	}
	for _, d := range devices {
		if err := j.bind(d, false); err != nil {
			return false, err
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(j.Root, "dev", name)); err != nil {
			return false, err
		}
	}
	scratch := filepath.Join(j.Root, j.Scratch)
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return false, err
	}
	owner := max(j.User, 0)
	if err := unix.Mount("tmpfs", scratch, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC,
		fmt.Sprintf("size=%d,nr_inodes=10000,mode=0700,uid=%d,gid=%d", j.ScratchSize, owner, owner)); err != nil {
		return false, fmt.Errorf("making a folder to write to: %w", err)
	}
	if j.PIDs {
		at := filepath.Join(j.Root, "proc")
		if err := os.Mkdir(at, 0o755); err != nil {
			return false, err
		}
		// Where another file system hides parts of /proc, the kernel gives no new one.
		proc = unix.Mount("proc", at, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "") == nil
	}
	if err := readOnly(j.Root, 0); err != nil {
		return false, err
	}
	if err := os.Chdir(j.Root); err != nil {
		return false, err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return false, fmt.Errorf("moving into the private root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return false, fmt.Errorf("leaving the machine's root: %w", err)
	}
	return proc, os.Chdir("/")
}

// devices are the ones a plugin may use.
var devices = [...]string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}

// bind makes a file or folder appear in the private root; a symbolic link is
// made anew, what is not there is passed over.
func (j *jail) bind(path string, ro bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	at := filepath.Join(j.Root, path)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	switch {
	case info.Mode()&os.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(target, at)
	case info.IsDir():
		err = os.MkdirAll(at, 0o755)
	default:
		var f *os.File
		if f, err = os.OpenFile(at, os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			f.Close()
		}
	}
	if err != nil {
		return err
	}
	if err := unix.Mount(path, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("showing %s: %w", path, err)
	}
	if !ro {
		return nil
	}
	return readOnly(at, unix.AT_RECURSIVE)
}

// readOnly makes a mount read-only.
func readOnly(path string, flags uint) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	err := unix.MountSetattr(unix.AT_FDCWD, path, flags, &attr)
	if errors.Is(err, unix.ENOSYS) { // before Linux 5.12
		var s unix.Statfs_t
		if err := unix.Statfs(path, &s); err != nil {
			return err
		}
		// The kernel numbers the flags that it reports as those that it takes, but for these.
		keep := uintptr(s.Flags) & (unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
		if s.Flags&unix.ST_RELATIME != 0 {
			keep |= unix.MS_RELATIME
		}
		err = unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|keep, "")
		if err != nil {
			return fmt.Errorf("making %s read-only: %w", path, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("making %s read-only: %w", path, err)
	}
	return nil
}

// Rights of Landlock, by the version of its interface that brought them.
const (
	llRead  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	llFile  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	llWrite = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REFER
	ll1 = 1<<13 - 1
)

// landlock lets the plugin open what it may, and nothing else, whatever the
// permissions of files say. It returns the version of the kernel's interface.
func (j *jail) landlock(proc bool) (int, error) {
	v, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return 0, fmt.Errorf("the kernel has none: %w", e)
	}
	abi := int(v)
	attr := unix.LandlockRulesetAttr{Handled_access_fs: ll1}
	if abi >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	size := unsafe.Offsetof(attr.Quiet_access_fs)
	if abi < 6 {
		size = unsafe.Offsetof(attr.Scoped)
	}
	if abi < 4 {
		size = unsafe.Offsetof(attr.Handled_access_net)
	}
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if e != 0 {
		return 0, fmt.Errorf("making rules: %w", e)
	}
	defer unix.Close(int(fd))
	allow := func(path string, rights uint64) error {
		at, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil // not there
		}
		defer unix.Close(at)
		var s unix.Stat_t
		if err := unix.Fstat(at, &s); err != nil {
			return err
		}
		if s.Mode&unix.S_IFMT != unix.S_IFDIR {
			rights &= llFile
		}
		rule := unix.LandlockPathBeneathAttr{Allowed_access: rights & attr.Handled_access_fs, Parent_fd: int32(at)}
		if _, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, fd, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0); e != 0 {
			return fmt.Errorf("allowing %s: %w", path, e)
		}
		return nil
	}
	for _, p := range j.Read {
		if err := allow(p, llRead); err != nil {
			return 0, err
		}
	}
	for _, d := range devices {
		if err := allow(d, llFile&^unix.LANDLOCK_ACCESS_FS_EXECUTE); err != nil {
			return 0, err
		}
	}
	if proc {
		if err := allow("/proc", llRead&^unix.LANDLOCK_ACCESS_FS_EXECUTE); err != nil {
			return 0, err
		}
	}
	if err := allow(j.Scratch, llWrite); err != nil {
		return 0, err
	}
	if _, _, e := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); e != 0 {
		return 0, fmt.Errorf("restricting itself: %w", e)
	}
	return abi, nil
}
