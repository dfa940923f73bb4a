package python

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// own appends the file list of the distribution that file belongs to.
func own(file string, paths []string, out *inventory.Record) {
	name, _ := splitDirName(file)
	if len(paths) == 0 || !validName(name) {
		return
	}
	out.Owned = append(out.Owned, inventory.Ownership{Path: file, Type: "pypi", Name: normalize(name), Files: inventory.NewFileList(paths)})
}

// readRecord reads the RECORD of a dist-info: one CSV row a file, its first
// field a path relative to the folder that holds the dist-info.
func readRecord(file string, data []byte, out *inventory.Record) error {
	base := path.Dir(path.Dir(file))
	var paths []string
	var broken error
	for len(data) > 0 {
		if len(paths) == maxFiles {
			broken = fmt.Errorf("reading RECORD: more than the limit of %d files", maxFiles)
			break
		}
		var name []byte
		if data[0] == '"' { // a quoted field may hold commas, line ends and doubled quotes
			n := quotedField(data)
			if n < 0 {
				broken = errors.New("reading RECORD: a quoted field does not end")
				break
			}
			name, data = bytes.ReplaceAll(data[1:n-1], []byte(`""`), []byte(`"`)), data[n:]
			_, data, _ = bytes.Cut(data, []byte("\n"))
		} else {
			var line []byte
			line, data, _ = bytes.Cut(data, []byte("\n"))
			name, _, _ = bytes.Cut(bytes.TrimRight(line, "\r"), []byte(","))
		}
		if p := resolve(base, string(name)); p != "" {
			paths = append(paths, p)
		}
	}
	own(file, paths, out)
	return broken
}

// quotedField is the length of the quoted field that data begins with, with
// its quotes; -1 if it does not end.
func quotedField(data []byte) int {
	for i := 1; i < len(data); i++ {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			return -1
		}
		if i += n; i+1 == len(data) || data[i+1] != '"' {
			return i + 1
		}
		i++
	}
	return -1
}

// readInstalledFiles reads the list that pip left in an egg-info: a path a
// line, relative to the egg-info itself.
func readInstalledFiles(file string, data []byte, out *inventory.Record) error {
	base := path.Dir(file)
	paths, err := pathLines(data, func(line string) string { return resolve(base, line) })
	own(file, paths, out)
	return err
}

// readSources reads the list of what a distribution was built from. Where an
// egg-info has no other list, its modules are those of them that are there:
// importlib.metadata takes it so, too.
func readSources(file string, data []byte, out *inventory.Record) error {
	base := path.Dir(path.Dir(file))
	paths, err := pathLines(data, func(line string) string {
		line = strings.TrimPrefix(line, "src/")
		first, _, below := strings.Cut(line, "/")
		switch {
		case !below && (!strings.HasSuffix(line, ".py") || line == "setup.py"), strings.HasSuffix(first, ".egg-info"):
			return ""
		}
		switch first {
		case "test", "tests", "doc", "docs", "examples", "scripts", "tools", "bin":
			return ""
		}
		return resolve(base, line)
	})
	own(file, paths, out)
	return err
}

func pathLines(data []byte, take func(string) string) ([]string, error) {
	var paths []string
	for line := range bytes.Lines(data) {
		if len(paths) == maxFiles {
			return paths, fmt.Errorf("reading file list: more than the limit of %d files", maxFiles)
		}
		if p := take(string(bytes.TrimSpace(line))); p != "" {
			paths = append(paths, p)
		}
	}
	return paths, nil
}

// resolve is name seen from base, as a path of the file table; "" for one
// that is empty or leaves the root. A leading slash means the root.
func resolve(base, name string) string {
	if name == "" || len(name) > 4096 {
		return ""
	}
	name = strings.ReplaceAll(name, `\`, "/")
	if name[0] != '/' {
		name = base + "/" + name
	}
	// rooted, so that no number of ".." gets out; what tries to is dropped
	if depth := 0; strings.Contains(name, "..") {
		for part := range strings.SplitSeq(name, "/") {
			switch part {
			case "", ".":
			case "..":
				if depth--; depth < 0 {
					return ""
				}
			default:
				depth++
			}
		}
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
