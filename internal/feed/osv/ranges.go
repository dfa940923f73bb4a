package osv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// A contradiction is a claim that cannot be true as it stands. The record is
// kept, as its other claims may be right; nothing is concluded from this one.
type contradiction struct{ reason string }

func (e *contradiction) Error() string { return e.reason }

// affectedVersions reads ranges and versions of f into c. The error is a
// [*contradiction], or about a version longer than any that can be compared.
func (p *parser) affectedVersions(c *advisory.Affected, f *wireAffected, extra affectedSpecific) error {
	clear(p.versions)
	var fixed []string
	for _, r := range f.Ranges {
		if r.Type == "GIT" {
			continue
		}
		events, err := p.events(c.Scheme, r.Events)
		if err != nil {
			return err
		}
		intervals, err := intervalsOf(events)
		if err != nil {
			return err
		}
		c.Intervals = append(c.Intervals, intervals...)
		for _, e := range r.Events {
			if e.Fixed != "" && !slices.Contains(fixed, e.Fixed) {
				fixed = append(fixed, e.Fixed)
			}
		}
	}
	p.upperBound(c, extra)
	p.fix(c, fixed)
	return p.listed(c, f.Versions, fixed)
}

// event is one bound of a range.
type event struct {
	kind    byte // 'i'ntroduced, 'f'ixed, 'l'ast affected, 'm' for limit
	text    string
	version version.Version // zero for "0", and for what cannot be read
	read    bool            // it can be compared
}

// events puts the events of a range in order. If a version among them cannot
// be read the publisher's own order stands.
func (p *parser) events(scheme version.Scheme, in []wireEvent) ([]event, error) {
	var out []event
	readable := true
	for _, e := range in {
		for _, k := range []struct {
			kind byte
			text string
		}{{'i', e.Introduced}, {'f', e.Fixed}, {'l', e.LastAffected}, {'m', e.Limit}} {
			text := strings.TrimSpace(k.text)
			if text == "" || k.kind == 'm' && text == "*" {
				continue
			}
			ev := event{kind: k.kind, text: text, read: true}
			if k.kind != 'i' || text != "0" {
				v, err := p.version(scheme, text)
				if tooLong(text) {
					return nil, err
				}
				ev.version, ev.read = v, err == nil
				readable = readable && ev.read
			}
			out = append(out, ev)
		}
	}
	if readable {
		// Of equal versions the order stays: [1, 2) then [2, 3) is written
		// with "fixed 2" first, the empty [2, 2) with "introduced 2" first.
		slices.SortStableFunc(out, func(a, b event) int { return a.version.Compare(b.version) })
	}
	return out, nil
}

// intervalsOf follows "evaluation" in the OSV schema: an introduction opens, a
// fix or last affected version closes, the first of each counts; limits cut
// off what lies beyond all of them.
func intervalsOf(events []event) ([]advisory.Interval, error) {
	var out []advisory.Interval
	open := -1 // index in events
	introduced, closings := false, 0
	var limit *event
	for i := range events {
		e := &events[i]
		switch e.kind {
		case 'i':
			introduced = true
			if open < 0 {
				open = i
			}
		case 'f', 'l':
			if !introduced && e.read {
				return nil, &contradiction{fmt.Sprintf("its range contradicts itself: %s ends it before anything begins", e.text)}
			}
			closings++
			if open < 0 {
				continue
			}
			if from := &events[open]; e.kind == 'f' && from.read && e.read && from.text != "0" && from.version.Compare(e.version) == 0 {
				open = -1 // empty
				continue
			}
			out = append(out, interval(&events[open], e))
			open = -1
		case 'm':
			limit = e
		}
	}
	if !introduced {
		if len(events) == 0 {
			return nil, nil
		}
		return nil, &contradiction{"its range says where it ends but not where it begins"}
	}
	if open >= 0 {
		out = append(out, interval(&events[open], nil))
	}
	if limit != nil && limit.read {
		out = cut(out, limit, events)
	}
	return out, nil
}

func interval(from, to *event) advisory.Interval {
	in := advisory.Interval{Introduced: from.text}
	if in.Introduced == "0" {
		in.Introduced = ""
	}
	switch {
	case to == nil:
	case to.kind == 'f':
		in.Fixed = to.text
	default:
		in.LastAffected = to.text
	}
	return in
}

