package query

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func fleetQueries() []Query {
	severities := []Param{{Name: "severity", Help: "only these, or all (the default)", Repeated: true}}
	return []Query{
		&builtin{
			spec: Spec{Name: "cve-scan", Summary: "per vulnerability: the earliest image of each family to mend, and those to build again", All: true, Params: severities, Needs: Needs{Findings: true}},
			run:  cveScan,
		},
		&builtin{
			spec: Spec{Name: "cve-scan-simple", Summary: "per vulnerability: the images that have it", All: true, Params: severities, Needs: Needs{Findings: true}},
			run: func(in *Input, t *Table) error {
				t.Columns = []string{"CVE_ID", "Severity", "Affected_Count", "Affected_Image_Ids", "URL"}
				list, err := vulnerabilities(in, t)
				for _, v := range list {
					t.add(v.id, string(v.severity), strconv.Itoa(len(v.images)), ids(in.Images, v.images), dash(v.url))
				}
				return err
			},
		},
		&builtin{
			spec: Spec{Name: "common-packages", Summary: "packages that images add to the compared base, and how many do: candidates to move into it", All: true, Compare: true},
			run:  commonPackages,
		},
		&builtin{
			spec: Spec{Name: "distro-bins", Summary: "images by distribution", All: true, Params: []Param{{Name: "summarize", Help: "summarize: whatever the version"}}},
			run: func(in *Input, t *Table) error {
				t.Columns = []string{"Distro", "Distro_Version", "Image_Count", "Image_Ids"}
				type key struct{ id, version string }
				bins := map[key][]int{}
				for i := range in.Images {
					k := key{}
					k.id, k.version = distro(in.Images[i].Image)
					if len(in.Params) > 0 && in.Params[0] == "summarize" {
						k.version = "all"
					}
					bins[k] = append(bins[k], i)
				}
				for k, list := range bins {
					t.add(k.id, k.version, strconv.Itoa(len(list)), ids(in.Images, list))
				}
				t.sortRows(0, 1)
				return nil
			},
		},
		&builtin{
			spec: Spec{Name: "size-bins", Summary: "images by size in decimal megabytes", All: true,
				Params: []Param{{Name: "limit", Help: "upper bounds in megabytes, increasing from 0 (default 0 25 50 100 250 500 1000)", Repeated: true}}},
			run: sizeBins,
		},
	}
}

// vulnerability is one with the images that have it.
type vulnerability struct {
	id, url  string
	severity advisory.Level
	images   []int
	packages []string
	fixes    []string
}

// vulnerabilities lists what was found in the images, by identifier. An image
// that could not be judged is a warning.
func vulnerabilities(in *Input, t *Table) ([]*vulnerability, error) {
	byID := map[string]*vulnerability{}
	for i := range in.Images {
		scan := in.Images[i].Scan
		if scan == nil {
			return nil, fmt.Errorf("%s was not matched with advisories", in.Images[i].Name)
		}
		t.Warnings = append(t.Warnings, in.Images[i].Doubts()...)
		for j := range scan.Findings {
			f := &scan.Findings[j]
			if f.Suppressed != "" || !selectsFold(in.Params, string(f.Severity)) {
				continue
			}
			v := byID[f.ID]
			if v == nil {
				v = &vulnerability{id: f.ID, severity: f.Severity, url: f.URL}
				byID[f.ID] = v
			}
			if f.Severity.Rank() > v.severity.Rank() {
				v.severity = f.Severity
			}
			if !slices.Contains(v.images, i) {
				v.images = append(v.images, i)
			}
			p := scan.Package(f)
			v.packages = append(v.packages, p.Name+"-"+p.Version)
			v.fixes = append(v.fixes, f.Fix.Versions...)
		}
	}
	out := make([]*vulnerability, 0, len(byID))
	for _, v := range byID {
		slices.Sort(v.packages)
		v.packages = slices.Compact(v.packages)
		slices.Sort(v.fixes)
		v.fixes = slices.Compact(v.fixes)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b *vulnerability) int { return cmp.Compare(a.id, b.id) })
	return out, nil
}

