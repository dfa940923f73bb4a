package echo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("TIDEWAITER_SHARED")
	if root == "" {
		dir, _ := os.Getwd()
		for root == "" && dir != filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				root = filepath.Join(filepath.Dir(dir), "shared")
			}
			dir = filepath.Dir(dir)
		}
	}
	p := filepath.Join(root, "data", "feeds", name)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("the real feeds are not there: %v", err)
	}
	return p
}

func collect(t testing.TB, in feed.Input) (map[string]*advisory.Advisory, []string, error) {
	t.Helper()
	u, err := Source{}.Fetch(t.Context(), in, feed.State{})
	if err != nil {
		return nil, nil, err
	}
	out, bad := map[string]*advisory.Advisory{}, []string(nil)
	for it, err := range u.Items {
		var b *feed.BadRecord
		if errors.As(err, &b) {
			bad = append(bad, b.Error())
			continue
		}
		if err != nil {
			return out, bad, err
		}
		if out[it.Advisory.ID] != nil {
			t.Errorf("%s comes twice", it.Advisory.ID)
		}
		out[it.Advisory.ID] = it.Advisory
	}
	return out, bad, nil
}

// said is the claims about a package in one line each.
func said(a *advisory.Advisory, stream, name string) string {
	var out []string
	if a != nil {
		for _, f := range a.Affected {
			if f.Stream == stream && f.Name == name {
				s := string(f.Status) + "|" + string(f.Fix.State) + "|"
				for _, in := range f.Intervals {
					s += "<" + in.Fixed
				}
				out = append(out, s+f.Requirement)
			}
		}
	}
	return strings.Join(out, " ")
}

func TestSamples(t *testing.T) {
	for _, tt := range []struct {
		from           string
		records        int
		id, name, want string
	}{
		{"echo/sample/vuln-list-update/echo/valid.json", 2, "CVE-2021-3618", "nginx", "|fixed|<1.21.0"},
		{"echo/sample/vuln-list-update/echo/valid.json", 2, "CVE-2023-44487", "redis", "|not-fixed|"},
		{"echo/sample/vuls-data-update/data/happy", 3, "CVE-2025-4084", "firefox-esr", "not-affected||"},
		{"echo/sample/vuls-data-update/data/happy", 3, "CVE-2025-4091", "firefox", "|not-fixed|"},
		{"echo/sample/vuls-data-update/data/happy", 3, "TEMP-0000000-F7A20F", "linux", "|fixed|<1"},
		{"echo/sample/vunnel/input/echo-advisories/data.json", 25, "CVE-2024-9287", "python", "|fixed|<3.9.21"},
	} {
		got, bad, err := collect(t, feed.Input{From: shared(t, tt.from)})
		if err != nil || len(bad) > 0 || len(got) != tt.records {
			t.Errorf("%s: %d records, %v %v", tt.from, len(got), bad, err)
		}
		if s := said(got[tt.id], "echo", tt.name); s != tt.want {
			t.Errorf("%s: %s: %q, want %q", tt.from, tt.id, s, tt.want)
		}
	}
	if _, _, err := collect(t, feed.Input{From: shared(t, "echo/sample/vuln-list-update/echo/invalid.json")}); err == nil {
		t.Error("the invalid file was read")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"a":{"CVE-2020-1234":{"fixed_version":"1"},"x":{},"CVE-2020-1235":{}},"b":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		claims := map[string][]claim{}
		give := func(feed.Item, error) bool { return true }
		if read(feed.Member{Name: "x", Reader: strings.NewReader(string(b))}, claims, give) == nil {
			advisories(claims, give)
		}
	})
}
