package updateinfo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// jsonUpdate is an advisory of one of the JSON formats: AlmaLinux's
// errata.full.json and its older errata.json, the pages of Rocky Linux's errata
// interface, the updates of Fedora's Bodhi.
type jsonUpdate struct {
	ID           json.RawMessage `json:"id"` // AlmaLinux: the advisory's; Rocky: a number
	UpdateinfoID string          `json:"updateinfo_id"`
	Name         string          `json:"name"`
	Alias        string          `json:"alias"`

	Type        string `json:"type"`
	Kind        string `json:"kind"`
	Severity    string `json:"severity"`
	Title       string `json:"title"`
	Synopsis    string `json:"synopsis"`
	Summary     string `json:"summary"`
	Description string `json:"description"`
	Notes       string `json:"notes"`
	URL         string `json:"url"`

	IssuedDate   json.RawMessage `json:"issued_date"`
	UpdatedDate  json.RawMessage `json:"updated_date"`
	PublishedAt  string          `json:"published_at"`
	UpdatedAt    string          `json:"updated_at"`
	DateStable   string          `json:"date_stable"`
	DatePushed   string          `json:"date_pushed"`
	DateModified string          `json:"date_modified"`

	References []struct {
		Href  string `json:"href"`
		ID    string `json:"id"`
		Type  string `json:"type"`
		Title string `json:"title"`
	} `json:"references"`
	CVEs []struct {
		CVE    string `json:"cve"`
		Vector string `json:"cvss3_scoring_vector"`
		CWE    string `json:"cwe"`
	} `json:"cves"`
	Fixes []struct {
		Source      string `json:"source"`
		Description string `json:"description"`
	} `json:"fixes"`
	Bugs []struct {
		ID       json.Number `json:"bug_id"`
		Security bool        `json:"security"`
		Title    string      `json:"title"`
	} `json:"bugs"`

	Packages []jsonPackage `json:"packages"`
	Pkglist  struct {
		Name      string        `json:"name"`
		ShortName string        `json:"shortname"`
		Module    jsonModule    `json:"module"`
		Packages  []jsonPackage `json:"packages"`
	} `json:"pkglist"`
	Release json.RawMessage `json:"release"` // Bodhi: an object
	Builds  []struct {
		NVR   string      `json:"nvr"`
		Type  string      `json:"type"`
		Epoch json.Number `json:"epoch"`
	} `json:"builds"`
}

type jsonModule struct {
	Name   string `json:"name"`
	Stream string `json:"stream"`
}

type jsonPackage struct {
	Name    string      `json:"name"`
	Epoch   json.Number `json:"epoch"`
	Version string      `json:"version"`
	Release string      `json:"release"`
	Arch    string      `json:"arch"`
	Module  string      `json:"module"` // name:stream:version:context:arch

	NEVRA        string `json:"nevra"`
	ModuleName   string `json:"module_name"`
	ModuleStream string `json:"module_stream"`
	ProductName  string `json:"product_name"`
}

// readJSON reads advisories in one of the JSON formats: one, an array, or a
// page with the array as "data", "advisories" or "updates". next is the address
// of the page after this one, "" if there is none.
func readJSON(r io.Reader, give func(*update) bool, bad func(record string, err error)) (next string, err error) {
	in := feed.NewJSONReader(r, feed.MaxRecord)
	over := false
	one := func(where string) error {
		var j jsonUpdate
		if err := in.Decode(&j); feed.IsJSONError(err) {
			bad(where, err)
			return nil
		} else if err != nil {
			return err
		}
		over = over || !give(j.update())
		return nil
	}
	array := func() error {
		for i, err := range in.Array() {
			if err != nil {
				return err
			}
			if err := one(fmt.Sprintf("advisory %d", i)); err != nil || over {
				return err
			}
		}
		return nil
	}
	if in.Kind() == '[' {
		if err := array(); err != nil || over {
			return "", err
		}
		return "", in.End()
	}
	single := map[string]json.RawMessage{}
	known, size := false, 0
	for key, err := range in.Object() {
		if err != nil {
			return "", err
		}
		switch key {
		case "data", "advisories", "updates":
			known = true
			if err := array(); err != nil || over {
				return "", err
			}
		case "links":
			var links struct {
				Next string `json:"next"`
			}
			if err := in.Decode(&links); err == nil {
				next = links.Next
			} else if !feed.IsJSONError(err) {
				return "", err
			}
		default:
			v, err := in.Value()
			if err != nil {
				return "", err
			}
			if size += len(key) + len(v); size > feed.MaxRecord {
				return "", &feed.LimitError{What: "an advisory", Limit: "bytes", Most: feed.MaxRecord}
			}
			single[key] = append(json.RawMessage(nil), v...)
		}
	}
	if err := in.End(); err != nil || known {
		return next, err
	}
	if single["alias"] == nil && single["updateinfo_id"] == nil && single["packages"] == nil {
		return "", errors.New("there are no advisories in it")
	}
	b, err := json.Marshal(single)
	if err != nil {
		return "", err
	}
	var j jsonUpdate
	if err := json.Unmarshal(b, &j); err != nil {
		return "", err
	}
	give(j.update())
	return "", nil
}

