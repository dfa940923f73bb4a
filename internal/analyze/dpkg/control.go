package dpkg

import (
	"bytes"
	"iter"
)

// paragraphs yields the fields of a file in the format of deb-control(5), one
// paragraph after another: key in lower case, and value with its continuation
// lines as they stand, trimmed. At the end of each paragraph it yields an
// empty key. Lines that are no field are passed over. The bytes are valid
// until the next pair.
func paragraphs(data []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		var keyBuf [64]byte
		inside := false
		for len(data) > 0 {
			line, rest := cutLine(data)
			if len(bytes.TrimRight(line, " \t\r")) == 0 {
				data = rest
				if inside && !yield(nil, nil) {
					return
				}
				inside = false
				continue
			}
			colon := bytes.IndexByte(line, ':')
			if colon <= 0 || colon > len(keyBuf) || line[0] == ' ' || line[0] == '\t' || line[0] == '#' {
				data = rest
				continue
			}
			key := lower(keyBuf[:0], bytes.TrimRight(line[:colon], " \t"))
			// the value goes on as long as lines begin with a blank and hold something
			start := len(data) - len(rest)
			for {
				line, more := cutLine(rest)
				if len(line) == 0 || line[0] != ' ' && line[0] != '\t' || len(bytes.TrimRight(line, " \t\r")) == 0 {
					break
				}
				start += len(rest) - len(more)
				rest = more
			}
			value := bytes.Trim(data[colon+1:start], " \t\r\n")
			data = rest
			inside = true
			if !yield(key, value) {
				return
			}
		}
		if inside {
			yield(nil, nil)
		}
	}
}

func cutLine(data []byte) (line, rest []byte) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return data[:i], data[i+1:]
	}
	return data, nil
}

func firstLine(value []byte) []byte {
	line, _ := cutLine(value)
	return bytes.TrimSpace(line)
}

func lower(dst, src []byte) []byte {
	for _, c := range src {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}
