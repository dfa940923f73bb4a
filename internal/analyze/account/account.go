// Package account reads the account databases of an image: passwd, shadow,
// group and gshadow, and copies of them. Of a password it says what state it
// is in; hashes are kept nowhere. It looks at each file alone: what several
// layers say together is left to its readers.
package account

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads account databases.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "account" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Limits of one file.
const (
	maxSize    = 16 << 20 // bytes
	maxEntries = 100_000  // lines that are kept
	maxLine    = 8192     // bytes; a longer line is left out
	maxText    = 512      // bytes of one field that is kept
)

// Wants implements [analyze.Analyzer]: the databases in etc, usr/etc and
// usr/lib, their former versions beside them ("passwd-", "shadow.bak") and in
// var/backups.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if _, _, ok := fileOf(e.Path); ok {
		return analyze.Alone
	}
	return analyze.Ignore
}

// fileOf says which database a path is, and whether it is a copy of it.
func fileOf(path string) (base string, backup, ok bool) {
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		dir, name = path[:i], path[i+1:]
	}
	switch dir {
	case "etc", "usr/etc", "usr/lib":
	case "var/backups", "etc/backup":
		backup = true
	default:
		return "", false, false
	}
	for _, base := range [...]string{"passwd", "shadow", "group", "gshadow"} {
		rest, found := strings.CutPrefix(name, base)
		switch {
		case !found:
		case rest == "":
			return base, backup, true
		case rest == "-", rest == "~", rest[0] == '.' && isCopy(rest[1:]), rest[0] == '-' && isCopy(rest[1:]), rest[0] == '_' && isCopy(rest[1:]):
			return base, true, true
		}
	}
	return "", false, false
}

// isCopy reports whether an extension is one that copies have. Password
// databases of other things (.conf, .db) are none.
func isCopy(ext string) bool {
	for _, s := range [...]string{"bak", "old", "orig", "save", "backup", "copy", "org", "dpkg-", "rpmsave", "rpmnew", "rpmorig", "ucf-", "pacnew", "pacsave", "apk-new"} {
		if strings.HasPrefix(ext, s) {
			return true
		}
	}
	digits := ext != ""
	for i := range len(ext) {
		digits = digits && (ext[i] >= '0' && ext[i] <= '9' || ext[i] == '-' || ext[i] == '_')
	}
	return digits
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		base, backup, ok := fileOf(f.Path)
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		if !ok {
			continue
		}
		text, err := f.ReadAll(maxSize)
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		if bytes.IndexByte(text, 0) >= 0 {
			analyze.Problemf(out, f.Path, "not a %s file: it has NUL bytes", base)
			continue
		}
		file := parse(base, text, func(format string, args ...any) { analyze.Problemf(out, f.Path, format, args...) })
		file.Backup = backup
		file.WorldReadable = (base == "shadow" || base == "gshadow") && f.Mode.Perm()&0o004 != 0
		if file.WorldReadable && len(file.Entries) > 0 {
			file.note(Finding{Kind: FindingWorldReadable})
		}
		if err := appendFacts(out, f.Path, &file); err != nil {
			return err
		}
	}
	return nil
}

func appendFacts(out *inventory.Record, path string, file *File) error {
	add := func(kind string, v any) error {
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("writing the %s fact of %s: %w", kind, path, err)
		}
		out.Facts = append(out.Facts, inventory.Fact{Kind: kind, Path: path, Data: data})
		return nil
	}
	if err := add(FileKind, file); err != nil {
		return err
	}
	if file.Database != "passwd" || file.Backup {
		return nil
	}
	for i := range file.Entries {
		e := &file.Entries[i]
		if err := add(AccountKind, Account{Name: e.Name, Password: e.word(), UID: e.uid, GID: e.gid, Gecos: e.Gecos, Home: e.Home, Shell: e.Shell, Line: e.Line}); err != nil {
			return err
		}
	}
	return nil
}
