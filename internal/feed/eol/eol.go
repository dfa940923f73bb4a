// Package eol reads endoflife.date: the release lines of products and when
// their support ends. Both versions of its API are read, told by content.
package eol

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Products{}} }

// Products are all products, one [advisory.Cycle] for each release line.
//
// The default address is version 1 of the API, all products in one answer. An
// address that answers with a list of names is version 0: the products are
// then fetched one by one from beside it.
type Products struct{}

var _ feed.Source = Products{}

// Info implements [feed.Source].
func (Products) Info() feed.Info {
	return feed.Info{
		Name: "eol", Publisher: "endoflife.date", Describes: "release lines of distributions and products, and the end of their support",
		URL: "https://endoflife.date/api/v1/products/full", Licence: "MIT", Fresh: 14 * 24 * time.Hour,
	}
}

// maxProducts bounds the list of version 0, which has some hundred.
const maxProducts = 20_000

// Fetch implements [feed.Source]. From is a file of version 1, the file
// PRODUCT.json of one product (version 0), or a folder or archive with those of
// all of them; identifiers.json, if it is there, is a list of {product, type,
// id}.
func (s Products) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC()}}
	if in.From != "" {
		u.Items = items(func(r *reader) error { return r.files(ctx, in.From, &u.State) })
		return u, nil
	}
	address := cmp.Or(in.URL, s.Info().URL)
	u, d, err := in.Latest(ctx, address, state, feed.Conditional{MaxBytes: 256 << 20})
	if d == nil {
		return u, err
	}
	u.Items = items(func(r *reader) error {
		defer d.Close()
		body, err := d.Unpacked(feed.Limits{})
		if err != nil {
			return err
		}
		defer body.Close()
		j := feed.NewJSONReader(body, feed.MaxRecord)
		if j.Kind() == '[' {
			// The list of names changes less often than what it names.
			u.State.ETag, u.State.LastModified = "", ""
			err = r.list(ctx, in.Client, address, j)
		} else {
			err = r.full(j, &u.State)
		}
		if err != nil {
			err = fmt.Errorf("reading %s: %w", address, err)
		}
		return err
	})
	return u, nil
}

// reader turns files and answers into items.
type reader struct {
	*feed.Output
	seen        map[string]bool     // product and cycle
	identifiers map[string][]string // by product, of version 0
}

func items(read func(*reader) error) iter.Seq2[feed.Item, error] {
	return feed.Items(func(out *feed.Output) error {
		return read(&reader{Output: out, seen: map[string]bool{}, identifiers: map[string][]string{}})
	})
}

