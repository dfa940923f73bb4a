package bom

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// jsonMarks are the top-level fields that tell formats apart. They may stand
// anywhere in the document, so all formats are read by the same pass; their
// other fields do not collide.
type jsonMarks struct {
	bomFormat, specVersion, spdxVersion string
	schemaVersion                       int64
	own, syft, spdx3                    bool
}

// readJSON reads a document in any of the JSON formats.
func readJSON(r *bufio.Reader, b *builder) (Format, error) {
	s := newScanner(r, b.limits.Depth)
	var m jsonMarks
	x := spdxReader{b: b}
	x3 := spdx3Reader{b: b}
	y := syftReader{b: b}
	err := s.object(func(key string) error {
		switch key {
		case "bomFormat":
			return s.strTo(&m.bomFormat)
		case "specVersion":
			return s.strTo(&m.specVersion)
		case "metadata":
			return b.cdxMetadata(s)
		case "components":
			return b.cdxComponents(s)
		case "dependencies":
			return b.cdxDependencies(s)

		case "spdxVersion":
			return s.strTo(&m.spdxVersion)
		case "packages":
			return x.packages(s)
		case "relationships":
			return x.relationships(s)
		case "hasExtractedLicensingInfos":
			return x.licenses(s)
		case "documentDescribes":
			ids, err := s.strs()
			x.described = append(x.described, ids...)
			return err
		case "name":
			return s.optional(&x.name)

		case "artifacts":
			m.syft = true
			return y.artifacts(s)
		case "artifactRelationships":
			return y.relationships(s)
		case "source":
			return y.source(s)
		case "distro":
			return y.distro(s)

		case "schemaVersion":
			var err error
			m.schemaVersion, err = s.integer()
			return err
		case "image":
			m.own = true
			return b.ownImage(s)

		case "@graph":
			m.spdx3 = true
			return x3.graph(s)
		}
		return s.skip()
	})
	if err != nil {
		return "", err
	}
	if err := s.end(); err != nil {
		return "", err
	}
	return m.settle(&x, &x3, &y)
}

// settle decides what the document is, and ends the reading of its format.
func (m *jsonMarks) settle(x *spdxReader, x3 *spdx3Reader, y *syftReader) (Format, error) {
	var found []Format
	if m.bomFormat != "" {
		found = append(found, CycloneDXJSON)
	}
	if m.spdxVersion != "" {
		found = append(found, SPDXJSON)
	}
	if m.syft {
		found = append(found, SyftJSON)
	}
	if m.own {
		found = append(found, JSON)
	}
	if m.spdx3 {
		found = append(found, SPDX3JSON)
	}
	if len(found) == 0 {
		return "", errors.New("the document is JSON, but neither CycloneDX nor SPDX nor Syft's nor our own format")
	}
	if len(found) > 1 {
		return "", fmt.Errorf("the document claims to be both %s and %s", found[0], found[1])
	}
	switch f := found[0]; f {
	case CycloneDXJSON:
		if m.bomFormat != "CycloneDX" {
			return f, fmt.Errorf("bomFormat: want CycloneDX, found %.40q", m.bomFormat)
		}
		if m.specVersion != "" && !strings.HasPrefix(m.specVersion, "1.") {
			return f, fmt.Errorf("specVersion: version %.40q is not known, only 1.x", m.specVersion)
		}
		return f, nil
	case SPDXJSON:
		if err := checkSPDXVersion(m.spdxVersion); err != nil {
			return f, err
		}
		return f, x.finish()
	case SPDX3JSON:
		return f, x3.finish()
	case SyftJSON:
		y.finish()
		return f, nil
	default:
		return f, checkOwn(m.schemaVersion)
	}
}

func checkSPDXVersion(v string) error {
	if !strings.HasPrefix(v, "SPDX-2.") {
		return fmt.Errorf("spdxVersion: version %.40q is not known, only SPDX-2.x", v)
	}
	return nil
}
