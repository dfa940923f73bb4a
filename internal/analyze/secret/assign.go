package secret

import "bytes"

// syntax says how assignments are written in a file.
type syntax uint8

const (
	loose syntax = iota // configuration, shell: values need no quotes
	code                // source code: only a quoted value is a value
	data                // JSON: the same, and names are quoted, too
)

// Limits of an assignment, in bytes.
const (
	maxName     = 80
	maxBlank    = 24 // between its parts
	maxAssigned = 1024
)

// assignment is a name and the place of its value.
type assignment struct {
	name       string // in lower case
	start, end int
	quoted     bool
}

// readAssignment reads the assignment whose name holds text[from:to]. It
// knows NAME=value, name: value, "name": "value", name => 'value',
// f('name', 'value'), <name>value</name>, name="…" value="…", the two lines
// "name: NAME" and "value: …" of Kubernetes, --name value and ENV NAME value.
func readAssignment(text []byte, from, to int, syn syntax) (assignment, bool) {
	l, r := from, to
	for l > 0 && from-l < maxName && nameByte(text[l-1]) {
		l--
	}
	for r < len(text) && r-to < maxName && nameByte(text[r]) {
		r++
	}
	a := assignment{}
	i := r
	quote := i < len(text) && (text[i] == '"' || text[i] == '\'' || text[i] == '`')
	if quote || i+1 < len(text) && text[i] == '\\' && text[i+1] == '"' {
		if text[i] == '\\' {
			i++
		}
		i++
		quote = true
	}
	if i < len(text) && text[i] == ']' { // config["name"] = …
		i++
	}
	inTag := l > 0 && text[l-1] == '<'
	i = blanks(text, i, false)
	if i >= len(text) {
		return a, false
	}
	switch c := text[i]; {
	case c == '=' || c == ':':
		i++
		if i < len(text) && (text[i] == '=' && c == ':' || text[i] == '>' && c == '=') {
			i++
		} else if i < len(text) && (text[i] == '=' || text[i] == ':') {
			return a, false // a comparison, a scope
		}
	case c == '?' && i+1 < len(text) && text[i+1] == '=': // make
		i += 2
	case c == '>' && inTag:
		i++
	case c == ',' && quote && syn != data && inCall(text, l):
		i++
	case quote && (bytes.HasPrefix(text[i:], []byte("value=")) || bytes.HasPrefix(text[i:], []byte("Value="))):
		i += 6
	case i > r && !quote && (bytes.HasPrefix(text[l:], []byte("--")) || l >= 4 && string(text[l-4:l]) == "ENV "):
	case syn == loose && (text[i] == '\n' || text[i] == '\r'):
		// - name: NAME, and its value on the next line
		j := blanks(text, i, true)
		if !bytes.HasPrefix(text[j:], []byte("value:")) {
			return a, false
		}
		i = j + 6
	default:
		return a, false
	}
	name := bytes.ToLower(text[l:r])
	if i = blanks(text, i, false); i >= len(text) {
		return a, false
	}
	a.name = string(bytes.TrimLeft(name, "-."))
	return a.read(text, i, syn, inTag)
}

// read reads the value that begins at i.
func (a assignment) read(text []byte, i int, syn syntax, inTag bool) (assignment, bool) {
	if i+1 < len(text) && (text[i] == '\\' && text[i+1] == '"' || (text[i]|0x20 == 'b' || text[i]|0x20 == 'r' || text[i]|0x20 == 'u' || text[i] == '@') && (text[i+1] == '"' || text[i+1] == '\'')) {
		i++
	}
	limit := min(len(text), i+maxAssigned)
	if q := text[i]; q == '"' || q == '\'' || q == '`' {
		a.quoted = true
		a.start = i + 1
		for j := a.start; j < limit; j++ {
			switch c := text[j]; {
			case c == q:
				a.end = j
				if j > a.start && text[j-1] == '\\' {
					a.end = j - 1 // the quotes themselves were escaped
				}
				return a, a.end > a.start
			case c == '\n':
				return a, false
			case c == '\\' && j+1 < limit && text[j+1] != q:
				j++
			}
		}
		return a, false
	}
	if syn != loose && !inTag {
		return a, false
	}
	a.start = i
	j := i
	for ; j < limit; j++ {
		c := text[j]
		if c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '`' {
			break
		}
	}
	if j == limit && limit < len(text) {
		return a, false
	}
	a.end = j
	// what ends a statement is not part of its value
	for a.end > a.start && bytes.IndexByte([]byte(";,)"), text[a.end-1]) >= 0 {
		a.end--
	}
	return a, a.end > a.start
}

// inCall reports whether a quoted name that begins at l is the first argument
// of a call.
func inCall(text []byte, l int) bool {
	for l -= 2; l >= 0 && text[l] == ' '; l-- {
	}
	return l >= 0 && text[l] == '('
}

func nameByte(c byte) bool { return wordByte(c) || c == '-' || c == '.' }

// blanks skips blanks, also those between lines if asked.
func blanks(text []byte, i int, lines bool) int {
	for n := 0; i < len(text) && n < maxBlank && (text[i] == ' ' || text[i] == '\t' || lines && (text[i] == '\n' || text[i] == '\r')); n++ {
		i++
	}
	return i
}
