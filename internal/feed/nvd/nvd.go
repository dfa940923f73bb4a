// Package nvd reads the National Vulnerability Database: the CVE API 2.0, the
// yearly feeds in the same format, the retired feeds 1.1, and the corrections
// of its configurations that the project nvd-data-overrides collects. What the
// CPE names match is left to others.
package nvd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package, the API without a key.
func Sources() []feed.Source { return []feed.Source{NVD{}, Overrides{}} }

// NVD is the database itself, one advisory for each CVE. Its claims stand in
// the stream "cpe": a criterion that is vulnerable gives one, joined with those
// that differ in the version only. What a criterion demands to be there as well
// ("running on/with") is in Affected.With.
//
// The first update reads the yearly feeds, which takes a minute where the API
// takes a quarter of an hour; later ones ask the API for what was modified
// since. An address that contains YEAR stands for yearly feeds always, any other
// for an API. Nothing is ever taken back: what is rejected stays as a withdrawn
// advisory.
type NVD struct {
	Key string // of the API; without one it is asked every 6 seconds only
}

var _ feed.Source = NVD{}

const (
	apiURL  = "https://services.nvd.nist.gov/rest/json/cves/2.0"
	feedURL = "https://nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-YEAR.json.gz"

	firstYear = 2002 // its feed holds the years before too
	maxSpan   = 119 * 24 * time.Hour
	pageSize  = 2000
	maxPages  = 10_000
	// overlap is asked for again, since records become visible some time after
	// the instant they bear.
	overlap = time.Hour
)

// Info implements [feed.Source].
func (NVD) Info() feed.Info {
	return feed.Info{
		Name: "nvd", Publisher: "NIST", Describes: "National Vulnerability Database: every CVE, with CVSS, CWE and the products concerned as CPE",
		URL: apiURL, Streams: []string{"cpe"}, Licence: "public domain", Fresh: 48 * time.Hour, Priority: 10,
	}
}

// Fetch implements [feed.Source]. From is a feed file, an API page, or a folder
// or archive of them, format 2.0 or 1.1. Where a CVE is in several of them,
// files named modified or recent come before the others, and 2.0 before 1.1.
// What comes from files is added to what is known: a file need not be all.
func (s NVD) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	now := time.Now().UTC()
	u := &feed.Update{State: feed.State{Fetched: now, Published: state.Published, Revision: state.Revision}}
	r := &reader{seen: map[string]struct{}{}}
	address := cmp.Or(in.URL, apiURL)
	behind := state.Published.IsZero() || now.Sub(state.Published) > maxSpan
	switch {
	case in.From != "":
		u.State.Parts = state.Parts
		u.Items = r.items(func() error { return r.files(ctx, in.From) })
	case strings.Contains(address, "YEAR"):
		u.Whole = len(state.Parts) == 0
		u.Items = r.items(func() error { return r.years(ctx, in.Client, address, state.Parts, now, &u.State) })
	case address == apiURL && behind:
		u.Whole = true
		u.Items = r.items(func() error { return r.years(ctx, in.Client, feedURL, nil, now, &u.State) })
	default:
		q := url.Values{"resultsPerPage": {strconv.Itoa(pageSize)}}
		if behind {
			u.Whole = true
		} else {
			const layout = "2006-01-02T15:04:05.000-07:00"
			q.Set("lastModStartDate", state.Published.Add(-overlap).UTC().Format(layout))
			q.Set("lastModEndDate", now.Format(layout))
		}
		u.Items = r.items(func() error { return s.pages(ctx, r, in.Client, address, q, &u.State) })
	}
	return u, nil
}

// years reads the feeds of all years; of those in parts only what is newer.
func (r *reader) years(ctx context.Context, c *feed.Client, address string, parts map[string]string, now time.Time, next *feed.State) error {
	next.Parts = map[string]string{}
	var newest time.Time
	for year := firstYear; year <= now.Year(); year++ {
		name := strconv.Itoa(year)
		d, err := c.Get(ctx, strings.ReplaceAll(address, "YEAR", name), condition(parts[name]))
		if status := (*feed.StatusError)(nil); errors.As(err, &status) && status.Code == http.StatusNotFound && year == now.Year() && year > firstYear {
			continue // in the first days of January
		}
		if err != nil {
			return err
		}
		next.Parts[name] = cmp.Or(d.ETag, d.LastModified)
		if d.NotModified {
			next.Parts[name] = parts[name]
			d.Close()
			continue
		}
		p, err := r.unpack(d)
		if err == nil && (p.records < p.total || p.total == 0 && p.records == 0) {
			err = fmt.Errorf("reading %s: it announces %d records and has %d", d.URL, p.total, p.records)
		}
		if err != nil || r.Over() {
			return err
		}
		if t := date(p.timestamp); t.After(newest) {
			newest = t
		}
	}
	// All years are looked at every night, and written where something changed.
	// Some may be of the night before where that was going on just now.
	if !newest.IsZero() {
		newest = newest.Add(-24 * time.Hour)
		next.Published, next.Revision = newest, newest.Format(time.RFC3339)
	}
	return nil
}

// condition makes a conditional request of what is remembered of a part: an
// ETag or, where the server has none, a date.
func condition(part string) feed.Conditional {
	if _, err := http.ParseTime(part); err == nil {
		return feed.Conditional{LastModified: part}
	}
	return feed.Conditional{ETag: part}
}

// pages reads the API page by page, at the pace that NVD asks for.
func (s NVD) pages(ctx context.Context, r *reader, c *feed.Client, address string, q url.Values, next *feed.State) error {
	base, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("reading the address of a feed: %w", err)
	}
	for k, v := range base.Query() {
		q[k] = v
	}
	pause, header := 6*time.Second, http.Header{}
	if s.Key != "" {
		pause = 600 * time.Millisecond
		header.Set("apiKey", s.Key)
	}
	for n, at := 0, 0; ; n++ {
		if n >= maxPages {
			return &feed.LimitError{What: address, Limit: "pages", Most: maxPages}
		}
		if n > 0 {
			if err := wait(ctx, c, pause); err != nil {
				return err
			}
		}
		q.Set("startIndex", strconv.Itoa(at))
		base.RawQuery = q.Encode()
		d, err := c.Get(ctx, base.String(), feed.Conditional{Header: header})
		if err != nil {
			return err
		}
		p, err := r.unpack(d)
		if err != nil || r.Over() {
			return err
		}
		if p.start != at || p.records == 0 && at < p.total {
			return fmt.Errorf("%s: the page from %d on begins at %d and has %d of %d records", address, at, p.start, p.records, p.total)
		}
		if t := date(p.timestamp); n == 0 {
			if t.IsZero() {
				t = next.Fetched
			}
			next.Published, next.Revision = t, t.Format(time.RFC3339)
		}
		if at += p.records; at >= p.total {
			return nil
		}
	}
}

func wait(ctx context.Context, c *feed.Client, d time.Duration) error {
	if c != nil && c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
