package dpkg

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Digests reads what dpkg knows of the files of its packages, their MD5, for
// verification: NAME.md5sums of var/lib/dpkg/info and of distroless images'
// status.d, and the diversions. Configuration files are in none of these.
type Digests struct{}

var _ analyze.Analyzer = Digests{}

// Name implements [analyze.Analyzer].
func (Digests) Name() string { return "dpkg-digests" }

// Version implements [analyze.Analyzer].
func (Digests) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Digests) Wants(e analyze.Entry) analyze.Interest {
	if c := classify(e.Path); c == sums || c == singleSums || c == diversions {
		return analyze.Alone
	}
	return analyze.Ignore
}

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
			d := inventory.PackageDigests{Type: "deb", Algorithm: "md5"}
			if classify(f.Path) == diversions {
				err = readDiversions(data, f.Path, out)
			} else {
				d.Name, _, _ = strings.Cut(strings.TrimSuffix(path.Base(f.Path), sumsEnd), ":")
				d.Files, err = digests(data)
				err = keep(f.Path, &d, out, err)
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

func keep(file string, d *inventory.PackageDigests, out *inventory.Record, bad error) error {
	if len(d.Files) == 0 {
		return bad
	}
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	out.Facts = append(out.Facts, inventory.Fact{Kind: inventory.KindPackageDigests, Path: file, Data: data})
	return bad
}

// digests reads the lines of a NAME.md5sums.
func digests(data []byte) ([]inventory.FileDigest, error) {
	list := make([]inventory.FileDigest, 0, min(bytes.Count(data, []byte{'\n'})+1, maxFiles))
	var bad badEntries
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		sum, rest, ok := strings.Cut(line, " ")
		p := relative(strings.TrimPrefix(strings.TrimLeft(rest, " "), "*"))
		if _, err := hex.DecodeString(sum); !ok || len(sum) != 32 || err != nil || p == "" {
			bad.add(fmt.Errorf("line %.80q", line))
			continue
		}
		if len(list) == maxFiles {
			bad.add(fmt.Errorf("more than the limit of %d files", maxFiles))
			break
		}
		list = append(list, inventory.FileDigest{Path: p, Digest: strings.ToLower(sum)})
	}
	return list, bad.err()
}

// readDiversions turns the database of diversions into facts for verification.
func readDiversions(data []byte, file string, out *inventory.Record) error {
	list, bad := diverted(data, file)
	by := map[string][]inventory.FileDigest{}
	var names []string
	for _, d := range list {
		if by[d.By] == nil {
			names = append(names, d.By)
		}
		by[d.By] = append(by[d.By], inventory.FileDigest{Path: d.From, Link: d.To})
	}
	for _, name := range names {
		if err := keep(file, &inventory.PackageDigests{Type: "diversion", Name: cmp.Or(name, ":"), Files: by[name]}, out, nil); err != nil {
			return err
		}
	}
	return bad
}
