package pluginhost

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// programs are ELF files as a compiler makes them when it is told how. What is
// there to be compared is what readelf says of them.
func programs(t *testing.T) map[string]string {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("no cc, which makes the programs to look at")
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "a.c")
	if err := os.WriteFile(source, []byte("#include <stdio.h>\n#include <string.h>\nint main(int n, char **v) { char b[64]; strcpy(b, v[0]); printf(b); return n + b[n]; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(dir, "bare.c")
	if err := os.WriteFile(bare, []byte("int f(int);\nint main(int n) { return n ? n : f(n); }\nint f(int n) { return n; }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, flags := range map[string]string{
		"plain":     "",
		"hard":      "-O2 -fPIE -pie -Wl,-z,relro,-z,now -fstack-protector-all -D_FORTIFY_SOURCE=2",
		"soft":      "-no-pie -Wl,-z,norelro -z execstack -fno-stack-protector -U_FORTIFY_SOURCE",
		"partial":   "-no-pie -Wl,-z,relro,-z,lazy",
		"static":    "-static -fno-stack-protector",
		"staticpie": "-static-pie",
		"stripped":  "-static -s",
		"rpath":     "-Wl,-rpath,/opt/lib:$ORIGIN -Wl,--disable-new-dtags",
		"runpath":   "-Wl,-rpath,/opt/lib -Wl,--enable-new-dtags",
		"lib.so":    "-shared -fPIC -Wl,-soname,lib.so",
		"bare.so":   "-shared -fPIC -s",
		"m32":       "-m32 -nostdlib -shared -fPIC -Wl,-z,now",
		"m32exec":   "-m32 -nostdlib -static -no-pie -z execstack -Wl,-e,main",
	} {
		exe := filepath.Join(dir, name)
		args := append(strings.Fields(flags), "-w", "-o", exe, source)
		if strings.HasPrefix(name, "m32") {
			args[len(args)-1] = bare // the headers of its library may not be there
		}
		if b, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
			t.Logf("not built with %s: %s", flags, bytes.TrimSpace(b))
			continue
		}
		out[name] = exe
		if name == "hard" || name == "soft" {
			out["big/"+name] = bigEndian(t, exe)
		}
	}
	return out
}

// bigEndian writes the tables of a little-endian program of 64 bits the other
// way round: no compiler for such a machine is at hand.
func bigEndian(t *testing.T, exe string) string {
	t.Helper()
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out := slices.Clone(b)
	swap := func(at, end uint64, v any) {
		size := uint64(binary.Size(v))
		for ; at+size <= end; at += size {
			_ = binary.Read(bytes.NewReader(b[at:]), binary.LittleEndian, v)
			_, _ = binary.Encode(out[at:], binary.BigEndian, v)
		}
	}
	var h elf.Header64
	_ = binary.Read(bytes.NewReader(b), binary.LittleEndian, &h)
	swap(0, 64, new(elf.Header64))
	out[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	swap(h.Phoff, h.Phoff+56*uint64(h.Phnum), new(elf.Prog64))
	swap(h.Shoff, h.Shoff+64*uint64(h.Shnum), new(elf.Section64))
	for _, s := range f.Sections {
		switch s.Type {
		case elf.SHT_DYNAMIC:
			swap(s.Offset, s.Offset+s.FileSize, new(elf.Dyn64))
		case elf.SHT_DYNSYM, elf.SHT_SYMTAB:
			swap(s.Offset, s.Offset+s.FileSize, new(elf.Sym64))
		}
	}
	exe += ".big"
	if err := os.WriteFile(exe, out, 0o644); err != nil {
		t.Fatal(err)
	}
	return exe
}

// elfFiles adds ELF files below a folder, until they are so many bytes.
func elfFiles(to map[string]string, folder string, most int64) {
	_ = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || most <= 0 {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return nil
		}
		defer f.Close()
		var head [18]byte
		info, err := f.Stat()
		if n, _ := f.Read(head[:]); err == nil && n == len(head) && string(head[:4]) == "\x7fELF" && (head[16] == 2 || head[16] == 3) && info.Size() < 8<<20 {
			to[strings.TrimPrefix(path, "/")] = path
			most -= info.Size()
		}
		return nil
	})
}

