package inventory

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// layerOf makes a layer of lines such as
//
//	d etc            a directory
//	f etc/passwd v1  a file, with its content
//	l lib usr/lib    a symbolic link
//	w etc/shadow     a whiteout
//	o etc            an opaque marker
func layerOf(lines ...string) Layer {
	var b Builder
	for _, line := range lines {
		w := strings.Fields(line)
		f := File{Path: w[1]}
		switch w[0] {
		case "d":
			f.Type = Directory
		case "f":
			f.Size = 1
			if len(w) > 2 {
				f.SHA256[0] = w[2][1]
			}
		case "l":
			f.Type, f.Link = Symlink, w[2]
		case "w":
			f.Type = Whiteout
		case "o":
			f.Type = Opaque
		default:
			panic(line)
		}
		b.Add(f)
	}
	return Layer{Files: b.Table()}
}

func visiblePaths(img *Image) []string {
	var out []string
	for f := range img.Files.All() {
		out = append(out, fmt.Sprintf("%s@%d", f.Path, f.Layer))
	}
	return out
}

func TestSquash(t *testing.T) {
	tests := []struct {
		name   string
		layers []Layer
		want   []string
	}{
		{"one layer", []Layer{layerOf("d a", "f a/b")}, []string{"a@0", "a/b@0"}},
		{"replaced file", []Layer{layerOf("f a", "f b"), layerOf("f a")}, []string{"a@1", "b@0"}},
		{"directory stays", []Layer{layerOf("d a", "f a/b"), layerOf("d a", "f a/c")}, []string{"a@1", "a/b@0", "a/c@1"}},
		{"whiteout", []Layer{layerOf("d a", "f a/b", "f a/c"), layerOf("w a/b")}, []string{"a@0", "a/c@0"}},
		{"whiteout of a directory", []Layer{layerOf("d a", "f a/b", "f ab"), layerOf("w a")}, []string{"ab@0"}},
		{"whiteout and again", []Layer{layerOf("d a", "f a/b"), layerOf("w a"), layerOf("d a", "f a/c")}, []string{"a@2", "a/c@2"}},
		{"whiteout beside its successor", []Layer{layerOf("d a", "f a/b"), layerOf("w a", "d a", "f a/c")}, []string{"a@1", "a/c@1"}},
		{"opaque", []Layer{layerOf("d a", "f a/b"), layerOf("d a", "o a", "f a/c")}, []string{"a@1", "a/c@1"}},
		{"opaque without its directory", []Layer{layerOf("d a", "f a/b"), layerOf("o a", "f a/c")}, []string{"a@0", "a/c@1"}},
		{"file replaces directory", []Layer{layerOf("d a", "f a/b"), layerOf("f a")}, []string{"a@1"}},
		{"directory replaces file", []Layer{layerOf("f a"), layerOf("d a", "f a/b")}, []string{"a@1", "a/b@1"}},
		{"file, then directory: the old content stays away", []Layer{layerOf("d a", "f a/old"), layerOf("f a"), layerOf("d a", "f a/new")}, []string{"a@2", "a/new@2"}},
		{"a whiteout does not reach up", []Layer{layerOf("f a"), layerOf("w a"), layerOf("f a")}, []string{"a@2"}},
		{"names that sort between", []Layer{layerOf("d a", "f a-b", "f a/b", "f a.c"), layerOf("w a")}, []string{"a-b@0", "a.c@0"}},
		{"through a link below", []Layer{layerOf("d usr", "d usr/lib", "l lib usr/lib"), layerOf("f lib/x")}, []string{"lib@0", "usr@0", "usr/lib@0", "usr/lib/x@1"}},
		{"through an absolute link", []Layer{layerOf("d usr", "d usr/lib", "l lib /usr/lib"), layerOf("f lib/d/x")}, []string{"lib@0", "usr@0", "usr/lib@0", "usr/lib/d/x@1"}},
		{"whiteout through a link", []Layer{layerOf("d usr", "d usr/lib", "f usr/lib/x", "l lib usr/lib"), layerOf("w lib/x")}, []string{"lib@0", "usr@0", "usr/lib@0"}},
		{"a directory entry replaces the link", []Layer{layerOf("d usr", "d usr/lib", "l lib usr/lib"), layerOf("d lib", "f lib/x")}, []string{"lib@1", "lib/x@1", "usr@0", "usr/lib@0"}},
		{"a link replaces a directory", []Layer{layerOf("d a", "f a/old", "d b"), layerOf("l a b"), layerOf("f a/new")}, []string{"a@1", "b@0", "b/new@2"}},
		{"a link that was removed", []Layer{layerOf("d b", "l a b"), layerOf("w a"), layerOf("d a", "f a/x")}, []string{"a@2", "a/x@2", "b@0"}},
		{"a loop of links", []Layer{layerOf("l a b", "l b a"), layerOf("f a/x")}, []string{"a@0", "a/x@1", "b@0"}},
		{"a link out of the root", []Layer{layerOf("l a ../../../b", "d b"), layerOf("f a/x")}, []string{"a@0", "b@0", "b/x@1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, visiblePaths(Squash(tt.layers))); d != "" {
				t.Errorf("Squash (-want +got):\n%s", d)
			}
		})
	}
}

