package binary

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// searchStrings looks for whole strings that are versions.
func (s *scan) searchStrings(regions []section, cands []*candidate) {
	type job struct {
		*candidate
		patterns []*regexp.Regexp
		seen     [][]string // by pattern
	}
	var jobs []*job
	for _, c := range cands {
		j := &job{candidate: c}
		for _, p := range c.sig.strings {
			if re := c.fill(p); re != nil {
				j.patterns = append(j.patterns, re)
			}
		}
		if len(j.patterns) > 0 {
			j.seen = make([][]string, len(j.patterns))
			jobs = append(jobs, j)
		}
	}
	each := func(str []byte, tail bool) {
		for _, j := range jobs {
			if tail && !j.sig.tail {
				continue
			}
			for i, re := range j.patterns {
				if len(j.seen[i]) > maxVersions {
					continue
				}
				m := re.FindSubmatch(str)
				if m == nil {
					continue
				}
				groups := make([]string, 0, 4)
				for _, g := range m[1:] {
					groups = append(groups, string(g))
				}
				if v := joinGroups(groups); plausible(v) && !slices.Contains(j.seen[i], v) {
					j.seen[i] = append(j.seen[i], v)
				}
			}
		}
	}
	s.chunks(regions, func(chunk []byte, from, to int) bool {
		for i := from; i < to; i++ {
			n := bytes.IndexByte(chunk[i:to], 0)
			if n < 0 {
				if to < len(chunk) {
					break
				}
				n = to - i // the last string of a section may lack its NUL
			}
			i += n
			// a string may follow other data: it begins after the last byte that is not printable
			end := i
			if end > 0 && chunk[end-1] == '\n' {
				end--
			}
			start := end
			for start > 0 && end-start <= maxString && chunk[start-1] >= ' ' && chunk[start-1] <= '~' {
				start--
			}
			str := chunk[start:end]
			if len(str) < 3 || len(str) > maxString {
				continue
			}
			if mayBeVersion(str[0]) {
				each(str, false)
			} else if i := bytes.LastIndexAny(str, "/-"); i >= 0 && i+3 < len(str) && isDigit(str[i+1]) {
				each(str[i+1:], true)
			}
		}
		return s.ctx.Err() == nil
	})
	for _, j := range jobs {
		for _, seen := range j.seen {
			if len(seen) == 1 || len(seen) > 0 && len(seen) <= maxVersions && j.sig.largest {
				j.version, j.bare = slices.MaxFunc(seen, compareNumbers), true
				break
			}
		}
	}
}

// compareNumbers orders versions by their numbers, which is enough for
// choosing among those of one product.
func compareNumbers(a, b string) int {
	for a != "" && b != "" {
		var x, y int
		x, a = leadingNumber(a)
		y, b = leadingNumber(b)
		if x != y {
			return x - y
		}
	}
	return len(a) - len(b)
}

// leadingNumber cuts the first number off, and what stands before it.
func leadingNumber(s string) (n int, rest string) {
	i := 0
	for i < len(s) && !isDigit(s[i]) {
		i++
	}
	for ; i < len(s) && isDigit(s[i]) && n < 1<<24; i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n, s[i:]
}

func mayBeVersion(c byte) bool { return isDigit(c) || c == 'v' || c == ':' || c == 'j' }

// fill puts what is known into a pattern: {*} is what the star in the file
// name stands for, {1} the first group of the given. nil when something that
// the pattern needs is not known.
func (c *candidate) fill(p *pattern) *regexp.Regexp {
	if !strings.Contains(p.source, "{*}") && !strings.Contains(p.source, "{1}") {
		return p.get()
	}
	source := p.source
	if strings.Contains(source, "{*}") {
		star := strings.Trim(c.star, ".-")
		if star == "" || !isDigit(star[0]) {
			return nil
		}
		source = strings.ReplaceAll(source, "{*}", regexp.QuoteMeta(star))
	}
	if strings.Contains(source, "{1}") {
		if len(c.given) == 0 {
			return nil
		}
		source = strings.ReplaceAll(source, "{1}", regexp.QuoteMeta(c.given[0]))
	}
	re, err := regexp.Compile("(?s)" + source)
	if err != nil {
		return nil
	}
	return re
}
