package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The types of problems that only [Lint] reports.
const (
	NeverFires       = "NeverFires"       // a rule's parameters make no sense
	DuplicateRule    = "DuplicateRule"    // another rule asks and says the same
	ConflictingRules = "ConflictingRules" // another rule asks the same and says otherwise
	ShadowedMapping  = "ShadowedMapping"  // an earlier mapping, or image rule, matches all that it does
	NoFinalMapping   = "NoFinalMapping"   // some images are asked nothing
	MatchesNothing   = "MatchesNothing"   // a pattern or item that no image or row can have
	ShadowedItem     = "ShadowedItem"     // an earlier item matches all that it does
	Unused           = "Unused"           // no mapping reaches it
	NoEffect         = "NoEffect"         // it changes no verdict
	severityNote     = "note"
)

// Lint returns everything that [Validate] does, and what is valid but can
// hardly be meant: rules that never fire, duplicate and contradicting ones,
// mappings that an earlier one shadows, images that no mapping is for,
// allowlist items that match nothing or nothing more. Notes, whose severity is
// "note", are true and may well be meant.
func Lint(b *Bundle, gates []Gate, now time.Time) []Problem {
	l := linter{b: b, known: newCatalogue(gates), words: wordsOf(b.Format)}
	valid := Validate(b, gates, now)
	if b.Version == string(b.Format) {
		for i := range b.RuleSets {
			l.ruleSet(i)
		}
		l.mappings()
		l.imageLists()
		for i := range b.Allowlists {
			l.allowlist(i)
		}
	}
	// What both report, the linter says better.
	said := map[string]bool{}
	for i := range l.list {
		said[l.list[i].Path] = said[l.list[i].Path] || l.list[i].Type == ShadowedMapping
	}
	valid = slices.DeleteFunc(valid, func(p Problem) bool { return !p.IsError() && said[p.Path] })
	return append(valid, l.done()...)
}

type linter struct {
	problems
	b     *Bundle
	known *catalogue
	words
}

func (l *linter) warn(kind, path, format string, args ...any) { l.warnf(kind, path, format, args...) }

func (l *linter) note(kind, path, format string, args ...any) {
	l.add(Problem{Severity: severityNote, Type: kind, Path: path, Message: fmt.Sprintf(format, args...)})
}