// cut ends intervals at a limit, which is the highest one.
func cut(in []advisory.Interval, limit *event, events []event) []advisory.Interval {
	at := func(text string) version.Version {
		for i := range events {
			if events[i].text == text {
				return events[i].version
			}
		}
		return version.Version{}
	}
	var out []advisory.Interval
	for _, i := range in {
		if i.Introduced != "" && at(i.Introduced).Compare(limit.version) >= 0 {
			continue
		}
		end := i.Fixed + i.LastAffected
		if end == "" || at(end).Compare(limit.version) >= 0 {
			i.Fixed, i.LastAffected = limit.text, ""
		}
		out = append(out, i)
	}
	return out
}

// version reads a version once per claim.
func (p *parser) version(scheme version.Scheme, text string) (version.Version, error) {
	if v, ok := p.versions[text]; ok {
		return v, nil
	}
	v, err := version.Parse(scheme, text)
	if err == nil {
		if p.versions == nil {
			p.versions = map[string]version.Version{}
		}
		p.versions[text] = v
	}
	return v, err
}

func tooLong(text string) bool { return len(text) > version.MaxLength }

// upperBound mends a lost bound: GitHub's database notes the last version known
// to be affected beside a range that OSV cannot close without a fix.
func (p *parser) upperBound(c *advisory.Affected, extra affectedSpecific) {
	open := slices.IndexFunc(c.Intervals, func(i advisory.Interval) bool { return i.Fixed == "" && i.LastAffected == "" })
	if open < 0 {
		return
	}
	if extra.BoundLost {
		note(c, "the upper bound was lost in the source: later versions may not be affected")
	}
	parts := strings.Split(extra.LastKnown, ",")
	last := strings.TrimSpace(parts[len(parts)-1])
	if v, ok := strings.CutPrefix(last, "<="); ok {
		c.Intervals[open].LastAffected = strings.TrimSpace(v)
	} else if v, ok := strings.CutPrefix(last, "<"); ok {
		c.Intervals[open].Fixed = strings.TrimSpace(v)
	}
}

// fix says what mends a package. An open range whose bound was not lost means
// that there was no fix when the record was written.
func (p *parser) fix(c *advisory.Affected, fixed []string) {
	if len(fixed) > 0 {
		c.Fix.State = advisory.Fixed
		slices.SortStableFunc(fixed, func(a, b string) int {
			v, errV := p.version(c.Scheme, a)
			w, errW := p.version(c.Scheme, b)
			if errV != nil || errW != nil {
				return 0
			}
			return v.Compare(w)
		})
		c.Fix.Versions = slices.Clone(fixed)
		return
	}
	open := slices.ContainsFunc(c.Intervals, func(i advisory.Interval) bool { return i.Fixed == "" && i.LastAffected == "" })
	if open && c.Note == "" {
		c.Fix.State = advisory.NotFixed
	}
}

// listed keeps of the versions that are listed those that no interval holds:
// publishers enumerate their ranges, which says the same twice. One that the
// same claim calls fixed is not affected, whatever the list says; some
// publishers list the fixed version there.
func (p *parser) listed(c *advisory.Affected, versions, fixed []string) error {
	bounds := p.bounds(c)
	wrong := 0
	for _, text := range versions {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		v, err := version.Parse(c.Scheme, text)
		if tooLong(text) {
			return err
		}
		if err == nil && bounds.hold(v) {
			continue
		}
		if slices.Contains(fixed, text) {
			wrong++
			continue
		}
		c.Versions = append(c.Versions, text)
	}
	if wrong > 0 {
		note(c, "its list of affected versions holds the fixed one, which was left out")
	}
	slices.Sort(c.Versions)
	c.Versions = slices.Compact(c.Versions)
	if len(c.Intervals) == 0 && len(fixed) > 0 && len(c.Versions) == 0 && wrong > 0 {
		return &contradiction{"it contradicts itself: the only versions that it lists are fixed"}
	}
	return nil
}

// bounds are intervals ready to be asked often.
type bounds []struct{ from, to, last *version.Version }

func (p *parser) bounds(c *advisory.Affected) bounds {
	var out bounds
	for _, i := range c.Intervals {
		var b struct{ from, to, last *version.Version }
		ok := true
		for _, x := range []struct {
			text string
			at   **version.Version
		}{{i.Introduced, &b.from}, {i.Fixed, &b.to}, {i.LastAffected, &b.last}} {
			if x.text == "" {
				continue
			}
			v, err := p.version(c.Scheme, x.text)
			if err != nil {
				ok = false
				break
			}
			*x.at = &v
		}
		if ok {
			out = append(out, b)
		}
	}
	return out
}

func (bs bounds) hold(v version.Version) bool {
	for _, b := range bs {
		if (b.from == nil || v.Compare(*b.from) >= 0) && (b.to == nil || v.Compare(*b.to) < 0) && (b.last == nil || v.Compare(*b.last) <= 0) {
			return true
		}
	}
	return false
}
