package feed

import (
	"io"
	"runtime"
	"strings"
	"testing"
)

// endless yields a beginning, then a text again and again, n bytes in all, and
// counts what was read.
type endless struct {
	first, again string
	n, read      int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	from := e.first
	if from == "" {
		from = e.again
	}
	n := copy(p[:min(int64(len(p)), e.n)], from)
	if e.first != "" {
		e.first = e.first[n:]
	} else if n < len(e.again) { // go on in the middle the next time
		e.first = e.again[n:]
	}
	e.n -= int64(n)
	e.read += int64(n)
	return n, nil
}

// A text of many records is gone through in little memory, however long it is;
// one record beyond the limit is refused when the limit is reached, not when the
// record has ended. 2 GB are announced, the rest follows from the first 256 MB.
func TestJSONOfTwoGigabytes(t *testing.T) {
	record := `{"id":"CVE-2024-0001","text":"` + strings.Repeat("x", 4000) + `"},`
	src := &endless{first: "[", again: record, n: 256 << 20}
	r := NewJSONReader(src, 1<<20)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	records, most := 0, uint64(0)
	for _, err := range r.Array() {
		if err != nil {
			break // it has no end
		}
		var v struct{ ID string }
		if err := r.Decode(&v); err != nil {
			break
		}
		if records++; records%20_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	if records < 60_000 || most > before.HeapAlloc+16<<20 {
		t.Errorf("%d records, %d bytes of memory where %d were used before", records, most, before.HeapAlloc)
	}

	src = &endless{first: `{"text":"`, again: strings.Repeat("x", 1<<16), n: 2 << 30}
	r = NewJSONReader(src, 1<<20)
	var err error
	for _, err = range r.Object() {
		if err == nil {
			_, err = r.Value()
		}
		if err != nil {
			break
		}
	}
	if err == nil || src.read > 8<<20 {
		t.Errorf("a value of 2 GB: %v, after %d bytes", err, src.read)
	}
}
