package query

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func imageQueries() []Query {
	return []Query{
		onImage("list-image-attrs", "how many layers, packages and files, and how large", nil,
			[]string{"Attribute", "Value"}, func(s *Subject, _ []string, t *Table) error {
				var files, fromOS, bytes int64
				owned := owned(&inventory.Image{Packages: onlyOS(s.Image.Packages), Files: s.Image.Files})
				for f := range s.Image.Files.All() {
					if f.Type != inventory.Regular {
						continue
					}
					files++
					if !f.HardLink() {
						bytes += f.Size
					}
					if owned.has(f.Path) {
						fromOS++
					}
				}
				number := func(name string, n int64) { t.add(name, strconv.FormatInt(n, 10)) }
				number("Num_Layers", int64(len(s.Image.Layers)))
				number("Num_Distro_Packages", int64(len(onlyOS(s.Image.Packages))))
				number("Num_Packages", int64(len(s.Image.Packages)))
				number("Num_Files", files)
				number("Num_Files_From_Distro_Pkgs", fromOS)
				number("Image_Size_Bytes", bytes)
				created := "-"
				if !s.Image.Config.Created.IsZero() {
					created = s.Image.Config.Created.UTC().Format(time.RFC3339)
				}
				t.add("Created", created)
				return nil
			}),
		onImage("show-distro", "the distribution", []Param{{Name: "distro", Help: "only images of these, or all (the default)", Repeated: true}},
			[]string{"Distro", "Version"}, func(s *Subject, words []string, t *Table) error {
				id, version := distro(s.Image)
				if selects(words, id) {
					t.add(id, version)
				}
				return nil
			}),
		onImage("show-dockerfile", "the Dockerfile, given or made from the history", nil,
			[]string{"Mode", "Dockerfile_Line"}, func(s *Subject, _ []string, t *Table) error {
				for line := range strings.Lines(s.Dockerfile.Text) {
					t.add(string(s.Dockerfile.Mode), strings.TrimRight(line, "\r\n"))
				}
				return nil
			}),
		onImage("show-layers", "the digests of the layers, uncompressed, the lowest first", nil,
			[]string{"Layer"}, func(s *Subject, _ []string, t *Table) error {
				for _, l := range s.Image.Layers {
					t.add(string(l.DiffID))
				}
				return nil
			}),
		onImage("show-layer-info", "each layer with its size and the instruction that made it", nil,
			[]string{"Layer_Id", "Layer_Size_Bytes", "Dockerfile_Line"}, func(s *Subject, _ []string, t *Table) error {
				for _, l := range s.Image.Layers {
					t.add(string(l.DiffID), strconv.FormatInt(l.Size, 10), dash(l.CreatedBy))
				}
				return nil
			}),
		&builtin{
			spec: Spec{Name: "show-familytree", Summary: "which of the named images each one is built on", All: true},
			run: func(in *Input, t *Table) error {
				t.Columns = []string{"Image_Id", "Repo_Tags", "Member_Id", "Member_Tags", "Image_Type"}
				for i := range in.Images {
					for _, a := range family(in.Images, i) {
						kind := "ancestor"
						if a == i {
							kind = "image"
						}
						t.add(in.Images[i].ID(), in.Images[i].Tags(), in.Images[a].ID(), in.Images[a].Tags(), kind)
					}
				}
				if len(in.Images) == 1 {
					t.warn("only images that are named can be told to be ancestors: name the candidates with --image")
				}
				return nil
			},
		},
	}
}

// family lists the images that image i is built on, the earliest first, and
// i itself at the end. One image is built on another when its layers begin
// with all of the other's and go on; of two with the same layers neither is.
func family(images []Subject, i int) []int {
	own := images[i].Image.Layers
	var out []int
	for j := range images {
		other := images[j].Image.Layers
		if j != i && len(other) > 0 && len(other) < len(own) && slices.EqualFunc(own[:len(other)], other, func(a, b inventory.LayerInfo) bool { return a.DiffID == b.DiffID }) {
			out = append(out, j)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int { return len(images[a].Image.Layers) - len(images[b].Image.Layers) })
	return append(out, i)
}

func onlyOS(packages []inventory.Package) []inventory.Package {
	var out []inventory.Package
	for i := range packages {
		if packages[i].OS() {
			out = append(out, packages[i])
		}
	}
	return out
}

func distro(img *inventory.Image) (id, version string) {
	if img.Distro == nil || img.Distro.ID == "" {
		return "unknown", "-"
	}
	return img.Distro.ID, dash(img.Distro.Version)
}
