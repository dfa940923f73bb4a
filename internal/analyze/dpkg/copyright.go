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
	key, keyed := "", false
	for i := range sentences {
		s := &sentences[i]
		if referred && s.common {
			continue
		}
		if s.key != key {
			key, keyed = s.key, bytes.Contains(prose, []byte(s.key))
		}
		if keyed && s.in(prose) {
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

// sentence is a text by which a licence is known: the key, all of has, and
// nothing of not. Texts of one key stand together, so that each key is
// searched once.
type sentence struct {
	license string
	key     string
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
	bsdGrant    = "redistribution and use in source and binary forms"
	bsdAds      = "all advertising materials mentioning"
	bsdEndorse  = "may not be used to endorse or promote products"
	bsdEndorse2 = "to endorse or promote products derived"
	permission  = "permission"
	hpndGrant   = "permission to use, copy, modify"
	hpndNotice  = "in supporting documentation"
	publicWork  = "public domain"
	gnu         = "general public license"
)

var sentences = [...]sentence{
	{license: "MIT", key: permission, has: []string{"permission is hereby granted, free of charge, to any person obtaining"}},
	{license: "ISC", key: permission, has: []string{hpndGrant + ", and", "distribute this software for any purpose with or without fee is hereby granted"}},
	{license: "HPND", key: permission, has: []string{hpndGrant, "without fee, provided that", hpndNotice}},
	{license: "HPND", key: permission, has: []string{hpndGrant, "is hereby granted without fee", hpndNotice}},
	{license: "TCL", key: permission, has: []string{"the authors hereby grant permission to use, copy, modify, distribute, and license this software"}},
	{license: "BSD-4-Clause", key: bsdGrant, has: []string{bsdAds}},
	{license: "BSD-3-Clause", key: bsdGrant, has: []string{bsdEndorse}, not: []string{bsdAds}},
	{license: "BSD-3-Clause", key: bsdGrant, has: []string{bsdEndorse2}, not: []string{bsdAds}},
	{license: "BSD-2-Clause", key: bsdGrant, not: []string{bsdAds, bsdEndorse, bsdEndorse2}},
	{license: "Info-ZIP", key: "for the purposes of this copyright and license, \"info-zip\" is defined as"},
	{license: "Zlib", key: "altered source versions must be plainly marked as such"},
	{license: "Apache-2.0", key: "apache license", has: []string{"apache license, version 2.0"}, common: true},
	{license: "Apache-2.0", key: "apache license", has: []string{"apache license v. 2.0"}, common: true},
	{license: "MPL-2.0", key: "mozilla public license, v. 2.0", common: true},
	{license: "BSL-1.0", key: "boost software license - version 1.0"},
	{license: "OFL-1.1", key: "sil open font license", has: []string{"version 1.1"}},
	{license: "OpenSSL", key: "openssl project for use in the openssl toolkit"},
	{license: "public-domain", key: publicWork, has: []string{"in the " + publicWork}},
	{license: "public-domain", key: publicWork, has: []string{"into the " + publicWork}},
	{license: "public-domain", key: publicWork, has: []string{"to the " + publicWork}},
	{license: "LGPL", key: gnu, has: []string{"gnu lesser " + gnu}, common: true},
	{license: "LGPL", key: gnu, has: []string{"gnu library " + gnu}, common: true},
	{license: "GPL", key: gnu, has: []string{"gnu " + gnu}, common: true},
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
