package engine

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// find matches an input and adds what catalogues know of the vulnerabilities
// found. Answers that were kept are taken where nothing has changed about the
// keys of their package and the names of their findings; they are those that
// would be found now. What is kept counts for one build of the program and one
// choice of sources and ranks.
func (f *Feeds) find(ctx context.Context, in match.Input, snap *store.Snapshot, views []FeedView, keep bool) (match.Result, error) {
	o := f.matchOptions(views, snap)
	q := match.Ask(in)
	answers := make([]match.Answer, len(in.Packages))
	var todo []int
	for i := range in.Packages {
		if q.Open(i) {
			todo = append(todo, i)
		}
	}
	var k *keeper
	if keep && f.Answers != nil && len(todo) > 0 {
		var err error
		if k, todo, err = f.kept(ctx, snap, views, q, todo, answers); err != nil && ctx.Err() == nil {
			f.Log.Warn("kept matches: look-up failed", "error", err)
		}
	}
	if len(todo) > 0 {
		found, err := q.Answer(ctx, todo, snap, o)
		if err != nil {
			return match.Result{}, err
		}
		var findings []*match.Finding
		for n := range found {
			for i := range found[n].Findings {
				findings = append(findings, &found[n].Findings[i])
			}
		}
		if err := enrich(ctx, snap, findings, o); err != nil {
			return match.Result{}, err
		}
		for n, i := range todo {
			answers[i] = found[n]
			if k != nil {
				k.put[k.fingerprints[i]] = found[n].AppendRecord(nil)
			}
		}
	}
	if k != nil {
		if err := f.Answers.Put(ctx, k.mark, k.put); err != nil && ctx.Err() == nil {
			f.Log.Debug("kept matches: not kept", "error", err)
		}
	}
	return q.Result(answers, o), nil
}

// keeper is what is to be kept of the packages of one input.
type keeper struct {
	mark         store.Mark
	fingerprints map[int]store.Fingerprint
	put          map[store.Fingerprint][]byte
}

// kept fills in the answers that are kept and hold, and returns the packages
// that are left. After an error these are all.
func (f *Feeds) kept(ctx context.Context, snap *store.Snapshot, views []FeedView, q *match.Questions, todo []int, answers []match.Answer) (*keeper, []int, error) {
	mark, err := snap.Mark(ctx)
	if err != nil {
		return nil, todo, err
	}
	k := &keeper{mark: mark, fingerprints: make(map[int]store.Fingerprint, len(todo)), put: map[store.Fingerprint][]byte{}}
	seed := f.seed(views)
	all := make([]store.Fingerprint, 0, len(todo))
	for _, i := range todo {
		k.fingerprints[i] = q.Fingerprint(i, seed)
		all = append(all, k.fingerprints[i])
	}
	known, err := f.Answers.Get(ctx, all)
	if err != nil {
		return nil, todo, err
	}
	since := map[store.Mark]*store.Changes{}
	for _, x := range known {
		if _, ok := since[x.Mark]; !ok {
			c, ok, err := snap.Since(ctx, x.Mark)
			if err != nil {
				return nil, todo, err
			}
			since[x.Mark] = nil
			if ok {
				since[x.Mark] = &c
			}
		}
	}
	var left []int
	var rescored []int
	for _, i := range todo {
		x, ok := known[k.fingerprints[i]]
		if !ok || since[x.Mark] == nil {
			left = append(left, i)
			continue
		}
		a, err := match.UnmarshalAnswer(x.Record)
		if err != nil || touched(since[x.Mark], q.Keys(i), &a) {
			left = append(left, i)
			continue
		}
		answers[i] = a
		switch {
		case x.Mark == mark:
		case len(a.Findings) > 0 && (x.Mark.Scores != mark.Scores || x.Mark.Day != mark.Day):
			rescored = append(rescored, i)
		default:
			k.put[k.fingerprints[i]] = nil
		}
	}
	if len(rescored) == 0 {
		return k, left, nil
	}
	var findings []*match.Finding
	for _, i := range rescored {
		for n := range answers[i].Findings {
			findings = append(findings, &answers[i].Findings[n])
		}
	}
	if err := score(ctx, snap, findings); err != nil {
		return nil, todo, err
	}
	for _, i := range rescored {
		k.put[k.fingerprints[i]] = answers[i].AppendRecord(nil)
	}
	return k, left, nil
}

