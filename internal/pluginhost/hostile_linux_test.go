package pluginhost

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// python is an analyzer in Python of which the test gives what it does with a
// request, named r; say() answers.
func python(body string) string {
	return `#!/usr/bin/python3
import json, sys, os, time, socket, subprocess, signal
if sys.argv[1] == "describe":
    print('{"protocol":"tidewaiter.plugin/1","name":"bad","version":"1","help":"","kinds":["analyzer","gate"],"analyzer":{"wants":[{"paths":["*.x"]}],"facts":["seen"]},"gate":{"triggers":[{"name":"t","help":""}]}}')
    sys.exit()
def say(**a):
    print(json.dumps(a), flush=True)
def seen(r, **d):
    say(id=r["id"], **({"facts": [{"kind": "seen", "data": d}]} if r["method"] == "analyze" else {"hits": [{"message": json.dumps(d)}]}))
n = 0
for line in sys.stdin:
    n += 1
    r = json.loads(line)
    ` + strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n    ") + "\n"
}

// try runs an analysis of one file by a bad plugin.
func try(t *testing.T, h *Host) (inventory.Record, error) {
	t.Helper()
	var out inventory.Record
	err := h.Analyzers(nil)[0].Analyze(t.Context(), fstest.MapFS{"a.x": {Data: []byte("x")}}, &out)
	return out, err
}

// fact is the data of the only fact of a record.
func fact(t *testing.T, h *Host) string {
	t.Helper()
	out, err := try(t, h)
	if err != nil || len(out.Facts) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	return string(out.Facts[0].Data)
}

func badHost(t *testing.T, text string, l Limits) *Host {
	t.Helper()
	need(t, "python3")
	h := open(t, Config{Paths: []string{install(t, "bad", text)}, Limits: l})
	works(t, h)
	return h
}

// Each of these is an error of that one request, for an analyzer as for a gate;
// the record is not kept, and nothing is left running.
func TestBadPlugins(t *testing.T) {
	for _, c := range []struct {
		name, body, want string
		limits           Limits
	}{
		{"binary", `os.write(1, os.urandom(100000) + b"\n")`, "not of the protocol", Limits{}},
		{"10 GB on one line", `
try:
    for i in range(10000): os.write(1, b"x" * 1000000)
except BrokenPipeError: pass
time.sleep(1000)`, "plugin line", Limits{}},
		{"10 GB of lines", `
line = (json.dumps({"id": r["id"], "more": True, "problems": []}) + " " * 900000 + "\n").encode()
for i in range(10000): os.write(1, line)`, "plugin output", Limits{}},
		{"10 GB on standard error", `
for i in range(10000): os.write(2, b"x" * 1000000)`, "plugin output", Limits{}},
		{"half a line", `os.write(1, b'{"id":'); os._exit(0)`, "middle of a line", Limits{}},
		{"half a line, then silence", `os.write(1, b'{"id":'); time.sleep(1000)`, "plugin time", Limits{Analyze: 300 * time.Millisecond, Evaluate: 300 * time.Millisecond}},
		{"answer of another request", `say(id=r["id"] + 1)`, "it answered request", Limits{}},
		{"no id", `say()`, "it answered request 0", Limits{}},
		{"crash", `os.kill(os.getpid(), signal.SIGSEGV); ctypes = __import__("ctypes"); ctypes.string_at(0)`, "without an answer", Limits{}},
		{"exit", `print("out of luck", file=sys.stderr); sys.exit(7)`, "exit status 7; it said: out of luck", Limits{}},
		{"says no", `say(id=r["id"], error="no\x1b[31m idea")`, "no?[31m idea", Limits{}},
		{"hangs", `time.sleep(1000)`, "plugin time", Limits{Analyze: 300 * time.Millisecond, Evaluate: 300 * time.Millisecond}},
		{"ignores SIGTERM", `
for s in range(1, 65):
    try: signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass`, "plugin time", Limits{Analyze: 300 * time.Millisecond, Evaluate: 300 * time.Millisecond}},
		{"does not read", `time.sleep(1000)`, "plugin time", Limits{Analyze: 300 * time.Millisecond, Evaluate: 300 * time.Millisecond}},
		{"memory", `
b = []
while True: b.append(bytearray(1 << 20))`, "emory", Limits{Memory: 128 << 20}},
		{"memory of children", `
for i in range(8):
    if os.fork() == 0:
        b = bytearray(os.urandom(1 << 20)) * 60
        time.sleep(1000)
time.sleep(1000)`, "plugin memory", Limits{Memory: 128 << 20}},
		{"two values on a line", `print(json.dumps({"id": r["id"]}) + '{"id":2}', flush=True)`, "more than one value", Limits{}},
		{"misspelt member", `say(id=r["id"], package=[])`, "package", Limits{}},
		{"deep", `os.write(1, b"[" * 1000000 + b"\n")`, "not of the protocol", Limits{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := badHost(t, python(c.body), c.limits)
			out, err := try(t, h)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("analyzer: %v, want %q", err, c.want)
			}
			if !out.Forget || len(out.Packages)+len(out.Facts) > 0 {
				t.Errorf("analyzer: a record to keep: %+v", out)
			}
			hits, err := tryEvaluate(h, "t", &policy.Subject{Image: &inventory.Image{}}, nil)
			if err == nil || hits != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("gate: %v, %v, want %q", hits, err, c.want)
			}
		})
	}
}

