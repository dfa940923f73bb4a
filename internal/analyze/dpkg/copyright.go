package dpkg

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits on what one copyright file may state.
const (
	maxLicenses    = 1000
	maxLicenseName = 500
)

// licenses reads a copyright file. In the machine-readable format (DEP 5)
// each distinct short name or expression is one declared licence. Older files
// are prose: there the references to the texts in
// /usr/share/common-licenses and a few well-known sentences tell, and what
// they tell is detected.
func licenses(data []byte) ([]inventory.License, error) {
	if machineReadable(data) {
		found, err := declared(data)
		if len(found) > 0 || err != nil {
			return found, err
		}
	}
	return detected(data), nil
}

// machineReadable tells whether the first paragraph has a Format field.
func machineReadable(data []byte) bool {
	for key := range paragraphs(data) {
		switch string(key) {
		case "format", "format-specification":
			return true
		case "":
			return false
		}
	}
	return false
}

// declared collects the License fields of the header and of the paragraphs
// about files. Paragraphs with a licence alone hold texts that these refer
// to: listing them, too, would turn "GPL-2+ or MIT" into both. They count
// only where nothing else names a licence.
func declared(data []byte) ([]inventory.License, error) {
	var (
		used, texts []inventory.License
		seenUsed    = make(map[string]bool)
		seenTexts   = make(map[string]bool)
		name        []byte
		first       = true
		ofFiles     bool
		bad         badEntries
	)
	for key, value := range paragraphs(data) {
		switch string(key) {
		case "license":
			name = firstLine(value)
			if prose(name) {
				name = nil
				for _, l := range detected(value) {
					if !seenTexts[l.Raw] && len(texts) < maxLicenses {
						seenTexts[l.Raw] = true
						texts = append(texts, l)
					}
				}
			}
		case "files":
			ofFiles = true
		case "":
			list, seen := &texts, seenTexts
			if ofFiles || first {
				list, seen = &used, seenUsed
			}
			if len(name) > 0 && !seen[string(name)] {
				switch {
				case len(name) > maxLicenseName:
					bad.add(fmt.Errorf("a licence name of %d bytes, more than the limit of %d", len(name), maxLicenseName))
				case len(*list) == maxLicenses:
					bad.add(fmt.Errorf("more than the limit of %d licences", maxLicenses))
				default:
					raw := text(name, maxLicenseName)
					seen[string(name)] = true
					*list = append(*list, inventory.License{Raw: raw, Source: "declared"})
				}
			}
			name, first, ofFiles = nil, false, false
		}
	}
	if len(used) == 0 {
		used = texts
	}
	return used, bad.err()
}

// prose reports whether a licence name is a sentence: some write the text at
// once where its name belongs.
func prose(name []byte) bool {
	for _, w := range [...]string{" is ", " are ", " to ", " this "} {
		if bytes.Contains(name, []byte(w)) {
			return true
		}
	}
	return false
}

// commonLicenses are the names of the files in /usr/share/common-licenses.
var commonLicenses = [...]string{
	"Apache-2.0", "Artistic", "BSD", "CC0-1.0", "GFDL-1.2", "GFDL-1.3", "GFDL", "GPL-1", "GPL-2", "GPL-3", "GPL",
	"LGPL-2.1", "LGPL-2", "LGPL-3", "LGPL", "MPL-1.1", "MPL-2.0",
}

const commonDir = "/usr/share/common-licenses/"

// confidence of what prose was found to say
const (
	referenceConfidence = 0.9
	sentenceConfidence  = 0.8
)

// detected looks into prose.
func detected(data []byte) []inventory.License {
	prose := flatten(data)
	var found []inventory.License
	seen := make(map[string]bool)
	add := func(raw string, confidence float64) {
		if !seen[raw] && len(found) < maxLicenses {
			seen[raw] = true
			found = append(found, inventory.License{Raw: raw, Source: "detected", Confidence: confidence})
		}
	}
	perl := bytes.Contains(prose, []byte("same terms as perl"))
	if perl {
		add("Artistic or GPL-1+", referenceConfidence)
	}
	referred := false
	from := 0
	for {
		i := bytes.Index(prose[from:], []byte(commonDir))
		if i < 0 {
			break
		}
		at := from + i
		name := reference(prose[at+len(commonDir):])
		if name != "" {
			referred = true
			if name = granted(name, prose[max(from, at-2000):at]); !perl || name != "Artistic" && name != "GPL-1+" && name != "GPL" && name != "GPL-1" {
				add(name, referenceConfidence)
			}
		}
		from = at + len(commonDir)
	}
	for _, s := range sentences {
		if s.in(prose) && !(referred && s.common) {
			add(s.license, sentenceConfidence)
		}
	}
	return found
}

// reference returns the common licence whose file name text begins with, in
// its proper spelling.
func reference(text []byte) string {
	n := 0
	for n < len(text) && (text[n] >= 'a' && text[n] <= 'z' || text[n] >= '0' && text[n] <= '9' || text[n] == '-' || text[n] == '.' || text[n] == '+') {
		n++
	}
	word := strings.TrimRight(strings.TrimSuffix(string(text[:n]), ".gz"), ".-")
	for _, name := range commonLicenses {
		if strings.EqualFold(name, word) {
			return name
		}
	}
	return ""
}

