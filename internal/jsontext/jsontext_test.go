package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// walk writes what a Reader sees, to compare with what encoding/json does.
func walk(j *Reader, depth int) (any, error) {
	switch j.Kind() {
	case '{':
		if depth == 0 {
			break
		}
		out := map[string]any{}
		for k, err := range j.Object() {
			if err != nil {
				return nil, err
			}
			v, err := walk(j, depth-1)
			if err != nil {
				return nil, err
			}
			out[k] = v
		}
		return out, nil
	case '[':
		if depth == 0 {
			break
		}
		out := []any{}
		for _, err := range j.Array() {
			if err != nil {
				return nil, err
			}
			v, err := walk(j, depth-1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}
	var v any
	err := j.Decode(&v)
	return v, err
}

func TestJSONReader(t *testing.T) {
	texts := []string{
		`{"a":1,"b":[true,null,{"c":"\"}\\"}],"é\n":{}}`, "\ufeff [ ]\n", `"text"`, ` 12.5e3 `, "true", "null", "[[[[1]]]]",
		`[` + strings.Repeat(`{"id":"x\\","n":[1,2,3]},`, 9000) + `0]`,
		`{"long":"` + strings.Repeat("a\\\"", 70000) + `","k":1}`,
	}
	for _, text := range texts {
		var want any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "\ufeff")), &want); err != nil {
			t.Fatal(err)
		}
		for depth := range 4 {
			for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "by byte": iotest.OneByteReader(strings.NewReader(text)), "data with EOF": iotest.DataErrReader(strings.NewReader(text))} {
				j := New(r, 1<<20)
				got, err := walk(j, depth)
				if err == nil {
					err = j.End()
				}
				if g, w := fmt.Sprint(got), fmt.Sprint(want); err != nil || g != w {
					t.Fatalf("%.60s, depth %d, %s: %.100s, %v", text, depth, name, g, err)
				}
			}
		}
	}
}

func TestJSONReaderSkipsAndStreams(t *testing.T) {
	j := New(strings.NewReader(`{"skip":[{"x":[1,2]},"}"],"v":[{"id":"a"},{"id":5},{"id":"c"}],"t":"2024"}`), 1<<20)
	var got []string
	for k, err := range j.Object() {
		if err != nil {
			t.Fatal(err)
		}
		switch k {
		case "v":
			for i, err := range j.Array() {
				if err != nil {
					t.Fatal(err)
				}
				var v struct{ ID string }
				if err := j.Decode(&v); IsValueError(err) {
					got = append(got, fmt.Sprint("bad ", i))
				} else if err != nil {
					t.Fatal(err)
				} else {
					got = append(got, v.ID)
				}
			}
		case "t":
			s, err := j.String()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, s)
		}
	}
	if want := []string{"a", "bad 1", "c", "2024"}; !slices.Equal(got, want) || j.End() != nil {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJSONReaderErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "unexpected EOF"},
		{"[1,2", "unexpected EOF"},
		{`["a`, "unexpected EOF"},
		{`[1 2]`, "where a comma was expected"},
		{`[1,]`, "where a value was expected"},
		{`[1]x`, "after the end"},
		{`{}`, "where an array was expected"},
		{`<html>`, "where an array was expected"},
		{`[` + strings.Repeat("[", 600), "limit of 512 nested values"},
		{`["` + strings.Repeat("x", 3000) + `"]`, "limit of 2000 bytes"},
		{`[` + strings.Repeat("9", 3000) + `]`, "limit of 2000 bytes"},
		{`[` + strings.Repeat("9", 300000) + `]`, "too long"},
	}
	for _, tt := range tests {
		j := New(iotest.HalfReader(strings.NewReader(tt.text)), 2000)
		var err error
		for _, e := range j.Array() {
			if err = e; err == nil {
				_, err = j.Value()
			}
			if err != nil {
				break
			}
		}
		if err == nil {
			err = j.End()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.30q: %v, want %q", tt.text, err, tt.want)
		}
	}
	j := New(io.MultiReader(strings.NewReader(`[1,`), iotest.ErrReader(io.ErrClosedPipe)), 100)
	for _, err := range j.Array() {
		if err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("got %v, want the reader's error", err)
		}
	}
}

// TestJSONReaderBounded goes through 300 MB while holding little.
func TestJSONReaderBounded(t *testing.T) {
	record := []byte(`{"id":"CVE-2024-0001","text":"` + strings.Repeat("x", 1000) + `"},`)
	const n = 300_000
	r := io.MultiReader(strings.NewReader("["), &repeat{record, n * len(record)}, strings.NewReader("0]"))
	j := New(r, 1<<20)
	count := 0
	for _, err := range j.Array() {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != n+1 || len(j.buf) > 1<<20 {
		t.Errorf("%d elements, a buffer of %d bytes", count, len(j.buf))
	}
}

type repeat struct {
	b    []byte
	left int
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	at := (len(r.b) - r.left%len(r.b)) % len(r.b)
	n := copy(p, r.b[at:])
	n = min(n, r.left)
	r.left -= n
	return n, nil
}

func FuzzJSONReader(f *testing.F) {
	f.Add([]byte(`{"a":[1,"\u00e9\\",null],"b":{"c":{}}}`), 2)
	if b, err := os.ReadFile(filepath.Join("..", "feed", "testdata", "osv.json")); err == nil {
		f.Add(b, 1)
	}
	f.Fuzz(func(t *testing.T, b []byte, depth int) {
		j := New(iotest.HalfReader(bytes.NewReader(b)), 1<<20)
		got, err := walk(j, min(max(depth, 0), 50))
		if err == nil {
			err = j.End()
		}
		var want any
		trimmed := bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		if stdErr := json.Unmarshal(trimmed, &want); (stdErr == nil) != (err == nil) {
			var limit *LimitError
			if errors.As(err, &limit) || depth > 0 && stdErr != nil {
				return
			}
			t.Errorf("%.200q, depth %d: %v, encoding/json: %v", b, depth, err, stdErr)
		} else if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%.200q, depth %d: %v, want %v", b, depth, got, want)
		}
	})
}

func BenchmarkJSONReader(b *testing.B) {
	record := []byte(`{"id":"CVE-2024-0001","affected":[{"package":{"name":"x","ecosystem":"npm"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.2.3"}]}]}],"details":"` + strings.Repeat("some words ", 40) + `"},`)
	const n = 10_000
	b.SetBytes(int64(n * len(record)))
	for b.Loop() {
		j := New(io.MultiReader(strings.NewReader("["), &repeat{record, n * len(record)}, strings.NewReader("0]")), 1<<20)
		for _, err := range j.Array() {
			if err != nil {
				b.Fatal(err)
			}
			if _, err := j.Value(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
