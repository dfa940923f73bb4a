package cvev5

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// affected is a product of a record.
type affected struct {
	Vendor     string `json:"vendor"`
	Product    string `json:"product"`
	Collection string `json:"collectionURL"`
	Package    string `json:"packageName"`
	PURL       string `json:"packageURL"`
	Default    string `json:"defaultStatus"` // of versions that are not listed
	Versions   []struct {
		Version string    `json:"version"`
		Status  string    `json:"status"`
		Type    string    `json:"versionType"`
		Below   string    `json:"lessThan"`
		UpTo    string    `json:"lessThanOrEqual"`
		Changes []changed `json:"changes"`
	} `json:"versions"`
}

// changed says that from a version on the status is another.
type changed struct {
	At     string `json:"at"`
	Status string `json:"status"`
}

// key tells which package of which ecosystem is meant, if that is said.
func (p *affected) key() (advisory.Key, bool) {
	if k, ok := purlKey(p.PURL); ok {
		return k, true
	}
	u, err := url.Parse(strings.TrimSpace(p.Collection))
	if err != nil || u.Host == "" {
		return advisory.Key{}, false
	}
	// project is where the address itself names the package:
	// https://pypi.org/project/protobuf/.
	stream, project := "", ""
	switch strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.") {
	case "npmjs.com", "npmjs.org", "registry.npmjs.org":
		stream, project = "npm", "package"
	case "pypi.org", "pypi.python.org":
		stream, project = "pypi", "project"
	case "rubygems.org":
		stream, project = "gem", "gems"
	case "repo.maven.apache.org", "repo1.maven.org", "central.sonatype.com", "search.maven.org", "mvnrepository.com":
		stream = "maven"
	case "crates.io":
		stream, project = "cargo", "crates"
	case "nuget.org", "api.nuget.org":
		stream, project = "nuget", "packages"
	case "packagist.org", "repo.packagist.org":
		stream, project = "composer", "packages"
	case "pkg.go.dev", "proxy.golang.org":
		stream = "golang"
	case "hex.pm", "repo.hex.pm":
		stream, project = "hex", "packages"
	case "pub.dev", "pub.dartlang.org":
		stream, project = "pub", "packages"
	case "hackage.haskell.org":
		stream, project = "hackage", "package"
	case "cran.r-project.org":
		stream = "cran"
	default:
		return advisory.Key{}, false
	}
	name := strings.TrimSpace(p.Package)
	if name == "" && project != "" {
		_, name, _ = strings.Cut(u.Path, "/"+project+"/")
		name = strings.Trim(name, "/")
	}
	if stream == "golang" && name == "" {
		name = strings.Trim(u.Path, "/")
	}
	if stream == "maven" && !strings.Contains(name, ":") {
		name = strings.Replace(name, "/", ":", 1)
	}
	slashes := strings.Count(name, "/")
	switch {
	case name == "" || strings.ContainsAny(name, " \t") || len(name) > 500,
		stream == "maven" && !strings.Contains(name, ":"),
		stream == "composer" && slashes != 1,
		stream == "npm" && slashes > 0 && (slashes > 1 || name[0] != '@'):
		return advisory.Key{}, false
	}
	return advisory.Key{Stream: stream, Name: advisory.Name(stream, name)}, true
}

// purlKey reads a package URL without version.
func purlKey(purl string) (advisory.Key, bool) {
	rest, ok := strings.CutPrefix(purl, "pkg:")
	if !ok {
		return advisory.Key{}, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	kind, name, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	kind = strings.ToLower(kind)
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		name = name[:i]
	}
	name, err := url.PathUnescape(strings.Trim(name, "/"))
	if err != nil || name == "" {
		return advisory.Key{}, false
	}
	switch kind {
	case "maven":
		name = strings.Replace(name, "/", ":", 1)
	case "npm", "pypi", "gem", "cargo", "nuget", "composer", "golang", "hex", "pub", "hackage", "cran", "conan", "swift", "bitnami":
	default:
		return advisory.Key{}, false
	}
	return advisory.Key{Stream: kind, Name: advisory.Name(kind, name)}, true
}