// readelf is what the tool of binutils says of files, as the plugin would.
func readelf(t *testing.T, files map[string]string) map[string]map[string]string {
	t.Helper()
	if _, err := exec.LookPath("readelf"); err != nil {
		t.Skip("no readelf to compare with")
	}
	symbol := regexp.MustCompile(`^\s*\d+: `)
	out := map[string]map[string]string{}
	names := map[string]string{}
	args := []string{"-W", "-h", "-l", "-d", "-s", "/dev/null"} // with two files it names them
	for name, path := range files {
		names[path] = name
		args = append(args, path)
	}
	b, _ := exec.Command("readelf", args...).Output() // it fails for /dev/null
	var d map[string]string
	var interp, relro, now, soname, pie, fixed, known bool
	var table string
	fortify := 0
	end := func() {
		if d == nil {
			return
		}
		switch {
		case fixed:
			d["type"] = "executable"
		case !pie && (!interp || soname):
			d["type"] = "library"
		case interp:
			d["type"] = "pie"
		default:
			d["type"] = "static-pie"
		}
		d["relro"] = map[bool]string{false: "none", true: map[bool]string{false: "partial", true: "full"}[now]}[relro]
		if d["canary"] == "" {
			d["canary"] = map[bool]string{false: "unknown", true: "no"}[known]
		}
		d["fortify"] = "unknown"
		if known {
			d["fortify"] = strconv.Itoa(fortify)
		}
	}
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := s.Text()
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "File: "):
			end()
			d = map[string]string{"nx": "unsaid"}
			if name, ok := names[strings.TrimPrefix(line, "File: ")]; ok {
				out[name] = d
			}
			interp, relro, now, soname, pie, fixed, known, fortify, table = false, false, false, false, false, false, false, 0, ""
		case len(f) == 0 || d == nil:
		case f[0] == "Type:":
			fixed, pie = f[1] == "EXEC", strings.Contains(line, "Position-Independent Executable")
		case f[0] == "INTERP":
			interp = true
		case f[0] == "GNU_RELRO":
			relro = true
		case f[0] == "GNU_STACK":
			d["nx"] = map[bool]string{true: "no", false: "yes"}[strings.Contains(line, "RWE")]
		case strings.Contains(line, "(SONAME)"):
			soname = true
		case strings.Contains(line, "(BIND_NOW)"), strings.Contains(line, "(FLAGS"):
			now = now || strings.Contains(line, "NOW")
			pie = pie || slices.Contains(f, "PIE")
		case strings.Contains(line, "(RPATH)"), strings.Contains(line, "(RUNPATH)"):
			key := map[bool]string{true: "rpath", false: "runpath"}[strings.Contains(line, "(RPATH)")]
			_, v, _ := strings.Cut(line, "[")
			d[key] = v[:strings.LastIndexByte(v, ']')]
		case f[0] == "Symbol":
			table = f[2]
			known = known || table == "'.symtab'" || f[4] != "1"
		case symbol.MatchString(line) && len(f) > 7:
			name, _, _ := strings.Cut(f[7], "@")
			if strings.HasPrefix(name, "__stack_chk_") {
				d["canary"] = "yes"
			} else if table == "'.dynsym'" && f[6] == "UND" && strings.HasPrefix(name, "__") && strings.HasSuffix(name, "_chk") {
				fortify++
			}
		}
	}
	end()
	return out
}

// What the plugin in C says of programs is what readelf says of them: of some
// that are made here for every case, of this system's, and of the corpus's.
func TestExampleELFHardening(t *testing.T) {
	h := openExamples(t, Config{}, "elf-hardening")
	files := programs(t)
	made := len(files)
	elfFiles(files, "/usr/bin", 30<<20)
	if corpus := os.Getenv("TIDEWAITER_CORPUS"); corpus != "" {
		layers, _ := filepath.Glob(filepath.Join(corpus, ".work/layers/*/fs"))
		for _, l := range layers {
			elfFiles(files, l, 60<<20)
		}
	} else {
		t.Log("TIDEWAITER_CORPUS is not set: only this system's programs are compared")
	}
	layer := fstest.MapFS{}
	for name, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		layer[name] = &fstest.MapFile{Data: b}
	}
	got := map[string]map[string]string{}
	for _, line := range learn(t, h, layer) {
		path, data, _ := strings.Cut(line, " {")
		var d map[string]string
		if err := json.Unmarshal([]byte("{"+data), &d); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got[path] = d
	}
	want := readelf(t, files)
	t.Logf("%d files, %d of them made here", len(want), made)
	if len(want) != len(files) {
		t.Errorf("readelf speaks of %d files of %d", len(want), len(files))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-readelf +plugin\n%.5000s", d)
	}
}

// Of a file that was cut or lies anywhere it says something or nothing, and
// never fails.
func TestExampleELFHardeningOnBrokenFiles(t *testing.T) {
	h := openExamples(t, Config{}, "elf-hardening")
	files := programs(t)
	layer := fstest.MapFS{}
	for name, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{17, 52, 63, 64, 100, 1000, len(b) / 2, len(b) - 1} {
			layer[name+"/cut"+strconv.Itoa(n)] = &fstest.MapFile{Data: b[:n]}
		}
		for at := 16; at < 1024; at += 7 {
			c := slices.Clone(b[:min(len(b), 64<<10)])
			for i := at; i < at+4; i++ {
				c[i] = 0xff
			}
			layer[name+"/bad"+strconv.Itoa(at)] = &fstest.MapFile{Data: c}
		}
	}
	if got := learn(t, h, layer); len(got) < len(layer)/2 {
		t.Errorf("%d answers about %d files", len(got), len(layer))
	}
}
