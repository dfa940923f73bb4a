package node

import (
	"bytes"
	"fmt"
	"strings"
)

// maxYAMLDepth bounds how deep keys nest; lock files stay below ten.
const maxYAMLDepth = 50

// scanYAML reads the part of YAML that pnpm and Yarn write: mappings by
// indentation, one key a line. pair gets each key with the keys above it
// (path[len(path)-1] is its own) and its scalar or flow value as written,
// without quotes; "" stands for none and for a mapping that follows. path is
// only valid during the call. Lists and block scalars are read over.
func scanYAML(data []byte, pair func(path []string, value string)) error {
	var path []string
	var indents []int
	number := 0
	for line := range bytes.Lines(data) {
		number++
		line = bytes.TrimRight(line, "\r\n ")
		indent := 0
		for indent < len(line) && line[indent] == ' ' {
			indent++
		}
		line = line[indent:]
		if len(line) == 0 || line[0] == '#' || line[0] == '%' || bytes.HasPrefix(line, []byte("---")) {
			continue
		}
		complex := false
		switch {
		case bytes.HasPrefix(line, []byte("- ")) || len(line) == 1 && line[0] == '-':
			continue
		case bytes.HasPrefix(line, []byte("? ")): // a key too long for one line with its value
			line, complex = bytes.TrimSpace(line[2:]), true
		case line[0] == ':': // and what belongs to it
			if rest := bytes.TrimLeft(line[1:], " "); len(rest) > 0 {
				indent += len(line) - len(rest)
				line = rest
			} else {
				continue
			}
		}
		key, value, ok := splitKey(line, complex)
		if !ok {
			continue // goes on from a line before
		}
		for len(indents) > 0 && indents[len(indents)-1] >= indent {
			indents, path = indents[:len(indents)-1], path[:len(path)-1]
		}
		if len(indents) == maxYAMLDepth {
			return fmt.Errorf("line %d: nested deeper than the limit of %d", number, maxYAMLDepth)
		}
		indents, path = append(indents, indent), append(path, key)
		pair(path, value)
	}
	return nil
}

// splitKey takes "key: value", "key:", or with complex just a key, apart.
func splitKey(line []byte, complex bool) (key, value string, ok bool) {
	var rest []byte
	if q := line[0]; q == '\'' || q == '"' {
		n := quoted(line)
		if n < 0 {
			return "", "", false
		}
		key, rest = unquote(line[:n]), line[n:]
	} else {
		n := bytes.Index(line, []byte(": "))
		if n < 0 {
			if complex {
				n = len(line)
			} else if n = len(line) - 1; line[n] != ':' {
				return "", "", false
			}
		}
		key, rest = string(line[:n]), line[n:]
	}
	if complex {
		return key, "", true
	}
	if len(rest) == 0 || rest[0] != ':' || len(rest) > 1 && rest[1] != ' ' {
		return "", "", false
	}
	return key, scalar(bytes.TrimSpace(rest[1:])), true
}

// scalar is a value without its quotes and the comment behind it.
func scalar(v []byte) string {
	if len(v) == 0 {
		return ""
	}
	if v[0] == '\'' || v[0] == '"' {
		if n := quoted(v); n > 0 {
			return unquote(v[:n])
		}
	}
	if i := bytes.Index(v, []byte(" #")); i >= 0 {
		v = bytes.TrimSpace(v[:i])
	}
	return string(v)
}

// quoted is the length of the quoted string that v begins with, -1 if it does
// not end.
func quoted(v []byte) int {
	q := v[0]
	for i := 1; i < len(v); i++ {
		switch {
		case v[i] == '\\' && q == '"':
			i++
		case v[i] == q && q == '\'' && i+1 < len(v) && v[i+1] == q:
			i++
		case v[i] == q:
			return i + 1
		}
	}
	return -1
}

func unquote(v []byte) string {
	in := v[1 : len(v)-1]
	if v[0] == '\'' {
		return strings.ReplaceAll(string(in), "''", "'")
	}
	if bytes.IndexByte(in, '\\') < 0 {
		return string(in)
	}
	b := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] == '\\' && i+1 < len(in) {
			i++
		}
		b = append(b, in[i])
	}
	return string(b)
}

// flowValue is the value of a key in a flow mapping "{a: b, c: 'd'}", "" if it
// has none.
func flowValue(flow, key string) string {
	flow, ok := strings.CutPrefix(flow, "{")
	if !ok {
		return ""
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(flow, "}"), ", ") {
		k, v, ok := strings.Cut(part, ": ")
		if ok && strings.TrimSpace(k) == key {
			return strings.Trim(strings.TrimSpace(v), `'"`)
		}
	}
	return ""
}
