package nvd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// reader turns pages and feed files into items.
type reader struct {
	*feed.Output
	seen map[string]struct{} // CVEs given already
}

// items makes the sequence of what read gives.
func (r *reader) items(read func() error) iter.Seq2[feed.Item, error] {
	return feed.Items(func(out *feed.Output) error {
		r.Output = out
		return read()
	})
}

// page is what stands round the records.
type page struct {
	records, total, start int
	format, timestamp     string
}

// unpack reads a download and closes it.
func (r *reader) unpack(d *feed.Download) (page, error) {
	defer d.Close()
	body, err := d.Unpacked(feed.Limits{})
	if err != nil {
		return page{}, err
	}
	defer body.Close()
	p, err := r.page(body, d.URL)
	if err != nil {
		err = fmt.Errorf("reading %s: %w", d.URL, err)
	}
	return p, err
}

var errStopped = errors.New("the caller has enough")

// page reads one JSON text, of format 2.0 or 1.1 by what is in it.
func (r *reader) page(body io.Reader, name string) (page, error) {
	p := page{}
	in := feed.NewJSONReader(body, feed.MaxRecord)
	found := false
	for key, err := range in.Object() {
		if err != nil {
			return p, err
		}
		switch key {
		case "format":
			if err = in.Decode(&p.format); err == nil && p.format != "NVD_CVE" {
				err = fmt.Errorf("the format is %q, not NVD_CVE", p.format)
			}
		case "timestamp", "CVE_data_timestamp":
			err = in.Decode(&p.timestamp)
		case "totalResults":
			err = in.Decode(&p.total)
		case "startIndex":
			err = in.Decode(&p.start)
		case "vulnerabilities":
			found = true
			err = r.records(in, name, &p, func() (*cve, error) {
				var v struct{ CVE *cve }
				err := in.Decode(&v)
				return v.CVE, err
			})
		case "CVE_Items":
			found = true
			err = r.records(in, name, &p, func() (*cve, error) {
				var v legacy
				err := in.Decode(&v)
				return v.modern(), err
			})
			p.total = p.records
		}
		if err != nil {
			if err == errStopped {
				err = nil
			}
			return p, err
		}
	}
	if !found && (p.format == "" || p.total > 0) {
		return p, errors.New(`it has neither "vulnerabilities" (NVD 2.0) nor "CVE_Items" (NVD 1.1)`)
	}
	return p, in.End()
}

func (r *reader) records(in *feed.JSONReader, name string, p *page, next func() (*cve, error)) error {
	for i, err := range in.Array() {
		if err != nil {
			return err
		}
		c, err := next()
		p.records++
		where := func() string { return fmt.Sprintf("%s, record %d", name, i+1) }
		switch {
		case feed.IsJSONError(err):
			r.Bad(where(), err)
		case err != nil:
			return err
		case c == nil:
			r.Bad(where(), errors.New("it has no cve"))
		default:
			r.record(c, where)
		}
		if r.Over() {
			return errStopped
		}
	}
	return nil
}

func (r *reader) record(c *cve, where func() string) {
	if _, twice := r.seen[c.ID]; twice {
		return
	}
	a, problems, err := c.advisory()
	if err != nil {
		r.Bad(where(), err)
		return
	}
	r.seen[a.ID] = struct{}{}
	for _, err := range problems {
		r.Bad(a.ID, err)
	}
	r.Yield(feed.Item{Advisory: a}, nil)
}

// kind is what a file holds, in the order in which files are read.
type kind int

const (
	recent kind = iota // what changed lately
	modern
	recentLegacy
	retired
	foreign
)

func kindOf(name string, head []byte) kind {
	base := strings.ToLower(path.Base(name))
	lately := strings.Contains(base, "modified") || strings.Contains(base, "recent")
	switch {
	case bytes.Contains(head, []byte(`"CVE_data_`)), bytes.Contains(head, []byte(`"CVE_Items"`)):
		if lately {
			return recentLegacy
		}
		return retired
	case bytes.Contains(head, []byte(`"NVD_CVE"`)), bytes.Contains(head, []byte(`"vulnerabilities"`)):
		if lately {
			return recent
		}
		return modern
	}
	return foreign
}

// files reads a file, folder or archive. It goes through it once to tell what
// is there, and once for every kind, so that the best version of a CVE is the
// first.
func (r *reader) files(ctx context.Context, from string) error {
	kinds := map[string]kind{}
	var there [foreign]bool
	head := make([]byte, 4096)
	var foreigners []string
	only, members := "", 0
	err := r.Each(feed.Members(ctx, from, feed.Limits{}), func(m feed.Member) error {
		n, err := io.ReadFull(m, head)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		k := kindOf(m.Name, head[:n])
		kinds[m.Name] = k
		only, members = m.Name, members+1
		if k < foreign {
			there[k] = true
		} else if strings.EqualFold(path.Ext(m.Name), ".json") {
			foreigners = append(foreigners, m.Name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if members == 1 && kinds[only] == foreign { // say what is wrong with it
		kinds[only], there[modern] = modern, true
		foreigners = nil
	}
	for _, name := range foreigners {
		r.Bad(name, errors.New("it is no CVE feed of NVD, 2.0 or 1.1"))
	}
	if there == [foreign]bool{} {
		return fmt.Errorf("%s: there is no CVE feed of NVD, 2.0 or 1.1", from)
	}
	for k := range foreign {
		if !there[k] {
			continue
		}
		err := r.Each(feed.Members(ctx, from, feed.Limits{}), func(m feed.Member) error {
			if kinds[m.Name] != k {
				return nil
			}
			_, err := r.page(m, m.Name)
			return err
		})
		if err != nil || r.Over() {
			return err
		}
	}
	return nil
}