// files goes through a folder twice: identifiers stand in a file of their own,
// and products come before it.
func (r *reader) files(ctx context.Context, from string, next *feed.State) error {
	expected := map[string]bool{}
	err := r.each(ctx, from, func(m feed.Member, name string) error {
		switch name {
		case "identifiers":
			return r.readIdentifiers(m)
		case "all":
			names, err := readNames(feed.NewJSONReader(m, feed.MaxRecord))
			for _, n := range names {
				expected[n] = true
			}
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	found := false
	err = r.each(ctx, from, func(m feed.Member, name string) error {
		if name == "identifiers" || name == "all" {
			return nil
		}
		found = true
		delete(expected, name)
		j := feed.NewJSONReader(m, feed.MaxRecord)
		if j.Kind() == '{' {
			return r.full(j, next)
		}
		return r.product(j, name)
	})
	if err == nil && !found {
		err = errors.New("there is no product")
	}
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		r.Bad(name, errors.New("the list names this product, but there is no file of it"))
	}
	return err
}

// each calls f for every JSON file until it fails or nobody wants more.
func (r *reader) each(ctx context.Context, from string, f func(m feed.Member, name string) error) error {
	return r.Each(feed.Members(ctx, from, feed.Limits{}), func(m feed.Member) error {
		name, ok := strings.CutSuffix(path.Base(m.Name), ".json")
		if !ok {
			return nil
		}
		return f(m, name)
	})
}

func readNames(j *feed.JSONReader) ([]string, error) {
	var out []string
	for _, err := range j.Array() {
		if err != nil {
			return nil, err
		}
		if len(out) >= maxProducts {
			return nil, &feed.LimitError{What: "the list", Limit: "products", Most: maxProducts}
		}
		name, err := j.String()
		if err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, j.End()
}

func (r *reader) readIdentifiers(m feed.Member) error {
	j := feed.NewJSONReader(m, feed.MaxRecord)
	for i, err := range j.Array() {
		if err != nil {
			return err
		}
		var id struct{ Product, Type, ID string }
		switch err := j.Decode(&id); {
		case feed.IsJSONError(err):
			r.Bad(fmt.Sprintf("%s, entry %d", m.Name, i+1), err)
		case err != nil:
			return err
		case id.Product != "" && id.ID != "":
			r.identifiers[id.Product] = append(r.identifiers[id.Product], identifier(id.Type, id.ID))
		}
	}
	return j.End()
}

// identifier writes what kind it is before an identifier; CPE names say so
// themselves.
func identifier(kind, id string) string {
	if kind == "" || strings.HasPrefix(id, "cpe:") {
		return id
	}
	return kind + ":" + id
}

// list fetches the products of version 0 one by one.
func (r *reader) list(ctx context.Context, c *feed.Client, address string, j *feed.JSONReader) error {
	names, err := readNames(j)
	if err != nil {
		return err
	}
	base, err := url.Parse(address)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "/\\?#") || strings.HasPrefix(name, ".") {
			r.Bad(shorten(name), errors.New("it is no name of a product"))
			continue
		}
		d, err := c.Get(ctx, base.ResolveReference(&url.URL{Path: "./" + name + ".json"}).String(), feed.Conditional{MaxBytes: feed.MaxRecord})
		if err != nil {
			return err
		}
		err = r.product(feed.NewJSONReader(d, feed.MaxRecord), name)
		d.Close()
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		if r.Over() {
			return nil
		}
	}
	return nil
}

// flag is a value that is a date, or only yes or no.
type flag struct {
	yes  bool
	date time.Time
}

func (f *flag) UnmarshalJSON(b []byte) error {
	*f = flag{}
	switch {
	case bytes.Equal(b, []byte("null")), bytes.Equal(b, []byte("false")):
		return nil
	case bytes.Equal(b, []byte("true")):
		f.yes = true
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil || s == "" {
		return err
	}
	t, err := time.Parse(time.DateOnly, s)
	f.yes, f.date = true, t
	return err
}

// word is a string, or what was written without quotes.
type word string

func (w *word) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		err := json.Unmarshal(b, &s)
		*w = word(s)
		return err
	}
	if b[0] == '{' || b[0] == '[' {
		return fmt.Errorf("%.20q is no word", b)
	}
	if string(b) == "null" || string(b) == "false" {
		b = nil
	}
	*w = word(b)
	return nil
}

// cycle is a release line in version 0.
type cycle struct {
	Cycle    word   `json:"cycle"`
	Codename string `json:"codename"`
	Released flag   `json:"releaseDate"`
	Support  flag   `json:"support"`
	EOL      flag   `json:"eol"`
	Extended flag   `json:"extendedSupport"`
	EOES     flag   `json:"eoes"` // the same, as the site's sources call it; some products have it so
	Latest   word   `json:"latest"`
	LTS      flag   `json:"lts"`
}

// product reads the release lines of one product.
func (r *reader) product(j *feed.JSONReader, name string) error {
	identifiers := sorted(r.identifiers[name])
	for i, err := range j.Array() {
		if err != nil {
			return err
		}
		var c cycle
		switch err := j.Decode(&c); {
		case feed.IsJSONError(err):
			r.Bad(fmt.Sprintf("%s, cycle %d", name, i+1), err)
		case err != nil:
			return err
		default:
			if c.Extended.date.IsZero() {
				c.Extended = c.EOES
			}
			r.give(&advisory.Cycle{
				Product: name, Cycle: string(c.Cycle), Released: c.Released.date, Support: c.Support.date, EOL: c.EOL.date,
				Extended: c.Extended.date, Ended: c.EOL.yes && c.EOL.date.IsZero(), Latest: string(c.Latest), Codename: c.Codename,
				LTS: c.LTS.yes, Identifiers: identifiers,
			})
		}
		if r.Over() {
			return nil
		}
	}
	return j.End()
}

