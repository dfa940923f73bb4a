// Package feedtest is what the tests of feeds have in common: where the real
// feeds are, what a fetch brings, and how claims are looked at. Only tests
// import it.
package feedtest

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Result is everything that an update brings.
type Result struct {
	Items      []feed.Item                   // in their order
	Advisories map[string]*advisory.Advisory // those among Items, by identifier
	Order      []string                      // their identifiers
	Bad        []string                      // the records that are bad, each an error's text
	Err        error                         // of the fetch, or what ended the update
	Update     *feed.Update                  // nil where the fetch failed
}

// All is what most tests look at.
func (r Result) All() (got map[string]*advisory.Advisory, bad []string, err error) {
	return r.Advisories, r.Bad, r.Err
}

// Fetch reads a whole update, if there is anything new.
func Fetch(t testing.TB, s feed.Source, in feed.Input, state feed.State) Result {
	t.Helper()
	u, err := s.Fetch(t.Context(), in, state)
	if err != nil {
		return Result{Err: err}
	}
	if u.Unchanged {
		return Result{Update: u}
	}
	r := Collect(t, u.Items)
	r.Update = u
	return r
}

// Advisories is [Fetch] by somebody who knows nothing yet.
func Advisories(t testing.TB, s feed.Source, in feed.Input) (got map[string]*advisory.Advisory, bad []string, err error) {
	t.Helper()
	return Fetch(t, s, in, feed.State{}).All()
}

// Collect reads all items. It is an error of the test if an advisory comes
// twice, or anything after the error that ends an update.
func Collect(t testing.TB, items iter.Seq2[feed.Item, error]) Result {
	t.Helper()
	r := Result{Advisories: map[string]*advisory.Advisory{}}
	for it, err := range items {
		if r.Err != nil {
			t.Errorf("after the end, which is %v, comes %+v, %v", r.Err, it, err)
		}
		if b := (*feed.BadRecord)(nil); errors.As(err, &b) {
			r.Bad = append(r.Bad, b.Error())
			continue
		}
		if err != nil {
			r.Err = err
			continue
		}
		r.Items = append(r.Items, it)
		if a := it.Advisory; a != nil {
			if r.Advisories[a.ID] != nil {
				t.Errorf("%s comes twice", a.ID)
			}
			r.Advisories[a.ID] = a
			r.Order = append(r.Order, a.ID)
		}
	}
	return r
}

// Source is the one of that name.
func Source(t testing.TB, sources []feed.Source, name string) feed.Source {
	t.Helper()
	for _, s := range sources {
		if s.Info().Name == name {
			return s
		}
	}
	t.Fatalf("there is no source %s", name)
	return nil
}

// Claims are those of an advisory, which may be nil, about one package.
func Claims(a *advisory.Advisory, stream, name string) (out []advisory.Affected) {
	if a == nil {
		return nil
	}
	for _, f := range a.Affected {
		if f.Stream == stream && f.Name == name {
			out = append(out, f)
		}
	}
	return out
}

// Said is the claims about one package in short, separated by spaces: status,
// state of the fix, and fixed versions, "|fixed|<8.5.0-1".
func Said(a *advisory.Advisory, stream, name string) string {
	var out []string
	for _, f := range Claims(a, stream, name) {
		s := string(f.Status) + "|" + string(f.Fix.State) + "|"
		for _, in := range f.Intervals {
			s += "<" + in.Fixed
		}
		out = append(out, s+f.Requirement)
	}
	return strings.Join(out, " ")
}

// Line is what matters of an advisory in one line, with each claim as the format
// of the test has it.
func Line(a *advisory.Advisory, claim func(*advisory.Affected) string) string {
	var out []string
	for _, s := range a.Severities {
		out = append(out, fmt.Sprintf("%s %v %s %s", s.Type, s.Score, s.Label, s.Source))
	}
	out = append(out, a.CWEs...)
	if a.Disputed {
		out = append(out, "disputed")
	}
	if !a.Withdrawn.IsZero() {
		out = append(out, "withdrawn "+a.Withdrawn.Format(time.DateOnly))
	}
	for i := range a.Affected {
		out = append(out, claim(&a.Affected[i]))
	}
	return strings.Join(out, "; ")
}

// Affects says whether a claim that is written as requirements affects a
// version, as matching does.
func Affects(t *testing.T, f advisory.Affected, s string) bool {
	t.Helper()
	v, err := version.Parse(f.Scheme, s)
	if err != nil {
		t.Fatal(err)
	}
	covers := func(requirement string) bool {
		r, err := version.ParseRange(f.Scheme, requirement)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		return err == nil && r.Covers(v)
	}
	if f.Unaffected != "" && covers(f.Unaffected) {
		return false
	}
	return f.Requirement == "" || covers(f.Requirement)
}
