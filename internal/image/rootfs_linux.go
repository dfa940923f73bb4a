package image

import (
	"archive/tar"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFlags keep a file that was replaced by a link or a pipe from being
// followed or waited for.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// fillHeader adds what only the system's own stat says; several tells that the
// file has more than one name.
func fillHeader(h *tar.Header, fi fs.FileInfo) (id inode, several bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}, false
	}
	h.Uid, h.Gid = int(st.Uid), int(st.Gid)
	if fi.Mode()&fs.ModeDevice != 0 {
		dev := uint64(st.Rdev) //nolint:unconvert // its type differs between architectures
		h.Devmajor, h.Devminor = int64(unix.Major(dev)), int64(unix.Minor(dev))
	}
	//nolint:unconvert // likewise
	return inode{uint64(st.Dev), uint64(st.Ino)}, !fi.IsDir() && st.Nlink > 1
}

// capability reads the extended attribute security.capability.
func capability(f *os.File) string {
	buf := make([]byte, 64) // its largest version has 24 bytes
	n, err := unix.Fgetxattr(int(f.Fd()), "security.capability", buf)
	if err != nil || n <= 0 {
		return ""
	}
	return string(buf[:n])
}

// isKernelFS tells file systems that show the running kernel, not stored files.
func isKernelFS(dir *os.Root) bool {
	f, err := dir.Open(".")
	if err != nil {
		return false
	}
	defer f.Close()
	var st unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &st) != nil {
		return false
	}
	switch int64(st.Type) { //nolint:unconvert // its type differs between architectures
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEVPTS_SUPER_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC,
		unix.BPF_FS_MAGIC, unix.BINFMTFS_MAGIC, unix.PSTOREFS_MAGIC:
		return true
	}
	return false
}
