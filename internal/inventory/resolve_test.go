package inventory

import "testing"

func TestResolve(t *testing.T) {
	var b Builder
	for _, f := range []File{
		{Path: "etc", Type: Directory}, {Path: "usr", Type: Directory}, {Path: "usr/lib", Type: Directory}, {Path: "a", Type: Directory},
		{Path: "usr/lib/os-release", Type: Regular}, {Path: "usr/lib/x", Type: Regular},
		{Path: "etc/os-release", Type: Symlink, Link: "../usr/lib/os-release"},
		{Path: "lib", Type: Symlink, Link: "usr/lib"},
		{Path: "a/abs", Type: Symlink, Link: "/lib/x"},
		{Path: "a/out", Type: Symlink, Link: "../../../../usr/./lib/x"},
		{Path: "loop", Type: Symlink, Link: "loop"}, {Path: "gone", Type: Symlink, Link: "nowhere"},
	} {
		b.Add(f)
	}
	table := b.Table()
	for name, want := range map[string]string{
		"/etc/os-release": "usr/lib/os-release", "etc/os-release": "usr/lib/os-release", "/lib/x": "usr/lib/x", "/a/abs": "usr/lib/x", "/a/out": "usr/lib/x",
		"/usr/lib/": "usr/lib", "/loop": "-", "/gone": "-", "/usr/lib/y": "-", "/usr/lib/x/..": "usr/lib",
	} {
		f, ok := table.Resolve(name)
		if got := f.Path; !ok && want != "-" || ok && got != want {
			t.Errorf("Resolve(%s) = %q, %v, want %q", name, got, ok, want)
		}
	}
}