func (j *jsonUpdate) update() *update {
	u := &update{
		ID: firstOf(j.UpdateinfoID, j.Alias, text(j.ID), j.Name), Type: strings.ToLower(firstOf(j.Type, j.Kind)), Severity: j.Severity,
		Title: firstOf(j.Synopsis, j.Title), Summary: j.Summary, Details: firstOf(j.Description, j.Notes), URL: j.URL,
		Issued: date(j.IssuedDate, j.PublishedAt, j.DateStable, j.DatePushed), Updated: date(j.UpdatedDate, j.UpdatedAt, j.DateModified),
	}
	for _, r := range j.References {
		u.References = append(u.References, reference(r))
	}
	for _, c := range j.CVEs {
		u.References = append(u.References, reference{ID: c.CVE, Type: "cve"})
		if strings.HasPrefix(c.CWE, "CWE-") {
			u.CWEs = append(u.CWEs, c.CWE)
		}
	}
	if len(j.CVEs) == 1 {
		u.Vector = j.CVEs[0].Vector
	}
	for _, f := range j.Fixes {
		u.References = append(u.References, reference{Href: f.Source, Type: "bugzilla", Title: f.Description})
	}
	for _, b := range j.Bugs {
		u.References = append(u.References, reference{Href: "https://bugzilla.redhat.com/show_bug.cgi?id=" + b.ID.String(), ID: b.ID.String(), Type: "bugzilla", Title: b.Title})
	}
	list := firstOf(j.Pkglist.ShortName, j.Pkglist.Name)
	for _, p := range j.Pkglist.Packages {
		r := p.rpm(list)
		if m := j.Pkglist.Module; r.Module == "" && m.Name != "" {
			r.Module = m.Name + ":" + m.Stream
		}
		u.Packages = append(u.Packages, r)
	}
	for _, p := range j.Packages {
		u.Packages = append(u.Packages, p.rpm(list))
	}
	var release struct {
		Name   string `json:"name"`
		Prefix string `json:"id_prefix"`
	}
	if json.Unmarshal(j.Release, &release) == nil {
		u.Release = release.Name
	}
	for _, b := range j.Builds {
		if name, version, rel, ok := nvr(b.NVR); ok && (b.Type == "rpm" || b.Type == "") {
			u.Packages = append(u.Packages, rpm{Name: name, Epoch: b.Epoch.String(), Version: version, Release: rel, Arch: "src"})
		}
	}
	return u
}

func (p jsonPackage) rpm(list string) rpm {
	r := rpm{Name: p.Name, Epoch: p.Epoch.String(), Version: p.Version, Release: p.Release, Arch: p.Arch, Collection: firstOf(p.ProductName, list)}
	if p.NEVRA != "" {
		s := strings.TrimSuffix(p.NEVRA, ".rpm")
		if i := strings.LastIndexByte(s, '.'); i > 0 {
			s, r.Arch = s[:i], s[i+1:]
		}
		var version string
		r.Name, version, r.Release, _ = nvr(s)
		if epoch, v, ok := strings.Cut(version, ":"); ok {
			r.Epoch, version = epoch, v
		}
		r.Version = version
	}
	if parts := strings.Split(p.Module, ":"); len(parts) >= 2 && parts[0] != "" {
		r.Module = parts[0] + ":" + parts[1]
	} else if p.ModuleName != "" {
		r.Module = p.ModuleName + ":" + p.ModuleStream
	}
	return r
}

// nvr takes "name-version-release" apart.
func nvr(s string) (name, version, release string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i <= 0 {
		return "", "", "", false
	}
	s, release = s[:i], s[i+1:]
	if i = strings.LastIndexByte(s, '-'); i <= 0 {
		return "", "", "", false
	}
	return s[:i], s[i+1:], release, true
}

func firstOf(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// text is a JSON string; "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// date reads seconds, {"$date": milliseconds}, or the first text that is a date.
func date(raw json.RawMessage, texts ...string) time.Time {
	var seconds int64
	var millis struct {
		Date int64 `json:"$date"`
	}
	const most = 1 << 36
	switch {
	case json.Unmarshal(raw, &seconds) == nil && 0 < seconds && seconds < most:
		return time.Unix(seconds, 0).UTC()
	case json.Unmarshal(raw, &millis) == nil && 0 < millis.Date && millis.Date < most*1000:
		return time.UnixMilli(millis.Date).UTC()
	}
	for _, s := range append([]string{text(raw)}, texts...) {
		if t := parseDate(s); !t.IsZero() {
			return t.Truncate(time.Second)
		}
	}
	return time.Time{}
}
