package updateinfo

import (
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Limits of one update.
const (
	maxText     = feed.MaxRecord // bytes of its texts in all
	maxPackages = 1_000_000
	maxRefs     = 1_000_000
)

// update is an advisory as the formats of this package have it.
type update struct {
	ID, Type, Title, Severity string
	Summary, Details, Release string
	URL                       string
	Issued, Updated           time.Time
	References                []reference
	CWEs                      []string
	Vector                    string // CVSS, where the update is about one CVE only
	Packages                  []rpm
}

type reference struct{ Href, ID, Type, Title string }

// rpm is one package of an update.
type rpm struct {
	Name, Epoch, Version, Release, Arch string
	Module                              string // "name:stream"
	Collection                          string // what its list or product is called
}

// evr is the version with its epoch, as rpm writes it.
func (p rpm) evr() string {
	v := p.Version
	if p.Release != "" {
		v += "-" + p.Release
	}
	if p.Epoch != "" && p.Epoch != "0" {
		v = p.Epoch + ":" + v
	}
	return v
}

// readXML reads an updateinfo.xml, as createrepo_c and its like write it. It
// reads to the very end, so that a damaged end of a compressed file shows.
func readXML(r io.Reader, give func(*update) bool) error {
	d := feed.NewXMLDecoder(r, feed.XMLLimits{})
	root, over := false, false
	for {
		t, err := d.Token()
		if err == io.EOF {
			if !root {
				return io.ErrUnexpectedEOF
			}
			_, err := io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return err
		}
		e, ok := t.(xml.StartElement)
		switch {
		case !ok:
		case !root && e.Name.Local != "updates":
			return fmt.Errorf("<%s> is no list of updates", shorten(e.Name.Local))
		case !root:
			root = true
		case e.Name.Local != "update":
			if err := d.Skip(); err != nil {
				return err
			}
		default:
			u, err := readUpdate(d, e)
			if err != nil {
				return err
			}
			if over = over || !give(u); over {
				return nil
			}
		}
	}
}

// readUpdate reads one <update> by its tokens: quicker than by reflection, and
// with bounds of its own.
func readUpdate(d *xml.Decoder, start xml.StartElement) (*update, error) {
	u := &update{Type: attr(start, "type")}
	var path []string
	var text strings.Builder
	var list, module string
	left := int64(maxText)
	for {
		t, err := d.Token()
		if err != nil {
			return nil, unexpected(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Local)
			text.Reset()
			switch t.Name.Local {
			case "issued":
				u.Issued = parseDate(attr(t, "date"))
			case "updated":
				u.Updated = parseDate(attr(t, "date"))
			case "reference":
				if len(u.References) >= maxRefs {
					return nil, &feed.LimitError{What: u.ID, Limit: "references", Most: maxRefs}
				}
				u.References = append(u.References, reference{attr(t, "href"), attr(t, "id"), attr(t, "type"), attr(t, "title")})
			case "collection":
				list, module = attr(t, "short"), ""
			case "module":
				if name := attr(t, "name"); name != "" {
					module = name + ":" + attr(t, "stream")
				}
			case "package":
				if len(u.Packages) >= maxPackages {
					return nil, &feed.LimitError{What: u.ID, Limit: "packages", Most: maxPackages}
				}
				u.Packages = append(u.Packages, rpm{
					Name: attr(t, "name"), Epoch: attr(t, "epoch"), Version: attr(t, "version"), Release: attr(t, "release"), Arch: attr(t, "arch"),
					Module: module, Collection: list,
				})
			}
		case xml.CharData:
			if left -= int64(len(t)); left < 0 {
				return nil, &feed.LimitError{What: "update " + u.ID, Limit: "bytes of text", Most: maxText}
			}
			if len(path) == 1 || len(path) == 3 && path[2] == "name" {
				text.Write(t)
			}
		case xml.EndElement:
			if len(path) == 0 {
				return u, nil // </update>
			}
			if len(path) == 1 {
				u.set(path[0], strings.TrimSpace(text.String()))
			} else if len(path) == 3 && path[2] == "name" && list == "" {
				list = strings.TrimSpace(text.String())
			}
			path = path[:len(path)-1]
		}
	}
}

func (u *update) set(field, text string) {
	switch field {
	case "id":
		u.ID = text
	case "title":
		u.Title = text
	case "severity":
		u.Severity = text
	case "summary":
		u.Summary = text
	case "description":
		u.Details = html.UnescapeString(text) // Amazon's is escaped twice
	case "release":
		u.Release = text
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func parseDate(s string) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", time.RFC3339Nano, "2006-01-02", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1970 {
			return t.UTC()
		}
	}
	return time.Time{}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