// full reads version 1 of the API, the answer for all products or for one.
func (r *reader) full(j *feed.JSONReader, next *feed.State) error {
	found := false
	for key, err := range j.Object() {
		if err != nil {
			return err
		}
		switch key {
		case "generated_at":
			var s string
			if s, err = j.String(); err == nil {
				next.Published, _ = time.Parse(time.RFC3339, s)
				next.Published, next.Revision = next.Published.UTC(), s
			}
		case "result":
			found = true
			if j.Kind() == '{' {
				err = r.decodeProduct(j, 0)
				break
			}
			for i, err := range j.Array() {
				if err != nil {
					return err
				}
				if err := r.decodeProduct(j, i); err != nil {
					return err
				}
				if r.Over() {
					return nil
				}
			}
		}
		if err != nil {
			return err
		}
	}
	if !found {
		return errors.New("it is no answer of endoflife.date: it has no result")
	}
	return j.End()
}

// product1 is a product in version 1.
type product1 struct {
	Name        string `json:"name"`
	Identifiers []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	} `json:"identifiers"`
	Releases []json.RawMessage `json:"releases"`
}

type release struct {
	Name     word   `json:"name"`
	Codename string `json:"codename"`
	Released flag   `json:"releaseDate"`
	LTS      bool   `json:"isLts"`
	LTSFrom  flag   `json:"ltsFrom"`
	Support  flag   `json:"eoasFrom"` // end of active support
	Ended    bool   `json:"isEol"`
	EOL      flag   `json:"eolFrom"`
	Extended flag   `json:"eoesFrom"` // end of extended support
	Latest   *struct {
		Name word `json:"name"`
	} `json:"latest"`
}

func (r *reader) decodeProduct(j *feed.JSONReader, i int) error {
	var p product1
	err := j.Decode(&p)
	switch {
	case feed.IsJSONError(err):
		r.Bad(fmt.Sprintf("product %d", i+1), err)
		return nil
	case err != nil:
		return err
	case p.Name == "":
		r.Bad(fmt.Sprintf("product %d", i+1), errors.New("it has no name"))
		return nil
	}
	var ids []string
	for _, id := range p.Identifiers {
		ids = append(ids, identifier(id.Type, id.ID))
	}
	ids = sorted(ids)
	for k, raw := range p.Releases {
		var c release
		if err := json.Unmarshal(raw, &c); err != nil {
			r.Bad(fmt.Sprintf("%s, release %d", shorten(p.Name), k+1), err)
			continue
		}
		out := &advisory.Cycle{
			Product: p.Name, Cycle: string(c.Name), Released: c.Released.date, Support: c.Support.date, EOL: c.EOL.date,
			Extended: c.Extended.date, Ended: c.Ended && c.EOL.date.IsZero(), Codename: c.Codename, LTS: c.LTS || c.LTSFrom.yes, Identifiers: ids,
		}
		if c.Latest != nil {
			out.Latest = string(c.Latest.Name)
		}
		if r.give(out); r.Over() {
			break
		}
	}
	return nil
}

func (r *reader) give(c *advisory.Cycle) {
	c.Source = "eol"
	key := c.Product + "/" + c.Cycle
	switch {
	case c.Cycle == "":
		r.Bad(shorten(c.Product), errors.New("a release line has no name"))
	case r.seen[key]:
		r.Bad(shorten(key), errors.New("it is there twice"))
	default:
		r.seen[key] = true
		r.Yield(feed.Item{Cycle: c}, nil)
	}
}

func sorted(ids []string) []string {
	slices.Sort(ids)
	return slices.Compact(ids)
}

func shorten(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return strings.ToValidUTF8(s, "\ufffd")
}
