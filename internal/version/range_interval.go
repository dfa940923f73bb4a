package version

import "strings"

// intervals reads Maven's and NuGet's intervals: [a,b), (,b], [a], several of
// them separated by commas.
func (p *rangeParser) intervals(s string) expr {
	var some anyOf
	for s != "" && p.reason == "" {
		end := strings.IndexAny(s, "])")
		if s[0] != '[' && s[0] != '(' || end < 0 {
			return p.fail("an interval begins with [ or ( and ends with ] or )")
		}
		some = append(some, p.interval(s[0] == '[', s[end] == ']', s[1:end]))
		s = strings.TrimSpace(s[end+1:])
		if rest, ok := strings.CutPrefix(s, ","); ok {
			if s = strings.TrimSpace(rest); s == "" {
				return p.fail("an interval is missing after the comma")
			}
		} else if s != "" {
			return p.fail("intervals are separated by commas")
		}
	}
	return some
}

func (p *rangeParser) interval(withLow, withHigh bool, s string) expr {
	from, to, two := strings.Cut(s, ",")
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	if !two {
		if !withLow || !withHigh || from == "" {
			return p.fail("a single version needs square brackets on both sides")
		}
		return p.bound(equal, from)
	}
	if strings.Contains(to, ",") {
		return p.fail("an interval has two ends")
	}
	var all allOf
	low, high := greater, less
	if withLow {
		low |= equal
	}
	if withHigh {
		high |= equal
	}
	if from != "" {
		if p.scheme == NuGet {
			from = nugetFloat(from)
		}
		all = append(all, p.bound(low, from))
	}
	if to != "" {
		all = append(all, p.bound(high, to))
	}
	if len(all) == 2 && p.reason == "" {
		a, b := all[0].(bound), all[1].(bound)
		if c := a.v.compare(b.v); c > 0 || c == 0 && !(withLow && withHigh) && p.scheme == Maven {
			return p.fail("the lower end of an interval lies above the upper")
		}
	}
	return all
}

// nugetMinimum reads a bare version, which NuGet takes for a lower bound.
func (p *rangeParser) nugetMinimum(s string) expr {
	return p.bound(greater|equal, nugetFloat(s))
}

// nugetFloat turns a floating version into its lowest: 1.* into 1, 1.2.0-* into
// 1.2.0-0. What floats is only preferred, so there is no upper bound.
func nugetFloat(s string) string {
	switch {
	case s == "*":
		return "0"
	case strings.HasSuffix(s, ".*"):
		return strings.TrimSuffix(s, ".*")
	case strings.HasSuffix(s, "-*"):
		return strings.TrimSuffix(s, "*") + "0"
	case strings.HasSuffix(s, "*"):
		return strings.TrimSuffix(s, "*")
	}
	return s
}
