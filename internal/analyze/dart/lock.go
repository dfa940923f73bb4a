package dart

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Lock reads pubspec.lock and .dart_tool/package_config.json as declared. Of
// the latter the version is in the folder that a package is at in pub's
// cache. Packages by path, and those of the SDK, are no packages of pub.
// Packages from a repository have the qualifier vcs_url.
type Lock struct{}

var _ analyze.Analyzer = Lock{}

// Name implements [analyze.Analyzer].
func (Lock) Name() string { return "dart-lock" }

// Version implements [analyze.Analyzer].
func (Lock) Version() int { return 1 }

// Wants implements [analyze.Analyzer]. Lock files in pub's cache are those of
// other people's packages.
func (Lock) Wants(e analyze.Entry) analyze.Interest {
	dir, ok := strings.CutSuffix(e.Path, "pubspec.lock")
	if !ok {
		dir, ok = strings.CutSuffix(e.Path, ".dart_tool/package_config.json")
	}
	if ok && (dir == "" || dir[len(dir)-1] == '/') && !strings.Contains(dir, "/hosted/") && !strings.Contains(dir, ".pub-cache/git/") && !analyze.Foreign(e.Path) {
		return analyze.Alone
	}
	return analyze.Ignore
}

// Analyze implements [analyze.Analyzer].
func (Lock) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	return each(ctx, files, out, func(f *analyze.File) error {
		if strings.HasSuffix(f.Path, ".json") {
			return readConfig(f, out)
		}
		data, err := f.ReadAll(analyze.MaxText)
		if err != nil {
			return err
		}
		return readLock(f.Path, data, out)
	})
}

type locked struct {
	name, dependency, source, version string
	description                       string // where it is a word
	url, sum, revision                string
}

// readLock reads what pub writes: "packages:", below it by two spaces names,
// below these by two more the keys, and below "description" its own.
func readLock(file string, data []byte, out *inventory.Record) error {
	var l locked
	in, n := false, 0
	var err error
	flush := func() {
		if l.name != "" {
			if n++; n > maxPackages {
				err = errPackages
				return
			}
			l.add(file, out)
		}
		l = locked{}
	}
	for raw := range bytes.Lines(data) {
		s := string(raw)
		key, value, ok := pair(s)
		if !ok {
			continue
		}
		indent := len(s) - len(strings.TrimLeft(s, " "))
		switch {
		case indent == 0:
			flush()
			in = key == "packages"
		case !in:
		case indent == 2:
			flush()
			l.name = key
		case indent == 4:
			switch key {
			case "dependency":
				l.dependency = value
			case "source":
				l.source = value
			case "version":
				l.version = value
			case "description":
				l.description = value
			}
		case indent == 6:
			switch key {
			case "url":
				l.url = value
			case "sha256":
				l.sum = value
			case "resolved-ref":
				l.revision = value
			}
		}
		if err != nil {
			return err
		}
	}
	flush()
	if err == nil && n == 0 && !bytes.Contains(data, []byte("packages:")) {
		err = errors.New("it has no packages")
	}
	return err
}

func (l *locked) add(file string, out *inventory.Record) {
	if l.source != "hosted" && l.source != "git" && l.source != "" || !analyze.ValidName(l.name) || !analyze.ValidName(l.version) {
		return
	}
	p := inventory.Package{Type: "pub", Name: l.name, Version: l.version, State: inventory.Declared, Path: file, Technique: inventory.TechLockFile}
	if l.dependency == "direct dev" {
		p.Scope = "dev"
	}
	switch l.source {
	case "git":
		if l.url != "" && !strings.Contains(l.url, "@") && len(l.url) < 1024 && analyze.ValidName(l.revision) {
			p.Qualifiers = map[string]string{"vcs_url": "git+" + l.url + "@" + l.revision}
		}
	default:
		setServer(&p, l.url)
		if len(l.sum) == 64 && strings.Trim(l.sum, "0123456789abcdef") == "" {
			p.Hashes = map[string]string{"sha256": l.sum}
		}
	}
	out.Packages = append(out.Packages, p)
}

func readConfig(f *analyze.File, out *inventory.Record) error {
	r, err := f.JSON()
	if err != nil {
		return err
	}
	n := 0
	err = r.Members(func(key string) error {
		if key != "packages" {
			return nil
		}
		return r.Elements(func() error {
			var e struct {
				Name    string `json:"name"`
				RootURI string `json:"rootUri"`
			}
			if err := r.Decode(&e); err != nil {
				return err
			}
			if n++; n > maxPackages {
				return errPackages
			}
			server, name, version := cached(strings.TrimSuffix(e.RootURI, "/"))
			if name == "" || name != e.Name {
				return nil
			}
			p := inventory.Package{Type: "pub", Name: name, Version: version, State: inventory.Declared, Path: f.Path, Technique: inventory.TechMetadata}
			setServer(&p, server)
			out.Packages = append(out.Packages, p)
			return nil
		})
	})
	if err != nil {
		return err
	}
	return r.End()
}
