//go:build !linux

package image

import (
	"archive/tar"
	"io/fs"
	"os"
)

const openFlags = 0

// On other systems owners, devices, hard links and attributes are not read.

func fillHeader(*tar.Header, fs.FileInfo) (inode, bool) { return inode{}, false }

func capability(*os.File) string { return "" }

func isKernelFS(*os.Root) bool { return false }
