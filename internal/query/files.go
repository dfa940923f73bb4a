package query

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func fileQueries() []Query {
	return []Query{
		onImage("list-files", "files with their permissions",
			[]Param{{Name: "directory", Help: "whose entries to show, or all (the default)", Repeated: true}},
			[]string{"File", "Permission"}, func(s *Subject, words []string, t *Table) error {
				for f := range s.Image.Files.All() {
					if everything(words) || slices.ContainsFunc(words, func(w string) bool { return path.Dir("/"+f.Path) == path.Clean("/"+w) }) {
						t.add("/"+f.Path, permission(&f))
					}
				}
				return nil
			}),
		onImage("list-files-detail", "files with type, size, mode, link target and digest",
			[]Param{{Name: "prefix", Help: "with which paths begin, or all (the default)", Repeated: true}},
			[]string{"Filename", "Type", "Size", "Mode", "Link_Dest", "Checksum"}, func(s *Subject, words []string, t *Table) error {
				for f := range s.Image.Files.All() {
					if everything(words) || slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix("/"+f.Path, w) }) {
						t.add("/"+f.Path, f.Type.String(), strconv.FormatInt(f.Size, 10), permission(&f), dash(f.Link), checksum(&f))
					}
				}
				return nil
			}),
		needing(onImage("list-content-search-matches", "where the configured content searches matched",
			[]Param{{Name: "file", Help: "whose matches to show, or all (the default)", Repeated: true}},
			[]string{"File", "Match_Regexp", "Match_Line_Numbers"}, func(s *Subject, words []string, t *Table) error {
				for i := range s.Image.Facts {
					f := &s.Image.Facts[i]
					if f.Hidden || f.Kind != policy.FactContentMatch || !selects(words, "/"+f.Path) {
						continue
					}
					var m policy.ContentMatch
					if err := json.Unmarshal(f.Data, &m); err != nil {
						return fmt.Errorf("fact %s of /%s: %w", f.Kind, f.Path, err)
					}
					var lines []string
					for _, n := range m.Lines {
						lines = append(lines, strconv.Itoa(n))
					}
					t.add("/"+f.Path, m.Label(), dash(strings.Join(lines, ",")))
				}
				return nil
			}), Needs{Facts: true}),
		needing(onImage("list-retrieved-files", "files whose contents the configuration had kept",
			names("files"), []string{"Stored_Filename", "Stored_File_Size_Bytes"}, func(s *Subject, words []string, t *Table) error {
				return eachRetrieved(s, words, func(name string, r *policy.RetrievedFile) error {
					t.add(name, strconv.Itoa(len(r.Content)))
					return nil
				})
			}), Needs{Facts: true}),
		needing(onImage("get-retrieved-files", "write files whose contents were kept into a folder",
			[]Param{{Name: "destination", Help: "an existing folder; files go below it by their paths", Required: true}, {Name: "name", Help: "files to write, or all (the default)", Repeated: true}},
			[]string{"Stored_File_Name", "Output_Location"}, getRetrieved), Needs{Facts: true}),
		onImage("show-non-packaged-files", "files that belong to no package, folded to directories at a depth", nonPackagedParams,
			[]string{"File/Directory_Name"}, func(s *Subject, words []string, t *Table) error {
				o, err := parseFold(words)
				if err != nil {
					return err
				}
				for _, name := range o.nonPackaged(s.Image) {
					t.add(name)
				}
				return nil
			}),
		comparing(onCompared("show-non-packaged-files-diff", "files that belong to no package and that the compared image does not have", nonPackagedParams,
			[]string{"File/Directory_Name"}, func(s, other *Subject, words []string, t *Table) error {
				o, err := parseFold(words)
				if err != nil {
					return err
				}
				there := map[string]bool{}
				for _, name := range o.nonPackaged(other.Image) {
					there[name] = true
				}
				for _, name := range o.nonPackaged(s.Image) {
					if !there[name] {
						t.add(name)
					}
				}
				return nil
			})),
	}
}

var nonPackagedParams = []Param{
	{Name: "depth", Help: "at which directories stand for what is in them, or all (the default)"},
	{Name: "prefix", Help: "path below which to look (default /), and exclude=PATH for what to leave out", Repeated: true},
}

func permission(f *inventory.File) string { return fmt.Sprintf("%#04o", f.Perm) }

func checksum(f *inventory.File) string {
	if f.Type != inventory.Regular || f.SHA256 == [32]byte{} {
		return "-"
	}
	return hex.EncodeToString(f.SHA256[:])
}

