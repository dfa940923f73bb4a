package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// alpineLayer is the one layer of the image that the repository carries.
func alpineLayer(t *testing.T) []byte {
	t.Helper()
	f, err := os.Open("../../examples/images/alpine-3.10.tar")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var layer []byte
	for tr := tar.NewReader(f); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && len(data) > len(layer) {
			layer = data
		}
	}
	if z, err := gzip.NewReader(bytes.NewReader(layer)); err == nil {
		if layer, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return layer
}

func deviationsOf(t testing.TB, args ...string) map[string]policy.PackageFile {
	t.Helper()
	out := map[string]policy.PackageFile{}
	for _, f := range factsOf(t, policy.FactPackageFile, args...) {
		var d policy.PackageFile
		if err := json.Unmarshal(f.Data, &d); err != nil {
			t.Fatal(err)
		}
		out[f.Path] = d
	}
	return out
}

// TestVerify tampers with a real Alpine image in a layer above it, as a build
// would, and asks with and without digests.
func TestVerify(t *testing.T) {
	base := alpineLayer(t)
	image := madeImage(t, base, layerTar(t, madeFile("sbin/apk", "another program", 0o755), madeFile("bin/.wh.busybox", "", 0), madeFile("etc/motd", "Welcome.", 0o644), madeFile("opt/mine", "x", 0o644),
		tar.Header{Name: "sbin/mkmntdirs", Uname: contentOf(t, base, "sbin/mkmntdirs"), Mode: 0o4755}))
	want := map[string]policy.PackageFile{
		"sbin/apk":       {Package: "apk-tools", Type: "apk", Status: "changed", Detail: "another content"},
		"bin/busybox":    {Package: "busybox", Type: "apk", Status: "missing", Detail: "a later layer removed it"},
		"etc/motd":       {Package: "alpine-baselayout", Type: "apk", Status: "changed", Config: true, Detail: "another content"},
		"sbin/mkmntdirs": {Package: "alpine-baselayout", Type: "apk", Status: "changed", Detail: "mode was 0755, is 4755"},
	}
	if d := cmp.Diff(want, deviationsOf(t, "--secrets", image)); d != "" {
		t.Errorf("by layers: -want +got:\n%s", d)
	}
	for path, detail := range map[string]string{"sbin/apk": "another SHA-1", "bin/busybox": "not in the image", "etc/motd": "another SHA-1", "sbin/mkmntdirs": "mode should be 0755, is 4755"} {
		f := want[path]
		f.Detail = detail
		want[path] = f
	}
	// The image itself has a shadow that is not the package's.
	got := deviationsOf(t, "--verify-packages", image)
	if got["etc/shadow"].Status != "changed" || !got["etc/shadow"].Config {
		t.Errorf("etc/shadow: %+v", got["etc/shadow"])
	}
	delete(got, "etc/shadow")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("by digests: -want +got:\n%s", d)
	}
	if got := deviationsOf(t, "--secrets", madeImage(t, base)); len(got) > 0 {
		t.Errorf("of one layer nothing can be above: %v", got)
	}

	// A policy stops on it, and names file and status.
	bundle := filepath.Join(t.TempDir(), "bundle.json")
	if err := os.WriteFile(bundle, []byte(`{"id":"b","version":"1_0","name":"b","policies":[{"id":"p","version":"1_0","name":"p","rules":[{"id":"r","gate":"packages","trigger":"verify","action":"STOP","params":[{"name":"only_directories","value":"/sbin"}]}]}],
		"mappings":[{"id":"m","name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_ids":["p"],"whitelist_ids":[]}],"whitelists":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run(t, "check", "--policy", bundle, "-o", "verdict-json", image)
	for _, want := range []string{"VERIFY check against package db for package 'apk-tools' failed on entry '/sbin/apk' with status: 'changed'", "'/sbin/mkmntdirs' with status: 'changed'"} {
		if code != exitStop || !strings.Contains(out, want) {
			t.Errorf("exit code %d, no %q in\n%s%s", code, want, out, errs)
		}
	}
	if strings.Contains(out, "busybox' failed") {
		t.Error("only_directories was not kept")
	}
	if code, out, errs = run(t, "check", "--policy", bundle, madeImage(t, base)); code != exitGo {
		t.Errorf("untouched: exit code %d\n%s%s", code, out, errs)
	}
}

func contentOf(t *testing.T, layer []byte, name string) string {
	t.Helper()
	for tr := tar.NewReader(bytes.NewReader(layer)); ; {
		h, err := tr.Next()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.TrimPrefix(h.Name, "./") == name {
			data, err := io.ReadAll(tr)
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
	}
}

// TestVerifyAgainstDpkg compares with dpkg --verify on a real Debian, from
// which programs were taken and others changed.
func TestVerifyAgainstDpkg(t *testing.T) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("dpkg is not installed")
	}
	root := filepath.Join(t.TempDir(), "root")
	if out, err := exec.Command("cp", "-a", analyzetest.Layer(t, "slim"), root).CombinedOutput(); err != nil {
		t.Skipf("copying the layer: %v %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(root, "usr/bin/cat"), []byte("not cat"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "usr/bin/tac")); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("dpkg", "--verify", "--root="+root).Output()
	if len(out) == 0 {
		t.Skipf("dpkg --verify: %v", err)
	}
	merged := func(p string) string { // /usr is merged: bin is a link
		for _, d := range []string{"bin/", "sbin/", "lib/", "lib64/"} {
			if strings.HasPrefix(p, d) {
				return "usr/" + p
			}
		}
		return p
	}
	// dpkg speaks of folders, links and configuration as well, which have no MD5
	summed := map[string]bool{}
	lists, err := filepath.Glob(filepath.Join(root, "var/lib/dpkg/info/*.md5sums"))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		data, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if _, p, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
				summed[merged(p)] = true
			}
		}
	}
	want := map[string]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		p := merged(strings.TrimPrefix(f[len(f)-1], "/"))
		if !summed[p] {
			continue
		}
		want[p] = "changed"
		if f[0] == "missing" {
			want[p] = "missing"
		}
	}
	got := map[string]string{}
	for p, d := range deviationsOf(t, "--verify-packages", "dir:"+root) {
		got[p] = d.Status
	}
	if d := cmp.Diff(want, got); d != "" || want["usr/bin/cat"] != "changed" || want["usr/bin/tac"] != "missing" {
		t.Errorf("-dpkg +got:\n%s", d)
	}
	t.Logf("%d files, the same as dpkg --verify says", len(got))
}

// TestVerifyAgainstRPM builds and installs a package, tampers, and compares
// with rpm -V.
func TestVerifyAgainstRPM(t *testing.T) {
	for _, tool := range []string{"rpm", "rpmbuild"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir := t.TempDir()
	spec := `Name: tw-verify
Version: 1
Release: 1
Summary: t
License: MIT
BuildArch: noarch
%description
t
%install
mkdir -p %{buildroot}/opt/t %{buildroot}/etc
for f in kept changed missing mode; do echo $f > %{buildroot}/opt/t/$f; done
echo c > %{buildroot}/etc/t.conf
echo g > %{buildroot}/opt/t/ghost
ln -s kept %{buildroot}/opt/t/link
ln -s kept %{buildroot}/opt/t/turned
%files
/opt/t/kept
/opt/t/changed
/opt/t/missing
%attr(0755,-,-) /opt/t/mode
/opt/t/link
/opt/t/turned
%ghost /opt/t/ghost
%config /etc/t.conf
`
	if err := os.WriteFile(filepath.Join(dir, "t.spec"), []byte(spec), 0o600); err != nil {
		t.Fatal(err)
	}
	tool := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil && name != "rpm" {
			t.Skipf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	tool("rpmbuild", "-bb", "--define", "_topdir "+dir, filepath.Join(dir, "t.spec"))
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	db := []string{"--root", root, "--dbpath", "/var/lib/rpm"}
	out := tool("rpm", append(db, "--nodeps", "-i", filepath.Join(dir, "RPMS/noarch/tw-verify-1-1.noarch.rpm"))...) // Debian's says that one should not
	if _, err := os.Stat(filepath.Join(root, "opt/t/kept")); err != nil {
		t.Skipf("rpm -i: %v %s", err, out)
	}
	for _, err := range []error{
		os.WriteFile(filepath.Join(root, "opt/t/changed"), []byte("hacked!"), 0o600), os.Chmod(filepath.Join(root, "opt/t/changed"), 0o644),
		os.Remove(filepath.Join(root, "opt/t/missing")), os.Chmod(filepath.Join(root, "opt/t/mode"), 0o777), os.WriteFile(filepath.Join(root, "etc/t.conf"), []byte("mine"), 0o600),
		os.Remove(filepath.Join(root, "opt/t/turned")), os.Symlink("changed", filepath.Join(root, "opt/t/turned")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for line := range strings.Lines(tool("rpm", append(db, "-V", "tw-verify")...)) {
		f := strings.Fields(line)
		status := "changed"
		if f[0] == "missing" {
			status = "missing"
		} else if !strings.ContainsAny(f[0], "5LM") {
			continue // times and owners
		}
		want = append(want, strings.TrimPrefix(f[len(f)-1], "/")+" "+status)
	}
	var got []string
	for p, d := range deviationsOf(t, "--verify-packages", "dir:"+root) {
		got = append(got, p+" "+d.Status)
		if d.Config != (p == "etc/t.conf") {
			t.Errorf("%s: %+v", p, d)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" || len(want) != 5 {
		t.Errorf("-rpm +got:\n%s", d)
	}
}
