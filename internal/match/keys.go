package match

import (
	"cmp"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// lookup is one question about a package: a key, and whose name and version
// that key is about.
type lookup struct {
	key     advisory.Key
	scheme  version.Scheme
	names   advisory.Names // Binary or Source
	version string
	content *Content // of an rpm package: where it came from
}

// State says why a package could not be judged, or not wholly.
type State string

// The states of a package besides "judged".
const (
	Judged        State = ""
	NoVersion     State = "no-version"     // it has none: nothing can be compared
	BadVersion    State = "bad-version"    // its version cannot be read
	UnknownDistro State = "unknown-distro" // no publisher speaks of its distribution's release
	UnknownType   State = "unknown-type"   // no publisher speaks of such packages
	NoData        State = "no-data"        // a publisher does, but its data is not there
	Stale         State = "stale"          // the data is older than its bound
)

// lookups returns what to ask about a package of the input.
func (in *Input) lookups(p *inventory.Package) ([]lookup, State) {
	ls, state := lookups(p, in.Distro)
	if p.Type == "rpm" && len(in.Contents) > 0 {
		content := contentOf(in.Contents, p.Layer)
		for i := range ls {
			ls[i].content = content
		}
	}
	return ls, state
}

// lookups returns what to ask about a package. Of an OS package it is the
// package and its source in the stream of its distribution; of any other the
// package in its ecosystem, or, failing an ecosystem, its CPEs.
func lookups(p *inventory.Package, d *inventory.Distro) ([]lookup, State) {
	if p.Version == "" {
		return nil, NoVersion
	}
	scheme, known := version.SchemeOf(p.Type)
	if p.OS() {
		stream, ok := streamOf(p, d)
		if !ok {
			return nil, UnknownDistro
		}
		if !known {
			return nil, UnknownType
		}
		name := p.Name
		if p.Type == "ebuild" && p.Namespace != "" {
			name = p.Namespace + "/" + p.Name // Gentoo's packages are named with their category
		}
		src, srcVersion := cmp.Or(p.Source, name), cmp.Or(p.SourceVersion, p.Version)
		out := []lookup{
			{advisory.Key{Stream: stream, Name: name}, scheme, advisory.Binary, p.Version, nil},
			{advisory.Key{Stream: stream, Name: src}, scheme, advisory.Source, srcVersion, nil},
		}
		if pro, ok := proStream(stream); ok {
			out = append(out, lookup{advisory.Key{Stream: pro, Name: src}, scheme, advisory.Source, srcVersion, nil})
		}
		return out, Judged
	}
	switch p.Type {
	case "generic", "binary", "":
		var out []lookup
		for _, c := range p.CPEs {
			if vendor, product, v, ok := cpeParts(c); ok {
				out = append(out, lookup{advisory.Key{Stream: "cpe", Name: vendor + ":" + product}, version.Generic, advisory.Binary, cmp.Or(v, p.Version), nil})
			}
		}
		if len(out) == 0 {
			return nil, UnknownType
		}
		return out, Judged
	}
	if !known {
		return nil, UnknownType
	}
	return []lookup{{advisory.Key{Stream: p.Type, Name: EcosystemName(p)}, scheme, advisory.Binary, p.Version, nil}}, Judged
}

// EcosystemName writes a language package's name as the keys of its stream
// have it.
func EcosystemName(p *inventory.Package) string {
	name := p.Name
	if p.Namespace != "" {
		switch p.Type {
		case "maven":
			name = p.Namespace + ":" + p.Name
		default:
			name = p.Namespace + "/" + p.Name
		}
	}
	return advisory.Name(p.Type, name)
}

// cpeParts reads vendor, product and version of a CPE 2.3 name.
func cpeParts(cpe string) (vendor, product, version string, ok bool) {
	f := splitCPE(cpe)
	if len(f) < 6 || f[0] != "cpe" || f[1] != "2.3" {
		return "", "", "", false
	}
	version = unescape(f[5])
	if version == "*" || version == "-" {
		version = ""
	} else if len(f) > 6 && f[6] != "*" && f[6] != "-" && f[6] != "" {
		version += unescape(f[6]) // an update such as p1 is part of the version
	}
	return f[3], f[4], version, true
}

// splitCPE splits at colons that are not escaped.
func splitCPE(s string) []string {
	var out []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ':':
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

func unescape(s string) string { return strings.ReplaceAll(s, "\\", "") }
