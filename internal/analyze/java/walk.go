package java

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// walk reads one file and the archives nested in it.
type walk struct {
	ctx  context.Context
	out  *inventory.Record
	file *analyze.File

	zip      inflater
	copyBuf  []byte
	entries  int
	inflated int64
	live     int64
	problems int
	limits   map[string]bool // limits already reported
	nested   int             // archives within archives
}

// nested is where an archive lies.
type nested struct {
	src    source
	inner  string // way inside the file; "" for the file itself
	name   string // path that names it: of the file, or of the entry in its archive
	depth  int
	parent string // coordinates of the archive around it
}

// pomFile is a pom.properties in an archive, or a pom.xml without one.
type pomFile struct {
	coordinates
	entry string
}

func (w *walk) problem(inner string, err error) {
	limit := (*limitError)(nil)
	if errors.As(err, &limit) {
		// each limit once: what it cuts off may be a million entries
		if w.limits[limit.name] {
			return
		}
		if w.limits == nil {
			w.limits = map[string]bool{}
		}
		w.limits[limit.name] = true
	} else if w.problems++; w.problems > maxProblems {
		if w.problems == maxProblems+1 {
			err, inner = &limitError{"number of problems", maxProblems}, ""
			errors.As(err, &limit)
		} else {
			return
		}
	}
	p := inventory.Problem{Analyzer: w.out.Analyzer, Path: w.file.Path, Message: err.Error()}
	if inner != "" {
		p.Message = inner + ": " + p.Message
	}
	if limit != nil {
		p.Limit = limit.name
	}
	w.out.Problems = append(w.out.Problems, p)
}

func (w *walk) top() {
	w.archive(nested{src: source{r: w.file.ReaderAt, data: w.file.Bytes(), size: w.file.Size}, name: w.file.Path})
}

// contents is what the central directory of an archive shows.
type contents struct {
	manifest   *member
	properties []member
	xml        []member
	archives   []member
	classes    bool
}

func (w *walk) archive(n nested) {
	if w.ctx.Err() != nil {
		return
	}
	a, err := openArchive(n.src)
	kind := archiveExt(strings.TrimPrefix(path.Ext(n.name), "."))
	if err != nil {
		if kind == usual {
			w.problem(n.inner, err)
		}
		return
	}
	c, err := w.contents(a)
	if err != nil {
		w.problem(n.inner, err)
	}
	// without a usual extension only what Java made counts
	if kind != usual && c.manifest == nil && len(c.properties) == 0 && !(kind == unusual && len(c.archives) > 0) {
		return
	}
	self := w.describe(a, &c, n)
	for i := range c.archives {
		if w.ctx.Err() != nil {
			return
		}
		w.descend(a, &c.archives[i], n, self)
	}
}

func clone(m *member) member {
	out := *m
	out.name = bytes.Clone(m.name)
	return out
}

func (w *walk) contents(a *archive) (contents, error) {
	var c contents
	var over error
	err := a.each(func(m *member) bool {
		if w.entries++; w.entries > maxEntries {
			over = &limitError{"number of archive entries", maxEntries}
			return false
		}
		if w.entries&0xffff == 0 && w.ctx.Err() != nil {
			return false
		}
		name := m.name
		n := len(name)
		if n < 5 || name[n-1] == '/' {
			return true
		}
		switch name[n-1] {
		case 's': // .class, pom.properties
			if bytes.HasSuffix(name, []byte(".class")) {
				c.classes = true
			} else if bytes.HasSuffix(name, []byte("/pom.properties")) && inMavenDir(name) {
				c.properties = append(c.properties, clone(m))
			}
		case 'l':
			if bytes.HasSuffix(name, []byte("/pom.xml")) && inMavenDir(name) {
				c.xml = append(c.xml, clone(m))
			}
		case 'F', 'f':
			if bytes.EqualFold(name, []byte("META-INF/MANIFEST.MF")) && c.manifest == nil {
				k := clone(m)
				c.manifest = &k
			}
		}
		if dot := bytes.LastIndexByte(name[n-5:], '.'); dot >= 0 && m.size > 0 {
			if archiveExt(string(name[n-5+dot+1:])) != 0 {
				c.archives = append(c.archives, clone(m))
			}
		}
		return true
	})
	if over != nil {
		err = over
	}
	return c, err
}

// inMavenDir reports whether the name is [….]META-INF/maven/GROUP/ARTIFACT/FILE.
func inMavenDir(name []byte) bool {
	i := bytes.Index(name, []byte("META-INF/maven/"))
	return i >= 0 && (i == 0 || name[i-1] == '/') && bytes.Count(name[i:], []byte("/")) == 4
}

// descend goes into an archive that is an entry of another.
func (w *walk) descend(a *archive, m *member, outer nested, self string) {
	name := cleanText(m.name)
	inner := name
	if outer.inner != "" {
		inner = outer.inner + "!" + name
	}
	if outer.depth+1 > maxDepth {
		w.problem(inner, &limitError{"nesting depth of archives", maxDepth})
		return
	}
	if w.nested++; w.nested > maxNested {
		w.problem(inner, &limitError{"number of archives within archives", maxNested})
		return
	}
	n := nested{inner: inner, name: name, depth: outer.depth + 1, parent: self}
	if m.method == methodStore && m.size == m.packed {
		src, err := a.place(m)
		if err != nil {
			w.problem(inner, err)
			return
		}
		// an entry may be listed any number of times: reading counts against the same bound as inflating
		if !w.spend(inner, m.size) {
			return
		}
		n.src = src
		w.archive(n)
		return
	}
	switch {
	case m.size > 1<<20 && m.size > maxRatio*m.packed:
		w.problem(inner, &limitError{"compression ratio of a nested archive", maxRatio})
		return
	case w.live+m.size > maxLive:
		w.problem(inner, &limitError{"memory for nested archives", maxLive})
		return
	case !w.spend(inner, m.size):
		return
	}
	if w.live+m.size > largeNested {
		w.file.Exclusive()
	}
	data, err := w.zip.unpack(a, m, m.size)
	if err != nil {
		w.problem(inner, err)
		return
	}
	w.live += m.size
	n.src = memory(data)
	w.archive(n)
	w.live -= m.size
}

func (w *walk) spend(inner string, n int64) bool {
	if n < 0 || n > maxInflated-w.inflated {
		w.problem(inner, &limitError{"bytes inflated", maxInflated})
		return false
	}
	w.inflated += n
	return true
}

// read unpacks a metadata file.
func (w *walk) read(a *archive, m *member, n nested, limit int64) []byte {
	where := cleanText(m.name)
	if n.inner != "" {
		where = n.inner + "!" + where
	}
	if !w.spend(where, min(m.size, limit)) {
		return nil
	}
	data, err := w.zip.unpack(a, m, limit)
	if err != nil {
		w.problem(where, err)
		return nil
	}
	return data
}

func (w *walk) sha1(s source) (string, error) {
	var sum [sha1.Size]byte
	if s.data != nil {
		sum = sha1.Sum(s.data)
	} else {
		if w.copyBuf == nil {
			w.copyBuf = make([]byte, 128<<10)
		}
		h := sha1.New()
		if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{s.reader()}, w.copyBuf); err != nil {
			return "", err
		}
		h.Sum(sum[:0])
	}
	return hex.EncodeToString(sum[:]), nil
}
