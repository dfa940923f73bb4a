package secdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// maxEntries bounds what is held of one publisher: packages × versions × ids.
const maxEntries = 10_000_000

// database collects the files of one publisher: they are ordered by package,
// advisories are by identifier.
type database struct {
	source  string
	stream  string // "" for Alpine, whose files name their release
	page    string // address of a vulnerability, before its identifier
	ids     map[string]*entry
	entries int
	bad     func(record string, err error)
}

// entry is what is known of one identifier.
type entry struct {
	related []string
	fixed   map[advisory.Key][]string // the versions it is listed under
	notes   map[advisory.Key]string
}

// pkg is one package of a file.
type pkg struct {
	Name string `json:"name" yaml:"name"`
	// Fixes are the identifiers by version. An empty list is sometimes written
	// as an empty object.
	Fixes map[string]list `json:"secfixes" yaml:"secfixes"`
}

type list []string

func (l *list) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '{' {
		var empty struct{}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		return d.Decode(&empty)
	}
	return json.Unmarshal(b, (*[]string)(l))
}

func (l *list) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		return nil
	}
	return n.Decode((*[]string)(l))
}

// read takes a file in. Its name tells its format, and its release where the
// file does not.
func (db *database) read(m feed.Member) error {
	var release string
	var packages []pkg
	var err error
	if ext := path.Ext(m.Name); ext == ".yaml" || ext == ".yml" {
		release, packages, err = db.yaml(m)
	} else {
		release, packages, err = db.json(m)
	}
	if err != nil {
		return err
	}
	stream := db.stream
	if stream == "" {
		if release == "" {
			release = path.Base(path.Dir(m.Name))
		}
		var ok bool
		if stream, ok = advisory.DistroStream("alpine", strings.TrimPrefix(release, "v"), ""); !ok {
			return fmt.Errorf("%q is no release of Alpine Linux", shorten(release))
		}
	}
	for _, p := range packages {
		if err := db.add(stream, p); err != nil {
			return err
		}
	}
	return nil
}

func (db *database) json(m feed.Member) (release string, packages []pkg, err error) {
	r := feed.NewJSONReader(m, feed.MaxRecord)
	known := false
	for key, err := range r.Object() {
		if err != nil {
			return "", nil, err
		}
		switch key {
		case "distroversion":
			if release, err = r.String(); err != nil {
				return "", nil, err
			}
		case "packages":
			known = true
			if r.Kind() != '[' { // an empty list is sometimes written {}
				var none map[string]struct{}
				if err := r.Decode(&none); err != nil || len(none) > 0 {
					return "", nil, errors.Join(errors.New("its packages are no list"), err)
				}
				continue
			}
			for i, err := range r.Array() {
				if err != nil {
					return "", nil, err
				}
				var p struct {
					Pkg pkg `json:"pkg"`
				}
				if err := r.Decode(&p); feed.IsJSONError(err) {
					db.bad(fmt.Sprintf("%s, package %d", m.Name, i), err)
				} else if err != nil {
					return "", nil, err
				} else if packages = append(packages, p.Pkg); len(packages) > maxEntries {
					return "", nil, &feed.LimitError{What: m.Name, Limit: "packages", Most: maxEntries}
				}
			}
		}
	}
	if !known {
		return "", nil, errors.New("it has no packages")
	}
	return release, packages, r.End()
}

func (db *database) yaml(m feed.Member) (release string, packages []pkg, err error) {
	b, err := m.Bytes(nil, feed.MaxRecord)
	if err != nil {
		return "", nil, err
	}
	var doc struct {
		Release  string    `yaml:"distroversion"`
		Packages yaml.Node `yaml:"packages"`
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return "", nil, err
	}
	switch {
	case doc.Packages.Kind == 0:
		return "", nil, errors.New("it has no packages")
	case doc.Packages.Kind != yaml.SequenceNode && len(doc.Packages.Content) > 0:
		return "", nil, errors.New("its packages are no list")
	}
	for i, n := range doc.Packages.Content {
		var p struct {
			Pkg pkg `yaml:"pkg"`
		}
		if err := n.Decode(&p); err != nil {
			db.bad(fmt.Sprintf("%s, package %d", m.Name, i), err)
			continue
		}
		packages = append(packages, p.Pkg)
	}
	return doc.Release, packages, nil
}

