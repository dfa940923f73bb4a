package secret

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Limits of one text.
const (
	maxFound  = 500     // secrets
	maxValue  = 4096    // bytes of a value that is not a private key
	before    = 128     // bytes before a keyword that a window begins with
	workBase  = 4 << 20 // bytes of text that patterns may look at …
	workTimes = 2       // … plus so many times the text
)

// limitError says that a text was not searched to its end.
type limitError string

func (e limitError) Error() string { return "not searched to its end: limit of " + string(e) }

// candidate is a secret before its place is counted and its value forgotten.
type candidate struct {
	rule       *rule
	start, end int
	value      []byte // what is fingerprinted
	name       string
	verdict
}

// verdict is what a check says of a value.
type verdict struct {
	confidence float64 // 0: no secret
	encrypted  bool
	hashed     bool
	weak       bool
	verified   bool
	inside     string
	title      string // overrides the rule's
}

// scanner looks for secrets in one text.
type scanner struct {
	set     *set
	path    string
	text    []byte
	syntax  syntax
	generic bool // generic rules hold
	found   []candidate
	work    int
	err     error

	done   map[int]int // by rule: where the last window's first half ended
	assign assignment  // the last one that was read
	at     int         // the keyword it was read for
	ok     bool
}

// scan finds the secrets in a text, in order of place.
func (s *set) scan(ctx context.Context, path string, text []byte, key []byte) ([]Found, error) {
	sc := &scanner{set: s, path: path, text: text, at: -1}
	sc.syntax, sc.generic = syntaxOf(path, text)
	if err := sc.run(ctx); err != nil {
		return nil, err
	}
	return sc.finish(key), sc.err
}