// touched reports whether a change concerns a package or what was found out
// about it.
func touched(c *store.Changes, keys []advisory.Key, a *match.Answer) bool {
	if len(c.Keys)+len(c.Names) == 0 {
		return false
	}
	changed := func(name string) bool { return c.Names[name] }
	return slices.ContainsFunc(keys, func(k advisory.Key) bool { return c.Keys[k] }) || slices.ContainsFunc(a.Names, changed) ||
		slices.ContainsFunc(a.Findings, func(x match.Finding) bool { return changed(x.ID) || slices.ContainsFunc(x.Aliases, changed) })
}

// seed stands for what is the same for all packages: the build of the program
// and the owner's choices.
func (f *Feeds) seed(views []FeedView) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", f.Build)
	for _, v := range views {
		fmt.Fprintf(h, "%s %t %d\n", v.Name, v.Enabled, v.Priority)
	}
	return h.Sum(nil)
}

// names are all identifiers of findings, each once.
func names(findings []*match.Finding) []string {
	seen := map[string]bool{}
	var out []string
	add := func(id string) {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	for _, f := range findings {
		add(f.ID)
		for _, id := range f.Aliases {
			add(id)
		}
	}
	return out
}

// ids are all identifiers of findings, each once.
func ids(findings []match.Finding) []string {
	list := make([]*match.Finding, len(findings))
	for i := range findings {
		list[i] = &findings[i]
	}
	return names(list)
}

// eachName yields the identifiers of a finding, its own first.
func eachName(f *match.Finding, yield func(id string)) {
	yield(f.ID)
	for _, id := range f.Aliases {
		yield(id)
	}
}

// score sets the findings' EPSS scores.
func score(ctx context.Context, snap *store.Snapshot, findings []*match.Finding) error {
	scores, err := snap.EPSS(ctx, names(findings))
	if err != nil {
		return err
	}
	for _, f := range findings {
		f.EPSS = nil
		eachName(f, func(id string) {
			if e, ok := scores[id]; ok && f.EPSS == nil {
				f.EPSS = &e
			}
		})
	}
	return nil
}

// enrich adds what catalogues know of the vulnerabilities found.
// Of several that judge how bad one is, the highest rank is heard first.
func enrich(ctx context.Context, snap *store.Snapshot, findings []*match.Finding, o match.Options) error {
	if len(findings) == 0 {
		return nil
	}
	all := names(findings)
	spoken := spokenOf(findings)
	var exploited map[string]advisory.Exploited
	var heads map[string][]*advisory.Advisory
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return score(gctx, snap, findings) })
	group.Go(func() (err error) {
		exploited, err = snap.Exploited(gctx, all)
		if err == nil {
			heads, err = snap.Heads(gctx, all, spoken.everywhere)
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	for _, list := range heads {
		slices.SortStableFunc(list, func(a, b *advisory.Advisory) int { return o.Priority(b.Source) - o.Priority(a.Source) })
	}
	for _, f := range findings {
		eachName(f, func(id string) {
			for _, a := range heads[id] {
				f.Supplement(a)
			}
			if e, ok := exploited[id]; ok && f.Exploited == nil {
				f.Exploited = &e
			}
		})
	}
	return nil
}

// spoken tells which records are evidence in the findings of a name: such a
// record has said there what it knows.
type spoken struct {
	findings map[string]int    // of a name
	evidence map[[3]string]int // name, source and record to findings
}

func spokenOf(findings []*match.Finding) spoken {
	s := spoken{map[string]int{}, map[[3]string]int{}}
	for _, f := range findings {
		eachName(f, func(id string) { s.findings[id]++ })
		for i := range f.Evidence {
			e := &f.Evidence[i]
			if slices.ContainsFunc(f.Evidence[:i], func(x match.Evidence) bool { return x.Source == e.Source && x.Advisory == e.Advisory }) {
				continue
			}
			eachName(f, func(id string) { s.evidence[[3]string{id, e.Source, e.Advisory}]++ })
		}
	}
	return s
}

// everywhere reports whether a record is evidence in every finding of a name.
func (s spoken) everywhere(name, source, record string) bool {
	return s.findings[name] == s.evidence[[3]string{name, source, record}]
}
