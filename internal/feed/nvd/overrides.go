package nvd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Overrides are the configurations that the project nvd-data-overrides gives to
// CVEs which NVD has not analysed, or not well: partial records of format 2.0,
// one advisory for each, whose configurations stand for NVD's: a product that
// they leave out is not affected. A criterion that is not vulnerable and stands
// alone says that its product is not affected. A record whose criteria name no
// product ("null:null": NVD's are too wide) claims just that. One without
// configurations says nothing of NVD's.
type Overrides struct{}

var _ feed.Source = Overrides{}

// Info implements [feed.Source].
func (Overrides) Info() feed.Info {
	return feed.Info{
		Partial: []string{"cpe"}, Name: "nvd-overrides", Replaces: "nvd", Publisher: "Anchore", Describes: "corrected and missing CPE configurations of NVD",
		URL:     "https://github.com/anchore/nvd-data-overrides/archive/refs/heads/main.tar.gz",
		Streams: []string{"cpe"}, Licence: "CC0-1.0", Fresh: 7 * 24 * time.Hour, Priority: 15,
	}
}

// override is one record.
type override struct {
	Annotation struct {
		ID          string   `json:"cve_id"`
		Description string   `json:"description"`
		Modified    string   `json:"modified"`
		Published   string   `json:"published"`
		Reason      string   `json:"reason"`
		References  []string `json:"references"`
	} `json:"_annotation"`
	CVE struct {
		Configurations []configuration `json:"configurations"`
		References     []reference     `json:"references"`
	} `json:"cve"`
}

// Fetch implements [feed.Source]. From is the repository as a folder or
// archive, one file CVE-….json a record, or a file with one record a line.
func (s Overrides) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		r := &reader{Output: out, seen: map[string]struct{}{}}
		found := false
		err := r.Each(members, func(m feed.Member) error {
			switch base := path.Base(m.Name); {
			case strings.HasSuffix(base, ".jsonl"):
				found = true
				return r.lines(m)
			case strings.HasSuffix(base, ".json") && strings.HasPrefix(base, "CVE-"):
				found = true
				raw, err := m.Bytes(nil, feed.MaxRecord)
				if err == nil {
					r.override(raw, m.Name)
				}
				return err
			}
			return nil
		})
		if err == nil && !found {
			err = errors.New("there is no record: neither a file CVE-….json nor one .jsonl")
		}
		return err
	})
}

// lines reads JSON Lines.
func (r *reader) lines(m feed.Member) error {
	in := bufio.NewReaderSize(m, 256<<10)
	var long []byte
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		for err == bufio.ErrBufferFull && len(long)+len(line) <= feed.MaxRecord {
			long = append(long, line...)
			line, err = in.ReadSlice('\n')
		}
		if err == bufio.ErrBufferFull {
			return &feed.LimitError{What: fmt.Sprintf("line %d", n), Limit: "bytes of one record", Most: feed.MaxRecord}
		}
		if err != nil && err != io.EOF {
			return err
		}
		if len(long) > 0 {
			line = append(long, line...)
			long = line[:0]
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			r.override(line, fmt.Sprintf("%s, line %d", m.Name, n))
		}
		if err == io.EOF || r.Over() {
			return nil
		}
	}
}

func (r *reader) override(raw []byte, where string) {
	var o override
	if err := json.Unmarshal(raw, &o); err != nil {
		r.Bad(where, err)
		return
	}
	id := o.Annotation.ID
	if !advisory.IsCVE(id) {
		r.Bad(where, fmt.Errorf("%q is no CVE identifier", shorten(id)))
		return
	}
	a := &advisory.Advisory{
		Source: "nvd-overrides", ID: id, Details: o.Annotation.Description, URL: "https://nvd.nist.gov/vuln/detail/" + id,
		Published: date(o.Annotation.Published), Modified: date(o.Annotation.Modified),
	}
	if o.Annotation.Reason != "" {
		a.Details = strings.TrimSpace(a.Details + "\n\nWhy NVD's data is overridden: " + o.Annotation.Reason)
	}
	refs := o.CVE.References
	for _, u := range o.Annotation.References {
		refs = append(refs, reference{URL: u})
	}
	a.References = references(refs)
	var problems []error
	a.Affected, problems = affected(o.CVE.Configurations)
	not, more := unaffected(o.CVE.Configurations)
	a.Affected = append(a.Affected, not...)
	if len(a.Affected) == 0 && namesNothing(o.CVE.Configurations) {
		a.Affected = []advisory.Affected{{
			Key: advisory.Key{Stream: "cpe", Name: "null:null"}, Scheme: version.Generic, Status: advisory.StatusNotAffected, Note: "no product that can be named is affected",
		}}
	}
	for _, err := range append(problems, more...) {
		r.Bad(id, err)
	}
	r.Yield(feed.Item{Advisory: a}, nil)
}

// namesNothing reports whether there are criteria and none is about a product.
func namesNothing(cs []configuration) bool {
	some := false
	for _, c := range cs {
		for _, n := range c.Nodes {
			for _, m := range n.Matches {
				if !strings.HasPrefix(m.Criteria, "cpe:2.3:a:null:null:") {
					return false
				}
				some = true
			}
		}
	}
	return some
}

// unaffected turns the criteria that are not vulnerable and stand for
// themselves into claims that say so.
func unaffected(cs []configuration) ([]advisory.Affected, []error) {
	var alone []configuration
	for _, c := range cs {
		if c.Operator == "AND" || c.Negate {
			continue
		}
		for _, n := range c.Nodes {
			if n.Operator == "AND" || n.Negate {
				continue
			}
			not := node{}
			for _, m := range n.Matches {
				if !m.Vulnerable && !strings.HasPrefix(m.Criteria, "cpe:2.3:a:null:null:") {
					m.Vulnerable = true
					not.Matches = append(not.Matches, m)
				}
			}
			if len(not.Matches) > 0 {
				alone = append(alone, configuration{Nodes: []node{not}})
			}
		}
	}
	out, problems := affected(alone)
	for i := range out {
		out[i].Status = advisory.StatusNotAffected
	}
	return out, problems
}
