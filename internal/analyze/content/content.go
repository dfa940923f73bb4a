// Package content searches files for configured expressions and keeps
// configured files whole. What it finds become the facts "secret-match",
// "content-match" and "retrieved-file" that policies of both formats ask
// about. Finding secrets by their own marks is package secret's work; this one
// looks for what an owner names.
package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// The kinds of facts of this package. The Data of the first two is a [Match],
// that of the third a [File].
const (
	SecretKind    = "secret-match"
	ContentKind   = "content-match"
	RetrievedKind = "retrieved-file"
)

// Match says that an expression matched lines of a file. What it matched is
// kept nowhere.
type Match struct {
	Name       string `json:"name,omitempty"`
	Expression string `json:"expression"`
	Lines      []int  `json:"lines,omitempty"` // from 0
}

// DefaultSearchSize is up to which size files are searched where the
// configuration does not say: 10,000 bytes.
const DefaultSearchSize = 10_000

// maxLines is how many matching lines of one expression are kept of a file.
const maxLines = 1000

// Search looks for expressions in files, line by line, each matched at the
// beginning of a line. The zero value searches for nothing. A Search must not
// be copied or changed after its first use.
//
// Every regular file of 1 byte to MaxSize is searched, whatever is in it;
// larger ones are left out, as the format has it.
type Search struct {
	// Kind is SecretKind or ContentKind.
	Kind string
	// Expressions are looked for. Ask [Expression.Check] first: with one that
	// does not compile, nothing can be searched.
	Expressions []Expression
	// MaxSize is in bytes; 0 means DefaultSearchSize.
	MaxSize int64

	once     sync.Once
	compiled []*expression
	literals *literals
	err      error
}

var _ analyze.Configured = (*Search)(nil)

// Name implements [analyze.Analyzer].
func (s *Search) Name() string {
	if s.Kind == SecretKind {
		return "secret-search"
	}
	return "content-search"
}

// Version implements [analyze.Analyzer].
func (*Search) Version() int { return 1 }

// ConfigDigest implements [analyze.Configured].
func (s *Search) ConfigDigest() string {
	return digest(s.maxSize(), s.Expressions)
}

func digest(parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%#v\n", p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (s *Search) maxSize() int64 {
	if s.MaxSize <= 0 {
		return DefaultSearchSize
	}
	return s.MaxSize
}

// Wants implements [analyze.Analyzer].
func (s *Search) Wants(e analyze.Entry) analyze.Interest {
	if e.Size == 0 || e.Size > s.maxSize() || len(s.Expressions) == 0 {
		return analyze.Ignore
	}
	return analyze.Alone
}

func (s *Search) compile() ([]*expression, error) {
	s.once.Do(func() {
		for _, e := range s.Expressions {
			c, err := compile(e)
			if err != nil {
				s.err = errors.Join(s.err, err)
				continue
			}
			s.compiled = append(s.compiled, c)
		}
		s.literals = newLiterals(s.compiled)
	})
	return s.compiled, s.err
}

// Analyze implements [analyze.Analyzer].
func (s *Search) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	list, err := s.compile()
	if err != nil {
		return fmt.Errorf("reading the expressions: %w", err)
	}
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		text, err := f.ReadAll(s.maxSize())
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		if err := s.search(ctx, list, f.Path, text, out); err != nil {
			return err
		}
	}
	return nil
}

// search runs all expressions over one text.
func (s *Search) search(ctx context.Context, list []*expression, path string, text []byte, out *inventory.Record) error {
	w := work{text: text, spent: spent(out)}
	s.literals.find(text, func(i, pos int) { list[i].line(pos, &w, w.of(i, len(list))) })
	if w.at == nil && s.literals.all {
		return nil // most files
	}
	for i, e := range list {
		p := w.of(i, len(list))
		if len(e.literals) == 0 {
			for p.next < len(text) && p.limit == "" && ctx.Err() == nil {
				e.line(p.next, &w, p)
			}
		}
		if p.limit != "" {
			out.Problems = append(out.Problems, inventory.Problem{Analyzer: out.Analyzer, Path: path, Limit: p.limit,
				Message: fmt.Sprintf("searching for %s stopped at the limit %q: there may be more lines", e.label(), p.limit)})
		}
		if len(p.lines) == 0 {
			continue
		}
		data, err := json.Marshal(Match{Name: e.Name, Expression: e.Text, Lines: p.lines})
		if err != nil {
			return fmt.Errorf("writing the fact of %s: %w", path, err)
		}
		out.Facts = append(out.Facts, inventory.Fact{Kind: s.Kind, Path: path, Data: data})
	}
	return ctx.Err()
}

// work is the state of searching one text.
type work struct {
	text  []byte
	spent bool          // no more backtracking in this layer
	back  time.Duration // spent on backtracking in this text
	at    []progress    // of each expression
}

// of is the progress of one of n expressions.
func (w *work) of(i, n int) *progress {
	if w.at == nil {
		w.at = make([]progress, n)
	}
	return &w.at[i]
}

// progress is how far an expression came in a text.
type progress struct {
	next    int // where the first line that was not tried begins
	counted int // up to where lines were counted
	number  int // of the line at counted, from 0
	lines   []int
	limit   string // that ended the search
}

// line tries the line at pos, unless it was tried.
func (e *expression) line(pos int, w *work, p *progress) {
	if pos < p.next || p.limit != "" {
		return
	}
	start := p.next
	if pos > start {
		start += bytes.LastIndexByte(w.text[start:pos], '\n') + 1
	}
	end := bytes.IndexByte(w.text[pos:], '\n')
	if end < 0 {
		end = len(w.text)
	} else {
		end += pos
	}
	p.next = end + 1
	ok, limit := e.match(w.text[start:end], w)
	if ok {
		p.number += bytes.Count(w.text[p.counted:start], []byte{'\n'})
		p.counted = start
		p.lines = append(p.lines, p.number)
		if len(p.lines) >= maxLines {
			limit = "lines of one file"
		}
	}
	p.limit = limit
}

// spent reports whether so many files of the layer used up their time that
// backtracking is over for the others.
func spent(out *inventory.Record) bool {
	n := 0
	for i := range out.Problems {
		if out.Problems[i].Limit == limitTime {
			n++
		}
	}
	return n >= maxSlowFiles
}
