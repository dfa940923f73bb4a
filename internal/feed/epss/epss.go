// Package epss reads the Exploit Prediction Scoring System's daily scores: the
// probability that a vulnerability is exploited within 30 days.
package epss

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Scores{}} }

// Scores are the scores of one day, one [advisory.EPSS] for each CVE.
type Scores struct{}

var _ feed.Source = Scores{}

// Info implements [feed.Source].
func (Scores) Info() feed.Info {
	return feed.Info{
		Name: "epss", Publisher: "FIRST", Describes: "probability that a vulnerability is exploited within 30 days",
		URL:     "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
		Licence: "free to use with attribution to FIRST", Fresh: 72 * time.Hour,
	}
}

const (
	maxRows = 50_000_000
	maxLine = 64 << 10
)

// Fetch implements [feed.Source]. From is the CSV of one day or a folder or
// archive with those of several. The day is that of the comment in the first
// line or, in files of before 2022, which have none, that of the file's name.
func (s Scores) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	u := &feed.Update{Whole: true, State: feed.State{Fetched: time.Now().UTC()}}
	if in.From != "" {
		u.Items = feed.Items(func(out *feed.Output) error { return reader{out}.files(ctx, in.From, &u.State) })
		return u, nil
	}
	u, d, err := in.Latest(ctx, s.Info().URL, state, feed.Conditional{})
	if d == nil {
		return u, err
	}
	u.Items = feed.Items(func(out *feed.Output) error {
		defer d.Close()
		body, err := d.Unpacked(feed.Limits{})
		if err != nil {
			return err
		}
		defer body.Close()
		if err := (reader{out}).table(body, path.Base(d.URL), &u.State); err != nil {
			return fmt.Errorf("reading %s: %w", d.URL, err)
		}
		return nil
	})
	return u, nil
}

type reader struct{ *feed.Output }

func (r reader) files(ctx context.Context, from string, next *feed.State) error {
	found := false
	err := r.Each(feed.Members(ctx, from, feed.Limits{}), func(m feed.Member) error {
		if ext := path.Ext(m.Name); ext != ".csv" && ext != "" {
			return nil
		}
		found = true
		return r.table(m, m.Name, next)
	})
	if err == nil && !found {
		err = errors.New("there is no table of scores")
	}
	return err
}

var dayInName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:^|\D)(\d{4}-\d\d-\d\d)(?:\D|$)`) })

// head is what stands before the rows.
type head struct {
	model string
	day   time.Time
	known bool // that the header names columns we know
	third bool // there is a percentile
}

// comment reads "#model_version:v2025.03.14,score_date:2026-05-17T00:00:00+0000".
func (h *head) comment(line string) error {
	for part := range strings.SplitSeq(strings.TrimPrefix(line, "#"), ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		switch key {
		case "model_version":
			h.model = value
		case "score_date":
			day, _, _ := strings.Cut(value, "T")
			t, err := time.Parse(time.DateOnly, day)
			if err != nil {
				return fmt.Errorf("reading the date of the scores: %w", err)
			}
			h.day = t
		}
	}
	return nil
}

// table reads one day's scores.
func (r reader) table(in io.Reader, name string, next *feed.State) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	var h head
	rows := 0
	for n := 1; lines.Scan(); n++ {
		line := lines.Bytes()
		if n == 1 && len(line) >= 3 && string(line[:3]) == "\xef\xbb\xbf" {
			line = line[3:]
		}
		if len(line) > 0 && line[len(line)-1] == '\r' {
			line = line[:len(line)-1]
		}
		switch {
		case len(line) == 0:
		case line[0] == '#':
			if err := h.comment(string(line)); err != nil {
				return err
			}
		case !h.known:
			switch string(line) {
			case "cve,epss,percentile":
				h.third = true
			case "cve,epss":
			default:
				return fmt.Errorf("its columns are %q, not cve,epss,percentile", line[:min(len(line), 80)])
			}
			if h.known = true; h.day.IsZero() {
				if m := dayInName().FindStringSubmatch(path.Base(name)); m != nil {
					h.day, _ = time.Parse(time.DateOnly, m[1])
				}
				if h.day.IsZero() {
					return errors.New("nothing says of which day the scores are: neither a comment with score_date nor the file's name")
				}
			}
			if h.day.After(next.Published) {
				next.Published, next.Revision = h.day, strings.TrimSpace(h.model+" "+h.day.Format(time.DateOnly))
			}
		default:
			if rows++; rows > maxRows {
				return &feed.LimitError{What: name, Limit: "rows", Most: maxRows}
			}
			e, err := row(string(line), h.third)
			if err != nil {
				r.Bad(fmt.Sprintf("%s, line %d", name, n), err)
			} else {
				e.Date = h.day
				r.Yield(feed.Item{EPSS: e}, nil)
			}
			if r.Over() {
				return nil
			}
		}
	}
	if err := lines.Err(); err != nil {
		if err == bufio.ErrTooLong {
			err = &feed.LimitError{What: name, Limit: "bytes of one line", Most: maxLine}
		}
		return err
	}
	if !h.known {
		return errors.New("it is no table of scores: it has no header")
	}
	return nil
}

func row(line string, third bool) (*advisory.EPSS, error) {
	id, rest, ok := strings.Cut(line, ",")
	score, percentile, more := strings.Cut(rest, ",")
	if !ok || more != third || strings.Contains(percentile, ",") {
		return nil, fmt.Errorf("it has %d fields", strings.Count(line, ",")+1)
	}
	if !advisory.IsCVE(id) {
		return nil, fmt.Errorf("%q is no CVE identifier", id[:min(len(id), 80)])
	}
	e := &advisory.EPSS{ID: id}
	var err error
	if e.Score, err = share(score); err == nil && third {
		e.Percentile, err = share(percentile)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	return e, nil
}

// share reads a number from 0 to 1.
func share(s string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x >= 0 && x <= 1) {
		return 0, fmt.Errorf("%q is no number from 0 to 1", s[:min(len(s), 80)])
	}
	return x, nil
}
