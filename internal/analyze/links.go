package analyze

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Reopen opens the stream of a layer once more, at its start.
type Reopen func(ctx context.Context) (io.ReadCloser, error)

// links is what became of the hard links of a layer.
type links struct {
	table *inventory.Table // of all files, links included

	// By analyzer.
	first    []map[string]string // the name under which it gets an unread file, by the name in the stream
	problems [][]inventory.Problem
	forget   []bool // a problem may be gone the next time

	unread  map[string]*unread // by the name under which the content stands in the stream
	waiting int                // those not read yet
	names   int                // of all of them
}

// unread is a file that has passed by, but not for those who want it under the
// name of a hard link.
type unread struct {
	file  inventory.File
	names []linkName // in order of path
	read  bool
	limit string // which one kept it from being read; "" for none
	most  int64
}

// linkName is a name of a hard link, with the analyzers that get the file
// under it.
type linkName struct {
	path            string
	alone, together []int
}

// resolve finds the files of hard links and closes the file table. What an
// analyzer learns from a file holds under every name of that file in the layer
// that it wants. A file that it wants under the name of a link only is unread.
func (w *walk) resolve(base *inventory.Table, again bool) links {
	n := len(w.run.set.Analyzers)
	l := links{table: base, first: make([]map[string]string, n), problems: make([][]inventory.Problem, n), forget: make([]bool, n), unread: map[string]*unread{}}
	made := w.links.Table()
	if made.Len() == 0 {
		return l
	}
	chains := map[string]string{}
	all := inventory.Builder{}
	for h := range made.All() {
		target := h.Link
		f, ok := base.Lookup(target)
		if !ok {
			target = follow(base, made, chains, target)
			f, ok = base.Lookup(target)
			ok = ok && target != ""
		}
		if !ok {
			w.problem(h.Path, "", fmt.Sprintf("hard link to %q, which is not in the layer", h.Link))
			continue
		}
		if f.Type == inventory.Directory {
			w.problem(h.Path, "", fmt.Sprintf("hard link to the directory %q", h.Link))
			continue
		}
		path := h.Path
		h = f
		h.Path = path
		if f.Type == inventory.Regular {
			h.Link = target
			if _, other := base.Lookup(path); !other { // else that entry stands at the path
				w.wanted(&l, f, path, again)
			}
		}
		all.Add(h)
	}
	all.Take(base)
	l.table = all.Table()
	return l
}

// follow returns the entry at the end of a chain of hard links, "" where there
// is none. It remembers what it finds in chains.
func follow(base, links *inventory.Table, chains map[string]string, target string) string {
	var passed []string
	end := ""
	for {
		if known, ok := chains[target]; ok {
			end = known // "" also in a loop
			break
		}
		chains[target] = ""
		passed = append(passed, target)
		next, ok := links.Lookup(target)
		if !ok {
			break
		}
		target = next.Link
		if _, ok := base.Lookup(target); ok {
			end = target
			break
		}
	}
	for _, p := range passed {
		chains[p] = end
	}
	return end
}

// wanted notes who wants a file under the name only that a hard link gives it.
func (w *walk) wanted(l *links, f inventory.File, path string, again bool) {
	was := Entry{Path: f.Path, Mode: f.Mode(), Size: f.Size, Kind: f.Kind}
	is := was
	is.Path = path
	for i, a := range w.run.set.Analyzers {
		if l.first[i][f.Path] != "" {
			continue // one name is enough, the others follow from it
		}
		in := a.Wants(is)
		if in == Ignore || a.Wants(was) != Ignore || !w.addUnread(l, i, in, f, path, again) {
			continue
		}
		if l.first[i] == nil {
			l.first[i] = map[string]string{}
		}
		l.first[i][f.Path] = path
	}
}