// granted adds to a GNU licence what the sentences before the reference to
// its text say of versions: "version 2" and "any later version".
func granted(name string, before []byte) string {
	if !strings.HasPrefix(name, "GPL") && !strings.HasPrefix(name, "LGPL") {
		return name
	}
	later := bytes.LastIndex(before, []byte("any later version"))
	if strings.IndexByte(name, '-') < 0 {
		end := len(before)
		if later >= 0 {
			end = later
		}
		i := bytes.LastIndex(before[:end], []byte("version "))
		if i < 0 {
			return name
		}
		version := before[i+len("version "):]
		n := 0
		for n < len(version) && n < 4 && (version[n] >= '0' && version[n] <= '9' || version[n] == '.') {
			n++
		}
		switch v := strings.TrimSuffix(strings.TrimRight(string(version[:n]), "."), ".0"); {
		case v == "2" || v == "3", v == "1" && name == "GPL", v == "2.1" && name == "LGPL":
			name += "-" + v
		default:
			return name // another licence's version
		}
	}
	if later >= 0 {
		name += "+"
	}
	return name
}

// sentence is a text by which a licence is known: all of has, nothing of not.
type sentence struct {
	license string
	has     []string
	not     []string
	common  bool // a common licence: a reference says it better
}

func (s *sentence) in(prose []byte) bool {
	for _, t := range s.has {
		if !bytes.Contains(prose, []byte(t)) {
			return false
		}
	}
	for _, t := range s.not {
		if bytes.Contains(prose, []byte(t)) {
			return false
		}
	}
	return true
}

const (
	bsdGrant     = "redistribution and use in source and binary forms"
	bsdAds       = "all advertising materials mentioning"
	bsdEndorse   = "may not be used to endorse or promote products"
	bsdEndorse2  = "to endorse or promote products derived"
	gplFull      = "gnu general public license"
	lgplFull     = "gnu lesser general public license"
	lgplOld      = "gnu library general public license"
	publicDomain = "public domain"
)

var sentences = [...]sentence{
	{license: "MIT", has: []string{"permission is hereby granted, free of charge, to any person obtaining"}},
	{license: "BSD-4-Clause", has: []string{bsdGrant, bsdAds}},
	{license: "BSD-3-Clause", has: []string{bsdGrant, bsdEndorse}, not: []string{bsdAds}},
	{license: "BSD-3-Clause", has: []string{bsdGrant, bsdEndorse2}, not: []string{bsdAds}},
	{license: "BSD-2-Clause", has: []string{bsdGrant}, not: []string{bsdAds, bsdEndorse, bsdEndorse2}},
	{license: "ISC", has: []string{"permission to use, copy, modify, and", "distribute this software for any purpose with or without fee is hereby granted"}},
	{license: "HPND", has: []string{"permission to use, copy, modify", "without fee, provided that", "in supporting documentation"}},
	{license: "HPND", has: []string{"permission to use, copy, modify", "is hereby granted without fee", "in supporting documentation"}},
	{license: "TCL", has: []string{"the authors hereby grant permission to use, copy, modify, distribute, and license this software"}},
	{license: "Info-ZIP", has: []string{"for the purposes of this copyright and license, \"info-zip\" is defined as"}},
	{license: "Zlib", has: []string{"altered source versions must be plainly marked as such"}},
	{license: "Apache-2.0", has: []string{"apache license, version 2.0"}, common: true},
	{license: "Apache-2.0", has: []string{"apache license v. 2.0"}, common: true},
	{license: "MPL-2.0", has: []string{"mozilla public license, v. 2.0"}, common: true},
	{license: "BSL-1.0", has: []string{"boost software license - version 1.0"}},
	{license: "OFL-1.1", has: []string{"sil open font license", "version 1.1"}},
	{license: "OpenSSL", has: []string{"openssl project for use in the openssl toolkit"}},
	{license: "public-domain", has: []string{"in the " + publicDomain}},
	{license: "public-domain", has: []string{"into the " + publicDomain}},
	{license: "public-domain", has: []string{"to the " + publicDomain}},
	{license: "LGPL", has: []string{lgplFull}, common: true},
	{license: "LGPL", has: []string{lgplOld}, common: true},
	{license: "GPL", has: []string{gplFull}, common: true},
}

// flatten makes one line of prose: lower case, one blank between words, no
// comment marks at the start of lines.
func flatten(data []byte) []byte {
	out := make([]byte, 0, len(data))
	start, blank := true, false
	for _, c := range data {
		switch {
		case c == '\n':
			start, blank = true, true
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\f':
			blank = true
			continue
		case start && (c == '#' || c == '*' || c == '>' || c == '|'):
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if blank && len(out) > 0 {
			out = append(out, ' ')
		}
		start, blank = false, false
		out = append(out, c)
	}
	return out
}
