// Package secret finds secrets and credentials: tokens of known services,
// private keys, passwords in the files and URLs that are made for them, and,
// with little confidence, values that look like one. What it found becomes a
// fact of kind "secret" with the place and a keyed fingerprint; the value is
// kept nowhere.
//
// The rules are data: rules.txt, which describes their notation, services.txt
// and files.txt. Users add their own as [Analyzer.Rules].
//
// # What is not read
//
// A file is searched when its first bytes are text, it has 8 bytes to 5 MiB,
// and nothing in its path speaks against it. Left out are, because what is
// found there is somebody's documentation and costs most of the time:
//
//   - documentation, translations, declarations and licence texts by extension
//     or name (manual pages, .po, C headers, .d.ts, .pyi, LICENSE …), source
//     maps and style sheets;
//   - folders of the distribution: usr/share/{doc,man,info,locale,i18n,
//     ca-certificates …}, usr/include, package databases and caches;
//   - texts for readers (.md, .rst, .html) in the trees of installed packages;
//   - anything that is not text by its first 512 bytes: programs, archives,
//     databases, compiled code, UTF-16, Git's packed objects. A private key
//     inside a binary is not found. Key stores are found by their names.
//
// A file that a rule names by its path is read wherever it lies. In the trees
// of installed packages (node_modules, site-packages, gems, usr/lib …) and in
// minified scripts the generic rules do not hold; those of services do.
package secret

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// DefaultFingerprintKey is the key of fingerprints where none is configured.
// It is known to everybody: fingerprints made with it tell equal secrets
// apart from others, and no more.
const DefaultFingerprintKey = "tidewaiter secret fingerprint 1"

// Analyzer finds secrets in the files of a layer. The zero value has the
// built-in rules. It must not be copied or changed after its first use.
type Analyzer struct {
	// Rules are added to the built-in ones and replace those of the same ID.
	// Ask [Validate] first: with rules that it rejects, nothing can be read.
	Rules []Rule
	// FingerprintKey is the key of [Secret.Fingerprint]; nil is
	// DefaultFingerprintKey.
	FingerprintKey []byte
	// Preview asks for [Secret.Preview]. Such facts are to be shown, not kept.
	Preview bool

	once sync.Once
	set  *set
	err  error
}

var _ analyze.Configured = (*Analyzer)(nil)

// Name implements [analyze.Analyzer].
func (*Analyzer) Name() string { return "secret" }

// Version implements [analyze.Analyzer]. Changes of the rules alone are told
// by ConfigDigest.
func (*Analyzer) Version() int { return 1 }

// ConfigDigest implements [analyze.Configured]: the rules and the key.
func (a *Analyzer) ConfigDigest() string {
	s, err := a.rules()
	if err != nil {
		return "invalid"
	}
	if a.Preview {
		return fingerprint(a.key(), []byte(s.digest+" preview"))
	}
	return fingerprint(a.key(), []byte(s.digest))
}

func (a *Analyzer) rules() (*set, error) {
	a.once.Do(func() {
		if len(a.Rules) == 0 {
			a.set = builtin()
			return
		}
		a.set, a.err = newSet(a.Rules)
	})
	return a.set, a.err
}

func (a *Analyzer) key() []byte {
	if a.FingerprintKey == nil {
		return []byte(DefaultFingerprintKey)
	}
	return a.FingerprintKey
}

// Wants implements [analyze.Analyzer].
func (a *Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if candidateFile(e) {
		return analyze.Alone
	}
	s, err := a.rules()
	if err != nil || e.Size == 0 || e.Kind.ELF() {
		return analyze.Ignore
	}
	wanted := false
	s.named(e.Path, func(r *rule) {
		// an odd kind cannot be searched, but it can be there
		wanted = wanted || e.Size <= maxText && (r.Form == Present || textual(e.Kind))
	})
	if wanted {
		return analyze.Alone
	}
	return analyze.Ignore
}

func textual(k inventory.Kind) bool {
	switch k {
	case inventory.KindText, inventory.KindScript, inventory.KindPEM, inventory.KindJSON, inventory.KindXML:
		return true
	}
	return false
}

// Analyze implements [analyze.Analyzer].
func (a *Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	s, err := a.rules()
	if err != nil {
		return fmt.Errorf("reading the rules: %w", err)
	}
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		text, err := f.ReadAll(maxText)
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		found, err := s.scan(ctx, f.Path, text, a.key())
		if limit := limitError(""); errors.As(err, &limit) {
			out.Problems = append(out.Problems, inventory.Problem{Analyzer: out.Analyzer, Path: f.Path, Limit: string(limit), Message: err.Error()})
		} else if err != nil {
			return err
		}
		for i := range found {
			if a.Preview && found[i].End > 0 {
				found[i].Preview = Redact(text[found[i].Start:found[i].End])
			}
			fact, err := newFact(f.Path, &found[i].Secret)
			if err != nil {
				return err
			}
			out.Facts = append(out.Facts, fact)
		}
	}
	return nil
}

// Scan finds the secrets in a text, in order of place. The name is that of a
// file, or "" where it is none. A text that reaches a limit (500 secrets, the
// work of patterns) is searched up to there.
func (a *Analyzer) Scan(name string, text []byte) ([]Found, error) {
	s, err := a.rules()
	if err != nil {
		return nil, fmt.Errorf("reading the rules: %w", err)
	}
	return s.scan(context.Background(), name, text, a.key())
}

// Scan finds the secrets in a text by the built-in rules.
func Scan(name string, text []byte) []Found {
	found, _ := builtin().scan(context.Background(), name, text, []byte(DefaultFingerprintKey))
	return found
}

func newFact(path string, s *Secret) (inventory.Fact, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return inventory.Fact{}, fmt.Errorf("writing the fact of %s: %w", path, err)
	}
	return inventory.Fact{Kind: FactKind, Path: path, Data: data}, nil
}
