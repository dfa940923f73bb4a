package python

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

var errNoHeader = errors.New("reading metadata: no Name header")

// readMetadata reads METADATA, PKG-INFO or a single-file egg-info.
func readMetadata(file string, data []byte, out *inventory.Record) error {
	p, err := parseMetadata(file, data)
	if p.Name == "" {
		return err
	}
	dir := path.Dir(file)
	if egg, ok := strings.CutSuffix(dir, "/EGG-INFO"); ok {
		p.Files = inventory.NewFileList([]string{egg + "/"})
	}
	out.Packages = append(out.Packages, p)
	return err
}

// parseMetadata makes a package of core metadata. file is where it lies; its
// folder says the version where the headers do not. A package without Name
// and error is one that setuptools could not name: there is nothing to list.
// With an error a package may come that lacks what the error says.
func parseMetadata(file string, data []byte) (inventory.Package, error) {
	var h struct {
		name, version, summary, home                 string
		author, authorMail, maintainer, maintainMail string
		expression, license                          string
		classifiers, depends                         []string
	}
	more := false // some dependency was left out
	for key, value := range headers(data) {
		switch string(key) {
		case "name":
			set(&h.name, value, 1<<10)
		case "version":
			set(&h.version, value, 1<<10)
		case "summary":
			set(&h.summary, value, maxText)
		case "home-page":
			set(&h.home, value, 1<<10)
		case "project-url":
			label, url, ok := strings.Cut(clip(string(value), 1<<10), ",")
			if ok && h.home == "" && strings.EqualFold(strings.TrimSpace(label), "homepage") {
				h.home = strings.TrimSpace(url)
			}
		case "author":
			set(&h.author, value, maxText)
		case "author-email":
			set(&h.authorMail, value, maxText)
		case "maintainer":
			set(&h.maintainer, value, maxText)
		case "maintainer-email":
			set(&h.maintainMail, value, maxText)
		case "license-expression":
			set(&h.expression, value, 1<<10)
		case "license":
			set(&h.license, value, maxText)
		case "classifier":
			if c, ok := strings.CutPrefix(strings.TrimSpace(string(value)), "License :: "); ok && len(h.classifiers) < maxLicenses {
				h.classifiers = append(h.classifiers, c)
			}
		case "requires-dist":
			if len(h.depends) == maxDepends {
				more = true
				continue
			}
			if d := requirementName(string(value)); d != "" && !bytes.Contains(value, []byte("extra ==")) && !slices.Contains(h.depends[max(0, len(h.depends)-64):], d) {
				h.depends = append(h.depends, d)
			}
		}
	}
	if h.name == "" {
		return inventory.Package{}, errNoHeader
	}
	if h.name == "UNKNOWN" {
		return inventory.Package{}, nil
	}
	if !validName(h.name) {
		return inventory.Package{}, fmt.Errorf("reading metadata: %q is no name of a distribution", clip(h.name, maxName))
	}
	if !validVersion(h.version) {
		_, h.version = splitDirName(file)
	}
	p := newPackage(file, h.name, h.version)
	p.Description = known(h.summary)
	p.Homepage = known(h.home)
	p.Supplier = supplier(h.author, h.authorMail)
	if p.Supplier == "" {
		p.Supplier = supplier(h.maintainer, h.maintainMail)
	}
	p.Licenses = licenses(h.expression, h.license, h.classifiers)
	p.Depends = h.depends
	if more {
		return p, fmt.Errorf("reading metadata: more than the limit of %d dependencies", maxDepends)
	}
	return p, nil
}

