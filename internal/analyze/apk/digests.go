package apk

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Digests reads what apk knows of the files of its packages, their SHA-1 and
// permissions, for verification. Of a symbolic link the SHA-1 is that of its
// target.
type Digests struct{}

var _ analyze.Analyzer = Digests{}

// Name implements [analyze.Analyzer].
func (Digests) Name() string { return "apk-digests" }

// Version implements [analyze.Analyzer].
func (Digests) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Digests) Wants(e analyze.Entry) analyze.Interest { return Analyzer{}.Wants(e) }

// Analyze implements [analyze.Analyzer].
func (Digests) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			err = readDigests(f.Path, string(data), out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading the digests of the package database: %w", err)
		}
	}
	return nil
}

func readDigests(path, text string, out *inventory.Record) error {
	var bad badEntries
	var d inventory.PackageDigests
	dir, total := "", 0
	end := func() {
		if d.Name != "" && len(d.Files) > 0 {
			d.Type, d.Algorithm = "apk", "sha1"
			if data, err := json.Marshal(&d); err != nil {
				bad.add(err)
			} else {
				out.Facts = append(out.Facts, inventory.Fact{Kind: inventory.KindPackageDigests, Path: path, Data: data})
			}
		}
		d, dir = inventory.PackageDigests{}, ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			end()
			continue
		}
		if len(line) < 2 || line[1] != ':' {
			continue // package apk's analyzer says so
		}
		v := line[2:]
		switch line[0] {
		case 'P':
			d.Name = v
		case 'F':
			dir = strings.Trim(v, "/")
		case 'R':
			if total++; total > maxFiles || v == "" || len(dir)+len(v) > maxPath {
				bad.add(fmt.Errorf("file %.80q of package %s", v, d.Name))
				continue
			}
			if dir != "" {
				v = dir + "/" + v
			}
			mode := int64(0o644) // what apk takes where no line says another
			d.Files = append(d.Files, inventory.FileDigest{Path: v, Mode: &mode, Config: inventory.IsConfig(v)})
		case 'a', 'Z':
			if len(d.Files) == 0 {
				continue
			}
			last := &d.Files[len(d.Files)-1]
			if line[0] == 'a' {
				mode, err := strconv.ParseInt(v[strings.LastIndexByte(v, ':')+1:], 8, 32)
				if err != nil {
					bad.add(fmt.Errorf("permissions %.80q", v))
					continue
				}
				mode &= 0o7777
				last.Mode = &mode
				continue
			}
			sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(v, "Q1"))
			if err != nil || len(sum) != 20 || !strings.HasPrefix(v, "Q1") {
				bad.add(fmt.Errorf("digest %.80q", v))
				continue
			}
			last.Digest = hex.EncodeToString(sum)
		}
	}
	end()
	return bad.err()
}
