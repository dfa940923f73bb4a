package cli

import (
	"archive/tar"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// Attributes as setcap of libcap 2.66 writes them.
const (
	netRawCap = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // cap_net_raw=ep
	setuidCap = "\x01\x00\x00\x02\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // cap_setuid=ep
)

func withCaps(h tar.Header, attribute string) tar.Header {
	h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": attribute}
	return h
}

func madeDirectory(name string, mode int64) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: mode}
}

func madeDevice(name string, kind byte, major, minor int64) tar.Header {
	return tar.Header{Name: name, Typeflag: kind, Mode: 0o660, Devmajor: major, Devminor: minor}
}

// permissionsImage has what nobody may have: written as headers of a tar.
func permissionsImage(t testing.TB) string {
	t.Helper()
	return madeImage(t, layerTar(t, madeDirectory("dev/", 0o755), madeDevice("dev/null", tar.TypeChar, 1, 3), madeDevice("dev/sda", tar.TypeBlock, 8, 0),
		withCaps(madeFile("usr/bin/raw", "\x7fELF", 0o755), netRawCap), withCaps(madeFile("opt/setuid", "\x7fELF", 0o755), setuidCap),
		madeDirectory("srv/open/", 0o777), madeDirectory("srv/sticky/", 0o1777), madeFile("srv/file", "x", 0o666)))
}

// soundImage has nothing of that: what looks like it is removed by a later layer.
func soundImage(t testing.TB) string {
	t.Helper()
	return madeImage(t,
		layerTar(t, madeDirectory("dev/", 0o755), madeDevice("dev/null", tar.TypeChar, 1, 3), madeDevice("dev/sda", tar.TypeBlock, 8, 0), withCaps(madeFile("usr/bin/raw", "x", 0o755), netRawCap),
			madeFile("usr/bin/su", "x", 0o4755), madeDirectory("srv/open/", 0o777), madeDirectory("tmp/", 0o1777)),
		layerTar(t, madeFile("dev/.wh.sda", "", 0), madeFile("usr/bin/raw", "x", 0o755), madeFile("usr/bin/su", "x", 0o755), madeDirectory("srv/open/", 0o755)))
}

// permissionRules stop on every kind of thing.
const permissionRules = `{"id":"b","version":"2","name":"b","rule_sets":[{"id":"p","version":"2","name":"p","artifact_type":"image","rules":[
	{"id":"setid","gate":"files","trigger":"suid_or_guid_set","action":"STOP","params":[]},
	{"id":"writable","gate":"files","trigger":"world_writable","action":"STOP","params":[]},
	{"id":"caps","gate":"files","trigger":"capabilities","action":"STOP","params":[{"name":"exclude","value":"/opt/"}]},
	{"id":"network","gate":"files","trigger":"capabilities","action":"WARN","params":[{"name":"names","value":"net_raw, CAP_NET_ADMIN"}]},
	{"id":"devices","gate":"files","trigger":"device_nodes","action":"STOP","params":[{"name":"standard","value":"false"}]},
	{"id":"cel","gate":"expression","trigger":"file","action":"STOP","params":[{"name":"expression","value":"\"cap_setuid\" in file.capabilities"},{"name":"message","value":"m"}]},
	{"id":"shell","gate":"misconfiguration","trigger":"check","action":"STOP","params":[{"name":"ids","value":"TW-FIL-001"}]}]}],
	"mappings":[{"id":"m","name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"rule_set_ids":["p"],"allowlist_ids":[]}],"allowlists":[],"allowlisted_images":[],"denylisted_images":[]}`

