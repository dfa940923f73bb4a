package r

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/jsontext"
)

// Lock reads renv.lock and packrat.lock as declared. Packages by path are left
// out.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements [analyze.Analyzer].
func (Lock) Name() string { return "r-lock" }

// Version implements [analyze.Analyzer].
func (Lock) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	dir, ok := strings.CutSuffix(e.Path, "renv.lock")
	if !ok {
		dir, ok = strings.CutSuffix(e.Path, "packrat.lock")
	}
	if ok && (dir == "" || dir[len(dir)-1] == '/') && !analyze.Foreign(e.Path) {
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
		switch {
		case err != nil:
		case strings.HasSuffix(f.Path, "renv.lock"):
			err = readRenv(f, out)
		default:
			var data []byte
			if data, err = f.ReadAll(analyze.MaxText); err == nil {
				err = readPackrat(f.Path, data, out)
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading lock: %w", err)
		}
	}
	return nil
}

type locked struct {
	Package    string `json:"Package"`
	Version    string `json:"Version"`
	Source     string `json:"Source"` // Repository, Bioconductor, GitHub, Local …
	Repository string `json:"Repository"`
	RemoteType string `json:"RemoteType"`
	RemoteSha  string `json:"RemoteSha"`
}

func (l *locked) add(file string, out *inventory.Record) (ok bool) {
	if strings.EqualFold(l.Source, "local") || strings.EqualFold(l.Source, "source") || l.RemoteType == "local" {
		return true
	}
	if !analyze.ValidName(l.Package) || !version(l.Version) {
		return false
	}
	p := inventory.Package{Type: "cran", Name: l.Package, Version: l.Version, State: inventory.Declared, Path: file, Technique: inventory.TechLockFile}
	if l.Source == "Bioconductor" || strings.HasPrefix(l.Repository, "Bioconductor") {
		p.Type = "bioconductor"
	}
	if analyze.ValidName(l.RemoteSha) && analyze.ValidName(l.RemoteType) && l.RemoteType != "standard" {
		p.Meta = map[string]string{"RemoteType": l.RemoteType, "RemoteSha": l.RemoteSha}
	}
	out.Packages = append(out.Packages, p)
	return true
}

func readRenv(f *analyze.File, out *inventory.Record) error {
	r, err := f.JSON()
	if err != nil {
		return err
	}
	n, skipped := 0, 0
	err = r.Members(func(key string) error {
		if key != "Packages" {
			return nil
		}
		return r.Members(func(string) error {
			if n++; n > maxPackages {
				return fmt.Errorf("more than the limit of %d packages", maxPackages)
			}
			var l locked
			// other fields may be of any type; one of these that is not a string makes the entry useless
			err := r.Decode(&l)
			if err != nil && !jsontext.IsValueError(err) {
				return err
			}
			if err != nil || !l.add(f.Path, out) {
				skipped++
			}
			return nil
		})
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return err
	}
	return lockError(skipped)
}

func lockError(skipped int) error {
	if skipped > 0 {
		return fmt.Errorf("%d packages without a valid name and version", skipped)
	}
	return nil
}

func readPackrat(file string, data []byte, out *inventory.Record) error {
	var l locked
	skipped, n := 0, 0
	flush := func() {
		if l.Package != "" && n <= maxPackages {
			if n++; !l.add(file, out) {
				skipped++
			}
		}
		l = locked{}
	}
	fields(data, func(key, v string) {
		switch key {
		case "":
			flush()
		case "Package":
			l.Package = v
		case "Version":
			l.Version = v
		case "Source":
			l.Source = v
		}
	})
	flush()
	if n > maxPackages {
		return fmt.Errorf("more than the limit of %d packages", maxPackages)
	}
	return lockError(skipped)
}