func eachRetrieved(s *Subject, words []string, visit func(name string, r *policy.RetrievedFile) error) error {
	for i := range s.Image.Facts {
		f := &s.Image.Facts[i]
		if f.Hidden || f.Kind != policy.FactRetrievedFile || !selects(words, "/"+f.Path) {
			continue
		}
		var r policy.RetrievedFile
		if err := json.Unmarshal(f.Data, &r); err != nil {
			var bad base64.CorruptInputError
			if errors.As(err, &bad) {
				return fmt.Errorf("kept content of /%s is damaged: %w", f.Path, err)
			}
			return fmt.Errorf("fact %s of /%s: %w", f.Kind, f.Path, err)
		}
		if err := visit("/"+f.Path, &r); err != nil {
			return err
		}
	}
	return nil
}

// getRetrieved writes below the destination only: paths of images are hostile.
func getRetrieved(s *Subject, words []string, t *Table) error {
	root, err := os.OpenRoot(words[0])
	if err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	defer root.Close()
	return eachRetrieved(s, words[1:], func(name string, r *policy.RetrievedFile) error {
		rel := strings.TrimPrefix(name, "/")
		if err := root.MkdirAll(path.Dir(rel), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := root.WriteFile(rel, r.Content, 0o644); err != nil {
			return err
		}
		if r.Truncated {
			t.warn("%s: only its beginning was kept", name)
		}
		t.add(name, path.Join(words[0], rel))
		return nil
	})
}

// fold says which files of no package are shown, and how.
type fold struct {
	depth   int // 0: files
	prefix  string
	exclude []string
}

func parseFold(words []string) (fold, error) {
	o := fold{prefix: "/"}
	for i, w := range words {
		rest, isExclude := strings.CutPrefix(w, "exclude=")
		n, err := strconv.Atoi(w)
		switch {
		case isExclude:
			o.exclude = append(o.exclude, rest)
		case w == "all":
		case i == 0 && err == nil && n > 0:
			o.depth = n
		case strings.HasPrefix(w, "/"):
			o.prefix = w
		default:
			return o, fmt.Errorf("parameter %q: use a depth such as 2, a path such as /usr, or exclude=/var/cache", w)
		}
	}
	return o, nil
}

// nonPackaged lists what no package owns, sorted, without directories of
// their own.
func (o *fold) nonPackaged(img *inventory.Image) []string {
	owned := owned(img)
	var out []string
	for f := range img.Files.All() {
		name := "/" + f.Path
		if f.Type == inventory.Directory || !strings.HasPrefix(name, o.prefix) ||
			slices.ContainsFunc(o.exclude, func(x string) bool { return strings.HasPrefix(name, x) }) || owned.has(f.Path) {
			continue
		}
		if o.depth > 0 {
			if parts := strings.SplitN(f.Path, "/", o.depth+1); len(parts) > o.depth {
				name = "/" + strings.Join(parts[:o.depth], "/")
			}
		}
		if len(out) == 0 || out[len(out)-1] != name {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ownedFiles are the paths that packages say are theirs.
type ownedFiles struct {
	paths, dirs map[string]bool
}

func owned(img *inventory.Image) *ownedFiles {
	o := &ownedFiles{paths: map[string]bool{}, dirs: map[string]bool{}}
	links := map[string]string{}
	for f := range img.Files.All() {
		if f.Type == inventory.Symlink {
			links[f.Path] = f.Link
		}
	}
	for i := range img.Packages {
		p := &img.Packages[i]
		o.paths[p.Path] = true
		for _, l := range p.Locations {
			o.paths[l.Path] = true
		}
		for b := range p.Files.All() {
			name := string(b)
			into := o.paths
			if dir, ok := strings.CutSuffix(name, "/"); ok {
				name, into = dir, o.dirs
			}
			into[name] = true
			if real := realParent(name, links); real != name {
				into[real] = true
			}
		}
	}
	return o
}

func (o *ownedFiles) has(name string) bool {
	if o.paths[name] {
		return true
	}
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if o.dirs[d] {
			return true
		}
	}
	return false
}

// realParent follows the symbolic links among the parents of a path, as many
// as a kernel would.
func realParent(name string, links map[string]string) string {
	for range 40 {
		moved := false
		for i := 0; i < len(name); i++ {
			if name[i] != '/' {
				continue
			}
			target, ok := links[name[:i]]
			if !ok {
				continue
			}
			if !strings.HasPrefix(target, "/") {
				target = path.Join(path.Dir("/"+name[:i]), target)
			}
			name = strings.TrimPrefix(path.Join(path.Clean("/"+target), name[i:]), "/")
			moved = true
			break
		}
		if !moved {
			break
		}
	}
	return name
}