// TestPermissions makes files as an administrator would, with chmod and setcap
// of libcap, has GNU tar make a layer of them, and asks a policy. What is
// wanted is what getcap and ls say of the files.
func TestPermissions(t *testing.T) {
	tool := func(name string) string {
		for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
			if found, err := exec.LookPath(path); err == nil {
				return found
			}
		}
		t.Skipf("%s is not installed", name)
		return ""
	}
	setcap, getcap, gnutar := tool("setcap"), tool("getcap"), tool("tar")
	root := t.TempDir()
	for _, name := range []string{"bin/bash", "bin/sh", "usr/bin/raw", "usr/bin/ns", "usr/bin/suid", "usr/bin/plain", "srv/file", "srv/open/f", "srv/sticky/f"} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("\x7fELF of "+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"bin/bash": 0o755 | os.ModeSetuid, "usr/bin/suid": 0o755 | os.ModeSetgid, "srv/file": 0o666, "srv/open": 0o777, "srv/sticky": 0o777 | os.ModeSticky} {
		if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	said := map[string]string{}
	for _, args := range [][]string{{"cap_net_raw,cap_net_admin=ep", "usr/bin/raw"}, {"-n", "1000", "cap_setuid=ep cap_setgid=ep", "usr/bin/ns"}} {
		name := args[len(args)-1]
		args[len(args)-1] = filepath.Join(root, name)
		if out, err := exec.Command(setcap, args...).CombinedOutput(); err != nil {
			t.Skipf("capabilities of files cannot be set here: %v %s", err, out)
		}
		out, err := exec.Command(getcap, "-n", filepath.Join(root, name)).Output()
		if err != nil {
			t.Fatal(err)
		}
		said[name] = strings.TrimSpace(strings.TrimPrefix(string(out), filepath.Join(root, name)))
	}
	if said["usr/bin/raw"] != "cap_net_admin,cap_net_raw=ep" || said["usr/bin/ns"] != "cap_setgid,cap_setuid=ep [rootid=1000]" {
		t.Fatalf("getcap says %q", said)
	}
	layer, err := exec.Command(gnutar, "--xattrs", "--xattrs-include=*", "--owner=0", "--group=0", "--numeric-owner", "-C", root, "-cf", "-", ".").Output()
	if err != nil {
		t.Skipf("tar cannot keep attributes: %v", err)
	}
	image := madeImage(t, layer, layerTar(t, madeDevice("dev/null", tar.TypeChar, 1, 3), madeDevice("dev/sda", tar.TypeBlock, 8, 0), madeDevice("dev/mem", tar.TypeChar, 1, 1),
		withCaps(madeFile("usr/bin/odd", "x", 0o755), "\x01\x00\x00\x02\x00\x20\x00\x00")))

	c := newCommand(t)
	code, out, errs := c.run("sbom", "-o", "files", image)
	if code != 0 {
		t.Fatal(errs)
	}
	texts, odd := map[string]string{}, ""
	for line := range strings.Lines(out) {
		var f struct {
			Path         string
			Capabilities string
			Text         string `json:"capability_text"`
			Problem      string `json:"capability_problem"`
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		if f.Text != "" {
			texts[f.Path] = f.Text
		}
		if f.Path == "usr/bin/odd" {
			odd = f.Capabilities + " " + f.Problem + f.Text
		}
	}
	if diff := cmp.Diff(said, texts); diff != "" {
		t.Errorf("getcap and the file table (-want +got):\n%s", diff)
	}
	if want := "0100000200200000 8 bytes, revision 2 has 20"; odd != want {
		t.Errorf("a broken attribute: %q, want %q", odd, want)
	}

	bundle := c.file("permissions.json", permissionRules)
	if code, out, errs := c.run("check", "--policy", bundle, image); code != exitStop {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	v := c.verdict("--policy", bundle, image)
	var got, unknown []string
	for _, r := range v.Rows {
		got = append(got, r.RuleID+" "+string(r.Action)+" "+r.Evidence.Path+": "+r.Message)
		if r.Evidence.Layer == "" {
			t.Errorf("no layer in %+v", r)
		}
	}
	for _, u := range v.Unknowns {
		unknown = append(unknown, u.Message)
	}
	slices.Sort(got)
	want := []string{
		"caps stop /usr/bin/ns: File /usr/bin/ns has capabilities cap_setgid,cap_setuid=ep [rootid=1000]",
		"caps stop /usr/bin/odd: Capabilities of file /usr/bin/odd cannot be read: 8 bytes, revision 2 has 20",
		"caps stop /usr/bin/raw: File /usr/bin/raw has capabilities cap_net_admin,cap_net_raw=ep",
		"cel stop /usr/bin/ns: m: file /usr/bin/ns",
		"devices stop /dev/mem: There is a character device 1:1 at /dev/mem. Mode: 0o660",
		"devices stop /dev/sda: There is a block device 8:0 at /dev/sda. Mode: 0o660",
		"network warn /usr/bin/raw: File /usr/bin/raw has capabilities cap_net_admin,cap_net_raw=ep",
		"setid stop /bin/bash: SUID or SGID found set on file /bin/bash. Mode: 0o104755",
		"setid stop /usr/bin/suid: SUID or SGID found set on file /usr/bin/suid. Mode: 0o102755",
		"shell stop /bin/bash: TW-FIL-001 A shell or interpreter is setuid or setgid in /bin/bash: mode 4755",
		"writable stop /srv/file: Anybody may write to file /srv/file. Mode: 0o666",
		"writable stop /srv/open: Anybody may write to directory /srv/open. Mode: 0o777",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if len(unknown) != 1 || !strings.Contains(unknown[0], "/usr/bin/odd cannot be read") {
		t.Errorf("unknown: %q", unknown)
	}
}

// TestPermissionsSilent: what a later layer has put right is right.
func TestPermissionsSilent(t *testing.T) {
	c := newCommand(t)
	bundle, image := c.file("permissions.json", permissionRules), soundImage(t)
	if code, out, errs := c.run("check", "--policy", bundle, image); code != exitGo {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if v := c.verdict("--policy", bundle, image); v.Action != policy.Go || len(v.Rows)+len(v.Unknowns)+len(v.Problems) != 0 {
		t.Errorf("%v: %v %v %v", v.Action, v.Rows, v.Unknowns, v.Problems)
	}
}
