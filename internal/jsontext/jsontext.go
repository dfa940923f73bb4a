// Package jsontext goes through JSON texts of any size without holding them.
// Single values are decoded by encoding/json.
package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
)

// maxDepth bounds the nesting of one value.
const maxDepth = 512

// Reader goes through a JSON text of any size without holding it: objects
// and arrays are iterated, and single values are taken whole, up to a limit.
// After an error every method returns that error.
//
//	r := jsontext.New(body, 1<<20)
//	for key, err := range r.Object() {
//		…
//		switch key {
//		case "vulnerabilities":
//			for _, err := range r.Array() {
//				…
//				err := r.Decode(&v)
//
// A value that the body of the loop does not take is skipped.
type Reader struct {
	r      io.Reader
	buf    []byte
	pos    int   // of the next byte in buf
	end    int   // of what was read
	base   int64 // offset of buf[0] in the text
	most   int
	err    error
	eof    bool
	fresh  bool // at a value that was not taken yet
	nested int
}

// New reads r; a byte order mark is skipped. most is the size of the
// largest single value that Value, Decode and String give, in bytes.
func New(r io.Reader, most int) *Reader {
	j := &Reader{r: r, buf: make([]byte, 64<<10), most: most, fresh: true}
	for j.end < 3 && j.fill(0) {
	}
	if bytes.HasPrefix(j.buf[:j.end], []byte("\xef\xbb\xbf")) {
		j.pos = 3
	}
	return j
}

// Offset is where the next byte to be read stands.
func (j *Reader) Offset() int64 { return j.base + int64(j.pos) }

func (j *Reader) fail(format string, args ...any) error {
	if j.err == nil {
		j.err = fmt.Errorf("JSON, byte %d: %w", j.Offset(), fmt.Errorf(format, args...))
	}
	return j.err
}

// fill reads more; keep is where what must stay begins, which moves to the
// start of the buffer. False: there is no more, or an error.
func (j *Reader) fill(keep int) bool {
	if j.eof || j.err != nil {
		return false
	}
	if keep > 0 {
		copy(j.buf, j.buf[keep:j.end])
		j.base += int64(keep)
		j.pos -= keep
		j.end -= keep
	}
	if j.end == len(j.buf) {
		grown := make([]byte, 2*len(j.buf))
		copy(grown, j.buf[:j.end])
		j.buf = grown
	}
	for range 100 {
		n, err := j.r.Read(j.buf[j.end:])
		j.end += n
		if err == io.EOF {
			j.eof = true
			return n > 0
		}
		if err != nil {
			j.err = err
			return false
		}
		if n > 0 {
			return true
		}
	}
	j.err = io.ErrNoProgress
	return false
}

// refill is fill for a caller that knows a place in the buffer.
func (j *Reader) refill(keep int, place *int) bool {
	base := j.base
	more := j.fill(keep)
	*place -= int(j.base - base)
	return more
}

// next returns the next byte that is no space, without taking it; 0 at the end.
func (j *Reader) next() byte {
	for {
		for j.pos < j.end {
			switch c := j.buf[j.pos]; c {
			case ' ', '\t', '\r', '\n':
				j.pos++
			default:
				return c
			}
		}
		if !j.fill(j.pos) {
			return 0
		}
	}
}

// ended is the error at a place where the text must go on.
func (j *Reader) ended() error {
	if j.err != nil {
		return j.err
	}
	return j.fail("%w", io.ErrUnexpectedEOF)
}

// Kind returns the first byte of the next value: one of { [ " t f n - 0…9, or 0
// at the end of the text.
func (j *Reader) Kind() byte {
	if j.err != nil {
		return 0
	}
	return j.next()
}

// Object iterates the members of the object that comes next, by key. The body
// takes the value, or leaves it.
func (j *Reader) Object() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if !j.open('{', "an object") {
			yield("", j.err)
			return
		}
		for first := true; ; first = false {
			more, err := j.more('}', first)
			if err != nil {
				yield("", err)
				return
			}
			if !more {
				return
			}
			if j.next() != '"' {
				yield("", j.unexpected("a key"))
				return
			}
			key, err := j.text()
			if err != nil {
				yield("", err)
				return
			}
			if c := j.next(); c != ':' {
				yield("", j.unexpected("a colon"))
				return
			}
			j.pos++
			if !j.element(yield, key) {
				return
			}
		}
	}
}