// headers yields each header of an RFC 822 message with its key in lower
// case and its value with the folds of continuation lines left in, up to the
// blank line that begins the body.
func headers(data []byte) func(yield func(key, value []byte) bool) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	return func(yield func(key, value []byte) bool) {
		var key [32]byte
		for len(data) > 0 {
			end := 0 // of the header with its continuation lines
			for {
				n := bytes.IndexByte(data[end:], '\n')
				if n < 0 {
					end = len(data)
					break
				}
				end += n + 1
				if end == len(data) || data[end] != ' ' && data[end] != '\t' {
					break
				}
			}
			line := data[:end]
			data = data[end:]
			if len(bytes.TrimRight(line, "\r\n")) == 0 {
				return
			}
			k, v, ok := bytes.Cut(line, []byte(":"))
			if !ok || len(k) > len(key) {
				continue
			}
			for i, c := range k {
				if c >= 'A' && c <= 'Z' {
					c += 'a' - 'A'
				}
				key[i] = c
			}
			if !yield(key[:len(k)], bytes.TrimSpace(v)) {
				return
			}
		}
	}
}

// set keeps the first line of the first value that a header has.
func set(s *string, value []byte, limit int) {
	if *s != "" {
		return
	}
	line, _, _ := bytes.Cut(value, []byte("\n"))
	*s = clip(string(bytes.TrimSpace(line)), limit)
}

// known is s, or "" where a tool wrote that it does not know.
func known(s string) string {
	if s == "UNKNOWN" || s == "None" {
		return ""
	}
	return s
}

func supplier(name, mail string) string {
	name, mail = known(name), known(mail)
	switch {
	case name == "" || strings.Contains(mail, name):
		return mail
	case mail == "" || strings.Contains(name, "@"):
		return name
	case strings.ContainsAny(mail, "<,"):
		return clip(name+", "+mail, maxText)
	}
	return clip(name+" <"+mail+">", maxText)
}

// licenses lists every statement: an expression stands for itself (PEP 639);
// else there is the free text of License and what the classifiers say.
func licenses(expression, license string, classifiers []string) []inventory.License {
	var out []inventory.License
	add := func(raw string) {
		if raw != "" && !slices.ContainsFunc(out, func(l inventory.License) bool { return l.Raw == raw }) {
			out = append(out, inventory.License{Raw: raw, Source: "declared"})
		}
	}
	if expression = known(expression); expression != "" {
		add(expression)
		return out
	}
	add(known(license))
	for _, c := range classifiers {
		if i := strings.LastIndex(c, " :: "); i >= 0 {
			c = c[i+4:]
		}
		if c != "OSI Approved" && c != "Other/Proprietary License" || len(out) == 0 && c != "OSI Approved" {
			add(clip(c, maxText))
		}
	}
	return out
}

// requirementName is the name at the start of a requirement (PEP 508), "" if
// there is none.
func requirementName(s string) string {
	s = strings.TrimSpace(s)
	n := 0
	for n < len(s) && n <= maxName {
		c := s[n]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || n > 0 && (c == '-' || c == '_' || c == '.') {
			n++
			continue
		}
		break
	}
	if !validName(s[:n]) {
		return ""
	}
	return s[:n]
}

// splitDirName takes name and version out of the folder or file name of a
// dist-info, an egg-info or an egg. The version is "" where it has none.
func splitDirName(file string) (name, version string) {
	base := path.Base(file)
	if !strings.HasSuffix(base, ".egg-info") {
		dir := path.Dir(file)
		base = path.Base(dir)
		if base == "EGG-INFO" {
			base = path.Base(path.Dir(dir))
		}
	}
	for _, suffix := range [...]string{".dist-info", ".egg-info", ".egg"} {
		if s, ok := strings.CutSuffix(base, suffix); ok {
			base = s
			break
		}
	}
	// writers turn "-" in names into "_", but older ones did not: a version begins with a digit
	at := -1
	for i := range len(base) - 1 {
		if base[i] == '-' && (at < 0 || base[i+1] >= '0' && base[i+1] <= '9') {
			at = i
			if base[i+1] >= '0' && base[i+1] <= '9' {
				break
			}
		}
	}
	if at < 0 {
		return base, ""
	}
	name, version = base[:at], base[at+1:]
	if i := strings.Index(version, "-py"); i > 0 { // "1.0-py3.11", "1.0-py3.11-linux-x86_64" of eggs
		version = version[:i]
	}
	if !validVersion(version) {
		version = ""
	}
	return name, version
}
