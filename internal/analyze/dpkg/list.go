package dpkg

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// maxFiles bounds the files of one package.
const maxFiles = 1_000_000

// readList appends what a NAME[:ARCH].list says: one absolute path per line.
func readList(file, name string, data []byte, out *inventory.Record) error {
	paths := make([]string, 0, min(bytes.Count(data, []byte{'\n'})+1, maxFiles))
	var err error
	for line := range strings.Lines(string(data)) {
		if len(paths) == maxFiles {
			err = fmt.Errorf("more than the limit of %d files", maxFiles)
			break
		}
		p := relative(strings.TrimRight(line, "\r\n"))
		if p == "" {
			continue
		}
		// mostly a directory stands right before what it holds
		if n := len(paths); n > 0 && len(p) > len(paths[n-1]) && p[len(paths[n-1])] == '/' && strings.HasPrefix(p, paths[n-1]) {
			paths = paths[:n-1]
		}
		paths = append(paths, p)
	}
	own(file, name, paths, out)
	return err
}

// readSums appends what a NAME.md5sums says: a digest, two blanks and a
// relative path per line. It knows no directories and no configuration files.
func readSums(file, name string, data []byte, out *inventory.Record) error {
	paths := make([]string, 0, min(bytes.Count(data, []byte{'\n'})+1, maxFiles))
	var bad badEntries
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		sum, rest, ok := strings.Cut(line, " ")
		p := relative(strings.TrimPrefix(strings.TrimLeft(rest, " "), "*"))
		if !ok || len(sum) != 32 || p == "" {
			bad.add(fmt.Errorf("line %.80q", line))
			continue
		}
		if len(paths) == maxFiles {
			bad.add(fmt.Errorf("more than the limit of %d files", maxFiles))
			break
		}
		paths = append(paths, p)
	}
	own(file, name, paths, out)
	return bad.err()
}

func own(file, name string, paths []string, out *inventory.Record) {
	name, arch, _ := strings.Cut(name, ":")
	files := inventory.NewFileList(withoutParents(paths))
	if files.Len() == 0 {
		return
	}
	out.Owned = append(out.Owned, inventory.Ownership{Path: file, Type: "deb", Name: name, Arch: arch, Files: files})
}

// relative makes a path of a list one of the file table; "" if it is none.
func relative(p string) string {
	p = strings.Trim(strings.TrimPrefix(p, "./"), "/")
	if strings.HasPrefix(p, ".") || strings.Contains(p, "/.") || strings.Contains(p, "//") {
		p = path.Clean("/" + p)[1:]
	}
	if strings.IndexByte(p, 0) >= 0 {
		return ""
	}
	return p
}

// withoutParents sorts the paths and drops directories that hold others of
// them: packages share these, and owning one says nothing.
func withoutParents(paths []string) []string {
	slices.Sort(paths)
	paths = slices.Compact(paths)
	kept := make([]string, 0, len(paths))
	for i, p := range paths {
		// "a-b" lies between "a" and "a/b", so the next path is not enough
		rest := paths[i+1:]
		if len(rest) > 0 && strings.HasPrefix(rest[0], p) {
			j, _ := slices.BinarySearch(rest, p+"/")
			if j < len(rest) && strings.HasPrefix(rest[j], p+"/") {
				continue
			}
		}
		kept = append(kept, p)
	}
	return kept
}