// What an analyzer says of files it was not given, or of kinds it did not
// announce, is a Problem; the rest counts.
func TestLiesAreProblems(t *testing.T) {
	h := badHost(t, python(`
say(id=r["id"], packages=[{"purl": "pkg:generic/good@1"}, {"purl": "pkg:generic/out@1", "path": "../../etc/passwd"}, {"purl": "nonsense"}, {"purl": "pkg:generic/a%0Ab@1"},
    {"purl": "pkg:deb/x@1", "owns": ["../x"]}],
    facts=[{"kind": "secret", "data": {}}, {"kind": "seen", "data": [1]}, {"kind": "seen", "path": "etc/shadow", "data": {}}], problems=[{"path": "nowhere", "message": "evil\x1b]0;"}])`), Limits{})
	out, err := try(t, h)
	if err != nil || len(out.Packages) != 1 || out.Packages[0].Path != "a.x" || len(out.Facts) != 0 || out.Forget {
		t.Fatalf("%+v, %v", out, err)
	}
	var got []string
	for _, p := range out.Problems {
		got = append(got, p.Message)
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"../../etc/passwd", "nonsense", "name or version", "no path within", "none of those that the plugin describes", "no JSON object", "etc/shadow", "evil?]0;"} {
		if !strings.Contains(all, want) {
			t.Errorf("no problem says %q in\n%s", want, all)
		}
	}
	if len(got) != 8 {
		t.Errorf("%d problems:\n%s", len(got), all)
	}
}

// Answers after the end end the process, and the next request has a new one.
func TestAnswersAfterTheEnd(t *testing.T) {
	h := badHost(t, python(`
seen(r, n=n)
say(id=r["id"], problems=[{"message": "one more thing"}])
say(id=r["id"] + 1, problems=[{"message": "what you will ask"}])`), Limits{})
	// What follows an answer may be seen with it, which fails the request, or
	// after it. In either case the process is not used again.
	for range 3 {
		out, err := try(t, h)
		if err != nil && strings.Contains(err.Error(), "it spoke without being asked") {
			continue
		}
		if err != nil || len(out.Facts) != 1 || string(out.Facts[0].Data) != `{"n":1}` {
			t.Fatalf("%+v, %v: the process that spoke unasked was used again", out, err)
		}
	}
	if n := h.plugins[0].Stats().Started; n != 4 {
		t.Errorf("%d processes, want 4", n)
	}
}

func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// withMark lists the processes of this machine whose environment or arguments
// hold a mark.
func withMark(t *testing.T, mark string) (out []int) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		b, _ := os.ReadFile(d + "/cmdline")
		if pid, err := strconv.Atoi(filepath.Base(d)); err == nil && pid != os.Getpid() && strings.Contains(string(b), mark) && alive(pid) {
			out = append(out, pid)
		}
	}
	return out
}

// A fork that leaves its group and its parent is gone with the plugin.
func TestForksDoNotSurvive(t *testing.T) {
	mark := "mark-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	body := `
for i in range(3):
    if os.fork() == 0:
        try: os.setsid()
        except PermissionError: pass
        if os.fork() == 0:
            for s in range(1, 65):
                try: signal.signal(s, signal.SIG_IGN)
                except (OSError, ValueError): pass
            os.execv("/usr/bin/python3", ["python3", "-c", "import time; time.sleep(1000)", "` + mark + `"])
        os._exit(0)
time.sleep(0.5)
`
	h := badHost(t, python(body+"\nseen(r, n=n)"), Limits{})
	fact(t, h)
	if withMark(t, mark) == nil {
		t.Fatal("the plugin started nothing: this test looks at nothing")
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	for try := 0; withMark(t, mark) != nil; try++ {
		if try > 100 {
			t.Fatalf("these outlived the plugin: %v", withMark(t, mark))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestForkBomb(t *testing.T) {
	h := badHost(t, python(`
n = 0
try:
    while True:
        if os.fork() == 0: time.sleep(1000)
        n += 1
except OSError: pass
seen(r, n=n)`), Limits{Processes: 20})
	got := fact(t, h)
	var n int
	if n, _ = strconv.Atoi(strings.Trim(got, `{"n:}`)); n < 1 || n > 20 {
		t.Errorf("%s children, where 20 processes are allowed", got)
	}
}

