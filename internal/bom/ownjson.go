package bom

import (
	"bufio"
	_ "embed" // the schema
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// SchemaID names our JSON format, and SchemaVersion the version of it that we
// write. A reader accepts later additions to version 1.
const (
	SchemaID      = "https://tidewaiter.dev/schema/inventory-1.json"
	SchemaVersion = 1
)

//go:embed schema/inventory-1.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of our JSON format.
func Schema() []byte { return schema }

// header is what precedes the image in our JSON.
type header struct {
	Schema        string     `json:"schema"`
	SchemaVersion int        `json:"schemaVersion"`
	Tool          headerTool `json:"tool"`
	Created       string     `json:"created,omitempty"`
}

type headerTool struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// imageBody is an image without its packages, which are written and read one
// by one: the fields here hide those of the same name inside.
type imageBody struct {
	*inventory.Image
	Packages any `json:"packages,omitempty"`
	Declared any `json:"declared,omitempty"`
}

// writeJSON writes our JSON, a package a line.
func writeJSON(w *bufio.Writer, img *inventory.Image, o Options) error {
	head, err := marshal(header{SchemaID, SchemaVersion, headerTool{o.tool(), o.ToolVersion}, o.created(img)})
	if err != nil {
		return err
	}
	body, err := marshal(imageBody{Image: img})
	if err != nil {
		return err
	}
	// Both without their closing bracket: what follows goes inside.
	_, _ = w.Write(head[:len(head)-1]) // bufio.Writer keeps errors until Flush
	_, _ = w.WriteString(",\n\"image\":")
	_, _ = w.Write(body[:len(body)-1])
	_, _ = w.WriteString(",\n\"packages\":")
	if err := writeList(w, img.Packages); err != nil {
		return err
	}
	if len(img.Declared) > 0 {
		_, _ = w.WriteString(",\n\"declared\":")
		if err := writeList(w, img.Declared); err != nil {
			return err
		}
	}
	_, _ = w.WriteString("}}\n")
	return nil
}

func writeList(w *bufio.Writer, list []inventory.Package) error {
	_ = w.WriteByte('[')
	for i := range list {
		if i > 0 {
			_ = w.WriteByte(',')
		}
		_ = w.WriteByte('\n')
		if err := encode(w, &list[i]); err != nil {
			return err
		}
	}
	_, _ = w.WriteString("\n]")
	return nil
}

// ownImage reads the image of our JSON, package by package.
func (b *builder) ownImage(s *scanner) error {
	b.ours = true
	return s.object(func(key string) error {
		switch key {
		case "packages", "declared":
			return s.array(func(int) error {
				if err := b.count(); err != nil {
					return s.errorf("%w", err)
				}
				raw, err := s.raw()
				if err != nil {
					return err
				}
				var p inventory.Package
				if err := json.Unmarshal(raw, &p); err != nil {
					return jsonError(s, err)
				}
				if (p.State == inventory.Declared) != (key == "declared") {
					return s.errorf("a package of state %q in %q", p.State, key)
				}
				b.add("", p)
				return nil
			})
		}
		raw, err := s.raw()
		if err != nil {
			return err
		}
		// One field at a time, so that the way to an error is known.
		field := make([]byte, 0, len(raw)+len(key)+8)
		name, err := json.Marshal(key)
		if err != nil {
			return s.errorf("%w", err)
		}
		field = append(append(append(append(append(field, '{'), name...), ':'), raw...), '}')
		if err := json.Unmarshal(field, &imageBody{Image: b.img}); err != nil {
			return jsonError(s, err)
		}
		return nil
	})
}

func jsonError(s *scanner, err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return s.errorf("field %s: want %s, found %s", strings.TrimPrefix(wrong.Field, "Image."), wrong.Type, wrong.Value)
	}
	return s.errorf("%w", err)
}

// checkOwn refuses versions of our format that this program does not know.
func checkOwn(version int64) error {
	if version < 1 || version > SchemaVersion {
		return fmt.Errorf("schemaVersion: version %d is not known, only 1 to %d", version, SchemaVersion)
	}
	return nil
}
