package csaf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/feed"
)

func repositories(t testing.TB, from string) (map[string][]string, error) {
	t.Helper()
	u, err := Repositories{}.Fetch(t.Context(), feed.Input{From: from}, feed.State{})
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for it, err := range u.Items {
		if err != nil {
			return out, err
		}
		out[it.Repository.Name] = it.Repository.CPEs
	}
	return out, nil
}

func TestRepositories(t *testing.T) {
	m, err := repositories(t, shared(t, "redhat/sample/vuls-data-update/repository2cpe/repository-to-cpe.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(m) != 8564 {
		t.Errorf("%d repositories", len(m))
	}
	for name, want := range map[string][]string{
		"3scale-amp-2-for-rhel-8-ppc64le-rpms":       {"cpe:/a:redhat:3scale:2.13::el8", "cpe:/a:redhat:3scale:2.14::el8", "cpe:/a:redhat:3scale_amp:2.11::el8", "cpe:/a:redhat:3scale_amp:2.12::el8", "cpe:/a:redhat:3scale_amp:2.8::el8"},
		"rhel-9-for-x86_64-appstream-rpms":           {"cpe:/a:redhat:enterprise_linux:9::appstream"},
		"rhel-8-for-x86_64-baseos-eus-rpms__8_DOT_4": {"cpe:/o:redhat:rhel_eus:8.4::baseos"},
		"jb-eap-7.4-for-rhel-8-x86_64-rpms":          {"cpe:/a:redhat:jboss_enterprise_application_platform:7.4::el8"},
	} {
		if d := cmp.Diff(want, m[name]); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	for _, text := range []string{"", "[]", `{"a":1}`, `{"data":{"a":1}}`, `{"data":{"a":{"cpes":[]}}`} {
		name := filepath.Join(t.TempDir(), "m.json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := repositories(t, name); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	dir := t.TempDir()
	if _, err := repositories(t, dir); err == nil {
		t.Error("an empty folder is taken")
	}
}

func TestRepositoryLimit(t *testing.T) {
	text := `{"data":{"big":{"cpes":["a"` + strings.Repeat(`,"a"`, maxRepositoryCPEs) + `]},"small":{"cpes":["a"]}}}`
	var bad, good []string
	err := readRepositories(strings.NewReader(text), func(r *advisory.Repository, err error) bool {
		if limit := (*feed.LimitError)(nil); errors.As(err, &limit) {
			bad = append(bad, r.Name)
		} else if err == nil {
			good = append(good, r.Name)
		}
		return true
	})
	if err != nil || len(bad) != 1 || bad[0] != "big" || len(good) != 1 || good[0] != "small" {
		t.Errorf("bad %q, good %q, %v", bad, good, err)
	}
}

func FuzzRepositories(f *testing.F) {
	f.Add(`{"data":{"rhel-8-for-x86_64-baseos-rpms":{"cpes":["cpe:/o:redhat:enterprise_linux:8::baseos"],"repo_relative_urls":["content/dist/rhel8"]}}}`)
	f.Add(`{"data":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		readRepositories(strings.NewReader(text), func(r *advisory.Repository, err error) bool {
			if r == nil || err != nil && r.CPEs != nil {
				t.Error("no repository")
			}
			return true
		})
	})
}