// Array iterates the elements of the array that comes next. The body takes the
// value, or leaves it.
func (j *Reader) Array() iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		if !j.open('[', "an array") {
			yield(0, j.err)
			return
		}
		for i := 0; ; i++ {
			more, err := j.more(']', i == 0)
			if err != nil {
				yield(0, err)
				return
			}
			if !more {
				return
			}
			if !j.element(func(k string, err error) bool { return yield(i, err) }, "") {
				return
			}
		}
	}
}

func (j *Reader) element(yield func(string, error) bool, key string) bool {
	j.fresh = true
	if !yield(key, nil) {
		j.fail("it was left in the middle")
		return false
	}
	if j.err == nil && j.fresh {
		j.Skip()
	}
	if j.err != nil {
		yield(key, j.err)
		return false
	}
	return true
}

func (j *Reader) open(c byte, what string) bool {
	if j.err != nil {
		return false
	}
	if j.next() != c {
		j.unexpected(what)
		return false
	}
	if j.nested++; j.nested > maxDepth {
		j.err = &LimitError{"JSON", "nested values", maxDepth}
		return false
	}
	j.pos++
	j.fresh = false
	return true
}

// more stands before an element or the end.
func (j *Reader) more(end byte, first bool) (bool, error) {
	if j.err != nil {
		return false, j.err
	}
	switch c := j.next(); {
	case c == end:
		j.pos++
		j.nested--
		j.fresh = false
		return false, nil
	case first:
		return true, nil
	case c == ',':
		j.pos++
		return true, nil
	}
	return false, j.unexpected("a comma")
}

func (j *Reader) unexpected(want string) error {
	c := j.next()
	if c == 0 && j.pos >= j.end {
		return j.ended()
	}
	return j.fail("%q where %s was expected", c, want)
}

// Members calls fn for every member of the object that comes next. fn takes
// the value, or leaves it; its error ends the reading. null has no members;
// any other value is an error.
func (j *Reader) Members(fn func(key string) error) error {
	if j.Kind() == 'n' {
		return j.null()
	}
	for key, err := range j.Object() {
		if err == nil {
			err = fn(key)
		}
		if err != nil {
			return err
		}
	}
	return j.err
}

// Elements is [Reader.Members] for the array that comes next.
func (j *Reader) Elements(fn func() error) error {
	if j.Kind() == 'n' {
		return j.null()
	}
	for _, err := range j.Array() {
		if err == nil {
			err = fn()
		}
		if err != nil {
			return err
		}
	}
	return j.err
}

func (j *Reader) null() error {
	var null *struct{}
	return j.Decode(&null)
}

