package pluginhost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// fields splits what follows a line's first word: at tabs where there is one,
// else at blanks, the last field taking the rest.
func fields(line string, n int) (key string, out []string) {
	if before, rest, ok := strings.Cut(line, "\t"); ok && !strings.ContainsRune(before, ' ') {
		return before, strings.Split(rest, "\t")
	}
	key, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	if strings.Contains(rest, "\t") {
		return key, strings.Split(rest, "\t")
	}
	for len(out) < n-1 && rest != "" {
		var f string
		f, rest, _ = strings.Cut(rest, " ")
		out = append(out, f)
		rest = strings.TrimLeft(rest, " ")
	}
	if rest != "" {
		out = append(out, rest)
	}
	return key, out
}

func field(list []string, i int) string {
	if i < len(list) {
		return strings.TrimSpace(list[i])
	}
	return ""
}

// plainLines yields the lines of the plain mode that say something, numbered.
func plainLines(b []byte, each func(n int, line string) error) error {
	n := 0
	for raw := range bytes.Lines(b) {
		n++
		line := strings.TrimSpace(string(raw))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := each(n, line); err != nil {
			return fmt.Errorf("line %d, %s: %w", n, quote([]byte(line)), err)
		}
	}
	return nil
}

// plainDescription reads what a plugin of the plain mode answers to "help".
func plainDescription(b []byte) (plugin.Description, error) {
	d := plugin.Description{Protocol: plugin.Protocol}
	var want plugin.Want
	analyzer, gate, source, query := plugin.AnalyzerPart{}, plugin.GatePart{}, plugin.SourcePart{}, plugin.QueryPart{}
	var needs []plugin.Need
	is := func(k plugin.Kind) bool { return slices.Contains(d.Kinds, k) }
	err := plainLines(b, func(_ int, line string) error {
		key, value, _ := strings.Cut(line, " ")
		value = strings.TrimSpace(value)
		switch key {
		case "name":
			d.Name = value
		case "version":
			d.Version = value
		case "help":
			d.Help = value
		case "kind":
			d.Kinds = append(d.Kinds, plugin.Kind(value))
		case "setting":
			q, err := plainParameter(value)
			if err != nil {
				return err
			}
			d.Parameters = append(d.Parameters, q)
		case "wants":
			want.Paths = append(want.Paths, value)
		case "type":
			want.Types = append(want.Types, value)
		case "head":
			want.Head = append(want.Head, value)
		case "executable":
			want.Executable = true
		case "max-size":
			n, err := policy.ParseSize(strings.ToLower(strings.TrimSuffix(strings.Replace(value, "iB", "B", 1), " ")))
			if err != nil {
				return err
			}
			want.MaxSize = n
		case "layer":
			analyzer.Layer = true
		case "fact":
			analyzer.Facts = append(analyzer.Facts, value)
		case "gate":
			gate.Name = value
		case "trigger":
			name, help, _ := strings.Cut(value, " ")
			gate.Triggers = append(gate.Triggers, plugin.Trigger{Name: name, Help: help})
		case "param":
			q, err := plainParameter(value)
			if err != nil {
				return err
			}
			if n := len(gate.Triggers); n > 0 {
				gate.Triggers[n-1].Parameters = append(gate.Triggers[n-1].Parameters, q)
			} else {
				query.Parameters = append(query.Parameters, q)
			}
		case "needs":
			for _, n := range strings.Fields(value) {
				needs = append(needs, plugin.Need(n))
			}
		case "images":
			query.Images = value
		case "query":
			query.Name = value
		case "source":
			source.Name = value
		case "publisher":
			source.Publisher = value
		case "licence", "license":
			source.Licence = value
		case "ecosystem":
			source.Ecosystems = append(source.Ecosystems, value)
		case "url":
			source.URL = value
		case "fresh":
			source.Fresh = value
		default:
			return errors.New("help has no such line")
		}
		return nil
	})
	if err != nil {
		return d, err
	}
	if needs == nil {
		needs = []plugin.Need{plugin.Packages, plugin.Findings, plugin.Facts}
	}
	if is(plugin.Analyzer) {
		analyzer.Wants = []plugin.Want{want}
		d.Analyzer = &analyzer
	}
	if is(plugin.Gate) {
		gate.Needs = needs
		d.Gate = &gate
	}
	if is(plugin.Source) {
		d.Source = &source
	}
	if is(plugin.Query) {
		query.Needs = needs
		d.Query = &query
	}
	return d, nil
}