func (db *database) add(stream string, p pkg) error {
	if p.Name == "" {
		db.bad("a package of "+stream, errors.New("it has no name"))
		return nil
	}
	key := advisory.Key{Stream: stream, Name: advisory.Name(stream, p.Name)}
	for v, texts := range p.Fixes {
		v = strings.TrimSpace(v)
		for _, text := range texts {
			if db.entries++; db.entries > maxEntries {
				return &feed.LimitError{What: db.source, Limit: "identifiers", Most: maxEntries}
			}
			ids, related, note := identifiers(text)
			if len(ids) == 0 || v == "" {
				db.bad(fmt.Sprintf("%s in %s, version %s", p.Name, stream, shorten(v)), fmt.Errorf("%q is no identifier", shorten(text)))
				continue
			}
			for _, id := range ids {
				e := db.ids[id]
				if e == nil {
					e = &entry{fixed: map[advisory.Key][]string{}}
					db.ids[strings.Clone(id)] = e
				}
				e.fixed[key] = append(e.fixed[key], v)
				for _, r := range related {
					if !slices.Contains(e.related, r) {
						e.related = append(e.related, r)
					}
				}
				if note != "" {
					if e.notes == nil {
						e.notes = map[advisory.Key]string{}
					}
					e.notes[key] = note
				}
			}
		}
	}
	return nil
}

// identifiers takes a text such as "CVE-2017-10923 XSA-225" apart: what it is
// about (every CVE in it, or else the first identifier), what has to do with
// it, and remarks. "CVE 2018-16859" and "CVE-2017-17434-2" are CVEs as well.
func identifiers(text string) (ids, related []string, note string) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == ',' || r == ';' })
	var others, remarks []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		if strings.EqualFold(w, "CVE") && i+1 < len(words) {
			i++
			w = "CVE-" + words[i]
		}
		switch cve := cveIn(w); {
		case cve != "":
			if !slices.Contains(ids, cve) {
				ids = append(ids, cve)
			}
		case strings.HasPrefix(w, "CVE-"): // "CVE-????-?????": not assigned yet
		case isIdentifier(w):
			others = append(others, w)
		default:
			remarks = append(remarks, w)
		}
	}
	if len(ids) == 0 && len(others) > 0 {
		ids, others = others[:1], others[1:]
	}
	return ids, others, strings.Trim(strings.Join(remarks, " "), "()")
}

// cveIn returns the CVE that a word begins with; what follows is left out:
// "CVE-2017-17434-2", "CVE-2017-8073.patch", "CVE_2019-2426".
func cveIn(w string) string {
	if len(w) < 4 || !strings.EqualFold(w[:3], "CVE") || w[3] != '-' && w[3] != '_' {
		return ""
	}
	w = "CVE-" + w[4:]
	end := min(len(w), len("CVE-2000-"))
	for end < len(w) && '0' <= w[end] && w[end] <= '9' {
		end++
	}
	if !advisory.IsCVE(w[:end]) {
		return ""
	}
	return w[:end]
}

// isIdentifier tells "XSA-207" and "GHSA-vvjp-q62m-2vph" from remarks.
func isIdentifier(w string) bool {
	if len(w) < 3 || len(w) > 100 || !('A' <= w[0] && w[0] <= 'Z' || 'a' <= w[0] && w[0] <= 'z') {
		return false
	}
	digit := false
	for i := range len(w) {
		switch c := w[i]; {
		case '0' <= c && c <= '9':
			digit = true
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-', c == '_', c == '.', c == ':', c == '/', c == '#':
		default:
			return false
		}
	}
	return digit || strings.HasPrefix(w, "GHSA-")
}

// advisories are the identifiers in order.
func (db *database) advisories(yield func(feed.Item, error) bool) {
	for _, id := range slices.Sorted(maps.Keys(db.ids)) {
		e := db.ids[id]
		delete(db.ids, id)
		slices.Sort(e.related)
		a := &advisory.Advisory{Source: db.source, ID: id, Related: e.related, URL: db.page + id}
		keys := make([]advisory.Key, 0, len(e.fixed))
		for k := range e.fixed {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(x, y advisory.Key) int {
			if d := strings.Compare(x.Name, y.Name); d != 0 {
				return d
			}
			return strings.Compare(x.Stream, y.Stream)
		})
		for _, k := range keys {
			f := advisory.Affected{Key: k, Names: advisory.Source, Scheme: version.APK, Note: e.notes[k]}
			switch fixed := highest(e.fixed[k]); {
			case len(fixed) == 0:
				f.Status = advisory.StatusNotAffected
			default:
				for _, v := range fixed {
					f.Intervals = append(f.Intervals, advisory.Interval{Fixed: v})
				}
				f.Fix = advisory.Fix{State: advisory.Fixed, Versions: fixed}
			}
			a.Affected = append(a.Affected, f)
		}
		if !yield(feed.Item{Advisory: a}, nil) {
			return
		}
	}
}

// highest returns the version that mends for good: one that is named again
// under a later version was not mended wholly before. Version "0" says that the
// package was never affected, unless another says that it was. Versions that
// have no order are all returned.
func highest(versions []string) []string {
	slices.Sort(versions)
	versions = slices.Compact(versions)
	var best version.Version
	var out, odd []string
	for _, s := range versions {
		if s == "0" {
			continue
		}
		v, err := version.Parse(version.APK, s)
		if err != nil {
			odd = append(odd, s)
			continue
		}
		if len(out) == 0 || v.Compare(best) > 0 {
			best, out = v, []string{s}
		}
	}
	return append(out, odd...)
}

func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