// question is what a rule asks: gate, trigger and parameters in canonical
// words, defaults written out.
func (l *linter) question(r *Rule) (g *knownGate, t *TriggerSpec, p Params, text string) {
	g = l.known.byKey[lower(r.Gate)]
	if g == nil || g.spec.State.state() == EOL {
		return nil, nil, p, ""
	}
	if t = g.triggers[lower(r.Trigger)]; t == nil {
		return nil, nil, p, ""
	}
	var bad problems
	if p = t.params(&bad, "$", r, l.b.Format); len(bad.list) > 0 {
		return nil, nil, p, "" // reported by validation
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%s/%s", g.spec.Name, t.Name)
	for i := range t.Params {
		spec := &t.Params[i]
		value, ok := p.given[spec.Name]
		if !ok {
			value = spec.Default
		}
		if spec.Type == Enum || spec.Type == Bool {
			value = fmt.Sprint(p.values[spec.Name])
		}
		if ok || spec.Default != "" {
			fmt.Fprintf(&s, "\x00%s=%s", spec.Name, value)
		}
	}
	return g, t, p, s.String()
}

func (l *linter) ruleSet(i int) {
	s := &l.b.RuleSets[i]
	path := index(child("$", l.ruleSets), i)
	if len(s.Rules) == 0 {
		l.warn(NoEffect, path, "%q has no rules", cmp.Or(s.Name, s.ID))
	}
	if !l.reaches(func(m *Mapping) []string { return m.RuleSetNames() }, s.ID) && !l.forSources(s.ID) {
		l.warn(Unused, path, "no mapping names %q; its rules are never asked", s.ID)
	}
	type first struct {
		rule   int
		action string
	}
	asked := map[string]first{}
	for k := range s.Rules {
		r := &s.Rules[k]
		at := index(child(path, "rules"), k)
		_, t, p, text := l.question(r)
		if t == nil {
			continue
		}
		if t.Lint != nil {
			doubts := t.Lint(p)
			slices.Sort(doubts)
			for _, doubt := range doubts {
				l.add(Problem{Severity: severityWarn, Type: NeverFires, Path: child(at, "params"), RuleID: r.ID, Message: doubt})
			}
		}
		if lower(r.Action) == string(Go) {
			l.add(Problem{Severity: severityNote, Type: NoEffect, Path: child(at, "action"), RuleID: r.ID, Message: "rows of a rule with the action GO are listed and change no verdict"})
		}
		old, ok := asked[text]
		switch {
		case !ok:
			asked[text] = first{k, lower(r.Action)}
		case old.action == lower(r.Action):
			l.add(Problem{Severity: severityWarn, Type: DuplicateRule, Path: at, RuleID: r.ID, Message: fmt.Sprintf("rules[%d] asks the same and says the same; every row is there twice", old.rule)})
		default:
			l.add(Problem{Severity: severityWarn, Type: ConflictingRules, Path: at, RuleID: r.ID, Message: fmt.Sprintf("rules[%d] asks the same and says %s; of %s and %s the worse counts", old.rule, old.action, old.action, lower(r.Action))})
		}
	}
}

func (l *linter) reaches(names func(*Mapping) []string, id string) bool {
	return slices.ContainsFunc(l.b.Mappings, func(m Mapping) bool { return slices.Contains(names(&m), id) })
}

func (l *linter) forSources(id string) bool {
	return slices.ContainsFunc(l.b.SourceMappings, func(m SourceMapping) bool {
		return slices.Contains(m.RuleSetIDs, id) || slices.Contains(m.AllowlistIDs, id)
	})
}

// selector is what an image must be for a mapping or image rule.
type selector struct {
	registry, repository string
	image                ImageRef
}

// covers reports whether a matches every image that b does.
func (a selector) covers(b selector) bool {
	if !patternCovers(a.registry, b.registry) || !patternCovers(a.repository, b.repository) {
		return false
	}
	if a.image.Type != "tag" {
		return a.image == b.image
	}
	// A digest may be pulled by any tag.
	return b.image.Type == "tag" && patternCovers(a.image.Value, b.image.Value)
}

// patternCovers reports whether every text that b matches is matched by a. Of
// regular expressions it knows only the equal ones.
func patternCovers(a, b string) bool {
	if a == b {
		return true
	}
	pa, err := ParsePattern(a)
	if err != nil || pa.re != nil {
		return false
	}
	if strings.Trim(a, "*") == "" && a != "" {
		return !strings.Contains(b, "\n")
	}
	pb, err := ParsePattern(b)
	if err != nil || pb.re != nil {
		return false
	}
	// A star in b's text can only be matched by one of a's, and what that
	// matches there may be replaced by anything.
	return pa.Match(b)
}

func (l *linter) mappings() {
	var before []selector
	whole := selector{"*", "*", ImageRef{"tag", "*"}}
	final := false
	for i := range l.b.Mappings {
		m := &l.b.Mappings[i]
		path := index("$.mappings", i)
		s := selector{m.Registry, m.Repository, m.Image}
		l.selector(path, s)
		if k := slices.IndexFunc(before, func(o selector) bool { return o.covers(s) }); k >= 0 {
			o := &l.b.Mappings[k]
			what := "and says the same"
			if !slices.Equal(o.RuleSetNames(), m.RuleSetNames()) || !slices.Equal(o.AllowlistIDs, m.AllowlistIDs) {
				what = "with other policies"
			}
			l.warn(ShadowedMapping, path, "mappings[%d] comes first and matches every image that this one does, %s: this one is never used", k, what)
		}
		before = append(before, s)
		final = final || s.covers(whole)
		if len(m.RuleSetNames()) == 0 {
			l.warn(NoEffect, path, "the mapping names no policy: its images are go without being asked anything")
		}
	}
	if len(l.b.Mappings) > 0 && !final {
		l.warn(NoFinalMapping, "$.mappings", "no mapping is for every image (registry, repository and tag *): the others are go without being asked anything")
	}
}

// selector tells of patterns that no image can match.
func (l *linter) selector(path string, s selector) {
	plain := func(p string) bool { return !strings.Contains(p, "regexp:") }
	if plain(s.registry) && strings.Contains(s.registry, "/") {
		l.warn(MatchesNothing, child(path, "registry"), "a registry is a host and perhaps a port; %q has a slash and matches none", s.registry)
	}
	if plain(s.repository) {
		first, rest, ok := strings.Cut(s.repository, "/")
		switch {
		case ok && !strings.Contains(first, "*") && isRegistry(first):
			l.warn(MatchesNothing, child(path, "repository"), "%q names a registry; that goes into registry, and the repository is %q", s.repository, rest)
		case strings.ContainsAny(s.repository, ":@"):
			l.warn(MatchesNothing, child(path, "repository"), "%q has a tag or digest in it, which no repository has", s.repository)
		case s.registry == "docker.io" && first == "library" && ok:
			l.note(MatchesNothing, child(path, "repository"), "library/ is not added to what somebody asked for: %q does not match %q", s.repository, rest)
		}
	}
	at := child(child(path, "image"), "value")
	switch hex := strings.TrimPrefix(s.image.Value, "sha256:"); {
	case s.image.Type == "digest" && (hex == s.image.Value || !isHex64(hex)):
		l.warn(MatchesNothing, at, "%q is no digest (sha256: and 64 hexadecimal digits) and matches nothing; patterns are for tags only", s.image.Value)
	case s.image.Type == "id" && !isHex64(hex):
		l.warn(MatchesNothing, at, "%q is no image id (64 hexadecimal digits) and matches nothing; patterns are for tags only", s.image.Value)
	case s.image.Type == "tag" && plain(s.image.Value) && strings.ContainsAny(s.image.Value, ":/@"):
		l.warn(MatchesNothing, at, "%q has characters that no tag has", s.image.Value)
	}
}

// imageLists tells of image rules that another makes useless.
func (l *linter) imageLists() {
	var denied []selector
	for i := range l.b.Denied {
		r := &l.b.Denied[i]
		path := index(child("$", l.denied), i)
		s := selector{r.Registry, r.Repository, r.Image}
		l.selector(path, s)
		if k := slices.IndexFunc(denied, func(o selector) bool { return o.covers(s) }); k >= 0 {
			l.warn(ShadowedMapping, path, "%s[%d] matches every image that this one does", l.denied, k)
		}
		denied = append(denied, s)
	}
	var allowed []selector
	for i := range l.b.Allowed {
		r := &l.b.Allowed[i]
		path := index(child("$", l.allowed), i)
		s := selector{r.Registry, r.Repository, r.Image}
		l.selector(path, s)
		if k := slices.IndexFunc(denied, func(o selector) bool { return o.covers(s) }); k >= 0 {
			l.warn(ShadowedMapping, path, "%s[%d] matches every image that this one does, and what is denied is not allowed", l.denied, k)
		} else if k := slices.IndexFunc(allowed, func(o selector) bool { return o.covers(s) }); k >= 0 {
			l.warn(ShadowedMapping, path, "%s[%d] matches every image that this one does", l.allowed, k)
		}
		if s.covers(selector{"*", "*", ImageRef{"tag", "*"}}) {
			l.warn(NoEffect, path, "every image is allowed, whatever the rules say")
		}
		allowed = append(allowed, s)
	}
}