// plainParameter reads "NAME TYPE help": the type may end in "!" for a required
// one or in "=DEFAULT"; that of an enum is "enum:a,b".
func plainParameter(s string) (plugin.Parameter, error) {
	f := strings.Fields(s)
	if len(f) < 2 {
		return plugin.Parameter{}, errors.New("a parameter is written: NAME TYPE what it is for")
	}
	q := plugin.Parameter{Name: f[0], Help: strings.Join(f[2:], " ")}
	t, def, _ := strings.Cut(f[1], "=")
	q.Default = def
	t, q.Required = strings.CutSuffix(t, "!")
	if values, ok := strings.CutPrefix(t, "enum:"); ok {
		t, q.Values = "enum", strings.Split(values, ",")
	}
	q.Type = t
	return q, nil
}

// plainAnalysis reads the answer of an analyzer.
func plainAnalysis(b []byte, most int) (plugin.Answer, error) {
	var a plugin.Answer
	items := 0
	err := plainLines(b, func(_ int, line string) error {
		if items++; items > most {
			return fmt.Errorf("more than the limit \"plugin items\" of %d", most)
		}
		switch key, f := fields(line, 3); key {
		case "package", "declared":
			if len(f) == 0 {
				return errors.New("a package is written: package PURL [PATH [LICENCE]]")
			}
			p := plugin.Package{PURL: field(f, 0), Path: field(f, 1), Declared: key == "declared"}
			if l := field(f, 2); l != "" {
				p.Licenses = []string{l}
			}
			a.Packages = append(a.Packages, p)
		case "fact":
			if len(f) < 3 {
				return errors.New("a fact is written: fact KIND PATH NAME=VALUE … or fact KIND PATH {JSON}")
			}
			data, err := plainData(f[2:])
			if err != nil {
				return err
			}
			a.Facts = append(a.Facts, plugin.Fact{Kind: field(f, 0), Path: field(f, 1), Data: data})
		case "problem":
			_, f := fields(line, 2)
			a.Problems = append(a.Problems, plugin.Problem{Path: field(f, 0), Message: field(f, 1)})
		default:
			return errors.New("an analyzer answers lines of package, declared, fact and problem")
		}
		return nil
	})
	return a, err
}

// plainData makes an object of NAME=VALUE words.
func plainData(f []string) (json.RawMessage, error) {
	if len(f) == 1 && strings.HasPrefix(strings.TrimSpace(f[0]), "{") {
		return json.RawMessage(f[0]), nil
	}
	if len(f) == 1 {
		f = strings.Fields(f[0])
	}
	data := map[string]string{}
	for _, w := range f {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s is not NAME=VALUE", quote([]byte(w)))
		}
		data[name] = value
	}
	return json.Marshal(data)
}

// plainHits reads the answer of a gate: "hit TEXT" or "unknown TEXT", and after
// it lines that say more of it.
func plainHits(b []byte, most int) ([]plugin.Hit, error) {
	var hits []plugin.Hit
	err := plainLines(b, func(_ int, line string) error {
		key, value, _ := strings.Cut(line, " ")
		value = strings.TrimSpace(value)
		if key == "hit" || key == "unknown" {
			if len(hits) >= most {
				return fmt.Errorf("more than the limit \"plugin items\" of %d", most)
			}
			hits = append(hits, plugin.Hit{Message: value, Unknown: key == "unknown"})
			return nil
		}
		if len(hits) == 0 {
			return errors.New("a gate answers lines of hit or unknown first")
		}
		h := &hits[len(hits)-1]
		switch key {
		case "id":
			h.ID = value
		case "path":
			h.Path = value
		case "package":
			h.Package = value
		case "version":
			h.Version = value
		case "finding":
			h.Finding = value
		case "detail":
			h.Detail = value
		case "remedy":
			h.Remedy = value
		case "line":
			n, err := strconv.Atoi(value)
			if err != nil {
				return err
			}
			h.Line = n
		default:
			return errors.New("a gate answers lines of hit, unknown, id, path, line, package, version, finding, detail and remedy")
		}
		return nil
	})
	return hits, err
}

