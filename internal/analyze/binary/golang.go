package binary

import (
	"debug/buildinfo"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// goProduct knows Go programs by the path of their main package, and their
// version from the build information: the toolchain's own, the main module's,
// what the linker was told to set, or a string of the signature's form.
func (s *scan) goProduct(named []candidate, everywhere bool) (p inventory.Package, ok bool) {
	info := s.buildInfo()
	if info == nil {
		return p, false
	}
	sig := s.table.goMain(info.Path)
	if sig == nil {
		return p, false
	}
	version := ""
	if strings.HasPrefix(info.Path, "cmd/") {
		version = strings.TrimPrefix(info.GoVersion, "go")
		version, _, _ = strings.Cut(version, " ")
	} else if v := strings.TrimPrefix(info.Main.Version, "v"); v != "" && isDigit(v[0]) && !strings.HasPrefix(v, "0.0.0-") {
		version = v
	}
	for _, set := range info.Settings {
		if version == "" && set.Key == "-ldflags" {
			version = linkedVersion(set.Value)
		}
	}
	sure := 0.0
	if version == "" && len(sig.strings) > 0 && (len(named) > 0 || everywhere) {
		c := &candidate{sig: sig, named: true}
		s.searchStrings(s.elf.data(), []*candidate{c})
		version, sure = c.version, sureString
	}
	if !plausible(version) {
		return p, false
	}
	p = product(s.file, sig, version, inventory.TechBuildInfo, sure, false)
	return p, true
}

// linkedVersion finds -X path.Version=1.2.3 among linker flags.
func linkedVersion(flags string) string {
	for field := range strings.FieldsSeq(flags) {
		name, value, ok := strings.Cut(strings.Trim(field, `"'`), "=")
		if !ok {
			continue
		}
		i := strings.LastIndexByte(name, '.')
		switch name[i+1:] {
		case "Version", "version", "gitVersion", "GitVersion", "BuildVersion", "buildVersion", "ServerVersion", "releaseVersion":
			value = strings.TrimPrefix(strings.Trim(value, `"'`), "v")
			if value != "" && isDigit(value[0]) {
				return value
			}
		}
	}
	return ""
}

// buildInfo reads Go's build information, whatever is wrong with the file.
func (s *scan) buildInfo() (info *buildinfo.BuildInfo) {
	defer func() {
		if recover() != nil {
			info = nil // the standard library's ELF reader does not promise to survive hostile files
		}
	}()
	info, err := buildinfo.Read(s.file.ReaderAt)
	if err != nil {
		return nil
	}
	return info
}
