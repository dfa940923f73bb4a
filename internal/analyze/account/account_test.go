package account

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func run(t testing.TB, path string, data []byte, mode os.FileMode) (*inventory.Record, *File) {
	t.Helper()
	var rec inventory.Record
	if err := (Analyzer{}).Analyze(t.Context(), fstest.MapFS{path: {Data: data, Mode: mode}}, &rec); err != nil {
		t.Fatal(err)
	}
	if len(rec.Facts) == 0 || rec.Facts[0].Kind != FileKind {
		return &rec, nil
	}
	var f File
	if err := json.Unmarshal(rec.Facts[0].Data, &f); err != nil {
		t.Fatal(err)
	}
	return &rec, &f
}

func TestWants(t *testing.T) {
	for path, want := range map[string]bool{
		"etc/passwd": true, "etc/shadow": true, "etc/group": true, "etc/gshadow": true, "usr/lib/passwd": true, "usr/etc/shadow": true,
		"etc/passwd-": true, "etc/shadow.bak": true, "var/backups/shadow.bak": true, "var/backups/passwd": true, "etc/shadow.20260101": true, "etc/passwd.dpkg-old": true,
		"etc/pam.d/passwd": false, "usr/bin/passwd": false, "etc/passwd.conf": false, "etc/groups": false, "srv/passwd": false, "passwd": false, "etc/": false, "": false,
	} {
		if got := (Analyzer{}).Wants(analyze.Entry{Path: path}) != analyze.Ignore; got != want {
			t.Errorf("Wants(%q) = %v", path, got)
		}
	}
}

// TestGetent compares with what getent of the C library reads.
func TestGetent(t *testing.T) {
	for _, database := range []string{"passwd", "group"} {
		out, err := exec.Command("getent", "-s", "files", database).Output()
		if err != nil {
			t.Skip("no getent: ", err)
		}
		data, err := os.ReadFile("/etc/" + database)
		if err != nil {
			t.Skip(err)
		}
		_, f := run(t, "etc/"+database, data, 0o644)
		var got strings.Builder
		for _, e := range f.Entries {
			got.WriteString(e.Name + "\n")
		}
		var want strings.Builder
		for line := range strings.Lines(string(out)) {
			name, _, _ := strings.Cut(line, ":")
			want.WriteString(name + "\n")
		}
		if d := cmp.Diff(want.String(), got.String()); d != "" {
			t.Error(d)
		}
	}
}

func TestPasswords(t *testing.T) {
	for field, want := range map[string]struct {
		state     State
		algorithm string
		weak      bool
	}{
		"": {Empty, "", false}, "x": {Shadowed, "", false}, "*": {Locked, "", false}, "!": {Locked, "", false}, "!!": {Locked, "", false}, "!*": {Locked, "", false}, "*LK*": {Locked, "", false},
		"$6$ab$" + strings.Repeat("c", 86): {Hashed, "SHA-512", false}, "$y$j9T$x$y": {Hashed, "yescrypt", false}, "$1$ab$cd": {Hashed, "MD5", true},
		"abJnggxhB/yWI": {Hashed, "DES", true}, "_J9..CCCCXBrJUJV154M": {Hashed, "BSDi", true}, "!$6$ab$c": {Disabled, "SHA-512", false}, "!$1$ab$c": {Disabled, "MD5", false},
		"$2y$10$abc": {Hashed, "bcrypt", false}, "nonsense": {Unknown, "", false},
	} {
		var e Entry
		e.setPassword(field)
		if e.Password != want.state || e.Algorithm != want.algorithm || e.Weak != want.weak {
			t.Errorf("%q: %v %q %v, want %v", field, e.Password, e.Algorithm, e.Weak, want)
		}
	}
}