func (sc *scanner) run(ctx context.Context) error {
	search := sc.set.specific
	if sc.generic {
		search = sc.set.all
	}
	n := 0
	search().each(sc.text, func(literal, at int) bool {
		if n++; n&1023 == 0 && ctx.Err() != nil {
			return false
		}
		for _, r := range sc.set.roles[literal] {
			if (!r.Generic || sc.generic) && (len(r.paths) == 0 || r.at(sc.path)) {
				sc.try(r, at, len(sc.set.literals[literal]))
			}
		}
		return sc.err == nil
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if sc.path != "" {
		sc.set.named(sc.path, func(r *rule) {
			switch r.Form {
			case Whole:
				sc.whole(r)
			case Present:
				sc.add(candidate{rule: r, value: sc.text, verdict: verdict{confidence: r.Confidence}})
			}
		})
	}
	return nil
}

// try applies a rule to one occurrence of its keyword.
func (sc *scanner) try(r *rule, at, n int) {
	switch r.Form {
	case Token:
		sc.token(r, at)
	case Window:
		sc.window(r, at)
	case Value:
		sc.value(r, at, n)
	case built:
		finder(r.Check)(sc, r, at, n)
	}
}

// spend counts bytes that a pattern looks at. Ordinary files need far less
// than the limit; it stops texts made to be slow.
func (sc *scanner) spend(n int) bool {
	if sc.work += n; sc.work > workBase+workTimes*len(sc.text) && sc.err == nil {
		sc.err = limitError("pattern work")
	}
	return sc.err == nil
}

func (sc *scanner) token(r *rule, at int) {
	if !sc.beginsToken(at) {
		return
	}
	text := sc.text[at:min(at+r.Span, len(sc.text))]
	if !sc.spend(run(text)) {
		return
	}
	m := r.pattern().FindSubmatchIndex(text)
	if m == nil {
		return
	}
	if end := at + m[1]; end < len(sc.text) && wordByte(sc.text[end]) {
		return
	}
	if g := r.group(m); g >= 0 {
		sc.accept(r, at+m[g], at+m[g+1], "")
	}
}

// run is the length of the token that text begins with, roughly: what a
// pattern that begins there will look at.
func run(text []byte) int {
	for i, c := range text {
		if c <= ' ' || c == '"' || c == '\'' {
			return i
		}
	}
	return len(text)
}

// beginsToken reports whether a token may begin at a place: not within a word
// but after an escape such as \n or %3D.
func (sc *scanner) beginsToken(at int) bool {
	if at == 0 || !wordByte(sc.text[at-1]) {
		return true
	}
	return at >= 2 && sc.text[at-2] == '\\' || at >= 3 && sc.text[at-3] == '%'
}

func (sc *scanner) window(r *rule, at int) {
	if at < sc.done[r.index] {
		return
	}
	if sc.done == nil {
		sc.done = map[int]int{}
	}
	sc.done[r.index] = at + r.Span/2
	from, to := max(0, at-before), min(at+r.Span, len(sc.text))
	sc.search(r, from, to)
}

func (sc *scanner) whole(r *rule) { sc.search(r, 0, len(sc.text)) }

func (sc *scanner) search(r *rule, from, to int) {
	if !sc.spend(to - from) {
		return
	}
	for _, m := range r.pattern().FindAllSubmatchIndex(sc.text[from:to], maxFound+1) {
		if g := r.group(m); g >= 0 {
			sc.accept(r, from+m[g], from+m[g+1], "")
		}
	}
}

func (sc *scanner) value(r *rule, at, n int) {
	if !sc.beginsWord(at) {
		return
	}
	a, ok := sc.assigned(at, n)
	if !ok || r.Name != "" && !r.name().MatchString(a.name) {
		return
	}
	value := sc.text[a.start:a.end]
	if !sc.spend(len(value)) {
		return
	}
	m := r.pattern().FindSubmatchIndex(value)
	if m == nil {
		return
	}
	if g := r.group(m); g >= 0 {
		sc.accept(r, a.start+m[g], a.start+m[g+1], a.name)
	}
}

// beginsWord reports whether a word of a name begins at a place: "ably" is no
// part of probably_secret.
func (sc *scanner) beginsWord(at int) bool {
	if at == 0 {
		return true
	}
	is, was := sc.text[at], sc.text[at-1]
	upper := func(c byte) bool { return 'A' <= c && c <= 'Z' }
	lower := func(c byte) bool { return 'a' <= c && c <= 'z' }
	return !(lower(is) && (lower(was) || upper(was)) || upper(is) && upper(was))
}

// assigned reads the assignment whose name holds the keyword, once.
func (sc *scanner) assigned(at, n int) (assignment, bool) {
	if sc.at != at {
		sc.at = at
		sc.assign, sc.ok = readAssignment(sc.text, at, at+n, sc.syntax)
	}
	return sc.assign, sc.ok
}

// accept takes what a pattern matched, unless entropy, allow list or check
// speak against it.
func (sc *scanner) accept(r *rule, start, end int, name string) {
	value := sc.text[start:end]
	if len(value) < r.Length || len(value) == 0 || len(value) > maxValue && r.Check == "" {
		return
	}
	if r.Entropy > 0 && entropy(value) < r.Entropy {
		return
	}
	if placeholder(value) || sc.set.isPublished(value) {
		return
	}
	if len(r.Allow) > 0 {
		for _, re := range r.allow() {
			if re.Match(value) {
				return
			}
		}
	}
	c := candidate{rule: r, start: start, end: end, value: value, name: name, verdict: verdict{confidence: r.Confidence}}
	if r.Check != "" {
		if c.verdict = check(r.Check)(value, r.Confidence); c.confidence <= 0 {
			return
		}
	}
	sc.add(c)
}

func (sc *scanner) add(c candidate) {
	if len(sc.found) >= maxFound {
		sc.err = limitError("secrets of one file")
		return
	}
	sc.found = append(sc.found, c)
}

// isPublished reports whether documentation uses the value as an example.
func (s *set) isPublished(value []byte) bool {
	for _, p := range s.published {
		if bytes.Contains(value, []byte(p)) {
			return true
		}
	}
	return false
}

// finish drops what a surer rule found at the same place, and a file as a
// whole for what was found in it, and says of the rest where it is.
func (sc *scanner) finish(key []byte) []Found {
	if len(sc.found) == 0 {
		return nil
	}
	slices.SortStableFunc(sc.found, func(a, b candidate) int {
		return cmp.Or(a.rank()-b.rank(), cmp.Compare(b.confidence, a.confidence), cmp.Compare(a.rule.index, b.rule.index), cmp.Compare(a.start, b.start))
	})
	kept := sc.found[:0]
	for _, c := range sc.found {
		if !slices.ContainsFunc(kept, func(k candidate) bool { return c.start < k.end && k.start < c.end || c.end == 0 }) {
			kept = append(kept, c)
		}
	}
	slices.SortStableFunc(kept, func(a, b candidate) int { return cmp.Compare(a.start, b.start) })
	context, factor := contextOf(sc.path)
	out := make([]Found, 0, len(kept))
	line, counted, lineStart := 1, 0, 0
	for _, c := range kept {
		r := c.rule
		if r.Category == CategoryURL && context == ContextLibrary && sc.syntax == code {
			c.confidence *= 0.6 // the comments of packages are full of them
		}
		s := Secret{
			Rule: r.ID, Title: cmp.Or(c.title, r.Title), Category: r.Category, Service: r.Service, Name: c.name, Length: len(c.value),
			Encrypted: c.encrypted || r.Encrypted, Hashed: c.hashed || r.Hashed, Verified: c.verified, Weak: c.weak, Inside: c.inside,
			Context: context, Example: context == ContextTest || context == ContextDocumentation || context == ContextExample,
			Confidence: float64(int(c.confidence*factor*100+0.5)) / 100,
		}
		if c.end > 0 {
			part := sc.text[counted:c.start]
			line += bytes.Count(part, []byte{'\n'})
			if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
				lineStart = counted + i + 1
			}
			counted = c.start
			s.Line, s.Column = line, c.start-lineStart+1
		}
		s.Fingerprint = fingerprint(key, c.value)
		out = append(out, Found{Secret: s, Start: c.start, End: c.end})
	}
	return out
}

func fingerprint(key, value []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write(value)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// rank orders candidates before their confidence does: a rule that knows what
// it found goes before one that guesses, and both before the file as a whole.
func (c *candidate) rank() int {
	switch {
	case c.rule.Form == Present:
		return 2
	case c.rule.Category == CategoryGeneric:
		return 1
	}
	return 0
}