func cveScan(in *Input, t *Table) error {
	t.Columns = []string{"CVE_ID", "Severity", "Total_Affected", "Vulnerable_Package", "Fix_Available", "Fix_Images", "Rebuild_Images", "URL"}
	list, err := vulnerabilities(in, t)
	if err != nil {
		return err
	}
	families := make([][]int, len(in.Images))
	for i := range in.Images {
		families[i] = family(in.Images, i)
	}
	slices.SortStableFunc(list, func(a, b *vulnerability) int { return cmp.Compare(len(b.images), len(a.images)) })
	for _, v := range list {
		var mend, rebuild []int
		for _, i := range v.images {
			// The earliest member of the family that has it is where to mend.
			first := i
			for _, m := range families[i] {
				if slices.Contains(v.images, m) {
					first = m
					break
				}
			}
			if !slices.Contains(mend, first) {
				mend = append(mend, first)
			}
			if first != i {
				rebuild = append(rebuild, i)
			}
		}
		fix := "None"
		if len(v.fixes) > 0 {
			fix = strings.Join(v.fixes, ",")
		}
		t.add(v.id, string(v.severity), strconv.Itoa(len(v.images)), strings.Join(v.packages, ","), fix, ids(in.Images, mend), ids(in.Images, rebuild), dash(v.url))
	}
	return nil
}

func commonPackages(in *Input, t *Table) error {
	t.Columns = []string{"BaseId", "Package", "Child_Images_With_Package"}
	base := versions(in.Compare.Image)
	counts := map[string]int{}
	for i := range in.Images {
		for k := range versions(in.Images[i].Image) {
			if base[k] == nil {
				counts[k.typ+"/"+k.name]++
			}
		}
		own, below := in.Images[i].Image.Layers, in.Compare.Image.Layers
		if len(below) > len(own) || !slices.EqualFunc(own[:len(below)], below, func(a, b inventory.LayerInfo) bool { return a.DiffID == b.DiffID }) {
			t.warn("%s is not built on %s", in.Images[i].Name, in.Compare.Name)
		}
	}
	for name, n := range counts {
		t.add(in.Compare.ID(), name, strconv.Itoa(n))
	}
	slices.SortFunc(t.Rows, func(a, b []string) int {
		x, _ := strconv.Atoi(a[2])
		y, _ := strconv.Atoi(b[2])
		return cmp.Or(cmp.Compare(y, x), cmp.Compare(a[1], b[1]))
	})
	return nil
}

func sizeBins(in *Input, t *Table) error {
	t.Columns = []string{"Size_Range(MBs)", "Image_Count", "Image_Ids"}
	limits := []int{0, 25, 50, 100, 250, 500, 1000}
	if len(in.Params) > 0 && in.Params[0] != "default" {
		limits = limits[:0]
		for _, w := range in.Params {
			n, err := strconv.Atoi(w)
			if err != nil || n < 0 || n > 1<<40 || len(limits) == 0 && n != 0 || len(limits) > 0 && n <= limits[len(limits)-1] {
				return fmt.Errorf("limits %s: use whole megabytes, increasing from 0, such as 0 100 500", strings.Join(in.Params, " "))
			}
			limits = append(limits, n)
		}
	}
	bins := make([][]int, len(limits))
	for i := range in.Images {
		var bytes int64
		for f := range in.Images[i].Image.Files.All() {
			if f.Type == inventory.Regular && !f.HardLink() {
				bytes += f.Size
			}
		}
		// The upper bound of a bin belongs to it.
		n := 0
		for n+1 < len(limits) && bytes > int64(limits[n+1])*1_000_000 {
			n++
		}
		bins[n] = append(bins[n], i)
	}
	for i, list := range bins {
		to := "max"
		if i+1 < len(limits) {
			to = strconv.Itoa(limits[i+1])
		}
		t.add(strconv.Itoa(limits[i])+"-"+to, strconv.Itoa(len(list)), ids(in.Images, list))
	}
	return nil
}

// ids names images in one cell.
func ids(images []Subject, list []int) string {
	if len(list) == 0 {
		return "-"
	}
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = images[n].ID()
	}
	return strings.Join(out, ",")
}
