package image

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// Platform is what an image runs on, in the words of Go's GOOS and GOARCH.
type Platform struct {
	OS, Arch, Variant string
}

func (p Platform) String() string {
	if p == (Platform{}) {
		return "unknown"
	}
	s := p.OS + "/" + p.Arch
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// ParsePlatform reads os/architecture[/variant]. The names that machines give
// themselves (x86_64, aarch64, armhf …) are understood too.
func ParsePlatform(s string) (Platform, error) {
	parts := strings.Split(strings.ToLower(s), "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return Platform{}, fmt.Errorf("platform %q: want os/architecture[/variant], such as linux/arm64", shorten(s))
	}
	p := Platform{OS: parts[0], Arch: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p.normal(), nil
}

func defaultPlatform() Platform {
	return Platform{OS: "linux", Arch: runtime.GOARCH}.normal()
}

// normal makes equal platforms equal: arm64 and arm64/v8 are the same machine,
// and so are amd64 and amd64/v1.
func (p Platform) normal() Platform {
	p.OS, p.Arch, p.Variant = strings.ToLower(p.OS), strings.ToLower(p.Arch), strings.ToLower(p.Variant)
	switch p.Arch {
	case "x86_64", "x86-64":
		p.Arch = "amd64"
	case "i386", "i486", "i586", "i686", "x86":
		p.Arch = "386"
	case "aarch64":
		p.Arch = "arm64"
	case "armhf":
		p.Arch, p.Variant = "arm", "v7"
	case "armel":
		p.Arch, p.Variant = "arm", "v6"
	}
	switch {
	case p.Arch == "arm64" && (p.Variant == "v8" || p.Variant == "8"),
		p.Arch == "amd64" && p.Variant == "v1":
		p.Variant = ""
	case p.Arch == "arm" && len(p.Variant) == 1:
		p.Variant = "v" + p.Variant
	}
	return p
}

// fit says how well have serves who asks for p: 0 is not at all. Both must be
// normal. Only arm without a variant leaves a choice; the newest is best.
func (p Platform) fit(have Platform) int {
	switch {
	case p.OS != have.OS || p.Arch != have.Arch:
		return 0
	case p.Variant == have.Variant:
		return 10
	case p.Variant != "":
		return 0
	case have.Arch == "arm":
		return map[string]int{"v7": 9, "v6": 8, "v5": 7, "v8": 6}[have.Variant]
	}
	return 1
}
