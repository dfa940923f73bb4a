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
	literals bool // one of them has any
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
			s.literals = s.literals || len(c.literals) > 0
			s.compiled = append(s.compiled, c)
		}
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
	var lower []byte
	if s.literals {
		lower = toLower(text)
	}
	var w work
	for _, e := range list {
		lines, limit := e.lines(ctx, text, lower, &w, spent(out))
		if limit != "" {
			out.Problems = append(out.Problems, inventory.Problem{Analyzer: out.Analyzer, Path: path, Limit: limit,
				Message: fmt.Sprintf("searching for %s stopped at the limit %q: there may be more lines", e.label(), limit)})
		}
		if len(lines) == 0 {
			continue
		}
		data, err := json.Marshal(Match{Name: e.Name, Expression: e.Text, Lines: lines})
		if err != nil {
			return fmt.Errorf("writing the fact of %s: %w", path, err)
		}
		out.Facts = append(out.Facts, inventory.Fact{Kind: s.Kind, Path: path, Data: data})
	}
	return ctx.Err()
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

// toLower is text with the letters of ASCII in lower case.
func toLower(text []byte) []byte {
	lower := make([]byte, len(text))
	for i, c := range text {
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return lower
}

// lines returns the numbers of the lines that the expression matches, and the
// name of the limit that ended the search early.
func (e *expression) lines(ctx context.Context, text, lower []byte, w *work, spent bool) (lines []int, limit string) {
	number, counted := 0, 0 // the line that counted is in
	try := func(start, end int) bool {
		number += bytes.Count(text[counted:start], []byte{'\n'})
		counted = start
		ok, reached := e.match(text[start:end], w, spent)
		if reached != "" {
			limit = reached
		}
		if ok {
			lines = append(lines, number)
		}
		if len(lines) >= maxLines {
			limit = "lines of one file"
			return false
		}
		return ctx.Err() == nil && limit != limitTime
	}
	for start := 0; start < len(text); {
		at := start
		if len(e.literals) > 0 {
			at = e.next(lower, start)
			if at < 0 {
				break
			}
			start = bytes.LastIndexByte(text[:at], '\n') + 1
		}
		end := bytes.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += at
		}
		if !try(start, end) {
			break
		}
		start = end + 1
	}
	return lines, limit
}
