package csaf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// cvrf is a CVRF 1.1 document, as far as openEuler writes it.
type cvrf struct {
	XMLName   xml.Name
	Title     string `xml:"DocumentTitle"`
	Publisher struct {
		Contact   string `xml:"ContactDetails"`
		Authority string `xml:"IssuingAuthority"`
	} `xml:"DocumentPublisher"`
	Tracking struct {
		ID      string `xml:"Identification>ID"`
		Status  string `xml:"Status"`
		Initial string `xml:"InitialReleaseDate"`
		Current string `xml:"CurrentReleaseDate"`
	} `xml:"DocumentTracking"`
	Notes []struct {
		Title string `xml:"Title,attr"`
		Text  string `xml:",chardata"`
	} `xml:"DocumentNotes>Note"`
	References []struct {
		Type string   `xml:"Type,attr"`
		URLs []string `xml:"URL"`
	} `xml:"DocumentReferences>Reference"`
	Branches []struct {
		Type     string `xml:"Type,attr"`
		Name     string `xml:"Name,attr"`
		Products []struct {
			ID   string `xml:"ProductID,attr"`
			CPE  string `xml:"CPE,attr"`
			Name string `xml:",chardata"`
		} `xml:"FullProductName"`
	} `xml:"ProductTree>Branch"`
	Vulnerabilities []struct {
		CVE   string `xml:"CVE"`
		Notes []struct {
			Text string `xml:",chardata"`
		} `xml:"Notes>Note"`
		Released string `xml:"ReleaseDate"`
		Statuses []struct {
			Type     string   `xml:"Type,attr"`
			Products []string `xml:"ProductID"`
		} `xml:"ProductStatuses>Status"`
		Threats []struct {
			Type string `xml:"Type,attr"`
			Text string `xml:"Description"`
		} `xml:"Threats>Threat"`
		Scores []struct {
			Score  float64 `xml:"BaseScore"`
			Vector string  `xml:"Vector"`
		} `xml:"CVSSScoreSets>ScoreSet"`
		Remedies []struct {
			Type string `xml:"Type,attr"`
			Text string `xml:"Description"`
			URL  string `xml:"URL"`
		} `xml:"Remediations>Remediation"`
	} `xml:"Vulnerability"`
}

// parseCVRF reads a CVRF document as the CSAF document it would be. A status
// names releases, a package the CPE of its release: every package of a release
// that is fixed is.
func parseCVRF(b []byte) (*document, error) {
	dec := feed.NewXMLDecoder(bytes.NewReader(b), feed.XMLLimits{Depth: 50})
	var x cvrf
	if err := dec.Decode(&x); err != nil {
		if err == io.EOF {
			err = errors.New("it is empty")
		}
		return nil, fmt.Errorf("it cannot be read as CVRF: %w", err)
	}
	if x.XMLName.Local != "cvrfdoc" {
		return nil, fmt.Errorf("its root element is <%s>, not <cvrfdoc>", x.XMLName.Local)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("there is more after the end of the document")
	}
	d := &document{}
	d.Document.Title = strings.TrimSpace(x.Title)
	d.Document.Category = "cvrf"
	d.Document.Publisher.Name = x.Publisher.Authority + " " + x.Publisher.Contact
	d.Document.Tracking.ID = strings.TrimSpace(x.Tracking.ID)
	d.Document.Tracking.Initial, d.Document.Tracking.Current = x.Tracking.Initial, x.Tracking.Current
	if d.Document.Tracking.ID == "" {
		return nil, errors.New("it has no identifier")
	}
	for _, n := range x.Notes {
		switch n.Title {
		case "Description":
			d.Document.Notes = append(d.Document.Notes, note{Category: "description", Text: n.Text})
		case "Severity":
			d.Document.Severity.Text = strings.TrimSpace(n.Text)
		}
	}
	for _, r := range x.References {
		for _, u := range r.URLs {
			d.Document.References = append(d.Document.References, reference{Category: strings.ToLower(r.Type), URL: strings.TrimSpace(u)})
		}
	}
	parts := map[string][]string{} // by the CPE of the release
	for _, br := range x.Branches {
		for _, p := range br.Products {
			if br.Type != "Package Arch" {
				release := product{ID: p.ID, Name: p.Name}
				release.Helper.CPE = p.CPE
				d.Tree.Products = append(d.Tree.Products, release)
				continue
			}
			file := strings.TrimSpace(p.Name)
			id := strings.TrimSuffix(file, ".rpm")
			d.Tree.Products = append(d.Tree.Products, product{ID: file, Name: file})
			parts[p.CPE] = append(parts[p.CPE], id)
		}
	}
	releases := map[string][]string{}
	for _, p := range d.Tree.Products {
		if p.Helper.CPE == "" {
			continue
		}
		for _, part := range parts[p.Helper.CPE] {
			full := p.ID + ":" + part
			releases[p.ID] = append(releases[p.ID], full)
			d.Tree.Relationships = append(d.Tree.Relationships, relationship{Product: product{ID: full}, Component: part + ".rpm", Platform: p.ID})
		}
	}
	for _, v := range x.Vulnerabilities {
		vul := vulnerability{CVE: strings.TrimSpace(v.CVE), Released: v.Released}
		for _, n := range v.Notes {
			vul.Notes = append(vul.Notes, note{Category: "description", Text: n.Text})
		}
		var fixed []string
		for _, s := range v.Statuses {
			var ids []string
			for _, p := range s.Products {
				ids = append(ids, releases[strings.TrimSpace(p)]...)
			}
			switch s.Type {
			case "Fixed", "First Fixed", "Recommended":
				vul.Status.Fixed = append(vul.Status.Fixed, ids...)
				fixed = append(fixed, ids...)
			case "Known Affected":
				vul.Status.Affected = append(vul.Status.Affected, ids...)
			case "Known Not Affected":
				vul.Status.NotAffected = append(vul.Status.NotAffected, ids...)
			}
		}
		for _, t := range v.Threats {
			if t.Type == "Impact" {
				vul.Threats = append(vul.Threats, threat{Category: "impact", Details: strings.TrimSpace(t.Text)})
			}
		}
		for _, s := range v.Scores {
			vector := strings.TrimSpace(s.Vector)
			if strings.HasPrefix(vector, "AV:") && strings.Contains(vector, "/S:") {
				vector = "CVSS:3.1/" + vector // the version is left out
			}
			vul.Scores = append(vul.Scores, score{V3: cvss{vector, s.Score}})
		}
		for _, r := range v.Remedies {
			if r.Type == "Vendor Fix" {
				vul.Remediations = append(vul.Remediations, remediation{Category: "vendor_fix", URL: strings.TrimSpace(r.URL), among: among{Products: fixed}})
			}
		}
		d.Vulnerabilities = append(d.Vulnerabilities, vul)
	}
	return d, nil
}