// Nobody's files are read: not the password file, not this test's own, not a
// secret in the environment of the host; not by a link either.
func TestNoFilesAreRead(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("tide"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "tide")
	h := badHost(t, python(`
got = []
def attempt(name, f):
    try:
        f(); got.append(name)
    except OSError: pass
attempt("shadow", lambda: open("/etc/shadow").read())
attempt("secret", lambda: open("`+secret+`").read())
attempt("root", lambda: os.listdir("/root"))
attempt("home", lambda: os.listdir("/home"))
attempt("proc of others", lambda: [open("/proc/%s/environ" % p).read() for p in os.listdir("/proc") if p.isdigit() and p != str(os.getpid())][0:0] or os.stat("/proc/`+strconv.Itoa(os.Getpid())+`/environ") and open("/proc/`+strconv.Itoa(os.Getpid())+`/environ").read())
link = os.environ["TIDEWAITER_SCRATCH"] + "/link"
os.symlink("/etc/shadow", link)
attempt("link", lambda: open(link).read())
os.symlink("`+secret+`", link + "2")
attempt("link2", lambda: open(link + "2").read())
attempt("write beside the files", lambda: open(r["folder"] + "/new", "w"))
attempt("change a file", lambda: open(r["folder"] + "/files/a.x", "w"))
attempt("link in the folder", lambda: os.symlink("/etc/shadow", r["folder"] + "/files/link"))
attempt("write to tmp", lambda: open("/tmp/x", "w"))
attempt("write to var tmp", lambda: open("/var/tmp/x", "w"))
attempt("change itself", lambda: open(sys.argv[0], "w"))
attempt("usr", lambda: open("/usr/x", "w"))
attempt("raw disk", lambda: open("/dev/vda", "rb"))
attempt("memory", lambda: open("/dev/mem", "rb"))
attempt("sysrq", lambda: open("/proc/sysrq-trigger", "w"))
attempt("sysctl", lambda: open("/proc/sys/kernel/core_pattern", "w"))
attempt("mount", lambda: os.makedirs("/mnt/x"))
ok = os.environ["TIDEWAITER_SCRATCH"] + "/mine"
open(ok, "w").write("fine")
seen(r, got=got, env=sorted(os.environ), uid=os.getuid(), mine=open(ok).read())`), Limits{})
	got := fact(t, h)
	if !strings.Contains(got, `"got":[]`) || !strings.Contains(got, `"mine":"fine"`) {
		t.Errorf("it could: %s", got)
	}
	if strings.Contains(got, "AWS") || strings.Contains(got, "LAUNCH") {
		t.Errorf("its environment: %s", got)
	}
	if os.Geteuid() == 0 && !strings.Contains(got, `"uid":65534`) {
		t.Errorf("a plugin of root is: %s", got)
	}
}

// No socket of any kind, nor another way to one.
func TestNoSockets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no network to keep a plugin from:", err)
	}
	defer l.Close()
	h := badHost(t, python(`
got = []
def attempt(name, f):
    try:
        f(); got.append(name)
    except OSError: pass
attempt("connect", lambda: socket.create_connection(("127.0.0.1", `+strconv.Itoa(l.Addr().(*net.TCPAddr).Port)+`), 2))
attempt("listen", lambda: socket.create_server(("127.0.0.1", 0)))
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
attempt("raw", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("vsock", lambda: socket.socket(getattr(socket, "AF_VSOCK", 40), socket.SOCK_STREAM))
a, b = socket.socketpair()
seen(r, got=got)`), Limits{})
	if got := fact(t, h); got != `{"got":[]}` {
		t.Errorf("it could: %s", got)
	}
}

