package node

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestPlainReader(t *testing.T) {
	tests := []struct{ in, want string }{
		{`{"a":1}`, `{"a":1}`},
		{`{"a":[1,2,],}`, `{"a":[1,2]}`},
		{"[1 , // one\n 2 /* two, */ , ]", "[1 ,2  ]"},
		{`["a,]", "\",]", "//", "/*"]`, `["a,]","\",]","//","/*"]`},
		{"/*/ [ */[]", "[]"},
		{`[1,,2]`, `[1,,2]`},
		{`[1, "x"]`, `[1,"x"]`},
		{`[1,`, `[1,`},
		{`[/`, `[/`},
		{`[/* never ends`, `[`},
		{`["never ends, ]`, `["never ends, ]`},
	}
	for _, tt := range tests {
		for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
			got, err := io.ReadAll(newPlainReader(r))
			if string(got) != tt.want || err != nil {
				t.Errorf("%s gives %s, %v, want %s", tt.in, got, err, tt.want)
			}
		}
	}
}

// What is JSON already stays the same value.
func FuzzPlainReader(f *testing.F) {
	for _, s := range []string{`{"a":[1,"\\\",]"]}`, `[{},[],"/*"]`, `"a//b"`, `[1,/**/]`, `[,]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := io.ReadAll(newPlainReader(strings.NewReader(s)))
		if err != nil || len(got) > len(s) {
			t.Fatalf("%q gives %q, %v", s, got, err)
		}
		var a, b any
		if json.Unmarshal([]byte(s), &a) != nil {
			return
		}
		if err := json.Unmarshal(got, &b); err != nil {
			t.Fatalf("%q is JSON, %q is not: %v", s, got, err)
		}
		x, _ := json.Marshal(a)
		if y, _ := json.Marshal(b); string(x) != string(y) {
			t.Errorf("%q has the value %s, without comments %s", s, x, y)
		}
	})
}
