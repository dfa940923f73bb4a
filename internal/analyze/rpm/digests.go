package rpm

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Digests reads what rpm knows of the files of its packages, their digests,
// permissions and link targets, for verification. Files that rpm does not
// verify (ghosts, those that may be missing, those it did not install) are
// left out.
type Digests struct{}

var _ analyze.Analyzer = Digests{}

// Name implements [analyze.Analyzer].
func (Digests) Name() string { return "rpm-digests" }

// Version implements [analyze.Analyzer].
func (Digests) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Digests) Wants(e analyze.Entry) analyze.Interest {
	if e.Path == manifestFile || strings.HasSuffix(e.Path, logEnd) {
		return analyze.Ignore
	}
	return Analyzer{}.Wants(e)
}

// Analyze implements [analyze.Analyzer].
func (Digests) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var bad badEntries
		if err == nil && f.Size > 0 {
			n := 0
			err = eachBlob(ctx, f, func(blob []byte) error {
				if n++; n > maxPackages {
					return fmt.Errorf("more than the limit of %d packages", maxPackages)
				}
				if err := readDigests(f.Path, blob, out); err != nil {
					return bad.add(err)
				}
				return ctx.Err()
			})
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err = errors.Join(err, bad.err()); err != nil {
			analyze.Problemf(out, f.Path, "reading the digests of the package database: %w", err)
		}
	}
	return nil
}

// Flags and states of files, and digest algorithms: rpmfiles.h, rpmpgp.h.
const (
	flagConfig    = 1 << 0
	flagMissingOK = 1 << 3
	flagGhost     = 1 << 6

	verifyDigest = 1 << 0
	verifyLink   = 1 << 2
	verifyMode   = 1 << 6

	algorithmMD5    = 1
	algorithmSHA1   = 2
	algorithmSHA256 = 8
)

func readDigests(path string, blob []byte, out *inventory.Record) error {
	var h header
	if err := h.parse(blob); err != nil {
		return err
	}
	name := h.text(tagName)
	if !word(name) || string(name) == "gpg-pubkey" {
		return nil
	}
	d := inventory.PackageDigests{Type: "rpm", Name: string(name), Algorithm: "md5"}
	if n, ok := h.number(tagDigestAlgo); ok {
		switch n {
		case algorithmMD5:
		case algorithmSHA1:
			d.Algorithm = "sha1"
		case algorithmSHA256:
			d.Algorithm = "sha256"
		default:
			return fmt.Errorf("files of package %s have digests of the algorithm %d, which is not computed here", d.Name, n)
		}
	}
	n := int(h.entries[tagBaseNames].count)
	if n == 0 {
		return nil
	}
	if n > maxFiles {
		return fmt.Errorf("package %s has more than the limit of %d files", d.Name, maxFiles)
	}
	list := func(t tag) ([][]byte, bool) {
		values := make([][]byte, 0, n)
		whole := h.texts(t, func(b []byte) bool { values = append(values, b); return len(values) < n })
		return values, whole && len(values) == n
	}
	var dirs [][]byte
	h.texts(tagDirNames, func(b []byte) bool { dirs = append(dirs, b); return len(dirs) <= maxFiles })
	bases, okBases := list(tagBaseNames)
	sums, okSums := list(tagFileDigests)
	links, okLinks := list(tagFileLinkTos)
	index, modes := h.array(tagDirIndexes, typeInt32, 4), h.array(tagFileModes, typeInt16, 2)
	flags, verify := h.array(tagFileFlags, typeInt32, 4), h.array(tagFileVerify, typeInt32, 4)
	states := h.array(tagFileStates, typeChar, 1)
	if !okBases || !okSums || !okLinks || len(index) < 4*n || len(modes) < 2*n || len(flags) < 4*n {
		return fmt.Errorf("digests of package %s: %w", d.Name, errFiles)
	}
	for i := range n {
		at := binary.BigEndian.Uint32(index[4*i:])
		flag, mode := binary.BigEndian.Uint32(flags[4*i:]), binary.BigEndian.Uint16(modes[2*i:])
		if uint64(at) >= uint64(len(dirs)) || len(dirs[at])+len(bases[i]) > maxPath {
			return fmt.Errorf("digests of package %s: %w", d.Name, errFiles)
		}
		if mode&0o170000 == 0o040000 || flag&(flagGhost|flagMissingOK) != 0 || i < len(states) && states[i] != 0 {
			continue
		}
		checks := ^uint32(0)
		if len(verify) >= 4*n {
			checks = binary.BigEndian.Uint32(verify[4*i:])
		}
		f := inventory.FileDigest{Path: strings.TrimPrefix(string(dirs[at])+string(bases[i]), "/"), Config: flag&flagConfig != 0}
		if mode&0o170000 == 0o120000 {
			if checks&verifyLink != 0 {
				f.Link = string(links[i])
			}
		} else {
			if sum := string(sums[i]); sum != "" && checks&verifyDigest != 0 {
				if _, err := hex.DecodeString(sum); err != nil || len(sum) > 64 {
					return fmt.Errorf("digest %.80q of package %s", sum, d.Name)
				}
				f.Digest = sum
			}
			if checks&verifyMode != 0 {
				bits := int64(mode & 0o7777)
				f.Mode = &bits
			}
		}
		d.Files = append(d.Files, f)
	}
	if len(d.Files) == 0 {
		return nil
	}
	data, err := json.Marshal(&d)
	if err != nil {
		return err
	}
	out.Facts = append(out.Facts, inventory.Fact{Kind: inventory.KindPackageDigests, Path: path, Data: data})
	return nil
}
