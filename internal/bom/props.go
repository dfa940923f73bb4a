package bom

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Names of our properties begin so.
const propPrefix = "tidewaiter:"

// property says what a format has no field of its own for.
type property struct {
	Name  string `json:"name" xml:"name,attr"`
	Value string `json:"value" xml:",chardata"`
}

type properties []property

func (ps *properties) add(name, value string) {
	*ps = append(*ps, property{propPrefix + name, value})
}

func (ps *properties) some(name, value string) {
	if value != "" {
		ps.add(name, value)
	}
}

// json adds a value as JSON.
func (ps *properties) json(name string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		ps.add(name, string(b))
	}
	return err
}

// packageProperties are those of a package that is written with the package
// URL purl ("" for without) and the licences native as the format has them.
// What the reader would take from these is not said twice, but for the source
// package, the module and the distribution, which other tools may want.
func packageProperties(p *inventory.Package, purl string, native []inventory.License) (properties, error) {
	var q inventory.Package
	if purl != "" {
		var err error
		if q, err = inventory.ParsePURL(purl); err != nil {
			return nil, err
		}
	}
	ps := make(properties, 0, 12)
	unlike := func(name, value, fromPURL string) {
		if value != fromPURL {
			ps.add(name, value)
		}
	}
	unlike("type", p.Type, q.Type)
	unlike("namespace", p.Namespace, q.Namespace)
	unlike("name", p.Name, q.Name)
	unlike("version", p.Version, q.Version)
	unlike("arch", p.Arch, q.Arch)
	unlike("subpath", p.Subpath, q.Subpath)
	if !maps.Equal(p.Qualifiers, q.Qualifiers) {
		if err := ps.json("qualifiers", p.Qualifiers); err != nil {
			return nil, err
		}
	}
	useful := func(name, value, fromPURL string) {
		if value != "" || fromPURL != "" {
			ps.add(name, value)
		}
	}
	useful("distro", p.Distro, q.Distro)
	useful("source", p.Source, q.Source)
	useful("source-version", p.SourceVersion, q.SourceVersion)
	useful("module", p.Module, q.Module)

	ps.some("state", string(p.State))
	ps.some("scope", p.Scope)
	ps.some("path", p.Path)
	ps.some("inner", p.Inner)
	ps.add("layer", strconv.Itoa(p.Layer))
	ps.some("technique", p.Technique)
	if p.Confidence != 0 {
		ps.add("confidence", strconv.FormatFloat(p.Confidence, 'g', -1, 64))
	}
	ps.some("owner", p.Owner)
	if p.Size != 0 {
		ps.add("size", strconv.FormatInt(p.Size, 10))
	}
	for i := range p.Locations {
		if err := ps.json("location", &p.Locations[i]); err != nil {
			return nil, err
		}
	}
	if !slices.Equal(p.Licenses, native) {
		if len(p.Licenses) == 0 {
			ps.add("license", "null")
		}
		for i := range p.Licenses {
			if err := ps.json("license", &p.Licenses[i]); err != nil {
				return nil, err
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(p.Meta)) {
		ps.add("meta:"+k, p.Meta[k])
	}
	return ps, nil
}

// packageReader takes our properties into a package.
type packageReader struct {
	p        *inventory.Package
	licensed bool // licences were said by properties
	ours     bool // any property of ours was there
}

func (r *packageReader) set(name, value string) error {
	name, ok := strings.CutPrefix(name, propPrefix)
	if !ok {
		return nil
	}
	if !r.ours {
		r.ours = true
		r.p.Layer = 0
	}
	var err error
	p := r.p
	switch name {
	case "type":
		p.Type = value
	case "namespace":
		p.Namespace = value
	case "name":
		p.Name = value
	case "version":
		p.Version = value
	case "arch":
		p.Arch = value
	case "subpath":
		p.Subpath = value
	case "qualifiers":
		p.Qualifiers = nil
		err = json.Unmarshal([]byte(value), &p.Qualifiers)
	case "distro":
		p.Distro = value
	case "source":
		p.Source = value
	case "source-version":
		p.SourceVersion = value
	case "module":
		p.Module = value
	case "state":
		p.State = inventory.State(value)
	case "scope":
		p.Scope = value
	case "path":
		p.Path = value
	case "inner":
		p.Inner = value
	case "layer":
		p.Layer, err = strconv.Atoi(value)
	case "technique":
		p.Technique = value
	case "confidence":
		p.Confidence, err = strconv.ParseFloat(value, 64)
	case "owner":
		p.Owner = value
	case "size":
		p.Size, err = strconv.ParseInt(value, 10, 64)
	case "supplier":
		p.Supplier = value
	case "homepage":
		p.Homepage = value
	case "cpe":
		p.CPEs = append(p.CPEs, value)
	case "location":
		var l inventory.Location
		err = json.Unmarshal([]byte(value), &l)
		p.Locations = append(p.Locations, l)
	case "license":
		if !r.licensed {
			r.licensed, p.Licenses = true, nil
		}
		if value != "null" {
			var l inventory.License
			err = json.Unmarshal([]byte(value), &l)
			p.Licenses = append(p.Licenses, l)
		}
	default:
		if key, ok := strings.CutPrefix(name, "meta:"); ok {
			if p.Meta == nil {
				p.Meta = make(map[string]string)
			}
			p.Meta[key] = value
		}
	}
	if err != nil {
		return fmt.Errorf("property %s%s: %w", propPrefix, name, err)
	}
	return nil
}

// imageProperties are those of the image as a whole.
func imageProperties(img *inventory.Image) (properties, error) {
	var ps properties
	ps.add("image:reference", img.Reference) // always, so that a reader knows whose document it is
	ps.some("image:digest", string(img.Digest))
	ps.some("image:index-digest", string(img.IndexDigest))
	ps.some("image:config-digest", string(img.ConfigDigest))
	for _, t := range img.Tags {
		ps.add("image:tag", t)
	}
	if t := img.Config.Created; !t.IsZero() {
		ps.add("image:created", t.Format(time.RFC3339Nano))
	}
	ps.some("image:os", img.Config.OS)
	ps.some("image:architecture", img.Config.Architecture)
	ps.some("image:variant", img.Config.Variant)
	for _, k := range slices.Sorted(maps.Keys(img.Config.Labels)) {
		ps.add("image:label:"+k, img.Config.Labels[k])
	}
	for i := range img.Layers {
		if err := ps.json("image:layer", &img.Layers[i]); err != nil {
			return nil, err
		}
	}
	if img.Distro != nil {
		if err := ps.json("distro", img.Distro); err != nil {
			return nil, err
		}
	}
	if img.Coverage != (inventory.Coverage{}) {
		if err := ps.json("coverage", &img.Coverage); err != nil {
			return nil, err
		}
	}
	for i := range img.Problems {
		if err := ps.json("problem", &img.Problems[i]); err != nil {
			return nil, err
		}
	}
	return ps, nil
}

// setImage takes one of our properties of the image.
func setImage(img *inventory.Image, name, value string) error {
	name, ok := strings.CutPrefix(name, propPrefix)
	if !ok {
		return nil
	}
	var err error
	switch name {
	case "image:reference":
		img.Reference = value
	case "image:digest":
		img.Digest = inventory.Digest(value)
	case "image:index-digest":
		img.IndexDigest = inventory.Digest(value)
	case "image:config-digest":
		img.ConfigDigest = inventory.Digest(value)
	case "image:tag":
		img.Tags = append(img.Tags, value)
	case "image:created":
		img.Config.Created, err = time.Parse(time.RFC3339Nano, value)
	case "image:os":
		img.Config.OS = value
	case "image:architecture":
		img.Config.Architecture = value
	case "image:variant":
		img.Config.Variant = value
	case "image:layer":
		var l inventory.LayerInfo
		err = json.Unmarshal([]byte(value), &l)
		img.Layers = append(img.Layers, l)
	case "distro":
		img.Distro = new(inventory.Distro)
		err = json.Unmarshal([]byte(value), img.Distro)
	case "coverage":
		err = json.Unmarshal([]byte(value), &img.Coverage)
	case "problem":
		var p inventory.Problem
		err = json.Unmarshal([]byte(value), &p)
		img.Problems = append(img.Problems, p)
	default:
		if key, ok := strings.CutPrefix(name, "image:label:"); ok {
			if img.Config.Labels == nil {
				img.Config.Labels = make(map[string]string)
			}
			img.Config.Labels[key] = value
		}
	}
	if err != nil {
		return fmt.Errorf("property %s%s: %w", propPrefix, name, err)
	}
	return nil
}
