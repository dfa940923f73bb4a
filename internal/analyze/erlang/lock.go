package erlang

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Lock reads mix.lock and rebar.lock as declared packages, but not those of
// fetched dependencies, which nothing uses. What is taken from a repository by
// a revision is no package of Hex: it has type "github", or "generic" with the
// qualifier vcs_url, and the revision as its version. A dependency that is a
// folder beside the project is left out.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements [analyze.Analyzer].
func (Lock) Name() string { return "erlang-lock" }

// Version implements [analyze.Analyzer].
func (Lock) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	if isLock(e.Path) {
		return analyze.Alone
	}
	return analyze.Ignore
}

func isLock(p string) bool {
	dir, ok := strings.CutSuffix(p, "mix.lock")
	if !ok {
		if dir, ok = strings.CutSuffix(p, "rebar.lock"); !ok {
			return false
		}
	}
	if dir == "" {
		return true
	}
	return dir[len(dir)-1] == '/' && !strings.HasPrefix(dir, "deps/") && !strings.Contains(dir, "/deps/") && !strings.Contains(dir, "_build/") &&
		!strings.Contains(dir, "_checkouts/") && !analyze.Foreign(p)
}

// Analyze implements [analyze.Analyzer].
func (Lock) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			if strings.HasSuffix(f.Path, "mix.lock") {
				err = readMixLock(f.Path, data, out)
			} else {
				err = readRebarLock(f.Path, data, out)
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

// readMixLock reads a map from application to {:hex, NAME, VERSION, INNER,
// MANAGERS, DEPENDENCIES, REPOSITORY, OUTER}, of which older writers leave out
// the end, or {:git, URL, REVISION, OPTIONS}.
func readMixLock(file string, data []byte, out *inventory.Record) error {
	terms, err := parse(data, true)
	if len(terms) == 0 {
		if err != nil {
			return fmt.Errorf("reading mix.lock: %w", err)
		}
		return nil
	}
	skipped := 0
	for i := 0; i+1 < len(terms[0].list); i++ {
		key, v := terms[0].list[i], terms[0].list[i+1]
		if v.kind != tuple || len(v.list) < 3 {
			continue
		}
		i++
		e := v.list
		switch e[0].text {
		case "hex", "package":
			p, ok := declared(file, e[1].text, e[2].string())
			if !ok {
				skipped++
				continue
			}
			if len(e) > 5 {
				for _, d := range e[5].list {
					if d.kind == tuple && len(d.list) > 0 && valid(d.list[0].text) && len(p.Depends) < maxDepends {
						p.Depends = append(p.Depends, d.list[0].text)
					}
				}
			}
			if len(e) > 6 {
				setRepository(&p, e[6].string())
			}
			if len(e) > 7 {
				setSum(&p, e[7].string())
			}
			out.Packages = append(out.Packages, p)
		case "git":
			p, ok := repository(file, strings.TrimSuffix(key.text, ":"), e[1].string(), e[2].string())
			if !ok {
				skipped++
				continue
			}
			if len(e) > 3 {
				if tag := e[3].get("tag").string(); valid(tag) {
					p.Meta = map[string]string{"tag": tag}
				}
			}
			out.Packages = append(out.Packages, p)
		}
	}
	return lockError("mix.lock", skipped, err)
}

// readRebarLock reads {"1.2.0", [{NAME, {pkg, NAME, VERSION}, LEVEL}, …]} and
// the list of checksums behind it, or the list alone of the first version.
func readRebarLock(file string, data []byte, out *inventory.Record) error {
	terms, err := parse(data, false)
	if len(terms) == 0 {
		if err != nil {
			return fmt.Errorf("reading rebar.lock: %w", err)
		}
		return nil
	}
	deps := terms[0]
	if deps.kind == tuple && len(deps.list) == 2 {
		deps = deps.list[1]
	}
	sums := map[string]string{}
	if len(terms) > 1 {
		for _, s := range terms[1].get("pkg_hash_ext").list {
			if s.kind == tuple && len(s.list) == 2 {
				sums[s.list[0].text] = s.list[1].text
			}
		}
	}
	skipped := 0
	for _, d := range deps.list {
		if d.kind != tuple || len(d.list) < 2 || len(d.list[1].list) < 3 {
			continue
		}
		e := d.list[1].list
		switch e[0].text {
		case "pkg":
			p, ok := declared(file, e[1].text, e[2].string())
			if !ok {
				skipped++
				continue
			}
			setSum(&p, sums[d.list[0].text])
			out.Packages = append(out.Packages, p)
		case "git", "git_subdir":
			rev := ""
			if r := e[2]; r.kind == tuple && len(r.list) == 2 {
				rev = r.list[1].text
			}
			p, ok := repository(file, d.list[0].text, e[1].string(), rev)
			if !ok {
				skipped++
				continue
			}
			out.Packages = append(out.Packages, p)
		}
	}
	return lockError("rebar.lock", skipped, err)
}

func lockError(name string, skipped int, err error) error {
	if err == nil && skipped > 0 {
		err = fmt.Errorf("%d entries without a valid name and version", skipped)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return nil
}

func declared(file, name, v string) (inventory.Package, bool) {
	p := inventory.Package{
		Type: "hex", Name: name, Version: v, State: inventory.Declared, Path: file, Technique: inventory.TechLockFile,
	}
	return p, valid(name) && version(v)
}

// setRepository notes an organisation's or another server's repository.
func setRepository(p *inventory.Package, repo string) {
	switch org, ok := strings.CutPrefix(repo, "hexpm:"); {
	case repo == "" || repo == "hexpm" || !valid(repo):
	case ok:
		p.Namespace = org
	default:
		p.Meta = map[string]string{"repository": repo}
	}
}

func setSum(p *inventory.Package, sum string) {
	sum = strings.ToLower(sum)
	if len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		return
	}
	p.Hashes = map[string]string{"sha256": sum}
}

// repository is a package by the repository and the revision it is taken from.
func repository(file, name, remote, rev string) (inventory.Package, bool) {
	p := inventory.Package{State: inventory.Declared, Path: file, Technique: inventory.TechLockFile, Version: rev}
	if !valid(rev) || len(remote) > 2048 || !valid(name) {
		return p, false
	}
	host, dir := "", ""
	if at, rest, ok := strings.Cut(remote, "@"); ok && !strings.Contains(at, "/") { // git@host:dir
		host, dir, _ = strings.Cut(rest, ":")
	} else if u, err := url.Parse(remote); err == nil {
		u.User = nil // may be a token
		host, dir, remote = u.Hostname(), u.Path, u.String()
	}
	owner, repo, ok := strings.Cut(strings.TrimSuffix(strings.Trim(dir, "/"), ".git"), "/")
	if host == "github.com" && ok && valid(owner) && valid(repo) {
		p.Type, p.Namespace, p.Name = "github", strings.ToLower(owner), strings.ToLower(repo)
		return p, true
	}
	p.Type, p.Name = "generic", name
	if host != "" {
		p.Qualifiers = map[string]string{"vcs_url": "git+" + analyze.Clip(remote, 2048)}
	}
	return p, true
}
