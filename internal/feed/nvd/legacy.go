package nvd

// legacy is a record of format 1.1: the schema nvd_cve_feed_json_1.1.
type legacy struct {
	CVE struct {
		Meta struct {
			ID string `json:"ID"`
		} `json:"CVE_data_meta"`
		Problem struct {
			Data []struct {
				Descriptions []text `json:"description"`
			} `json:"problemtype_data"`
		} `json:"problemtype"`
		References struct {
			Data []reference `json:"reference_data"`
		} `json:"references"`
		Description struct {
			Data []text `json:"description_data"`
		} `json:"description"`
	} `json:"cve"`
	Configurations struct {
		Nodes []legacyNode `json:"nodes"`
	} `json:"configurations"`
	Impact struct {
		V3 struct {
			CVSS struct {
				Vector   string  `json:"vectorString"`
				Score    float64 `json:"baseScore"`
				Severity string  `json:"baseSeverity"`
			} `json:"cvssV3"`
		} `json:"baseMetricV3"`
		V2 struct {
			CVSS struct {
				Vector string  `json:"vectorString"`
				Score  float64 `json:"baseScore"`
			} `json:"cvssV2"`
			Severity string `json:"severity"`
		} `json:"baseMetricV2"`
	} `json:"impact"`
	Published    string `json:"publishedDate"`
	LastModified string `json:"lastModifiedDate"`
}

type legacyNode struct {
	Operator string       `json:"operator"`
	Negate   bool         `json:"negate"`
	Children []legacyNode `json:"children"`
	Matches  []struct {
		criterion
		URI string `json:"cpe23Uri"`
	} `json:"cpe_match"`
}

// modern writes a record in format 2.0.
func (l *legacy) modern() *cve {
	c := &cve{
		ID: l.CVE.Meta.ID, Published: l.Published, LastModified: l.LastModified,
		Descriptions: l.CVE.Description.Data, References: l.CVE.References.Data,
	}
	for _, p := range l.CVE.Problem.Data {
		c.Weaknesses = append(c.Weaknesses, struct {
			Descriptions []text `json:"description"`
		}{p.Descriptions})
	}
	if v := l.Impact.V3.CVSS; v.Vector != "" {
		var m metric
		m.Type, m.Data.Vector, m.Data.Score, m.Data.Severity = "Primary", v.Vector, v.Score, v.Severity
		c.Metrics.V31 = []metric{m}
	}
	if v := l.Impact.V2.CVSS; v.Vector != "" {
		m := metric{Type: "Primary", Severity: l.Impact.V2.Severity}
		m.Data.Vector, m.Data.Score = v.Vector, v.Score
		c.Metrics.V2 = []metric{m}
	}
	for i := range l.Configurations.Nodes {
		n := &l.Configurations.Nodes[i]
		g := configuration{Operator: n.Operator, Negate: n.Negate}
		if len(n.Matches) > 0 {
			g.Operator = ""
			g.Nodes = append(g.Nodes, n.modern(n.Negate))
			g.Negate = false
		}
		for k := range n.Children {
			g.Nodes = append(g.Nodes, n.Children[k].modern(n.Children[k].Negate))
		}
		if len(n.Matches) > 0 && len(n.Children) > 0 {
			g.Operator = n.Operator
		}
		c.Configurations = append(c.Configurations, g)
	}
	return c
}

func (n *legacyNode) modern(negate bool) node {
	out := node{Operator: n.Operator, Negate: negate}
	for _, m := range n.Matches {
		m.criterion.Criteria = m.URI
		out.Matches = append(out.Matches, m.criterion)
	}
	// Deeper nesting than two levels was never published; what there is counts
	// as one list.
	for i := range n.Children {
		out.Matches = append(out.Matches, n.Children[i].modern(negate).Matches...)
	}
	return out
}