// addUnread notes that an analyzer shall get a file of the stream under another
// name; false where that cannot be.
func (w *walk) addUnread(l *links, i int, in Interest, f inventory.File, path string, again bool) bool {
	switch {
	case !again, f.Size > 0 && f.SHA256 == [32]byte{}: // it was not read the first time either
		w.notRead(l, i, f.Path, path, "", "")
		return false
	case f.Size > w.limits.WantedFile:
		w.notRead(l, i, f.Path, path, "wanted file", fmt.Sprintf("; its %d bytes are more than the limit of %d", f.Size, w.limits.WantedFile))
		return false
	}
	u := l.unread[f.Path]
	if u == nil || u.names[len(u.names)-1].path != path {
		if l.names >= w.limits.Linked {
			w.notRead(l, i, f.Path, path, "linked files", fmt.Sprintf("; %d files that it is so with are read again, no more", w.limits.Linked))
			return false
		}
		l.names++
		if u == nil {
			u = &unread{file: f}
			l.unread[f.Path] = u
			l.waiting++
		}
		u.names = append(u.names, linkName{path: path})
	}
	n := &u.names[len(u.names)-1]
	if in == Alone {
		n.alone = append(n.alone, i)
	} else {
		n.together = append(n.together, i)
	}
	return true
}

// notRead notes that an analyzer did not get a file under the name of a link.
func (w *walk) notRead(l *links, i int, target, path, limit, why string) {
	if len(l.problems[i]) >= w.limits.Problems {
		w.skipped++
		return
	}
	l.problems[i] = append(l.problems[i], inventory.Problem{Analyzer: w.run.set.Analyzers[i].Name(), Path: path, Limit: limit,
		Message: fmt.Sprintf("not read: it is a hard link, and nothing in its first name %q told that it is wanted%s", target, why)})
}

// readAgain reads the unread files of a layer. It stops behind the last of
// them: their digests are known from the first reading, whose stream was
// verified whole. Only the end of the context is an error.
func (w *walk) readAgain(l *links, again Reopen) error {
	if l.waiting == 0 {
		return nil
	}
	fault := w.findUnread(l, again)
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	why := "; the second reading did not meet its content"
	if fault != nil {
		why = "; reading the layer again: " + fault.Error()
	}
	for _, path := range slices.Sorted(maps.Keys(l.unread)) {
		u := l.unread[path]
		if u.read {
			continue
		}
		for _, n := range u.names {
			for _, i := range slices.Concat(n.alone, n.together) {
				if u.limit != "" {
					w.notRead(l, i, path, n.path, u.limit, fmt.Sprintf("; its %d bytes break the limit of %d", u.file.Size, u.most))
					continue
				}
				w.notRead(l, i, path, n.path, "", why)
				l.forget[i] = true
			}
		}
	}
	return nil
}

// findUnread goes through the stream as far as it must.
func (w *walk) findUnread(l *links, again Reopen) error {
	stream, err := again(w.ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	tr := tar.NewReader(stream)
	left := w.limits.LinkedSize
	for n := 0; l.waiting > 0; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return err
		}
		if n&1023 == 0 && w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont, '\x00':
		default:
			continue
		}
		u := l.unread[clean(h.Name)]
		if u == nil || u.read || h.Size != u.file.Size {
			continue // that entry may be one which another replaces
		}
		if h.Size > left {
			u.limit, u.most = "linked size", w.limits.LinkedSize
			continue
		}
		left -= h.Size
		if err := w.take(u, tr); errors.Is(err, errScratch) {
			u.limit, u.most = "scratch", w.limits.Scratch
		} else if err != nil {
			return err
		}
		if u.read {
			l.waiting--
		}
	}
	return nil
}

