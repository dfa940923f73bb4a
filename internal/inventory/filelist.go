package inventory

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"iter"
	"slices"
)

// FileList is a sorted list of paths in little memory: each path keeps only
// what differs from the one before. The zero value is empty. A FileList is
// immutable and safe for concurrent use.
type FileList struct {
	n    int
	data []byte
}

var errFileList = errors.New("inventory: broken file list")

// NewFileList sorts the paths, drops doubles, and keeps them. It reorders
// paths in place.
func NewFileList(paths []string) FileList {
	if !slices.IsSorted(paths) {
		slices.Sort(paths)
	}
	var l FileList
	prev := ""
	for _, p := range paths {
		if l.n > 0 && p == prev {
			continue
		}
		shared := commonPrefix(prev, p)
		l.data = binary.AppendUvarint(l.data, uint64(shared))
		l.data = binary.AppendUvarint(l.data, uint64(len(p)-shared))
		l.data = append(l.data, p[shared:]...)
		prev = p
		l.n++
	}
	l.data = slices.Clip(l.data)
	return l
}

// Len is the number of paths.
func (l FileList) Len() int { return l.n }

// IsZero reports whether the list is empty; encoding/json asks it.
func (l FileList) IsZero() bool { return l.n == 0 }

// All yields the paths in order. The bytes are valid until the next one.
func (l FileList) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var path []byte
		data := l.data
		for range l.n {
			shared, n := binary.Uvarint(data)
			data = data[n:]
			rest, m := binary.Uvarint(data)
			data = data[m:]
			path = append(path[:shared], data[:rest]...)
			data = data[rest:]
			if !yield(path) {
				return
			}
		}
	}
}

// Strings returns the paths as a slice.
func (l FileList) Strings() []string {
	out := make([]string, 0, l.n)
	for p := range l.All() {
		out = append(out, string(p))
	}
	return out
}

// MarshalBinary encodes the list for storage.
func (l FileList) MarshalBinary() ([]byte, error) {
	return append(binary.AppendUvarint(nil, uint64(l.n)), l.data...), nil
}

// UnmarshalBinary reads what MarshalBinary wrote and refuses anything else.
func (l *FileList) UnmarshalBinary(b []byte) error {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)) {
		return errFileList
	}
	data := b[k:]
	if !validFileList(n, data) {
		return errFileList
	}
	*l = FileList{n: int(n), data: slices.Clone(data)}
	return nil
}

// validFileList reports whether data is a list of n paths and nothing else.
func validFileList(n uint64, data []byte) bool {
	if n > uint64(len(data)) {
		return false
	}
	length := uint64(0)
	for range n {
		shared, k := binary.Uvarint(data)
		if k <= 0 || shared > length {
			return false
		}
		data = data[k:]
		more, k := binary.Uvarint(data)
		if k <= 0 || more > uint64(len(data)-k) {
			return false
		}
		data = data[k+int(more):]
		length = shared + more
	}
	return len(data) == 0
}

// MarshalJSON writes the list as an array of strings.
func (l FileList) MarshalJSON() ([]byte, error) { return json.Marshal(l.Strings()) }

// UnmarshalJSON reads an array of strings.
func (l *FileList) UnmarshalJSON(b []byte) error {
	var paths []string
	if err := json.Unmarshal(b, &paths); err != nil {
		return err
	}
	*l = NewFileList(paths)
	return nil
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
