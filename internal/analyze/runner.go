package analyze

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// runner runs the analyzers over the wanted files of one layer, in order, in
// one goroutine of its own beside the walk.
type runner struct {
	set      *Set
	limits   Limits
	ctx      context.Context
	stop     context.CancelCauseFunc
	records  []inventory.Record
	together [][]keptFile
	dropped  []int // files beyond Limits.Together
	cut      []int // facts beyond Limits.Facts
	learned  [][]span
	total    int // facts of all analyzers
	facts    *budget
	holds    bool // the pool's token for large files

	// replaced is the file table where some entries of the layer replace
	// earlier ones, else nil. It is set before the queue is closed.
	replaced *inventory.Table

	queue chan job
	done  chan struct{}
	err   error
}

type job struct {
	file  *File
	sum   [32]byte
	alone []int // indexes of the analyzers
	keep  bool
}

type keptFile struct {
	*File
	sum [32]byte
}

// span says where the facts of one file end in a record; they begin where
// those of the file before end.
type span struct {
	path string
	sum  [8]byte // first bytes of the file's digest
	ends counts
}

// counts are the lengths of a record's lists.
type counts [6]uint32

func countsOf(r *inventory.Record) counts {
	return counts{uint32(len(r.Packages)), uint32(len(r.Owned)), uint32(len(r.Distros)), uint32(len(r.Licenses)), uint32(len(r.Binaries)), uint32(len(r.Facts))}
}

func (c counts) sum() (n int) {
	for _, v := range c {
		n += int(v)
	}
	return n
}

func (s *Set) newRunner(ctx context.Context, stop context.CancelCauseFunc) *runner {
	r := &runner{
		set: s, limits: s.limits(), ctx: ctx, stop: stop, queue: make(chan job, 64), done: make(chan struct{}),
		records:  make([]inventory.Record, len(s.Analyzers)),
		together: make([][]keptFile, len(s.Analyzers)),
		dropped:  make([]int, len(s.Analyzers)),
		cut:      make([]int, len(s.Analyzers)),
		learned:  make([][]span, len(s.Analyzers)),
		facts:    s.facts,
	}
	if r.facts == nil {
		r.facts = new(budget)
	}
	for i, a := range s.Analyzers {
		r.records[i] = newRecord(a)
	}
	go r.run()
	return r
}

func (r *runner) run() {
	defer close(r.done)
	for j := range r.queue {
		for _, i := range j.alone {
			if r.ctx.Err() != nil {
				continue
			}
			before := countsOf(&r.records[i])
			j.file.whole = r.waitWhole
			r.analyze(i, &FileSet{files: []*File{j.file}}, j.file.Path)
			if after := countsOf(&r.records[i]); after != before {
				r.learned[i] = append(r.learned[i], span{j.file.Path, [8]byte(j.sum[:8]), after})
			}
		}
		if !j.keep {
			j.file.release()
		}
	}
	if r.replaced != nil {
		r.forgetReplaced()
	}
	for _, last := range []bool{false, true} {
		for i, a := range r.set.Analyzers {
			if files := r.together[i]; len(files) > 0 && r.ctx.Err() == nil && needsLayer(a) == last {
				list := make([]*File, len(files))
				for k := range files {
					list[k] = files[k].File
					list[k].whole = r.waitWhole
				}
				r.analyze(i, NewFileSet(list...), "")
			}
		}
	}
	for _, files := range r.together {
		for _, f := range files {
			f.release()
		}
	}
	r.err = r.ctx.Err()
	for i := range r.records {
		rec := &r.records[i]
		if n := r.dropped[i]; n > 0 {
			rec.Problems = append(rec.Problems, inventory.Problem{Analyzer: rec.Analyzer, Limit: "files of one layer",
				Message: fmt.Sprintf("%d files beyond the limit of %d were not read", n, r.limits.Together)})
		}
		if most := r.limits.Problems; len(rec.Problems) > most {
			more := len(rec.Problems) - most
			rec.Problems = append(rec.Problems[:most:most], inventory.Problem{Analyzer: rec.Analyzer, Limit: "problems of one layer",
				Message: fmt.Sprintf("%d more problems are not listed", more)})
		}
		r.tellCut(i, rec)
	}
}