// unpack applies layers to a tree one entry after the other, as an unpacker
// does: the rule of the layers in its simplest form. It knows no links.
func unpack(layers []Layer) map[string]int {
	tree := map[string]File{}
	remove := func(p string, self bool) {
		maps.DeleteFunc(tree, func(q string, _ File) bool { return isBelow(q, p) || self && q == p })
	}
	for i, l := range layers {
		var entries []File
		for f := range l.Files.All() {
			f.Layer = i
			entries = append(entries, f)
		}
		for _, f := range entries { // what the layer removes from the ones below
			switch f.Type {
			case Whiteout:
				remove(f.Path, true)
			case Opaque:
				remove(f.Path, false)
			}
		}
		for _, f := range entries {
			if class(f.Type) != 1 {
				continue
			}
			if old, ok := tree[f.Path]; ok && (old.Type != Directory || f.Type != Directory) || f.Type != Directory {
				// replaced, with everything below it that is from before
				maps.DeleteFunc(tree, func(q string, g File) bool { return isBelow(q, f.Path) && g.Layer < i })
			}
			tree[f.Path] = f
		}
	}
	out := map[string]int{}
	for p, f := range tree {
		out[p] = f.Layer
	}
	return out
}

func TestSquashEqualsUnpacking(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for round := range 1500 {
		var layers []Layer
		for range 1 + r.IntN(5) {
			lines := map[string]string{}
			for range r.IntN(8) {
				p := string(rune('a' + r.IntN(3)))
				for range r.IntN(3) {
					p += "/" + string(rune('a'+r.IntN(3)))
				}
				kind := []string{"d", "d", "f", "w", "o"}[r.IntN(5)]
				switch kind {
				case "d", "f":
					// an entry's parents are directories in the same layer, as in every real tar
					for d := path.Dir(p); d != "."; d = path.Dir(d) {
						lines["e"+d] = "d " + d
					}
					if below := slices.ContainsFunc(slices.Collect(maps.Keys(lines)), func(q string) bool { return q[0] == 'e' && isBelow(q[1:], p) }); below {
						kind = "d"
					}
					lines["e"+p] = kind + " " + p
				default:
					lines[kind+p] = kind + " " + p
				}
			}
			layers = append(layers, layerOf(slices.Sorted(maps.Values(lines))...))
		}
		got := map[string]int{}
		for f := range Squash(layers).Files.All() {
			got[f.Path] = f.Layer
		}
		if d := cmp.Diff(unpack(layers), got); d != "" {
			for i, l := range layers {
				for f := range l.Files.All() {
					t.Logf("layer %d: %v %s", i, f.Type, f.Path)
				}
			}
			t.Fatalf("round %d: (-unpacked +squashed):\n%s", round, d)
		}
	}
}
