package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Bounds on a bundle. Each has an error that names it.
const (
	MaxBundleSize  = 100 << 20 // bytes of a document
	MaxBundleDepth = 64        // nesting of arrays and objects
	MaxValues      = 2_000_000 // values of any kind in a document
)

// Errors of documents that cannot be read as a bundle at all.
var (
	ErrBundleSize   = fmt.Errorf("bundle is larger than %d bytes (limit MaxBundleSize)", MaxBundleSize)
	ErrBundleDepth  = fmt.Errorf("bundle is nested deeper than %d levels (limit MaxBundleDepth)", MaxBundleDepth)
	ErrBundleValues = fmt.Errorf("bundle has more than %d values (limit MaxValues)", MaxValues)
	ErrNotUTF8      = errors.New("bundle is not valid UTF-8")
)

// node is one JSON value that remembers its text.
type node struct {
	kind    byte // '{' '[' '"' '0' 't' 'n'
	str     string
	raw     []byte
	members []member
	items   []node
}

type member struct {
	name  string
	value node
}

// kindName names a kind for messages.
func (n *node) kindName() string {
	switch n.kind {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case '0':
		return "number"
	case 't':
		return "boolean"
	}
	return "null"
}

// parseTree reads one JSON document. encoding/json checks the syntax first,
// so the walk below may trust it.
func parseTree(data []byte) (node, error) {
	if len(data) > MaxBundleSize {
		return node{}, ErrBundleSize
	}
	if !utf8.Valid(data) {
		return node{}, ErrNotUTF8
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return node{}, fmt.Errorf("bundle holds a NUL byte at offset %d", i)
	}
	if !json.Valid(data) {
		var v json.RawMessage
		err := json.Unmarshal(data, &v)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line, column := position(data, syntax.Offset)
			return node{}, fmt.Errorf("bundle is not JSON: line %d, column %d: %w", line, column, err)
		}
		return node{}, fmt.Errorf("bundle is not JSON: %w", err)
	}
	w := treeWalk{data: data, doc: string(data)}
	w.blank()
	n := w.value(0)
	return n, w.err
}

func position(data []byte, offset int64) (line, column int) {
	line, column = 1, 1
	for _, c := range data[:min(offset, int64(len(data)))] {
		if c == '\n' {
			line, column = line+1, 1
		} else {
			column++
		}
	}
	return line, column
}

// treeWalk walks over valid JSON. After an error everything returns at once.
type treeWalk struct {
	data []byte
	doc  string // the same; texts without escapes are parts of it
	pos  int
	n    int
	err  error
	// What open containers hold so far: each has its part at the end, and takes
	// it, in a slice of the right length, when it closes.
	members []member
	items   []node
}

func (w *treeWalk) blank() {
	for w.pos < len(w.data) {
		switch w.data[w.pos] {
		case ' ', '\t', '\r', '\n':
			w.pos++
		default:
			return
		}
	}
}

func (w *treeWalk) value(depth int) node {
	w.n++
	switch {
	case w.err != nil:
		return node{}
	case depth > MaxBundleDepth:
		w.err = ErrBundleDepth
		return node{}
	case w.n > MaxValues:
		w.err = ErrBundleValues
		return node{}
	}
	start := w.pos
	var n node
	switch c := w.data[w.pos]; c {
	case '{', '[':
		n.kind = c
		w.container(&n, depth)
	case '"':
		n.kind = '"'
		n.str = w.text()
	case 't', 'f', 'n':
		n.kind = c
		if c == 'f' {
			n.kind = 't'
		}
		for w.pos < len(w.data) && w.data[w.pos] >= 'a' && w.data[w.pos] <= 'z' {
			w.pos++
		}
	default:
		n.kind = '0'
		for w.pos < len(w.data) {
			if c := w.data[w.pos]; c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E' {
				w.pos++
				continue
			}
			break
		}
	}
	n.raw = w.data[start:w.pos]
	return n
}

func (w *treeWalk) container(n *node, depth int) {
	members, items := len(w.members), len(w.items)
	for {
		w.pos++ // the opening bracket, then the commas
		w.blank()
		if c := w.data[w.pos]; c == '}' || c == ']' {
			break
		}
		if n.kind == '[' {
			v := w.value(depth + 1)
			w.items = append(w.items, v)
		} else {
			name := w.text()
			w.blank()
			w.pos++
			w.blank()
			v := w.value(depth + 1)
			w.members = append(w.members, member{name, v})
		}
		if w.err != nil {
			return
		}
		w.blank()
		if w.data[w.pos] != ',' {
			break
		}
	}
	w.pos++
	if len(w.members) > members {
		n.members = slices.Clone(w.members[members:])
	}
	if len(w.items) > items {
		n.items = slices.Clone(w.items[items:])
	}
	w.members, w.items = w.members[:members], w.items[:items]
}

func (w *treeWalk) text() string {
	start := w.pos
	plain := true
	for w.pos++; w.data[w.pos] != '"'; w.pos++ {
		if w.data[w.pos] == '\\' {
			plain = false
			w.pos++
		}
	}
	w.pos++
	if plain {
		return w.doc[start+1 : w.pos-1]
	}
	var s string
	if err := json.Unmarshal(w.data[start:w.pos], &s); err != nil {
		w.err = err
	}
	return s
}

// child and index extend a JSON path.
func child(path, name string) string {
	for i, c := range name {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		return path + "[" + strconv.Quote(name) + "]"
	}
	if name == "" {
		return path + `[""]`
	}
	return path + "." + name
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
