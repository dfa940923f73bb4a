// Package kev reads the catalogue of vulnerabilities known to be exploited
// that CISA keeps, in both of its forms, JSON and CSV.
package kev

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Catalog{}} }

// Catalog is the catalogue: one [advisory.Exploited] for each CVE.
type Catalog struct{}

var _ feed.Source = Catalog{}

// Info implements [feed.Source].
func (Catalog) Info() feed.Info {
	return feed.Info{
		Name: "kev", Publisher: "CISA", Describes: "vulnerabilities known to be exploited, with the day by which agencies must act",
		URL:     "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
		Licence: "CC0-1.0", Fresh: 48 * time.Hour,
	}
}

// maxEntries bounds the catalogue, which has some thousand.
const maxEntries = 1_000_000

// Fetch implements [feed.Source]. From is the JSON or CSV file, or a folder or
// archive with one of them; where both are, the JSON is read.
func (s Catalog) Fetch(ctx context.Context, in feed.Input, state feed.State) (u *feed.Update, err error) {
	u, err = in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		c := catalog{seen: map[string]bool{}, Output: out}
		return c.members(members, &u.State)
	})
	return u, err
}

// catalog reads one catalogue.
type catalog struct {
	*feed.Output
	seen map[string]bool
}

// members reads the JSON, or failing that the CSV. The CSV, which is small and
// comes first by name, is held until it is known that there is no JSON.
func (c *catalog) members(members iter.Seq2[feed.Member, error], next *feed.State) error {
	var table []byte
	tableName, read := "", ""
	err := c.Each(members, func(m feed.Member) (err error) {
		switch ext := path.Ext(m.Name); {
		case ext == ".csv" && tableName == "":
			tableName = m.Name
			table, err = m.Bytes(nil, feed.MaxRecord)
			return err
		case ext != ".json" && ext != "":
			return nil
		case read != "":
			return fmt.Errorf("%s is there too; one of them must be named", read)
		}
		read = m.Name
		return c.json(m, next)
	})
	switch {
	case err != nil || read != "" || c.Over():
		return err
	case tableName == "":
		return errors.New("there is no catalogue, JSON or CSV")
	}
	if err := c.csv(string(table)); err != nil {
		return fmt.Errorf("reading %s: %w", tableName, err)
	}
	return nil
}

// entry is one vulnerability, as both forms name its fields.
type entry struct {
	ID         string `json:"cveID"`
	Vendor     string `json:"vendorProject"`
	Product    string `json:"product"`
	Name       string `json:"vulnerabilityName"`
	Added      string `json:"dateAdded"`
	Action     string `json:"requiredAction"`
	Due        string `json:"dueDate"`
	Ransomware string `json:"knownRansomwareCampaignUse"`
	Notes      string `json:"notes"`
}

func (c *catalog) json(r io.Reader, next *feed.State) error {
	in := feed.NewJSONReader(r, feed.MaxRecord)
	count, entries, found := -1, 0, false
	for key, err := range in.Object() {
		if err != nil {
			return err
		}
		switch key {
		case "catalogVersion":
			next.Revision, err = in.String()
		case "dateReleased":
			var s string
			s, err = in.String()
			next.Published, _ = time.Parse(time.RFC3339, s)
			next.Published = next.Published.UTC()
		case "count":
			err = in.Decode(&count)
		case "vulnerabilities":
			found = true
			for i, err := range in.Array() {
				if err != nil {
					return err
				}
				if entries++; entries > maxEntries {
					return &feed.LimitError{What: "the catalogue", Limit: "entries", Most: maxEntries}
				}
				var e entry
				switch err := in.Decode(&e); {
				case feed.IsJSONError(err):
					c.Bad(fmt.Sprintf("entry %d", i+1), err)
				case err != nil:
					return err
				default:
					c.give(&e, fmt.Sprintf("entry %d", i+1))
				}
				if c.Over() {
					return nil
				}
			}
		}
		if err != nil {
			return err
		}
	}
	if !found {
		return errors.New("it is no catalogue: it has no vulnerabilities")
	}
	if err := in.End(); err != nil {
		return err
	}
	if count >= 0 && count != entries {
		c.Bad("the catalogue", fmt.Errorf("it announces %d entries and has %d", count, entries))
	}
	return nil
}

func (c *catalog) csv(table string) error {
	in := csv.NewReader(strings.NewReader(strings.TrimPrefix(table, "\ufeff")))
	header, err := in.Read()
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i, h := range header {
		at[h] = i
	}
	if _, ok := at["cveID"]; !ok {
		return fmt.Errorf("it is no catalogue: its first line has no column cveID")
	}
	in.FieldsPerRecord = -1
	for n := 1; ; n++ {
		row, err := in.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := in.FieldPos(0)
		where := fmt.Sprintf("line %d", line)
		if len(row) != len(header) {
			c.Bad(where, fmt.Errorf("it has %d fields, not %d", len(row), len(header)))
			continue
		}
		field := func(name string) string {
			if i, ok := at[name]; ok {
				return row[i]
			}
			return ""
		}
		c.give(&entry{
			ID: field("cveID"), Vendor: field("vendorProject"), Product: field("product"), Name: field("vulnerabilityName"),
			Added: field("dateAdded"), Action: field("requiredAction"), Due: field("dueDate"),
			Ransomware: field("knownRansomwareCampaignUse"), Notes: field("notes"),
		}, where)
		if c.Over() {
			return nil
		}
	}
}

func (c *catalog) give(e *entry, where string) {
	id := strings.TrimSpace(e.ID)
	added, err1 := date(e.Added)
	due, err2 := date(e.Due)
	switch {
	case !advisory.IsCVE(id):
		c.Bad(where, fmt.Errorf("%q is no CVE identifier", id[:min(len(id), 80)]))
		return
	case c.seen[id]:
		c.Bad(id, errors.New("it is there twice"))
		return
	case err1 != nil || err2 != nil:
		c.Bad(id, cmp.Or(err1, err2))
		return
	}
	c.seen[id] = true
	c.Yield(feed.Item{Exploited: &advisory.Exploited{
		Source: "kev", ID: id, Added: added, Due: due, Ransomware: strings.EqualFold(strings.TrimSpace(e.Ransomware), "known"),
		Vendor: strings.TrimSpace(e.Vendor), Product: strings.TrimSpace(e.Product), Name: strings.TrimSpace(e.Name),
		Action: strings.TrimSpace(e.Action), Notes: strings.TrimSpace(e.Notes),
	}}, nil)
}

// date reads a day; "" is none.
func date(s string) (time.Time, error) {
	if s = strings.TrimSpace(s); s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.DateOnly, s)
}
