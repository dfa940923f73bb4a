package report

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// The parts of CSAF 2.0 that are written.
type (
	csafRoot struct {
		Document        csafDocument        `json:"document"`
		Tree            csafTree            `json:"product_tree"`
		Vulnerabilities []csafVulnerability `json:"vulnerabilities,omitempty"`
	}
	csafDocument struct {
		Category  string        `json:"category"`
		Version   string        `json:"csaf_version"`
		Title     string        `json:"title"`
		Lang      string        `json:"lang"`
		Notes     []csafNote    `json:"notes"`
		Publisher csafPublisher `json:"publisher"`
		Tracking  csafTracking  `json:"tracking"`
	}
	csafNote struct {
		Category string `json:"category"`
		Title    string `json:"title,omitempty"`
		Text     string `json:"text"`
	}
	csafPublisher struct {
		Category  string `json:"category"`
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	}
	csafTracking struct {
		ID        string         `json:"id"`
		Status    string         `json:"status"`
		Version   string         `json:"version"`
		Initial   string         `json:"initial_release_date"`
		Current   string         `json:"current_release_date"`
		History   []csafRevision `json:"revision_history"`
		Generator csafGenerator  `json:"generator"`
	}
	csafRevision struct {
		Date    string `json:"date"`
		Number  string `json:"number"`
		Summary string `json:"summary"`
	}
	csafGenerator struct {
		Engine csafEngine `json:"engine"`
	}
	csafEngine struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	csafTree struct {
		Products      []csafProduct      `json:"full_product_names"`
		Relationships []csafRelationship `json:"relationships,omitempty"`
	}
	csafProduct struct {
		Name   string            `json:"name"`
		ID     string            `json:"product_id"`
		Helper map[string]string `json:"product_identification_helper,omitempty"`
	}
	csafRelationship struct {
		Category  string      `json:"category"`
		Product   csafProduct `json:"full_product_name"`
		Reference string      `json:"product_reference"`
		RelatesTo string      `json:"relates_to_product_reference"`
	}
	csafVulnerability struct {
		CVE          string              `json:"cve,omitempty"`
		IDs          []csafID            `json:"ids,omitempty"`
		Notes        []csafNote          `json:"notes"`
		Release      string              `json:"release_date,omitempty"`
		References   []csafReference     `json:"references,omitempty"`
		Status       map[string][]string `json:"product_status"`
		Flags        []csafFlag          `json:"flags,omitempty"`
		Remediations []csafRemediation   `json:"remediations,omitempty"`
		Threats      []csafThreat        `json:"threats,omitempty"`
	}
	csafID struct {
		System string `json:"system_name"`
		Text   string `json:"text"`
	}
	csafReference struct {
		Category string `json:"category"`
		Summary  string `json:"summary"`
		URL      string `json:"url"`
	}
	csafFlag struct {
		Label    string   `json:"label"`
		Products []string `json:"product_ids"`
	}
	csafRemediation struct {
		Category string   `json:"category"`
		Details  string   `json:"details"`
		Products []string `json:"product_ids"`
		URL      string   `json:"url,omitempty"`
	}
	csafThreat struct {
		Category string   `json:"category"`
		Details  string   `json:"details"`
		Products []string `json:"product_ids,omitempty"`
	}
)

const csafImage = "image" // product id of the image

// writeCSAF writes CSAF 2.0 of the profile VEX. Statuses are those of the
// OpenVEX format. A scan without findings has nothing that the profile could
// hold: it gives a document of the base profile with its notes.
func (v *view) writeCSAF(w io.Writer) error {
	stamp := v.created().Format(time.RFC3339)
	target := printable(v.target())
	root := csafRoot{
		Document: csafDocument{
			Category: "csaf_vex", Version: "2.0", Title: "Vulnerabilities of " + target, Lang: "en",
			Notes:     []csafNote{{"summary", "Result", "Findings: " + v.Headline() + ". Advisories: " + printable(v.data()) + "."}},
			Publisher: csafPublisher{"other", orText(printable(v.o.Author), v.tool()), orText(bom.WebAddress(v.o.Namespace), "https://tidewaiter.dev")},
			Tracking: csafTracking{
				Status: "final", Version: "1", Initial: stamp, Current: stamp, History: []csafRevision{{stamp, "1", "Scan of the image."}},
				Generator: csafGenerator{csafEngine{v.tool(), v.o.ToolVersion}},
			},
		},
		Tree: csafTree{Products: []csafProduct{{Name: target, ID: csafImage, Helper: csafHelper(bom.ImagePURL(v.Image))}}},
	}
	for _, u := range v.Unknowns {
		root.Document.Notes = append(root.Document.Notes, csafNote{"details", "Not judged", printable(u.String())})
	}
	for _, a := range v.applied() {
		root.Document.Notes = append(root.Document.Notes, csafNote{"details", "Statements and rules", a.text})
	}
	for _, k := range packagesOf(v.Findings) {
		p := &v.Image.Packages[k]
		what := orText(printable(strings.TrimSpace(name(p)+" "+p.Version)), "package")
		id := "package-" + strconv.Itoa(k)
		root.Tree.Products = append(root.Tree.Products, csafProduct{what, id, csafHelper(p.PURL())})
		root.Tree.Relationships = append(root.Tree.Relationships, csafRelationship{
			"default_component_of", csafProduct{Name: what + " as part of " + target, ID: csafImage + ":" + id}, id, csafImage,
		})
	}
	index := map[string]int{}
	for i := range v.Findings {
		f := &v.Findings[i]
		k, ok := index[f.ID]
		if !ok {
			k = len(root.Vulnerabilities)
			index[f.ID] = k
			root.Vulnerabilities = append(root.Vulnerabilities, csafVulnerabilityOf(f))
		}
		v.csafState(&root.Vulnerabilities[k], f)
	}
	if len(root.Vulnerabilities) == 0 {
		root.Document.Category = "csaf_base"
	}
	text, err := toJSON(root)
	if err != nil {
		return err
	}
	root.Document.Tracking.ID = "tidewaiter-" + uuid("csaf", text)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(root)
}