// tellCut notes what bound dropped of a record.
func (r *runner) tellCut(i int, rec *inventory.Record) {
	if n := r.cut[i]; n > 0 {
		rec.Problems = append(rec.Problems, inventory.Problem{Analyzer: rec.Analyzer, Limit: "facts of one layer",
			Message: fmt.Sprintf("%d packages, licences or binaries beyond the limit of %d are not listed", n, r.limits.Facts)})
	}
}

// analyze calls one analyzer. A panic on hostile input is a bug of ours; it
// costs that analyzer's result for that file, visibly, not the scan.
func (r *runner) analyze(i int, files fs.FS, path string) {
	rec := &r.records[i]
	before, problems := countsOf(rec), len(rec.Problems)
	defer func() {
		if r.holds {
			r.holds = false
			<-r.set.pool().whole
		}
		if p := recover(); p != nil {
			rec.Problems = append(rec.Problems, inventory.Problem{Analyzer: rec.Analyzer, Path: path,
				Message: fmt.Sprintf("analyzer stopped on an internal error: %v", p)})
		}
		r.cut[i] += bound(rec, r.limits.Facts)
		if err := r.set.learn(r.facts, since(rec, before, problems).Weight(), path); err != nil {
			r.stop(err)
		}
		if r.total += countsOf(rec).sum() - before.sum(); r.total > 2*r.limits.Facts {
			r.stop(&LimitError{Limit: "facts of all analyzers", Value: int64(2 * r.limits.Facts), Path: path})
		}
	}()
	var err error
	if a := r.set.Analyzers[i]; needsLayer(a) {
		err = a.(LayerAnalyzer).AnalyzeLayer(r.ctx, files, slices.Concat(r.set.Known, r.records[:i], r.records[i+1:]), rec)
	} else {
		err = a.Analyze(r.ctx, files, rec)
	}
	if err != nil && r.ctx.Err() == nil {
		Problemf(rec, path, "%w", err)
	}
}

func needsLayer(a Analyzer) bool {
	l, ok := a.(LayerAnalyzer)
	return ok && l.NeedsLayer()
}

// waitWhole takes the token for large files, which analyze gives back.
func (r *runner) waitWhole() {
	if r.holds {
		return
	}
	select {
	case r.set.pool().whole <- struct{}{}:
		r.holds = true
	case <-r.ctx.Done():
	}
}

// since is what was added to a record.
func since(r *inventory.Record, before counts, problems int) *inventory.Record {
	n := &inventory.Record{Problems: r.Problems[min(problems, len(r.Problems)):]}
	setSince(&n.Packages, r.Packages, before[0])
	setSince(&n.Owned, r.Owned, before[1])
	setSince(&n.Distros, r.Distros, before[2])
	setSince(&n.Licenses, r.Licenses, before[3])
	setSince(&n.Binaries, r.Binaries, before[4])
	setSince(&n.Facts, r.Facts, before[5])
	return n
}

func setSince[T any](to *[]T, list []T, n uint32) { *to = list[min(int(n), len(list)):] }

// bound cuts every list of a record to a length and returns how much it cut.
func bound(r *inventory.Record, most int) int {
	return shorten(&r.Packages, most) + shorten(&r.Owned, most) + shorten(&r.Distros, most) + shorten(&r.Licenses, most) + shorten(&r.Binaries, most) + shorten(&r.Facts, most)
}

func shorten[T any](list *[]T, most int) int {
	more := len(*list) - most
	if more <= 0 {
		return 0
	}
	clear((*list)[most:])
	*list = (*list)[:most]
	if cap(*list) > 2*most {
		*list = slices.Clip(append([]T(nil), *list...))
	}
	return more
}

// want decides who gets a file.
func (r *runner) want(e Entry) (alone []int, together []int) {
	for i, a := range r.set.Analyzers {
		switch a.Wants(e) {
		case Alone:
			alone = append(alone, i)
		case Together:
			if len(r.together[i]) >= r.limits.Together {
				r.dropped[i]++
				continue
			}
			together = append(together, i)
		}
	}
	return alone, together
}

