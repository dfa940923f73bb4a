package osv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// A contradiction is a range that cannot be true as it stands. The record is
// kept, for all else that it says; nothing is concluded from that range.
type contradiction struct{ reason string }

func (e *contradiction) Error() string { return e.reason }

// affectedVersions reads ranges and versions of f into c. The error is a
// [*contradiction], or about a version longer than any that can be compared.
func (p *parser) affectedVersions(c *advisory.Affected, f *wireAffected, extra affectedSpecific) error {
	clear(p.versions)
	var fixed []string
	var doubt error
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
			doubt = err
		}
		c.Intervals = append(c.Intervals, intervals...)
		for _, e := range events {
			if e.kind == 'f' && !slices.Contains(fixed, e.text) {
				fixed = append(fixed, e.text)
			}
		}
	}
	p.upperBound(c, extra)
	p.fix(c, fixed)
	if err := p.listed(c, f.Versions, fixed); err != nil {
		return err
	}
	return doubt
}

// event is one bound of a range.
type event struct {
	kind    byte // 'i'ntroduced, 'f'ixed, 'l'ast affected, 'm' for limit
	text    string
	version version.Version // zero for "0", and for what cannot be read
	read    bool            // it can be compared
}

// events reads the events of a range, in the publisher's order.
func (p *parser) events(scheme version.Scheme, in []wireEvent) ([]event, error) {
	var out []event
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
			}
			out = append(out, ev)
		}
	}
	return out, nil
}

// intervalsOf makes intervals of the events of one range. With the error, a
// [*contradiction], come those that are not in doubt.
func intervalsOf(events []event) ([]advisory.Interval, error) {
	var limit *event
	bounds := make([]event, 0, len(events))
	introduced, readable := false, true
	for i := range events {
		e := &events[i]
		switch {
		case e.kind != 'm':
			bounds = append(bounds, *e)
			introduced = introduced || e.kind == 'i'
			readable = readable && e.read
		case e.read && (limit == nil || e.version.Compare(limit.version) > 0):
			limit = e
		}
	}
	if len(bounds) == 0 {
		return nil, nil
	}
	if !introduced {
		return nil, &contradiction{"its range says where it ends but not where it begins"}
	}
	out := pairs(bounds)
	var err error
	if out == nil {
		out, err = evaluate(bounds, readable)
	}
	if limit != nil && readable {
		out = cut(out, limit, events)
	}
	return out, err
}

// pairs reads events that stand as nearly all publishers write them: where it
// begins, where it ends, and so on, each end behind its beginning. Sorting would
// spoil them where runs touch. nil: they do not stand so.
func pairs(events []event) []advisory.Interval {
	out := make([]advisory.Interval, 0, (len(events)+1)/2)
	for i := 0; i < len(events); i += 2 {
		from := &events[i]
		if from.kind != 'i' {
			return nil
		}
		if i+1 == len(events) {
			out = append(out, interval(from, nil))
			break
		}
		to := &events[i+1]
		if to.kind == 'i' {
			return nil
		}
		if from.read && to.read {
			switch c := from.version.Compare(to.version); {
			case c > 0:
				return nil
			case c == 0 && to.kind == 'f':
				continue // empty
			}
		}
		out = append(out, interval(from, to))
	}
	return out
}

// evaluate follows "evaluation" of the OSV schema: the events in order of
// version, an introduction opens, the first fix or last affected version after
// it closes. Where a version cannot be read the publisher's order stands.
func evaluate(events []event, readable bool) ([]advisory.Interval, error) {
	if readable {
		events = slices.Clone(events)
		slices.SortStableFunc(events, func(a, b event) int { return a.version.Compare(b.version) })
	}
	var out []advisory.Interval
	var open, stray *event
	for i := range events {
		e := &events[i]
		switch {
		case e.kind == 'i' && open == nil:
			open = e
		case e.kind == 'i':
		case open == nil:
			stray = e
		case e.kind == 'f' && open.read && e.read && open.version.Compare(e.version) == 0 && open.text != "0":
			open = nil
		default:
			out = append(out, interval(open, e))
			open = nil
		}
	}
	if open != nil && stray != nil {
		return out, &contradiction{fmt.Sprintf("its range contradicts itself: %s ends nothing, and nothing ends what begins with %s", short(stray.text), short(open.text))}
	}
	if open != nil {
		out = append(out, interval(open, nil))
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

// cut ends intervals at the highest limit.
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
		if len(fixed) == 1 && len(c.Intervals) < 2 {
			c.Fix.Versions = fixed
			return
		}
		slices.SortStableFunc(fixed, func(a, b string) int {
			v, errV := p.version(c.Scheme, a)
			w, errW := p.version(c.Scheme, b)
			if errV != nil || errW != nil {
				return 0
			}
			return v.Compare(w)
		})
		// Where runs touch, the end of one is no fix.
		var inside bounds
		if len(c.Intervals) > 1 {
			inside = p.bounds(c)
		}
		for _, f := range fixed {
			if v, err := p.version(c.Scheme, f); err != nil || !inside.hold(v) {
				c.Fix.Versions = append(c.Fix.Versions, f)
			}
		}
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
	if len(versions) == 0 {
		return nil
	}
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
