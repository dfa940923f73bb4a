package csaf

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// maxRepositories bounds a repository map.
const maxRepositories = 1_000_000

// ReadRepositoryMap reads Red Hat's repository-to-cpe.json: which CPEs, as
// claims have them in Repository, stand for the content of a repository.
// Repositories are named by their content set, "rhel-9-for-x86_64-baseos-rpms".
// The lists are sorted.
func ReadRepositoryMap(r io.Reader) (map[string][]string, error) {
	in := feed.NewJSONReader(r, 1<<20)
	var out map[string][]string
	for key, err := range in.Object() {
		if err != nil {
			return nil, fmt.Errorf("reading the repository map: %w", err)
		}
		if key != "data" {
			continue
		}
		out = map[string][]string{}
		for name, err := range in.Object() {
			if err != nil {
				return nil, fmt.Errorf("reading the repository map: %w", err)
			}
			var v struct {
				CPEs []string `json:"cpes"`
			}
			if err := in.Decode(&v); err != nil {
				return nil, fmt.Errorf("reading the repository %s: %w", shorten(name), err)
			}
			if len(out) >= maxRepositories {
				return nil, &feed.LimitError{What: "the repository map", Limit: "repositories", Most: maxRepositories}
			}
			slices.Sort(v.CPEs)
			out[name] = slices.Compact(v.CPEs)
		}
	}
	if err := in.End(); err != nil {
		return nil, fmt.Errorf("reading the repository map: %w", err)
	}
	if out == nil {
		return nil, errors.New("it is no repository map: it has no member \"data\"")
	}
	return out, nil
}
