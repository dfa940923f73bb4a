package updateinfo

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Limits of the smaller files of a repository.
const (
	maxRepomd  = 8 << 20
	maxModules = 256 << 20
	maxModule  = 1_000_000 // packages of modules
)

// repomd names the files of a repository.
type repomd struct {
	Updateinfo, Modules *repoFile
}

type repoFile struct {
	Href   string
	Digest string // of the file as it is served, "sha256:…"; "" unknown
	Open   string // of its content
}

// readRepomd reads a repomd.xml.
func readRepomd(r io.Reader) (repomd, error) {
	var doc struct {
		XMLName xml.Name
		Data    []struct {
			Type     string   `xml:"type,attr"`
			Checksum checksum `xml:"checksum"`
			Open     checksum `xml:"open-checksum"`
			Location struct {
				Href string `xml:"href,attr"`
			} `xml:"location"`
		} `xml:"data"`
	}
	var out repomd
	if err := feed.NewXMLDecoder(io.LimitReader(r, maxRepomd), feed.XMLLimits{Tokens: 1_000_000}).Decode(&doc); err != nil {
		return out, unexpected(err)
	}
	if doc.XMLName.Local != "repomd" {
		return out, fmt.Errorf("<%s> is no description of a repository", shorten(doc.XMLName.Local))
	}
	for _, d := range doc.Data {
		f := &repoFile{Href: d.Location.Href, Digest: d.Checksum.digest(), Open: d.Open.digest()}
		if f.Href == "" || strings.Contains(f.Href, "://") || strings.HasPrefix(f.Href, "/") || strings.Contains(f.Href, "..") {
			continue
		}
		switch d.Type {
		case "updateinfo":
			out.Updateinfo = f
		case "modules":
			out.Modules = f
		}
	}
	return out, nil
}

type checksum struct {
	Type string `xml:"type,attr"`
	Hex  string `xml:",chardata"`
}

func (c checksum) digest() string {
	hex := strings.ToLower(strings.TrimSpace(c.Hex))
	switch c.Type {
	case "sha":
		return "sha1:" + hex
	case "sha1", "sha256", "sha512", "md5":
		return c.Type + ":" + hex
	}
	return ""
}

// isUpdateinfo tells the file from its name: "updateinfo.xml",
// "HASH-updateinfo.xml".
func isUpdateinfo(name string) bool {
	base := path.Base(name)
	return strings.HasSuffix(base, ".xml") && strings.Contains(base, "updateinfo")
}

// isModules: "HASH-modules.yaml".
func isModules(name string) bool { return strings.HasSuffix(path.Base(name), "modules.yaml") }

// readModules learns from a modules.yaml which packages belong to which module:
// "name-epoch:version-release.arch" → "name:stream". Some publishers do not say
// so in their updateinfo.
func readModules(r io.Reader, into map[string]string) error {
	d := yaml.NewDecoder(io.LimitReader(r, maxModules))
	for {
		var doc struct {
			Document string `yaml:"document"`
			Data     struct {
				Name      string    `yaml:"name"`
				Stream    yaml.Node `yaml:"stream"`
				Artifacts struct {
					RPMs []string `yaml:"rpms"`
				} `yaml:"artifacts"`
			} `yaml:"data"`
		}
		err := d.Decode(&doc)
		if err == io.EOF {
			return nil
		}
		var wrong *yaml.TypeError
		if errors.As(err, &wrong) {
			continue // another kind of document
		}
		if err != nil {
			return err
		}
		if doc.Document != "modulemd" || doc.Data.Name == "" {
			continue
		}
		module := doc.Data.Name + ":" + doc.Data.Stream.Value
		for _, rpm := range doc.Data.Artifacts.RPMs {
			if into[rpm] = module; len(into) > maxModule {
				return &feed.LimitError{What: "the modules of a repository", Limit: "packages", Most: maxModule}
			}
		}
	}
}
