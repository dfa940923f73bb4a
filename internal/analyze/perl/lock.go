package perl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Lock reads cpanfile.snapshot of Carton and Carmel as declared.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements [analyze.Analyzer].
func (Lock) Name() string { return "perl-lock" }

// Version implements [analyze.Analyzer].
func (Lock) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	if dir, ok := strings.CutSuffix(e.Path, "cpanfile.snapshot"); ok && (dir == "" || dir[len(dir)-1] == '/') && !analyze.Foreign(e.Path) {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (Lock) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			err = readSnapshot(f.Path, string(data), out)
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading cpanfile.snapshot: %w", err)
		}
	}
	return nil
}

// readSnapshot reads a distribution's name by two spaces, its keys by four,
// and the modules it provides and requires by six.
func readSnapshot(file, data string, out *inventory.Record) error {
	if !strings.HasPrefix(data, "# carton snapshot format: version 1.") {
		return errors.New("it is of no known version")
	}
	var p inventory.Package
	dist, section := "", ""
	n, skipped := 0, 0
	flush := func() {
		if dist == "" {
			return
		}
		if p.Name, p.Version = splitDist(dist); p.Name == "" {
			skipped++
		} else if p.Name != "perl" && n <= maxModules {
			n++
			p.Type, p.State, p.Path, p.Technique = "cpan", inventory.Declared, file, inventory.TechLockFile
			out.Packages = append(out.Packages, p)
		}
		p, dist, section = inventory.Package{}, "", ""
	}
	for s := range strings.Lines(data) {
		s = strings.TrimRight(s, "\r\n ")
		text := strings.TrimLeft(s, " ")
		switch len(s) - len(text) {
		case 2:
			flush()
			dist = text
		case 4:
			key, value, _ := strings.Cut(text, ":")
			section = key
			if value = strings.TrimSpace(value); key == "pathname" && value != "" {
				setAuthor(&p, value)
				base := path.Base(value)
				for _, ext := range [...]string{".tar.gz", ".tgz", ".tar.bz2", ".zip"} {
					base = strings.TrimSuffix(base, ext)
				}
				if name, _ := splitDist(dist); name == "" {
					dist = base
				}
			}
		case 6:
			if name, _, _ := strings.Cut(text, " "); section == "requirements" && name != "perl" && analyze.ValidName(name) && len(p.Depends) < maxDepends {
				p.Depends = append(p.Depends, name)
			}
		}
	}
	flush()
	switch {
	case n > maxModules:
		return fmt.Errorf("more than the limit of %d distributions", maxModules)
	case skipped > 0:
		return fmt.Errorf("%d distributions without a valid name and version", skipped)
	}
	return nil
}
