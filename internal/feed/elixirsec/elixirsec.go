// Package elixirsec reads elixir-security-advisories: one YAML file for each
// vulnerability of a Hex package.
package elixirsec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/version"
)

// Sources are the feeds of this package.
func Sources() []feed.Source { return []feed.Source{Database{}} }

// Database is the database: one advisory for each file, under the UUID it bears.
//
// A version is affected unless it satisfies one of patched_versions or one of
// unaffected_versions: both together are Affected.Unaffected, joined by "||".
type Database struct{}

var _ feed.Source = Database{}

// Info implements [feed.Source].
func (Database) Info() feed.Info {
	return feed.Info{
		Partial: []string{"hex"},
		Name:    "elixir", Publisher: "Dependabot", Describes: "vulnerabilities of Hex packages, up to 2022",
		URL:     "https://github.com/dependabot/elixir-security-advisories/archive/refs/heads/master.zip",
		Streams: []string{"hex"}, Licence: "CC0-1.0", Fresh: 90 * 24 * time.Hour, Priority: 50,
	}
}

const maxFile = 1 << 20 // bytes of one advisory

// Fetch implements [feed.Source]. From is the repository as a folder or archive:
// files packages/NAME/….yml.
func (s Database) Fetch(ctx context.Context, in feed.Input, state feed.State) (*feed.Update, error) {
	return in.All(ctx, s.Info().URL, state, func(members iter.Seq2[feed.Member, error], out *feed.Output) error {
		seen := map[string]bool{}
		files, err := out.Records(members, maxFile, isAdvisory, func(_ string, raw []byte) error {
			a, err := parse(raw)
			if err != nil {
				return err
			}
			if seen[a.ID] {
				return fmt.Errorf("another file has the identifier %s too", a.ID)
			}
			seen[a.ID] = true
			out.Yield(feed.Item{Advisory: a}, nil)
			return nil
		})
		if err == nil && files == 0 {
			err = errors.New("there is no advisory: no file packages/NAME/….yml")
		}
		return err
	})
}

func isAdvisory(name string) bool {
	parts := strings.Split(name, "/")
	return path.Ext(name) == ".yml" && (len(parts) == 1 || len(parts) >= 3 && parts[len(parts)-3] == "packages")
}

// entry is one file.
type entry struct {
	ID          string   `yaml:"id"`
	Package     string   `yaml:"package"`
	Date        string   `yaml:"disclosure_date"`
	CVE         string   `yaml:"cve"`
	Link        string   `yaml:"link"`
	Title       string   `yaml:"title"`
	Description string   `yaml:"description"`
	Patched     []string `yaml:"patched_versions"`
	Unaffected  []string `yaml:"unaffected_versions"`
}

func parse(raw []byte) (*advisory.Advisory, error) {
	var e entry
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&e); err != nil {
		return nil, err
	}
	if e.ID == "" || e.Package == "" {
		return nil, errors.New("it has no id or no package")
	}
	a := &advisory.Advisory{
		Source: "elixir", ID: e.ID, URL: e.Link,
		Summary: strings.TrimSpace(e.Title), Details: strings.TrimSpace(e.Description),
	}
	if e.CVE != "" {
		cve := "CVE-" + strings.TrimPrefix(e.CVE, "CVE-")
		if !advisory.IsCVE(cve) {
			return nil, fmt.Errorf("%.80q is no CVE identifier", cve)
		}
		a.Aliases = []string{cve}
	}
	if e.Link != "" {
		a.References = []advisory.Reference{{Type: "WEB", URL: e.Link}}
	}
	a.Published, _ = time.Parse(time.DateOnly, e.Date)
	f := advisory.Affected{
		Key: advisory.Key{Stream: "hex", Name: advisory.Name("hex", e.Package)}, Scheme: version.Hex,
		Unaffected: strings.Join(slices.Concat(e.Patched, e.Unaffected), " || "), Fix: advisory.Fix{State: advisory.NotFixed},
	}
	if len(e.Patched) > 0 {
		f.Fix = advisory.Fix{State: advisory.Fixed, Versions: fixes(e.Patched)}
	}
	a.Affected = []advisory.Affected{f}
	return a, nil
}

// fixes are the versions with which requirements such as ">= 1.3.2" and
// "~> 1.2.3" begin, in order.
func fixes(patched []string) []string {
	var out []string
	for _, r := range patched {
		v, ok := strings.CutPrefix(r, ">=")
		if !ok {
			v, ok = strings.CutPrefix(r, "~>")
		}
		v = strings.TrimSpace(v)
		if _, err := version.Parse(version.Hex, v); ok && err == nil {
			out = append(out, v)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		c, _ := version.Compare(version.Hex, a, b)
		return c
	})
	return slices.Compact(out)
}