// System calls that widen what can be attacked are refused.
func TestNoSystemCalls(t *testing.T) {
	h := badHost(t, python(`
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
got = {}
for name, nr, a in [("ptrace", 101, (16, 1)), ("mount", 165, (0, 0)), ("keyctl", 250, (0, -3)), ("bpf", 321, (0, 0)), ("unshare", 272, (0x10000000,)), ("io_uring", 425, (1, 0)), ("perf", 298, (0, 0)),
    ("userfaultfd", 323, (1,)), ("memfd", 319, (b"x", 0)), ("clone newuser", 56, (0x10000000, 0)), ("clone3", 435, (0, 0)), ("init_module", 175, (0, 0)), ("tiocsti", 16, (0, 0x5412)), ("x32 getpid", 0x40000027, ())]:
    ctypes.set_errno(0)
    v = libc.syscall(nr, *a)
    got[name] = ctypes.get_errno() if v < 0 else "ok"
seen(r, got=got)`), Limits{})
	if auditArch != 0xc000003e {
		t.Skip("the numbers are those of amd64")
	}
	got := fact(t, h)
	want := `{"got":{"bpf":1,"clone newuser":1,"clone3":38,"init_module":1,"io_uring":1,"keyctl":1,"memfd":1,"mount":1,"perf":1,"ptrace":1,"tiocsti":1,"unshare":1,"userfaultfd":1,"x32 getpid":1}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Its folder is bounded as a whole, and gone when it is.
func TestDiskIsNotFilled(t *testing.T) {
	h := badHost(t, python(`
total = 0
where = os.environ["TIDEWAITER_SCRATCH"]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    for i in range(1000):
        with open(where + "/%d" % i, "wb", buffering=0) as f:
            for k in range(64): total += f.write(b"x" * (1 << 20))
except OSError: pass
seen(r, mib=total >> 20)`), Limits{Scratch: 8 << 20})
	held, err := h.plugins[0].Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !held.has(partRoot) {
		t.Skip("without a private file system only single files are bounded")
	}
	got := fact(t, h)
	n, _ := strconv.Atoi(strings.Trim(got, `{"mib:}`))
	if n < 1 || n > 8 {
		t.Errorf("%s, where 8 MiB are allowed", got)
	}
	run := h.run
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(run); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", run, err)
	}
}

// Where the owner demands it, no plugin runs without what keeps it in.
func TestRequireSandbox(t *testing.T) {
	h := open(t, Config{Paths: []string{install(t, "acme", bashManifest)}, RequireSandbox: true})
	held, err := h.plugins[0].Probe(t.Context())
	if h.plugins[0].Err == nil && err == nil {
		if held.Weak() != "" {
			t.Errorf("it runs although it could %s", held.Weak())
		}
	}
	if err := (&Host{config: Config{RequireSandbox: true}}).judge(&Held{Parts: []string{partPrivs, partLimits, partSeccomp}}); err == nil || !strings.Contains(err.Error(), "read and write files") {
		t.Error(err)
	}
}

// Each wall alone: without namespaces, as on a kernel that refuses them,
// Landlock and the filter still keep a plugin from files and network.
func TestWithoutNamespaces(t *testing.T) {
	need(t, "python3")
	h := &Host{config: Config{}, limits: Limits{}.withDefaults(), walls: newWalls(), log: open(t, Config{}).log, slots: make(chan struct{}, 1)}
	h.walls.level.Store(levelNone)
	p := &Plugin{Path: install(t, "bad", python(`
got = []
def attempt(name, f):
    try:
        f(); got.append(name)
    except OSError: pass
attempt("shadow", lambda: open("/etc/shadow").read())
attempt("socket", lambda: socket.socket(socket.AF_UNIX))
attempt("tmp", lambda: open("/tmp/x", "w"))
attempt("setsid", lambda: os.setsid())
attempt("environment of others", lambda: open("/proc/1/environ").read())
open(os.environ["TIDEWAITER_SCRATCH"] + "/mine", "w").write("fine")
seen(r, got=got)`)), host: h}
	var err error
	if p.Digest, err = p.measure(nil); err != nil {
		t.Fatal(err)
	}
	if err := p.describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.plugins = []*Plugin{p}
	defer h.Close()
	held, err := p.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if held.has(partRoot) || held.has(partNet) || held.has(partPIDs) {
		t.Fatalf("held %v", held.Parts)
	}
	if !held.has(partLandlock) || !held.has(partSeccomp) {
		t.Skipf("this kernel has neither: %v", held.Missing)
	}
	if got := fact(t, h); got != `{"got":[]}` {
		t.Errorf("it could: %s", got)
	}
}
