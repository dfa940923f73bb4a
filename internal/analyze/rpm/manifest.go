package rpm

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// manifestColumns of container-manifest-2, separated by tabs: NAME,
// VERSION-RELEASE, INSTALLTIME, BUILDTIME, VENDOR, EPOCH, SIZE, ARCH,
// EPOCHNUM, SOURCERPM. "(none)" stands for nothing.
const manifestColumns = 10

// readManifest appends the packages of a manifest, one per line.
func readManifest(f *analyze.File, out *inventory.Record) error {
	data, err := f.ReadAll(analyze.MaxText)
	if err != nil {
		return err
	}
	var bad badEntries
	found := 0
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if found == maxPackages {
			_ = bad.add(fmt.Errorf("more than the limit of %d packages", maxPackages))
			break
		}
		c := strings.Split(line, "\t")
		if len(c) != manifestColumns {
			if err := bad.add(fmt.Errorf("line of %d columns, not %d: %.80q", len(c), manifestColumns, line)); err != nil {
				return err
			}
			continue
		}
		if c[0] == "gpg-pubkey" {
			continue
		}
		version, release, ok := strings.Cut(c[1], "-")
		if !ok || !word([]byte(c[0])) || !word([]byte(c[1])) {
			if err := bad.add(fmt.Errorf("package %.80q, version %.80q", c[0], c[1])); err != nil {
				return err
			}
			continue
		}
		epoch, err := strconv.ParseUint(c[8], 10, 32)
		if err != nil {
			epoch, _ = strconv.ParseUint(c[5], 10, 32)
		}
		p := inventory.Package{
			Type:      "rpm",
			Name:      c[0],
			Version:   evr(epoch, []byte(version), []byte(release)),
			Path:      f.Path,
			Technique: inventory.TechDatabase,
			Supplier:  text(present([]byte(c[4])), maxText),
		}
		if arch := present([]byte(c[7])); word(arch) {
			p.Arch = string(arch)
		}
		if size, err := strconv.ParseInt(c[6], 10, 64); err == nil && size > 0 {
			p.Size = size
		}
		if _, err := strconv.ParseUint(c[2], 10, 63); err == nil {
			p.Meta = map[string]string{"INSTALLTIME": c[2]}
		}
		p.Source, p.SourceVersion = source(c[9], c[0], c[1], epoch)
		out.Packages = append(out.Packages, p)
		found++
	}
	return bad.err()
}
