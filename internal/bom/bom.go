// Package bom writes inventories as bills of materials and reads them back:
// our own JSON, CycloneDX, SPDX and plain lists of package URLs, and, read
// only, Syft's JSON and SPDX 3. What an inventory means, and package URLs, are
// package inventory's business.
//
// # What the formats carry
//
// Our own JSON carries the whole inventory but the file table; its schema is
// [Schema]. CycloneDX and SPDX carry the image, its distribution, layers,
// coverage and problems, and every package with its locations, licences,
// supplier and resolved dependencies; what these formats have no field for is
// kept in properties (CycloneDX) or in one annotation per package (SPDX) whose
// names begin with "tidewaiter:". Packages' file lists, facts, licence files
// and unattributed binaries are in our JSON alone. Text that is not UTF-8, and
// control characters in XML, become U+FFFD.
//
// Packages that a lock file or manifest only speaks of ([inventory.Declared])
// have scope "excluded" in CycloneDX; in SPDX the image does not CONTAIN them
// but has a relationship OTHER to them.
package bom

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Format names a format of bills of materials.
type Format string

// The formats. Syft's and SPDX 3 are only read.
const (
	JSON          Format = "json"
	CycloneDXJSON Format = "cyclonedx-json"
	CycloneDXXML  Format = "cyclonedx-xml"
	SPDXJSON      Format = "spdx-json"
	SPDXTagValue  Format = "spdx-tag-value"
	PURLs         Format = "purls"
	SyftJSON      Format = "syft-json"
	SPDX3JSON     Format = "spdx3-json"
)

// Formats lists the formats that [Write] writes.
func Formats() []Format {
	return []Format{JSON, CycloneDXJSON, CycloneDXXML, SPDXJSON, SPDXTagValue, PURLs}
}

// Options say who writes a document and when.
type Options struct {
	Tool        string // "tidewaiter" when empty
	ToolVersion string
	// Created is the time the document states. When zero it is the time the
	// image was made, so that the same image gives the same bytes.
	Created time.Time
	// Vulnerabilities are written into CycloneDX; not nil and empty says that
	// none were found. Properties are added to those of the image there.
	Vulnerabilities []Vulnerability
	Properties      []Property
}

// Write writes img to w. The same arguments give the same bytes.
func Write(w io.Writer, f Format, img *inventory.Image, o Options) error {
	bw := bufio.NewWriterSize(w, 64<<10)
	var err error
	switch f {
	case JSON:
		err = writeJSON(bw, img, o)
	case CycloneDXJSON:
		err = writeCycloneDX(bw, img, o, false)
	case CycloneDXXML:
		err = writeCycloneDX(bw, img, o, true)
	case SPDXJSON:
		err = writeSPDXJSON(bw, img, o)
	case SPDXTagValue:
		err = writeTagValue(bw, img, o)
	case PURLs:
		err = writePURLs(bw, img)
	default:
		return fmt.Errorf("format %q cannot be written", f)
	}
	if err != nil {
		return err
	}
	return bw.Flush()
}

// Limits bound what [Read] accepts. A zero field is its default.
type Limits struct {
	Bytes      int64 // size of the document; 512 MiB
	Components int   // packages, and other things listed as such; 2,000,000
	Depth      int   // objects or elements in one another; 200
}

// Edges of the dependency graph and locations, for each permitted component.
const relationsPerComponent = 10

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 512 << 20
	}
	if l.Components <= 0 {
		l.Components = 2_000_000
	}
	if l.Depth <= 0 {
		l.Depth = 200
	}
	return l
}

// LimitError says which limit a document exceeds.
type LimitError struct {
	Limit string // bytes, components, nesting, relations
	Max   int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("document exceeds the limit of %d %s", e.Max, e.Limit)
}

// Read reads a document in any known format, which it tells by the content,
// and returns what it says as an inventory. What belongs to the image is
// there as far as the document tells it; a package whose layer it does not
// tell has Layer -1. A package URL that cannot be read is a Problem of the
// inventory; a document that is not well-formed, has a field of the wrong type
// or twice, or exceeds a limit ([LimitError]) is an error that names the field.
func Read(r io.Reader, limits Limits) (*inventory.Image, Format, error) {
	limits = limits.withDefaults()
	br := bufio.NewReaderSize(&limitReader{r: r, left: limits.Bytes, max: limits.Bytes}, 64<<10)
	head, err := br.Peek(4096)
	if err != nil && len(head) == 0 {
		if err == io.EOF {
			return nil, "", fmt.Errorf("reading a bill of materials: the document is empty")
		}
		return nil, "", fmt.Errorf("reading a bill of materials: %w", err)
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, _ = br.Discard(3) // peeked above
		head = head[3:]
	}
	b := newBuilder(limits)
	var f Format
	switch sniff(head) {
	case '{':
		f, err = readJSON(br, b)
	case '<':
		f, err = CycloneDXXML, readCycloneDXXML(br, b)
	case 'S':
		f, err = SPDXTagValue, readTagValue(br, b)
	case 'p':
		f, err = PURLs, readPURLs(br, b)
	default:
		return nil, "", fmt.Errorf("reading a bill of materials: the content is neither JSON nor XML nor SPDX tag-value nor a list of package URLs")
	}
	if err != nil {
		if f == "" {
			return nil, "", fmt.Errorf("reading a bill of materials: %w", err)
		}
		return nil, "", fmt.Errorf("reading a bill of materials (%s): %w", f, err)
	}
	return b.finish(), f, nil
}

// sniff tells the family of a document by its first bytes: '{', '<', 'S' for
// tag-value, 'p' for package URLs, 0 for anything else.
func sniff(head []byte) byte {
	for len(head) > 0 {
		var line []byte
		line, head, _ = bytes.Cut(head, []byte("\n"))
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#':
		case line[0] == '{' || line[0] == '<':
			return line[0]
		case bytes.HasPrefix(line, []byte("SPDXVersion:")):
			return 'S'
		case len(line) > 4 && bytes.EqualFold(line[:4], []byte("pkg:")):
			return 'p'
		default:
			return 0
		}
	}
	return 0
}

type limitReader struct {
	r    io.Reader
	left int64
	max  int64
}

func (l *limitReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		// The document may end exactly here.
		var one [1]byte
		n, err := l.r.Read(one[:])
		if n > 0 {
			return 0, &LimitError{"bytes", l.max}
		}
		return 0, err
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}