func csafHelper(purl string) map[string]string {
	if _, err := inventory.ParsePURL(purl); err != nil {
		return nil
	}
	return map[string]string{"purl": purl}
}

// csafVulnerabilityOf is what is said of the vulnerability, not of a package.
func csafVulnerabilityOf(f *match.Finding) csafVulnerability {
	out := csafVulnerability{Status: map[string][]string{}}
	text := orText(printable(f.Summary), "The publishers give no description.")
	out.Notes = []csafNote{{"description", "", text}, {"other", "Severity", f.Severity.String()}}
	if s, ok := score(f); ok {
		out.Notes[1].Text += ", CVSS " + strconv.FormatFloat(s.Score, 'f', 1, 64) + " " + printable(s.Vector+" ("+s.Source+")")
	}
	if c := chance(f.EPSS); c != "" {
		out.Notes = append(out.Notes, csafNote{"other", "EPSS", c})
	}
	seen := map[string]bool{}
	for _, id := range append([]string{f.ID}, f.Aliases...) {
		if id = strings.TrimSpace(printable(id)); id == "" || seen[id] {
			continue
		}
		seen[id] = true
		if id == f.ID && advisory.IsCVE(id) {
			out.CVE = id
		} else {
			system, _, _ := strings.Cut(id, "-")
			out.IDs = append(out.IDs, csafID{orText(system, "other"), id})
		}
	}
	if out.CVE == "" && out.IDs == nil {
		out.IDs = []csafID{{"other", "unknown"}}
	}
	if t := f.Published.UTC(); !t.IsZero() && t.Year() > 0 && t.Year() <= 9999 {
		out.Release = t.Format(time.RFC3339)
	}
	for _, l := range links(f) {
		out.References = append(out.References, csafReference{"external", "Advisory", l})
	}
	if f.Exploited != nil {
		out.Threats = append(out.Threats, csafThreat{Category: "exploit_status", Details: exploitDetail(f.Exploited)})
	}
	return out
}

// csafState adds what is said of one package.
func (v *view) csafState(out *csafVulnerability, f *match.Finding) {
	product := csafImage + ":package-" + strconv.Itoa(f.Package)
	state := func(s string) { out.Status[s] = append(out.Status[s], product) }
	switch d := decide(f); d.kind {
	case affected, accepted:
		state("known_affected")
		details := printable(advice(f, v.Package(f)))
		if d.kind == accepted {
			details += " Accepted by the owner, " + printable(f.Suppressed)
		}
		out.remedy(csafRemediation{csafCategory(f.Fix.State), details, []string{product}, bom.WebAddress(f.Fix.URL)})
	case doubtful:
		state("under_investigation")
		out.threaten("impact", "The identity of the package is a guess; certainty "+certainty(f)+".", product)
	case mended:
		state("fixed")
		out.threaten("impact", printable(f.Suppressed), product)
	case exempt:
		state("known_not_affected")
		if d.justification != "" {
			k := slices.IndexFunc(out.Flags, func(x csafFlag) bool { return x.Label == d.justification })
			if k < 0 {
				k = len(out.Flags)
				out.Flags = append(out.Flags, csafFlag{Label: d.justification})
			}
			out.Flags[k].Products = append(out.Flags[k].Products, product)
		}
		out.threaten("impact", printable(f.Suppressed), product)
	}
}

func (c *csafVulnerability) remedy(r csafRemediation) {
	for i := range c.Remediations {
		if have := &c.Remediations[i]; have.Category == r.Category && have.Details == r.Details && have.URL == r.URL {
			have.Products = append(have.Products, r.Products...)
			return
		}
	}
	c.Remediations = append(c.Remediations, r)
}

func (c *csafVulnerability) threaten(category, details, product string) {
	for i := range c.Threats {
		if have := &c.Threats[i]; have.Category == category && have.Details == details {
			have.Products = append(have.Products, product)
			return
		}
	}
	c.Threats = append(c.Threats, csafThreat{category, details, []string{product}})
}

func csafCategory(s advisory.FixState) string {
	switch s {
	case advisory.Fixed:
		return "vendor_fix"
	case advisory.WontFix, advisory.EndOfLife:
		return "no_fix_planned"
	case advisory.NotAFix:
		return "workaround"
	}
	return "none_available"
}
