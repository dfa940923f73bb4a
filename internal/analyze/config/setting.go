package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
)

// setting is one setting of a configuration file.
type setting struct {
	Key   string `json:"key"` // in lower case; SECTION.KEY where there are sections
	Value string `json:"value"`
	Line  int    `json:"line"` // from 1

	section, name string // the parts of Key, where there are sections
	bare          bool   // the key stood alone
}

// text is how a row quotes the setting. Values that may be secrets are not
// quoted.
func (s *setting) text() string {
	for _, word := range [...]string{"pass", "secret", "token", "key", "auth"} {
		if strings.Contains(s.Key, word) && s.Value != "" && !isOn(strings.ToLower(s.Value)) && len(s.Value) > 5 {
			return s.Key
		}
	}
	if s.Value == "" {
		return s.Key + " is empty"
	}
	return s.Key + " " + analyze.Clip(s.Value, 100)
}

// Limits of one file.
const (
	maxSize     = 1 << 20 // bytes of a configuration file
	maxSettings = 50_000  // settings, directives or nodes of a file
	maxDepth    = 64      // of nested blocks
	maxFindings = 50      // of one check in one file
)

var (
	errSettings = fmt.Errorf("more than the limit of %d settings", maxSettings)
	errDepth    = fmt.Errorf("blocks are nested more than %d deep", maxDepth)
)

// style says how lines of "key value" are written.
type style struct {
	comment   string // characters that begin a comment line
	trailing  string // characters that begin a comment after a blank
	separator string // characters between key and value; "" is blanks
	sections  bool   // [section]
	keep      bool   // several values of a key count, not the last alone
	dash      bool   // "-" and "_" are equal in keys
	continued bool   // a backslash at the end joins lines
}

// readSettings reads lines of keys and values. A key alone has the value "".
func readSettings(text string, st style) ([]setting, error) {
	var list []setting
	section := ""
	last := map[string]int{}
	for line, at := range logicalLines(text, st.continued) {
		if line == "" || strings.IndexByte(st.comment, line[0]) >= 0 {
			continue
		}
		if st.sections && line[0] == '[' {
			if end := strings.IndexByte(line, ']'); end > 0 {
				section = strings.ToLower(strings.TrimSpace(line[1:end]))
				continue
			}
		}
		var key, value string
		if st.separator == "" {
			i := strings.IndexAny(line, " \t")
			if i < 0 {
				i = len(line)
			}
			key, value = line[:i], line[i:]
		} else if i := strings.IndexAny(line, st.separator); i >= 0 {
			key, value = line[:i], line[i+1:]
			if strings.Contains(st.separator, " ") { // blanks, with or without another
				value = strings.TrimLeft(value, st.separator)
			}
		} else {
			key = line
		}
		key, value = strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
		if st.dash {
			key = strings.ReplaceAll(key, "-", "_")
		}
		s := setting{Key: key, Value: plainValue(value, st.trailing), Line: at, section: section, name: key, bare: value == "" && !strings.ContainsAny(line, "=")}
		if section != "" {
			s.Key = section + "." + key
		}
		key = s.Key
		if i, ok := last[key]; ok && !st.keep {
			list[i] = s
			continue
		}
		if len(list) >= maxSettings {
			return list, errSettings
		}
		last[key] = len(list)
		list = append(list, s)
	}
	return list, nil
}

// logicalLines yields the lines of a text without the blanks around them, with
// the numbers they begin at. With continued, a backslash at the end of a line
// joins the next to it.
func logicalLines(text string, continued bool) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		var pending strings.Builder
		n, start := 0, 1
		for line := range strings.Lines(text) {
			n++
			line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
			if pending.Len() == 0 {
				start = n
			}
			if continued {
				if rest, ok := strings.CutSuffix(line, `\`); ok {
					pending.WriteString(rest + " ")
					continue
				}
			}
			if pending.Len() > 0 {
				pending.WriteString(line)
				line = strings.TrimSpace(pending.String())
				pending.Reset()
			}
			if !yield(line, start) {
				return
			}
		}
		if pending.Len() > 0 {
			yield(strings.TrimSpace(pending.String()), start)
		}
	}
}

// plainValue is a value without its quotes and the comment behind it.
func plainValue(v, trailing string) string {
	if v != "" && (v[0] == '"' || v[0] == '\'') {
		if end := strings.IndexByte(v[1:], v[0]); end >= 0 {
			return v[1 : 1+end]
		}
	}
	for i := range len(v) {
		if strings.IndexByte(trailing, v[i]) >= 0 && (i == 0 || v[i-1] == ' ' || v[i-1] == '\t') {
			return strings.TrimSpace(v[:i])
		}
	}
	return v
}

// readYAML reads the scalars of the first document, each under the names of
// the mappings around it; entries of a list have the key of the list. Dots in
// names and nesting are the same.
func readYAML(text []byte) ([]setting, error) {
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	var list []setting
	var walk func(n *yaml.Node, key string, depth int) error
	walk = func(n *yaml.Node, key string, depth int) error {
		switch {
		case depth > maxDepth:
			return errDepth
		case len(list) >= maxSettings:
			return errSettings
		}
		switch n.Kind {
		case yaml.DocumentNode, yaml.SequenceNode:
			for _, c := range n.Content {
				if err := walk(c, key, depth+1); err != nil {
					return err
				}
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				name := strings.ToLower(n.Content[i].Value)
				if key != "" {
					name = key + "." + name
				}
				if err := walk(n.Content[i+1], name, depth+1); err != nil {
					return err
				}
			}
		case yaml.ScalarNode:
			list = append(list, setting{Key: key, Value: n.Value, Line: n.Line})
		}
		return nil // aliases are not followed: they only repeat
	}
	err := walk(&doc, "", 0)
	return list, err
}

// readJSON reads the scalars of a document as readYAML does.
func readJSON(text []byte) ([]setting, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var list []setting
	line, counted := 1, 0
	at := func() int {
		end := int(d.InputOffset())
		line += bytes.Count(text[counted:end], []byte{'\n'})
		counted = end
		return line
	}
	var value func(key string, depth int) error
	value = func(key string, depth int) error {
		switch {
		case depth > maxDepth:
			return errDepth
		case len(list) >= maxSettings:
			return errSettings
		}
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'):
			for d.More() {
				name, err := d.Token()
				if err != nil {
					return err
				}
				k := strings.ToLower(fmt.Sprint(name))
				if key != "" {
					k = key + "." + k
				}
				if err := value(k, depth+1); err != nil {
					return err
				}
			}
			_, err = d.Token()
		case json.Delim('['):
			for d.More() {
				if err := value(key, depth+1); err != nil {
					return err
				}
			}
			_, err = d.Token()
		default:
			if t != nil {
				list = append(list, setting{Key: key, Value: fmt.Sprint(t), Line: at()})
			}
		}
		return err
	}
	err := value("", 0)
	return list, err
}
