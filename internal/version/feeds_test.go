package version

import (
	"archive/zip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// sharedFolder finds the folder of real data beside the repository.
func sharedFolder(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("TIDEWAITER_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		shared := filepath.Join(dir, "..", "shared")
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			if _, err := os.Stat(shared); err != nil {
				t.Skip("there is no folder shared beside the repository, and TIDEWAITER_SHARED is not set")
			}
			return shared
		}
		if dir == filepath.Dir(dir) {
			t.Skip("this is no repository")
		}
		dir = filepath.Dir(dir)
	}
}

type osvRecord struct {
	ID       string
	Affected []struct {
		Package struct{ Ecosystem, Name string }
		Ranges  []struct {
			Type   string
			Events []map[string]string
		}
		Versions []string
	}
}

// TestFeeds reads every version in the OSV feeds. What is unreadable is counted;
// and in no range may the version that fixes be older than the one that
// introduces, but for the handful of times when publishers get it wrong.
func TestFeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("reading all feeds takes some seconds")
	}
	files, _ := filepath.Glob(filepath.Join(sharedFolder(t), "data", "feeds", "osv", "*", "all.zip"))
	if len(files) == 0 {
		t.Skip("the folder shared holds no OSV feeds")
	}
	// At most so many of a feed's versions may be unreadable; all were looked at.
	unreadable := map[string]int{"PyPI": 80, "Wolfi": 0, "CleanStart": 10, "Debian": 1, "Bitnami": 1}
	seen, bad := map[string]map[string]bool{}, map[string][]string{}
	ranges, reversed := 0, []string{}
	for _, file := range files {
		eachRecord(t, file, func(r osvRecord) {
			for _, a := range r.Affected {
				scheme, ok := SchemeOf(a.Package.Ecosystem)
				if !ok {
					if a.Package.Ecosystem != "" {
						t.Errorf("%s: unknown ecosystem %q", r.ID, a.Package.Ecosystem)
					}
					continue
				}
				name := filepath.Base(filepath.Dir(file))
				read := func(text string) (Version, bool) {
					v, err := Parse(scheme, text)
					if seen[name] == nil {
						seen[name] = map[string]bool{}
					}
					if err != nil && !seen[name][text] {
						bad[name] = append(bad[name], text)
					}
					seen[name][text] = true
					return v, err == nil
				}
				for _, text := range a.Versions {
					read(text)
				}
				for _, events := range a.Ranges {
					if events.Type == "GIT" {
						continue
					}
					var introduced Version
					for _, e := range events.Events {
						for kind, text := range e {
							v, ok := Version{}, false
							if kind != "introduced" || text != "0" {
								v, ok = read(text)
							}
							switch {
							case kind == "introduced":
								introduced = v
							case !ok || introduced.scheme == "":
							case introduced.Compare(v) > 0:
								reversed = append(reversed, r.ID+" "+introduced.String()+" … "+v.String())
							}
							ranges++
						}
					}
				}
			}
		})
	}
	for name, list := range bad {
		t.Logf("%s: %d of %d versions are unreadable, such as %q", name, len(list), len(seen[name]), list[:min(len(list), 8)])
		if len(list) > unreadable[name] {
			t.Errorf("%s: more than the %d known ones", name, unreadable[name])
		}
	}
	t.Logf("%d of %d events go backwards, such as %q", len(reversed), ranges, reversed[:min(len(reversed), 40)])
	if len(reversed)*10000 > ranges {
		t.Error("that is more than publishers get wrong")
	}
}

func eachRecord(t *testing.T, file string, do func(osvRecord)) {
	t.Helper()
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, member := range z.File {
		r, err := member.Open()
		if err != nil {
			t.Fatal(file, member.Name, err)
		}
		b, err := io.ReadAll(io.LimitReader(r, 64<<20))
		r.Close()
		if err != nil {
			t.Fatal(file, member.Name, err)
		}
		var record osvRecord
		if json.Unmarshal(b, &record) == nil {
			do(record)
		}
	}
}
