package echo

import (
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/feed/feedtest"
)

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
		got, bad, err := feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, tt.from)})
		if err != nil || len(bad) > 0 || len(got) != tt.records {
			t.Errorf("%s: %d records, %v %v", tt.from, len(got), bad, err)
		}
		if s := feedtest.Said(got[tt.id], "echo", tt.name); s != tt.want {
			t.Errorf("%s: %s: %q, want %q", tt.from, tt.id, s, tt.want)
		}
	}
	if _, _, err := feedtest.Advisories(t, Source{}, feed.Input{From: feedtest.Shared(t, "echo/sample/vuln-list-update/echo/invalid.json")}); err == nil {
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