func TestFindings(t *testing.T) {
	passwd := "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0:second root:/root:/bin/bash\nnopass::1001:1001::/home/nopass:/bin/bash\n" +
		"a:x:1002:5::/:/bin/sh\nb:x:1002:5::/:/bin/sh\na:x:1003:5::/:/bin/sh\n+::::::\nshort:x:1\nbig:x:99999999999:0:::\nold:abJnggxhB/yWI:7:7:::\n# no\n\n"
	rec, f := run(t, "etc/passwd", []byte(passwd), 0o644)
	want := []Finding{
		{Kind: FindingRootTwin, Name: "toor", Line: 2, Other: "root"},
		{Kind: FindingEmptyPassword, Name: "nopass", Line: 3},
		{Kind: FindingDuplicateUID, Name: "b", Line: 5, Other: "a"},
		{Kind: FindingDuplicateName, Name: "a", Line: 6},
		{Kind: FindingCompat, Name: "+::::::", Line: 7},
		{Kind: FindingBadLine, Line: 8},
		{Kind: FindingBadID, Name: "big", Line: 9},
		{Kind: FindingWeakHash, Name: "old", Line: 10, Other: "DES"},
		{Kind: FindingHashInPasswd, Name: "old", Line: 10, Other: "DES"},
	}
	if d := cmp.Diff(want, f.Findings); d != "" {
		t.Error(d)
	}
	var got []Account
	for _, fact := range rec.Facts[1:] {
		var a Account
		if err := json.Unmarshal(fact.Data, &a); err != nil || fact.Kind != AccountKind {
			t.Fatal(fact.Kind, err)
		}
		got = append(got, a)
	}
	if len(got) != 8 || got[0] != (Account{Name: "root", Password: "x", UID: "0", GID: "0", Gecos: "root", Home: "/root", Shell: "/bin/bash", Line: 1}) || got[2].Password != "empty" || got[7].Password != "hash" {
		t.Errorf("%+v", got)
	}
	_, f = run(t, "etc/shadow", []byte("root:$1$abcdefgh$abc:19000:0:90:7::20000:\n"), 0o644)
	if f == nil || !f.WorldReadable || f.Entries[0].MaxDays != 90 || f.Entries[0].Expires != 20000 || f.Entries[0].Changed != 19000 {
		t.Errorf("%+v", f)
	}
	_, f = run(t, "etc/group", []byte("root:x:0:\nwheel:x:0:a,b\n"), 0o644)
	if d := cmp.Diff([]Finding{{Kind: FindingRootGroup, Name: "wheel", Line: 2, Other: "root"}}, f.Findings); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"a", "b"}, f.Entries[1].Members); d != "" {
		t.Error(d)
	}
}

// TestNoHash: the hash itself is nowhere.
func TestNoHash(t *testing.T) {
	const hash = "$6$saltsalt$QQQQzzzz1234"
	for _, path := range []string{"etc/passwd", "etc/shadow", "var/backups/shadow.bak"} {
		rec, _ := run(t, path, []byte("a:"+hash+":0:0::/:/bin/sh\nb:!"+hash+":0:0::/:/bin/sh\n"), 0o600)
		data, err := json.Marshal(rec)
		if err != nil || len(rec.Facts) == 0 || strings.Contains(string(data), "saltsalt") || strings.Contains(string(data), "QQQQ") {
			t.Errorf("%s: %s %v", path, data, err)
		}
	}
}

// TestPlanted finds what the corpus' builder planted: ../shared/corpus/images.sh,
// se_files.
func TestPlanted(t *testing.T) {
	corpus := os.Getenv("TIDEWAITER_CORPUS")
	if corpus == "" {
		t.Skip("TIDEWAITER_CORPUS is not set")
	}
	root := filepath.Join(corpus, ".work", "layers", "se-files", "fs")
	for path, want := range map[string][]string{
		"etc/passwd":             {"uid-0 toor", "empty-password nopass"},
		"etc/shadow":             {"empty-password nopass", "weak-hash old", "duplicate-name root"},
		"var/backups/shadow.bak": {"empty-password nopass", "weak-hash old", "duplicate-name root", "world-readable "},
	} {
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Skip("no such layer: ", err)
		}
		info, err := os.Stat(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		_, f := run(t, path, data, info.Mode())
		found := map[string]bool{}
		for _, n := range f.Findings {
			found[n.Kind+" "+n.Name] = true
		}
		for _, w := range want {
			if !found[w] {
				t.Errorf("%s: no %q among %+v", path, w, f.Findings)
			}
			delete(found, w)
		}
		if len(found) > 0 {
			t.Errorf("%s: not planted: %v", path, found)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("etc/passwd", []byte("root:x:0:0:root:/root:/bin/bash\n"))
	f.Add("etc/shadow", []byte("root:$6$a$b:1:2:3:4:5:6:\n!:::\n"))
	f.Add("etc/group", []byte("a:!:0:b,c\n+\n"))
	f.Add("etc/gshadow-", []byte("a:::x\n"))
	f.Fuzz(func(t *testing.T, path string, data []byte) {
		if _, _, ok := fileOf(path); !ok || len(data) > 1<<16 {
			return
		}
		rec := inventory.Record{}
		if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(analyze.NewFile(analyze.Entry{Path: path}, data)), &rec); err != nil {
			t.Fatal(err)
		}
		for _, fact := range rec.Facts {
			if !json.Valid(fact.Data) {
				t.Fatalf("%s", fact.Data)
			}
		}
	})
}
