package config

import (
	"errors"
	"strings"
)

// directive is one directive of a configuration of nested blocks.
type directive struct {
	name   string // in lower case
	args   []string
	line   int
	blocks []directive // of what it contains
}

func (d *directive) arg(i int) string {
	if i < len(d.args) {
		return d.args[i]
	}
	return ""
}

// nginxParser reads nginx's syntax: words, quoted or not, ended by ";" or a
// block in braces.
type nginxParser struct {
	text  string
	at    int
	line  int
	count int
}

// word returns the next word; "{", "}" and ";" are words of their own. ok is
// false at the end.
func (p *nginxParser) word() (w string, quoted, ok bool) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case '\n':
			p.line++
			p.at++
		case ' ', '\t', '\r':
			p.at++
		case '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		case '{', '}', ';':
			p.at++
			return string(c), false, true
		case '"', '\'':
			var b strings.Builder
			for p.at++; p.at < len(p.text) && p.text[p.at] != c; p.at++ {
				if p.text[p.at] == '\\' && p.at+1 < len(p.text) {
					p.at++
				}
				if p.text[p.at] == '\n' {
					p.line++
				}
				b.WriteByte(p.text[p.at])
			}
			p.at++
			return b.String(), true, true
		default:
			start := p.at
			for p.at < len(p.text) && !strings.ContainsRune(" \t\r\n;", rune(p.text[p.at])) {
				c := p.text[p.at]
				if c == '\\' {
					p.at++
				} else if c == '$' && p.at+1 < len(p.text) && p.text[p.at+1] == '{' {
					for p.at < len(p.text) && p.text[p.at] != '}' && p.text[p.at] != '\n' {
						p.at++
					}
				} else if c == '{' || c == '}' && p.at > start {
					break
				}
				p.at++
			}
			p.at = min(p.at, len(p.text))
			return p.text[start:p.at], false, true
		}
	}
	return "", false, false
}

func (p *nginxParser) block(depth int) ([]directive, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	var list []directive
	var d directive
	begun := false
	for {
		w, quoted, ok := p.word()
		switch {
		case !ok:
			if depth > 0 || begun {
				return list, errors.New("the file ends inside of a block or directive")
			}
			return list, nil
		case !quoted && (w == ";" || w == "{"):
			if p.count++; p.count > maxSettings {
				return list, errSettings
			}
			var err error
			if w == "{" {
				if strings.HasSuffix(d.name, "_by_lua_block") {
					err = p.skipBraces()
				} else {
					d.blocks, err = p.block(depth + 1)
				}
			}
			if begun {
				list = append(list, d)
			}
			d, begun = directive{}, false
			if err != nil {
				return list, err
			}
		case !quoted && w == "}":
			if depth == 0 {
				return list, errors.New("a block ends that was not begun")
			}
			return list, nil
		case !begun:
			d, begun = directive{name: strings.ToLower(w), line: p.line}, true
		default:
			d.args = append(d.args, w)
		}
	}
}

// skipBraces passes over a block in another language.
func (p *nginxParser) skipBraces() error {
	for depth := 1; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\n':
			p.line++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				p.at++
				return nil
			}
		}
	}
	return errors.New("the file ends inside of a block")
}

// parseApache reads Apache's syntax: a directive a line, sections in angle
// brackets.
func parseApache(text string) ([]directive, error) {
	root := &directive{}
	stack := []*directive{root}
	count := 0
	for line, start := range logicalLines(text, true) {
		if line == "" || line[0] == '#' {
			continue
		}
		if count++; count > maxSettings {
			return root.blocks, errSettings
		}
		top := stack[len(stack)-1]
		if strings.HasPrefix(line, "</") {
			if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
			continue
		}
		section := line[0] == '<'
		if section {
			line = strings.TrimSuffix(line[1:], ">")
		}
		words := apacheWords(line)
		if len(words) == 0 {
			continue
		}
		name := strings.ToLower(words[0])
		if section {
			name = "<" + name
		}
		top.blocks = append(top.blocks, directive{name: name, args: words[1:], line: start})
		if section {
			if len(stack) > maxDepth {
				return root.blocks, errDepth
			}
			stack = append(stack, &top.blocks[len(top.blocks)-1])
		}
	}
	return root.blocks, nil
}

func apacheWords(line string) []string {
	var out []string
	for i := 0; i < len(line); {
		switch c := line[i]; c {
		case ' ', '\t':
			i++
		case '"', '\'':
			end := i + 1
			for end < len(line) && line[end] != c {
				if line[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end, len(line))
			out = append(out, line[i+1:end])
			i = end + 1
		default:
			end := strings.IndexAny(line[i:], " \t")
			if end < 0 {
				end = len(line) - i
			}
			out = append(out, line[i:i+end])
			i += end
		}
	}
	return out
}