// finish waits for all analyses and returns the records in order of name.
func (r *runner) finish() ([]inventory.Record, error) {
	close(r.queue)
	<-r.done
	slices.SortFunc(r.records, func(a, b inventory.Record) int { return strings.Compare(a.Analyzer, b.Analyzer) })
	return r.records, r.err
}

// forgetReplaced drops what was learned from files that a later entry of the
// layer replaced, as it does when the layer is unpacked.
func (r *runner) forgetReplaced() {
	stands := func(path string, sum []byte) bool {
		f, ok := r.replaced.Lookup(path)
		return ok && f.Type == inventory.Regular && string(f.SHA256[:len(sum)]) == string(sum)
	}
	for i := range r.records {
		spans := r.learned[i]
		keep := make([]bool, len(spans))
		seen := map[string]bool{}
		all := true
		for k := len(spans) - 1; k >= 0; k-- {
			s := &spans[k]
			keep[k] = !seen[s.path] && stands(s.path, s.sum[:])
			seen[s.path] = true
			all = all && keep[k]
		}
		if !all {
			old := r.records[i]
			r.records[i] = newRecord(r.set.Analyzers[i])
			r.records[i].Problems, r.records[i].Forget = old.Problems, old.Forget
			var from counts
			for k, s := range spans {
				if keep[k] {
					appendFacts(&r.records[i], &old, from, s.ends)
				}
				from = s.ends
			}
		}
		r.together[i] = slices.DeleteFunc(r.together[i], func(f keptFile) bool {
			if stands(f.Path, f.sum[:]) {
				return false
			}
			f.release()
			return true
		})
	}
}

// appendFacts appends a part of one record's facts to another.
func appendFacts(to, of *inventory.Record, from, ends counts) {
	to.Packages = append(to.Packages, part(of.Packages, from[0], ends[0])...)
	to.Owned = append(to.Owned, part(of.Owned, from[1], ends[1])...)
	to.Distros = append(to.Distros, part(of.Distros, from[2], ends[2])...)
	to.Licenses = append(to.Licenses, part(of.Licenses, from[3], ends[3])...)
	to.Binaries = append(to.Binaries, part(of.Binaries, from[4], ends[4])...)
	to.Facts = append(to.Facts, part(of.Facts, from[5], ends[5])...)
}

// part is list[from:end] of a list that may have been shortened.
func part[T any](list []T, from, end uint32) []T {
	n := uint32(len(list))
	return list[min(from, n):min(end, n)]
}

// addAliases gives a record's facts of files to their further names. cut is how
// many it was spared because there is no room.
func (r *runner) addAliases(rec *inventory.Record, aliases map[string][]string, cut int) {
	most := r.limits.Facts
	for i, n := 0, len(rec.Packages); i < n; i++ {
		for _, a := range aliases[rec.Packages[i].Path] {
			if len(rec.Packages) >= most {
				cut++
				continue
			}
			p := rec.Packages[i]
			p.Path = a
			rec.Packages = append(rec.Packages, p)
		}
	}
	for i, n := 0, len(rec.Binaries); i < n; i++ {
		for _, a := range aliases[rec.Binaries[i].Path] {
			if len(rec.Binaries) >= most {
				cut++
				continue
			}
			b := rec.Binaries[i]
			b.Path = a
			rec.Binaries = append(rec.Binaries, b)
		}
	}
	for i, n := 0, len(rec.Facts); i < n; i++ {
		for _, a := range aliases[rec.Facts[i].Path] {
			if len(rec.Facts) >= most {
				cut++
				continue
			}
			f := rec.Facts[i]
			f.Path = a
			rec.Facts = append(rec.Facts, f)
		}
	}
	if cut > 0 {
		rec.Problems = append(rec.Problems, inventory.Problem{Analyzer: rec.Analyzer, Limit: "facts of one layer",
			Message: fmt.Sprintf("%d packages or binaries under further names of their files, beyond the limit of %d, are not listed", cut, most)})
	}
}
