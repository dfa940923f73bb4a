// Package gentoo reads Gentoo Linux Security Advisories (GLSA), an XML file
// each. How packages compare with them is left to others.
package gentoo

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Source{}} }

// Source are all GLSA. Packages are named with their category,
// "dev-java/snakeyaml". A version is affected that lies in one of the ranges
// called vulnerable and in none of those called unaffected; a range of a slot
// ("3.7" of dev-lang/python) speaks only of versions that begin with it.
type Source struct{}

var _ feed.Source = Source{}

// maxFile bounds one advisory, in bytes.
const maxFile = 4 << 20

// Info implements [feed.Source].
func (Source) Info() feed.Info {
	return feed.Info{
		Name: "gentoo", Publisher: "Gentoo", Describes: "Gentoo Linux Security Advisories",
		URL: "https://gitweb.gentoo.org/data/glsa.git/snapshot/glsa-master.tar.gz", Streams: []string{"gentoo"}, Licence: "CC-BY-SA-4.0", Fresh: 7 * 24 * time.Hour, Priority: 100,
	}
}

// Fetch implements [feed.Source]. From is a file glsa-….xml, or a folder or
// archive of them.
func (s Source) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		files, err := out.Records(members, maxFile, isGLSA, func(_ string, raw []byte) error {
			a, err := parse(raw)
			if err == nil {
				out.Yield(feed.Item{Advisory: a}, nil)
			}
			return err
		})
		if err == nil && files == 0 {
			err = errors.New("there is no file glsa-….xml")
		}
		return err
	})
}

func isGLSA(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, "glsa-") && path.Ext(base) == ".xml"
}

type glsa struct {
	XMLName  xml.Name
	ID       string `xml:"id,attr"`
	Title    string `xml:"title"`
	Synopsis string `xml:"synopsis"`
	Product  struct {
		Type string `xml:"type,attr"`
	} `xml:"product"`
	Announced string    `xml:"announced"`
	Revised   string    `xml:"revised"`
	Bugs      []string  `xml:"bug"`
	Packages  []glsaPkg `xml:"affected>package"`
	Impact    struct {
		Type string `xml:"type,attr"`
	} `xml:"impact"`
	References []struct {
		Link string `xml:"link,attr"`
		Text string `xml:",chardata"`
	} `xml:"references>uri"`
}

type glsaPkg struct {
	Name       string      `xml:"name,attr"`
	Arch       string      `xml:"arch,attr"`
	Unaffected []glsaRange `xml:"unaffected"`
	Vulnerable []glsaRange `xml:"vulnerable"`
}

type glsaRange struct {
	Op      string `xml:"range,attr"`
	Slot    string `xml:"slot,attr"`
	Version string `xml:",chardata"`
}

func parse(b []byte) (*advisory.Advisory, error) {
	var g glsa
	d := feed.NewXMLDecoder(bytes.NewReader(b), feed.XMLLimits{Tokens: 1_000_000})
	if err := d.Decode(&g); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if g.XMLName.Local != "glsa" || g.ID == "" || len(g.ID) > 40 || strings.ContainsAny(g.ID, " \n/") {
		return nil, fmt.Errorf("<%.60s> with the identifier %.60q is no GLSA", g.XMLName.Local, g.ID)
	}
	a := &advisory.Advisory{
		Source: "gentoo", ID: "GLSA-" + g.ID, Summary: g.Title, Details: strings.Join(strings.Fields(g.Synopsis), " "),
		URL: "https://security.gentoo.org/glsa/" + g.ID, Published: date(g.Announced), Modified: date(g.Revised),
	}
	if g.Impact.Type != "" {
		a.Severities = []advisory.Severity{{Source: "gentoo", Type: "LABEL", Label: advisory.LevelOf(g.Impact.Type), Raw: g.Impact.Type}}
	}
	for _, r := range g.References {
		for _, text := range []string{r.Text, path.Base(r.Link)} {
			if id := strings.TrimSpace(text); advisory.IsCVE(id) {
				a.Upstream = append(a.Upstream, id)
				break
			}
		}
		if r.Link != "" {
			a.References = append(a.References, advisory.Reference{Type: "WEB", URL: r.Link})
		}
	}
	slices.Sort(a.Upstream)
	a.Upstream = slices.Compact(a.Upstream)
	for _, bug := range g.Bugs {
		if bug = strings.TrimSpace(bug); bug != "" && strings.Trim(bug, "0123456789") == "" {
			a.References = append(a.References, advisory.Reference{Type: "REPORT", URL: "https://bugs.gentoo.org/" + bug})
		}
	}
	if g.Product.Type != "" && g.Product.Type != "ebuild" {
		return a, nil // about the infrastructure, or information
	}
	for _, p := range g.Packages {
		f, err := p.affected()
		if err != nil {
			return nil, fmt.Errorf("package %.60q: %w", p.Name, err)
		}
		a.Affected = append(a.Affected, f)
	}
	return a, nil
}