// take keeps an unread file and gives it to those who want it, unless its
// content is not the one of the file table.
func (w *walk) take(u *unread, content io.Reader) error {
	together := false
	for _, n := range u.names {
		together = together || len(n.together) > 0
	}
	w.sum.Reset()
	kept, err := w.keeper.keep(w.ctx, Entry{Path: u.file.Path, Mode: u.file.Mode(), Size: u.file.Size, Kind: u.file.Kind}, content, w.sum, together)
	if err != nil {
		return err
	}
	sum := u.file.SHA256
	if u.file.Size > 0 && [32]byte(w.sum.Sum(nil)) != sum {
		kept.release()
		return nil
	}
	u.read = true
	// one content under several names: the last one gives it back
	var holders atomic.Int32
	holders.Store(int32(len(u.names)))
	release := func() {
		if holders.Add(-1) == 0 {
			kept.release()
		}
	}
	for k, n := range u.names {
		f := &File{Entry: kept.Entry, ReaderAt: kept.ReaderAt, data: kept.data, free: release}
		f.Path = n.path
		held := false
		for _, i := range n.together {
			if len(w.run.together[i]) >= w.limits.Together {
				w.run.dropped[i]++
				continue
			}
			w.run.together[i] = append(w.run.together[i], keptFile{f, sum})
			held = true
		}
		switch {
		case len(n.alone) > 0:
			select {
			case w.run.queue <- job{f, sum, n.alone, held}:
			case <-w.ctx.Done():
				if !held {
					f.release()
				}
				for range u.names[k+1:] {
					release()
				}
				return w.ctx.Err()
			}
		case !held:
			f.release()
		}
	}
	return nil
}

// tell adds to the finished records what hard links make of them.
func (w *walk) tell(l *links, records []inventory.Record) {
	at := make([]int, len(records)) // the record of an analyzer
	for i, a := range w.run.set.Analyzers {
		at[i] = slices.IndexFunc(records, func(r inventory.Record) bool { return r.Analyzer == a.Name() })
	}
	w.addNames(l, records, at)
	for i := range l.problems {
		r := &records[at[i]]
		n := min(max(w.limits.Problems-len(r.Problems), 0), len(l.problems[i]))
		r.Problems = append(r.Problems, l.problems[i][:n]...)
		w.skipped += len(l.problems[i]) - n
		r.Forget = r.Forget || l.forget[i]
	}
}

// addNames gives what was learned from files to their further names, as far as
// these are wanted.
func (w *walk) addNames(l *links, records []inventory.Record, at []int) {
	if w.links.Added() == 0 {
		return
	}
	learned := make([]map[string]int, len(at)) // by analyzer: facts of a path
	for i := range at {
		learned[i] = factsByPath(&records[at[i]])
	}
	aliases := make([]map[string][]string, len(at))
	added, cut := make([]int, len(at)), make([]int, len(at))
	for f := range l.table.All() {
		if !f.HardLink() {
			continue
		}
		is := Entry{Path: f.Path, Mode: f.Mode(), Size: f.Size, Kind: f.Kind}
		for i, a := range w.run.set.Analyzers {
			under := f.Link
			if name := l.first[i][under]; name != "" {
				under = name
			}
			n := learned[i][under]
			if n == 0 || under == f.Path || a.Wants(is) == Ignore {
				continue
			}
			if added[i] += n; added[i] > w.limits.Facts+n {
				cut[i] += n // the record has no room for them, whatever it has
				continue
			}
			if aliases[i] == nil {
				aliases[i] = map[string][]string{}
			}
			aliases[i][under] = append(aliases[i][under], f.Path)
		}
	}
	for i := range aliases {
		if len(aliases[i]) > 0 {
			w.run.addAliases(&records[at[i]], aliases[i], cut[i])
		}
	}
}

// factsByPath counts what addAliases gives to further names.
func factsByPath(r *inventory.Record) map[string]int {
	n := map[string]int{}
	for i := range r.Packages {
		n[r.Packages[i].Path]++
	}
	for i := range r.Binaries {
		n[r.Binaries[i].Path]++
	}
	for i := range r.Facts {
		n[r.Facts[i].Path]++
	}
	return n
}
