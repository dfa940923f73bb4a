package spdx

import (
	_ "embed" // the table
	"strings"
	"sync"
)

//go:embed data/urls.txt
var urlText string

var urls = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, 128)
	for line := range strings.Lines(urlText) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		expr, list, _ := strings.Cut(line, "\t")
		for u := range strings.SplitSeq(list, " ") {
			m[u] = expr
		}
	}
	return m
})

// fromURL knows where licence texts live. "" means that raw is no address or
// none that tells.
func fromURL(raw string) string {
	if strings.IndexByte(raw, ' ') >= 0 {
		return ""
	}
	s := strings.TrimPrefix(strings.ToLower(raw), ":") // "://host/": a scheme was lost
	if strings.HasPrefix(s, "//") {
		s = "http:" + s
	}
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			if !strings.HasPrefix(s, "www.") {
				return ""
			}
			rest = s
		}
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	rest = strings.TrimPrefix(rest, "www.")
	rest = strings.TrimRight(rest, "/")
	for _, ext := range [...]string{".txt", ".html", ".htm", ".php", ".md", ".en", ".xml"} {
		rest = strings.TrimSuffix(rest, ext)
	}
	if e := urls()[rest]; e != "" {
		return e
	}
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(path, '/'); i >= 0 && host != "creativecommons.org" {
		path = path[i+1:]
	}
	switch host {
	case "opensource.org", "spdx.org", "choosealicense.com", "licenses.nuget.org", "gnu.org", "fsf.org", "repository.jboss.org", "apache.org", "eclipse.org", "mozilla.org", "oss.oracle.com":
		path = strings.ReplaceAll(strings.ReplaceAll(path, "%20", " "), "_", " ")
		if e := gnu(path); e != "" {
			return e
		}
		if e := aliases()[key(path)]; e != "" {
			return e
		}
		path = strings.TrimSuffix(strings.TrimSuffix(path, "-license"), "-licence")
		return aliases()[key(path)]
	case "creativecommons.org":
		return creativeCommons(strings.Split(path, "/"))
	}
	return ""
}

// creativeCommons reads licenses/by-sa/4.0[/country] and publicdomain/zero/1.0.
func creativeCommons(path []string) string {
	if len(path) < 2 {
		return ""
	}
	if path[0] == "publicdomain" {
		switch path[1] {
		case "zero":
			return "CC0-1.0"
		case "mark":
			return "CC-PDM-1.0"
		}
		return ""
	}
	if path[0] != "licenses" || len(path) < 3 {
		return ""
	}
	if id, ok := Known("CC-" + path[1] + "-" + path[2]); ok {
		return id
	}
	return ""
}