func (p glsaPkg) affected() (advisory.Affected, error) {
	f := advisory.Affected{Key: advisory.Key{Stream: "gentoo", Name: advisory.Name("gentoo", p.Name)}, Names: advisory.Either, Scheme: version.Portage}
	if !strings.Contains(p.Name, "/") {
		return f, errors.New("it has no category")
	}
	if p.Arch != "" && p.Arch != "*" {
		f.Arches = strings.Fields(p.Arch)
	}
	var vulnerable, unaffected []string
	for _, r := range p.Vulnerable {
		s, err := r.requirement()
		if err != nil {
			return f, err
		}
		vulnerable = append(vulnerable, s)
	}
	for _, r := range p.Unaffected {
		s, err := r.requirement()
		if err != nil {
			return f, err
		}
		unaffected = append(unaffected, s)
		if r.Op == "ge" || r.Op == "rge" {
			f.Fix.Versions = append(f.Fix.Versions, strings.TrimSpace(r.Version))
		}
	}
	if len(vulnerable) == 0 {
		return f, errors.New("no version is said to be vulnerable")
	}
	f.Requirement, f.Unaffected = strings.Join(vulnerable, " || "), strings.Join(unaffected, " || ")
	slices.SortFunc(f.Fix.Versions, func(x, y string) int {
		d, err := version.Compare(version.Portage, x, y)
		if err != nil {
			return strings.Compare(x, y)
		}
		return d
	})
	f.Fix.Versions = slices.Compact(f.Fix.Versions)
	f.Fix.State = advisory.Fixed
	if len(f.Fix.Versions) == 0 {
		f.Fix.State = advisory.NotFixed
	}
	return f, nil
}

// requirement writes a range as the Portage scheme reads it. Operators that
// begin with r speak of the revisions of one version only.
func (r glsaRange) requirement() (string, error) {
	v := strings.TrimSpace(r.Version)
	if v == "" || strings.ContainsAny(v, " \t\n|,<>=~") {
		return "", fmt.Errorf("%.60q is no version", v)
	}
	op, ok := map[string]string{"lt": "<", "le": "<=", "eq": "=", "ge": ">=", "gt": ">"}[strings.TrimPrefix(r.Op, "r")]
	if !ok {
		return "", fmt.Errorf("the range %.60q is unknown", r.Op)
	}
	s := op + v
	if strings.HasPrefix(r.Op, "r") {
		bare := v
		if i := strings.LastIndex(v, "-r"); i > 0 && strings.Trim(v[i+2:], "0123456789") == "" {
			bare = v[:i]
		}
		s += ", ~" + bare
	}
	if slot := r.Slot; strings.Contains(slot, ".") && strings.Trim(slot, "0123456789.") == "" && strings.HasPrefix(v, slot) {
		s += ", =" + slot + "*"
	}
	return s, nil
}

// date reads "2023-05-21" and "2006-06-14: 02", and the "June 14, 2006" of old
// advisories.
func date(s string) time.Time {
	s, _, _ = strings.Cut(strings.TrimSpace(s), ":")
	for _, layout := range []string{"2006-01-02", "January 2, 2006", "January 02, 2006", "2 January 2006"} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t
		}
	}
	return time.Time{}
}