// plainTable reads a table: a header, and rows of as many cells. With a tab in
// the header cells end at tabs, else at blanks, where "____" stands for a blank
// and "none" for nothing.
func plainTable(b []byte, most int) (columns []string, rows [][]string, err error) {
	tabs := false
	for raw := range bytes.Lines(b) {
		line := strings.TrimRight(string(raw), "\r\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if columns == nil {
			tabs = strings.Contains(line, "\t")
		}
		var cells []string
		if tabs {
			cells = strings.Split(line, "\t")
		} else if cells = strings.Fields(line); columns != nil {
			for i, c := range cells {
				if cells[i] = strings.ReplaceAll(c, "____", " "); c == "none" {
					cells[i] = ""
				}
			}
		}
		if columns == nil {
			columns = cells
			continue
		}
		if len(rows) >= most {
			return nil, nil, fmt.Errorf("more rows than the limit \"plugin items\" of %d", most)
		}
		if len(cells) != len(columns) {
			return nil, nil, fmt.Errorf("row %d has %d cells, the header %d: %s", len(rows)+1, len(cells), len(columns), quote([]byte(line)))
		}
		rows = append(rows, cells)
	}
	if columns == nil {
		return nil, nil, errors.New("it printed no table: its first line names the columns")
	}
	return columns, rows, nil
}

// plainAdvisories reads what a source prints: OSV objects, one a line, or a
// table with columns of the names in the switch, a row for every claim; rows of
// one id are one advisory. Lines "state TEXT" and "unchanged" may come first.
func plainAdvisories(b []byte) (plugin.Answer, error) {
	a := plugin.Answer{Whole: true}
	var table []byte
	for raw := range bytes.Lines(b) {
		line := bytes.TrimSpace(raw)
		switch {
		case len(line) == 0 || line[0] == '#':
		case table == nil && bytes.HasPrefix(line, []byte("state ")):
			a.State = string(line[len("state "):])
		case table == nil && string(line) == "unchanged":
			a.Unchanged = true
		case table == nil && line[0] == '{':
			a.Advisories = append(a.Advisories, slices.Clone(line))
		default:
			table = append(append(table, bytes.TrimRight(raw, "\r\n")...), '\n')
		}
	}
	if table == nil {
		return a, nil
	}
	columns, rows, err := plainTable(table, 1_000_000)
	if err != nil {
		return a, err
	}
	index := map[string]map[string]any{}
	var order []string
	for n, row := range rows {
		cell := map[string]string{}
		for i, c := range columns {
			switch c {
			case "id", "ecosystem", "package", "introduced", "fixed", "last_affected", "versions", "severity", "summary", "details", "aliases", "published", "modified", "url":
				cell[c] = strings.TrimSpace(row[i])
			default:
				return a, fmt.Errorf("a source's table has no column %s", quote([]byte(c)))
			}
		}
		if cell["id"] == "" || cell["ecosystem"] == "" || cell["package"] == "" {
			return a, fmt.Errorf("row %d has no id, ecosystem or package", n+1)
		}
		r := index[cell["id"]]
		if r == nil {
			r = map[string]any{"id": cell["id"], "affected": []any{}}
			for _, k := range []string{"summary", "details", "published", "modified"} {
				if cell[k] != "" {
					r[k] = cell[k]
				}
			}
			if cell["aliases"] != "" {
				r["aliases"] = strings.FieldsFunc(cell["aliases"], func(c rune) bool { return c == ',' || c == ' ' })
			}
			if cell["severity"] != "" {
				r["database_specific"] = map[string]string{"severity": strings.ToUpper(cell["severity"])}
			}
			if cell["url"] != "" {
				r["references"] = []any{map[string]string{"type": "ADVISORY", "url": cell["url"]}}
			}
			index[cell["id"]] = r
			order = append(order, cell["id"])
		}
		claim := map[string]any{"package": map[string]string{"ecosystem": cell["ecosystem"], "name": cell["package"]}}
		if cell["versions"] != "" {
			claim["versions"] = strings.FieldsFunc(cell["versions"], func(c rune) bool { return c == ',' || c == ' ' })
		}
		if cell["versions"] == "" || cell["introduced"]+cell["fixed"]+cell["last_affected"] != "" {
			events := []any{map[string]string{"introduced": first(cell["introduced"], "0")}}
			if cell["fixed"] != "" {
				events = append(events, map[string]string{"fixed": cell["fixed"]})
			} else if cell["last_affected"] != "" {
				events = append(events, map[string]string{"last_affected": cell["last_affected"]})
			}
			claim["ranges"] = []any{map[string]any{"type": "ECOSYSTEM", "events": events}}
		}
		r["affected"] = append(r["affected"].([]any), claim)
	}
	for _, id := range order {
		b, err := json.Marshal(index[id])
		if err != nil {
			return a, err
		}
		a.Advisories = append(a.Advisories, b)
	}
	return a, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// envName is a parameter's name in the environment: capitals and "_".
func envName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, s)
}
