package csaf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Limits of one document, besides [feed.MaxRecord] bytes.
const (
	maxBranches        = 100 // nested
	maxProducts        = 2_000_000
	maxVulnerabilities = 10_000
	maxReferences      = 2000 // of one record; what is more is left out
)

// document is a CSAF 2.0 document (OASIS Standard, section 3.2), as far as it
// is read.
type document struct {
	Document struct {
		Category  string   `json:"category"`
		Version   string   `json:"csaf_version"`
		Title     string   `json:"title"`
		Severity  labelled `json:"aggregate_severity"`
		Publisher struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"publisher"`
		Tracking struct {
			ID      string `json:"id"`
			Status  string `json:"status"`
			Initial string `json:"initial_release_date"`
			Current string `json:"current_release_date"`
		} `json:"tracking"`
		Notes      []note      `json:"notes"`
		References []reference `json:"references"`
	} `json:"document"`
	Tree            tree            `json:"product_tree"`
	Vulnerabilities []vulnerability `json:"vulnerabilities"`
}

type labelled struct {
	Text string `json:"text"`
}

type note struct {
	Category string `json:"category"`
	Title    string `json:"title"`
	Text     string `json:"text"`
}

type reference struct {
	Category string `json:"category"`
	Summary  string `json:"summary"`
	URL      string `json:"url"`
}

type tree struct {
	Branches      []branch       `json:"branches"`
	Products      []product      `json:"full_product_names"`
	Relationships []relationship `json:"relationships"`
	Groups        []struct {
		ID       string   `json:"group_id"`
		Products []string `json:"product_ids"`
	} `json:"product_groups"`
}

type branch struct {
	Category string   `json:"category"`
	Name     string   `json:"name"`
	Product  *product `json:"product"`
	Branches []branch `json:"branches"`
}

// product is a full product name; category and version come from its branch.
type product struct {
	ID     string `json:"product_id"`
	Name   string `json:"name"`
	Helper struct {
		PURL string `json:"purl"`
		CPE  string `json:"cpe"`
	} `json:"product_identification_helper"`
	category string
}

type relationship struct {
	Category  string  `json:"category"`
	Product   product `json:"full_product_name"`
	Component string  `json:"product_reference"`
	Platform  string  `json:"relates_to_product_reference"`
}

type vulnerability struct {
	CVE   string `json:"cve"`
	Title string `json:"title"`
	IDs   []struct {
		System string `json:"system_name"`
		Text   string `json:"text"`
	} `json:"ids"`
	CWE struct {
		ID string `json:"id"`
	} `json:"cwe"`
	Notes      []note      `json:"notes"`
	References []reference `json:"references"`
	Released   string      `json:"release_date"`
	Discovered string      `json:"discovery_date"`
	Status     struct {
		Affected      []string `json:"known_affected"`
		NotAffected   []string `json:"known_not_affected"`
		Fixed         []string `json:"fixed"`
		FirstFixed    []string `json:"first_fixed"`
		FirstAffected []string `json:"first_affected"`
		LastAffected  []string `json:"last_affected"`
		Recommended   []string `json:"recommended"`
		Investigating []string `json:"under_investigation"`
	} `json:"product_status"`
	Flags []struct {
		Label string `json:"label"`
		among
	} `json:"flags"`
	Threats      []threat      `json:"threats"`
	Remediations []remediation `json:"remediations"`
	Scores       []score       `json:"scores"`
}

type threat struct {
	Category string `json:"category"`
	Details  string `json:"details"`
	among
}

type remediation struct {
	Category string `json:"category"`
	Details  string `json:"details"`
	Date     string `json:"date"`
	URL      string `json:"url"`
	among
}

type score struct {
	V2 cvss `json:"cvss_v2"`
	V3 cvss `json:"cvss_v3"`
	V4 cvss `json:"cvss_v4"`
}

// among says which products something is about.
type among struct {
	Products []string `json:"product_ids"`
	Groups   []string `json:"group_ids"`
}

type cvss struct {
	Vector string  `json:"vectorString"`
	Score  float64 `json:"baseScore"`
}

// errNoDocument says that a JSON text is something else.
var errNoDocument = errors.New("it is no CSAF document")

// parse reads a document.
func parse(b []byte) (*document, error) {
	if depth(b) > 2*maxBranches+50 {
		return nil, &feed.LimitError{What: "the document", Limit: "nested values", Most: 2*maxBranches + 50}
	}
	d := &document{}
	if err := json.Unmarshal(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), d); err != nil {
		return nil, fmt.Errorf("it cannot be read as CSAF: %w", err)
	}
	if d.Document.Tracking.ID == "" {
		return nil, errNoDocument
	}
	if v := d.Document.Version; v != "" && !strings.HasPrefix(v, "2.") {
		return nil, fmt.Errorf("CSAF version %s is not known", shorten(v))
	}
	return d, nil
}

// depth is how deep brackets nest.
func depth(b []byte) int {
	deep, most, quoted := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			quoted = !quoted
		case '\\':
			i++
		case '{', '[':
			if !quoted {
				deep++
				most = max(most, deep)
			}
		case '}', ']':
			if !quoted {
				deep--
			}
		}
	}
	return most
}

func date(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil && t.Year() > 1 {
			return t.UTC()
		}
	}
	return time.Time{}
}

func shorten(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