// Keys returns the keys of the object that comes next, at most most of them,
// without repetition; of any other value none.
func (j *Reader) Keys(most int) ([]string, error) {
	if j.Kind() != '{' {
		return nil, j.Skip()
	}
	var keys []string
	seen := map[string]bool{}
	for key, err := range j.Object() {
		if err != nil {
			return keys, err
		}
		if len(keys) < most && !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Value takes the next value whole, unchecked but for its brackets and quotes.
// The bytes are good until the next call.
func (j *Reader) Value() ([]byte, error) {
	if j.err != nil {
		return nil, j.err
	}
	if j.next() == 0 {
		return nil, j.ended()
	}
	start, err := j.scan(true)
	if err != nil {
		return nil, err
	}
	return j.buf[start:j.pos], nil
}

// Skip passes over the next value, of any size.
func (j *Reader) Skip() error {
	if j.err != nil {
		return j.err
	}
	if j.next() == 0 {
		return j.ended()
	}
	_, err := j.scan(false)
	return err
}

// A LimitError says which limit the text exceeds.
type LimitError struct {
	What  string // where
	Limit string // of what
	Most  int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s exceeds the limit of %d %s", e.What, e.Most, e.Limit)
}

// A ValueError says that one value is not what was expected; the text goes on
// after it.
type ValueError struct {
	Offset int64
	Err    error
}

func (e *ValueError) Error() string { return fmt.Sprintf("JSON, byte %d: %v", e.Offset, e.Err) }
func (e *ValueError) Unwrap() error { return e.Err }

// Decode takes the next value into v, as [json.Unmarshal] does. An error of
// this value alone is a [*ValueError]: the reader goes on behind it.
func (j *Reader) Decode(v any) error {
	at := j.Offset()
	b, err := j.Value()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return &ValueError{at, err}
	}
	return nil
}

// String takes the next value, which must be a string or null.
func (j *Reader) String() (string, error) {
	var s *string
	if err := j.Decode(&s); err != nil || s == nil {
		return "", err
	}
	return *s, nil
}

// End checks that nothing follows.
func (j *Reader) End() error {
	if j.err != nil {
		return j.err
	}
	if c := j.next(); c != 0 || j.pos < j.end {
		return j.fail("%q after the end", c)
	}
	return j.err
}

// text takes a string, which the next byte begins.
func (j *Reader) text() (string, error) {
	start, err := j.scan(true)
	if err != nil {
		return "", err
	}
	raw := j.buf[start:j.pos]
	if !bytes.ContainsRune(raw, '\\') {
		return string(bytes.ToValidUTF8(raw[1:len(raw)-1], []byte("\ufffd"))), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", j.fail("the key %s: %w", strconv.QuoteToASCII(string(raw[:min(len(raw), 80)])), err)
	}
	return s, nil
}

// scan passes over one value and returns where it begins in buf, if it is kept.
func (j *Reader) scan(keep bool) (start int, err error) {
	j.fresh = false
	start = j.pos
	from := j.Offset()
	depth := 0
	for {
		if j.pos >= j.end {
			hold := j.pos
			if keep {
				hold = start
				if j.Offset()-from > int64(j.most) {
					j.err = &LimitError{fmt.Sprintf("JSON, byte %d: a value", from), "bytes", int64(j.most)}
					return 0, j.err
				}
			}
			if !j.refill(hold, &start) {
				return 0, j.ended()
			}
			continue
		}
		switch c := j.buf[j.pos]; c {
		case '"':
			if start, err = j.quoted(start, keep, from); err != nil {
				return 0, err
			}
		case '{', '[':
			j.pos++
			if depth++; depth > maxDepth {
				j.err = &LimitError{fmt.Sprintf("JSON, byte %d", j.Offset()), "nested values", maxDepth}
				return 0, j.err
			}
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return 0, j.fail("%q where a value was expected", c)
			}
			j.pos++
		case ' ', '\t', '\r', '\n', ',', ':':
			if depth == 0 {
				return 0, j.fail("%q where a value was expected", c)
			}
			j.pos++
			continue
		default:
			if start, err = j.scalar(start, keep); err != nil {
				return 0, err
			}
		}
		if depth == 0 {
			if keep && j.pos-start > j.most {
				j.err = &LimitError{fmt.Sprintf("JSON, byte %d: a value", from), "bytes", int64(j.most)}
				return 0, j.err
			}
			return start, nil
		}
	}
}

// quoted passes over a string.
func (j *Reader) quoted(start int, keep bool, from int64) (int, error) {
	j.pos++
	for {
		for j.pos < j.end {
			i := bytes.IndexByte(j.buf[j.pos:j.end], '"')
			k := i
			if k < 0 {
				k = j.end - j.pos
			}
			if e := bytes.IndexByte(j.buf[j.pos:j.pos+k], '\\'); e >= 0 {
				if j.pos+e+2 > j.end { // the escaped byte is not there yet
					j.pos += e
					break
				}
				j.pos += e + 2
				continue
			}
			j.pos += k
			if i >= 0 {
				j.pos++
				return start, nil
			}
		}
		hold := j.pos
		if keep {
			hold = start
			if j.Offset()-from > int64(j.most) {
				j.err = &LimitError{fmt.Sprintf("JSON, byte %d: a value", from), "bytes", int64(j.most)}
				return 0, j.err
			}
		}
		if !j.refill(hold, &start) {
			return 0, j.ended()
		}
	}
}

// scalar passes over a number or a word.
func (j *Reader) scalar(start int, keep bool) (int, error) {
	for n := 0; ; {
		for j.pos < j.end {
			switch c := j.buf[j.pos]; {
			case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-', c == '+', c == '.':
				if n++; n > 4096 {
					return 0, j.fail("a number or word is too long")
				}
				j.pos++
			case n == 0:
				return 0, j.fail("%q where a value was expected", c)
			default:
				return start, nil
			}
		}
		hold := j.pos
		if keep {
			hold = start
		}
		if !j.refill(hold, &start) {
			if j.err != nil {
				return 0, j.err
			}
			if n == 0 {
				return 0, j.ended()
			}
			return start, nil
		}
	}
}

// IsValueError reports whether an error concerns one value only.
func IsValueError(err error) bool {
	var e *ValueError
	return errors.As(err, &e)
}
