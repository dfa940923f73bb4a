package haskell

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Lock reads cabal.project.freeze and stack.yaml.lock as declared. What Stack
// takes from a repository has the qualifier vcs_url; what it takes from its
// snapshot of Stackage, its lock does not name.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements [analyze.Analyzer].
func (Lock) Name() string { return "haskell-lock" }

// Version implements [analyze.Analyzer].
func (Lock) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	dir, ok := strings.CutSuffix(e.Path, "cabal.project.freeze")
	if !ok {
		dir, ok = strings.CutSuffix(e.Path, "stack.yaml.lock")
	}
	if ok && (dir == "" || dir[len(dir)-1] == '/') && !analyze.Foreign(e.Path) {
		return analyze.Alone
	}
	return analyze.Ignore
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
			if strings.HasSuffix(f.Path, ".freeze") {
				err = readFreeze(f.Path, string(data), out)
			} else {
				err = readStack(f.Path, string(data), out)
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading lock: %w", err)
		}
	}
	return nil
}

func add(file, name, v string, out *inventory.Record) *inventory.Package {
	out.Packages = append(out.Packages, inventory.Package{
		Type: "hackage", Name: name, Version: v, State: inventory.Declared, Path: file, Technique: inventory.TechLockFile,
	})
	return &out.Packages[len(out.Packages)-1]
}

// readFreeze reads "constraints: any.NAME ==VERSION, NAME +flag, …".
func readFreeze(file, data string, out *inventory.Record) error {
	n := 0
	for c := range strings.FieldsFuncSeq(data, func(r rune) bool { return r == ',' || r == '\n' }) {
		c = strings.TrimSpace(c)
		if strings.HasPrefix(c, "--") {
			continue
		}
		c = strings.TrimSpace(strings.TrimPrefix(c, "constraints:"))
		name, v, ok := strings.Cut(c, "==")
		name = strings.TrimPrefix(strings.TrimSpace(name), "any.")
		if v = strings.TrimSpace(v); !ok || !analyze.ValidName(name) || strings.Contains(name, ":") || !version(v) || name == "rts" {
			continue
		}
		if n++; n > maxPackages {
			return fmt.Errorf("more than the limit of %d packages", maxPackages)
		}
		add(file, name, v, out)
	}
	return nil
}

// readStack reads the "completed" entries of the list "packages":
// "hackage: NAME-VERSION@sha256:SUM,SIZE", or name, version, git and commit.
func readStack(file, data string, out *inventory.Record) error {
	var name, v, repo, commit string
	in, completed := false, false
	n := 0
	flush := func() {
		if name != "" && analyze.ValidName(name) && version(v) {
			n++
			p := add(file, name, v, out)
			if repo != "" && !strings.Contains(repo, "@") && len(repo) < 1024 && analyze.ValidName(commit) {
				p.Qualifiers = map[string]string{"vcs_url": "git+" + repo + "@" + commit}
			}
		}
		name, v, repo, commit = "", "", "", ""
	}
	for s := range strings.Lines(data) {
		s = strings.TrimRight(s, "\r\n ")
		text := strings.TrimLeft(s, " ")
		if text == "" || text[0] == '#' {
			continue
		}
		indent := len(s) - len(text)
		if indent == 0 && text[0] != '-' {
			flush()
			in = strings.HasPrefix(text, "packages:")
			continue
		}
		if !in {
			continue
		}
		if rest, ok := strings.CutPrefix(text, "- "); ok {
			flush()
			text = rest
			indent += 2
		}
		key, value, _ := strings.Cut(text, ":")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		if indent <= 2 && value == "" {
			completed = key == "completed"
			continue
		}
		if !completed || indent > 4 {
			continue
		}
		switch key {
		case "hackage":
			id, _, _ := strings.Cut(value, "@")
			if i := strings.LastIndexByte(id, '-'); i > 0 {
				name, v = id[:i], id[i+1:]
			}
		case "name":
			name = value
		case "version":
			v = value
		case "git":
			repo = value
		case "commit":
			commit = value
		}
		if n > maxPackages {
			return fmt.Errorf("more than the limit of %d packages", maxPackages)
		}
	}
	flush()
	return nil
}
