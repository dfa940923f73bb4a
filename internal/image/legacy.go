package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// legacyJSON is the file ID/json of an archive that Docker before 1.10 wrote
// (Docker image specification v1). Every layer has one and names its parent.
type legacyJSON struct {
	ID              string     `json:"id"`
	Parent          string     `json:"parent"`
	Created         string     `json:"created"`
	Author          string     `json:"author"`
	Comment         string     `json:"comment"`
	OS              string     `json:"os"`
	Architecture    string     `json:"architecture"`
	Variant         string     `json:"variant"`
	Throwaway       bool       `json:"throwaway"`
	Config          *runConfig `json:"config"`
	ContainerConfig *runConfig `json:"container_config"`
}

// legacyImage follows `repositories`, which names the topmost layer of each
// tag. Such images have no digests: DiffIDs are known when layers were read.
func legacyImage(ctx context.Context, a *archive, choice string, o Options) (*Image, error) {
	raw, err := readFile(a, "repositories", o.Limits.ManifestBytes, "ManifestBytes")
	if err != nil {
		return nil, err
	}
	var repos map[string]map[string]string
	if err := json.Unmarshal(raw, &repos); err != nil {
		return nil, fmt.Errorf("reading repositories: %w", err)
	}
	top, tags, err := pickLegacy(repos, choice)
	if err != nil {
		return nil, err
	}
	img := &Image{Tags: tags}
	seen := map[string]bool{}
	for id := top; id != ""; {
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case seen[id]:
			return nil, fmt.Errorf("layer %s is its own ancestor", shorten(id))
		case len(seen) >= o.Limits.Layers:
			return nil, &LimitError{"the number of layers", "Layers", int64(o.Limits.Layers)}
		case strings.ContainsAny(id, "/\\"):
			return nil, fmt.Errorf("%q is no layer", shorten(id))
		}
		seen[id] = true
		raw, err := readFile(a, id+"/json", o.Limits.ConfigBytes, "ConfigBytes")
		if err != nil {
			return nil, err
		}
		var j legacyJSON
		if err := json.Unmarshal(raw, &j); err != nil {
			return nil, fmt.Errorf("reading %s/json: %w", shorten(id), err)
		}
		l, err := a.layer(id+"/layer.tar", o.Limits)
		if err != nil {
			return nil, err
		}
		if id == top {
			img.RawConfig = raw
			img.Config = Config{
				Created: parseTime(j.Created), Author: j.Author,
				OS: j.OS, Architecture: j.Architecture, Variant: j.Variant,
			}
			running(&img.Config, j.Config)
			if j.OS != "" && j.Architecture != "" {
				img.Platform = Platform{j.OS, j.Architecture, j.Variant}.normal()
			}
		}
		h := History{Created: parseTime(j.Created), Author: j.Author, Comment: j.Comment}
		if j.ContainerConfig != nil {
			h.CreatedBy = strings.Join(j.ContainerConfig.Cmd, " ")
		}
		l.CreatedBy = h.CreatedBy
		img.Config.History = append(img.Config.History, h)
		img.Layers = append(img.Layers, l)
		id = j.Parent
	}
	slices.Reverse(img.Layers)
	slices.Reverse(img.Config.History)
	for i, l := range img.Layers {
		l.Index = i
	}
	return img, img.platformAsked(o)
}

// pickLegacy finds the topmost layer of the image that was asked for.
func pickLegacy(repos map[string]map[string]string, choice string) (top string, tags []string, err error) {
	tops := map[string][]string{}
	var names []string
	for repo, byTag := range repos {
		for tag, id := range byTag {
			name := repo + ":" + tag
			names = append(names, name)
			if choice == "" || choice == name || choice == tag || choice == id {
				top = id
				tops[id] = append(tops[id], name)
			}
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return "", nil, errors.New("repositories lists no image")
	case len(tops) == 0:
		return "", nil, fmt.Errorf("%w: nothing called %q; there are: %s", ErrNotFound, shorten(choice), list(names))
	case len(tops) > 1:
		return "", nil, fmt.Errorf("several images: choose one with PATH:REPOSITORY:TAG: %s", list(names))
	}
	slices.Sort(tops[top])
	return top, tops[top], nil
}