// claim makes a claim, where the package and at least one version is known.
func (p *affected) claim() (advisory.Affected, bool) {
	k, ok := p.key()
	if !ok {
		return advisory.Affected{}, false
	}
	f := advisory.Affected{Key: k}
	if f.Scheme, ok = version.SchemeOf(k.Stream); !ok {
		return f, false
	}
	var requirements, unaffected, words []string
	for _, v := range p.Versions {
		switch {
		case v.Type == "git" || v.Status == "unknown":
		case v.Below == "" && v.UpTo == "" && strings.ContainsAny(v.Version, "<>=~^|"):
			// ">= 1.7.0, < 1.18.4": GitHub writes ranges as versions.
			if v.Status == "affected" {
				requirements = append(requirements, strings.TrimSpace(v.Version))
			} else {
				unaffected = append(unaffected, strings.TrimSpace(v.Version))
			}
		case v.Below == "" && v.UpTo == "" && len(v.Changes) == 0:
			switch _, err := version.Parse(f.Scheme, v.Version); {
			case err != nil:
				if v.Version != "n/a" && v.Version != "unspecified" {
					words = append(words, v.Version+" ("+v.Status+")")
				}
			case v.Status == "affected":
				f.Versions = append(f.Versions, v.Version)
			default:
				unaffected = append(unaffected, "= "+v.Version)
			}
		default:
			for _, s := range segments(v.Version, v.Status, v.Below, v.UpTo, v.Changes) {
				if s.status == "affected" {
					f.Intervals = append(f.Intervals, s.Interval)
				} else if r := s.requirement(f.Scheme); r != "" && s.status == "unaffected" {
					unaffected = append(unaffected, r)
				}
			}
		}
	}
	f.Requirement = strings.Join(requirements, " || ")
	listed := len(f.Intervals) + len(f.Versions) + len(requirements)
	if p.Default == "affected" {
		// Whatever is not listed is affected, besides what is.
		f.Intervals, f.Versions, f.Requirement = nil, nil, ""
	} else if listed == 0 {
		return f, false
	}
	f.Unaffected = strings.Join(unaffected, " || ")
	if len(words) > 0 {
		f.Note = "versions in words: " + strings.Join(words, ", ")
	}
	for _, in := range f.Intervals {
		if in.Fixed != "" && !slices.Contains(f.Fix.Versions, in.Fixed) {
			f.Fix.State = advisory.Fixed
			f.Fix.Versions = append(f.Fix.Versions, in.Fixed)
		}
	}
	slices.SortStableFunc(f.Fix.Versions, func(a, b string) int {
		c, _ := version.Compare(f.Scheme, a, b)
		return c
	})
	return f, true
}

// segment is a part of a range in which the status does not change.
type segment struct {
	advisory.Interval
	status string
}

// segments takes a range apart at its changes. "*", "unspecified" and their like
// are no bound; "6.1.*" as an upper bound is all of 6.1.
func segments(from, status, below, upTo string, changes []changed) []segment {
	var out []segment
	at := lower(from)
	for _, c := range changes {
		if c.At == "" || c.Status == status {
			continue
		}
		out = append(out, segment{advisory.Interval{Introduced: at, Fixed: c.At}, status})
		at, status = c.At, c.Status
	}
	last := segment{advisory.Interval{Introduced: at}, status}
	switch {
	case below != "" && !unbounded(below):
		last.Fixed = below
	case upTo != "" && !unbounded(upTo):
		if next, ok := afterWildcard(upTo); ok {
			last.Fixed = next
		} else {
			last.LastAffected = upTo
		}
	}
	// A change at the very end, as some write it, leaves nothing.
	if last.Fixed == "" || last.Fixed != at {
		out = append(out, last)
	}
	return out
}

func unbounded(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	return s == "*" || s == "unspecified" || s == "n/a" || s == "-"
}

func lower(s string) string {
	if s = strings.TrimSpace(s); s == "0" || unbounded(s) {
		return ""
	}
	return s
}

// afterWildcard is the first version after all that begin with what stands
// before ".*".
func afterWildcard(s string) (string, bool) {
	core, ok := strings.CutSuffix(s, ".*")
	if !ok {
		return "", false
	}
	i := strings.LastIndexByte(core, '.') + 1
	n, err := strconv.ParseUint(core[i:], 10, 32)
	if err != nil {
		return "", false
	}
	return core[:i] + strconv.FormatUint(n+1, 10), true
}

// requirement writes a segment in the comparators that every scheme reads, "" if
// a bound is no version of it.
func (s *segment) requirement(scheme version.Scheme) string {
	var parts []string
	for _, b := range [...]struct{ op, v string }{{">= ", s.Introduced}, {"< ", s.Fixed}, {"<= ", s.LastAffected}} {
		if b.v == "" {
			continue
		}
		if _, err := version.Parse(scheme, b.v); err != nil {
			return ""
		}
		parts = append(parts, b.op+b.v)
	}
	return strings.Join(parts, ", ")
}
