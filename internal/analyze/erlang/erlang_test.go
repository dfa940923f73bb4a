package erlang

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func summary(r *inventory.Record) []string {
	var got []string
	for _, p := range r.Packages {
		s := p.PURL()
		if p.State == inventory.Declared {
			s += " declared"
		}
		if p.Confidence > 0 {
			s += fmt.Sprint(" ", p.Confidence)
		}
		got = append(got, s)
	}
	slices.Sort(got)
	for _, p := range r.Problems {
		got = append(got, "problem: "+p.Path+": "+p.Message)
	}
	return got
}

// The resource files are Debian's of erlang-base 25.2.3, elixir 1.14.0 and
// rabbitmq-server 3.10.8.
func TestInstalled(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	want := []string{
		"pkg:generic/erlang@25.2.3",
		"pkg:hex/cowboy@2.8.0 0.8",
		"pkg:hex/jsx@3.1.0 0.8",
		"pkg:hex/katana_code@0.2.1",
		"pkg:otp/eex@1.14.0",
		"pkg:otp/erts@13.1.5",
		"pkg:otp/rabbit@3.10.8",
		"pkg:otp/ssl@10.8.7",
	}
	if d := cmp.Diff(want, summary(r)); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	for _, p := range r.Packages {
		switch p.Name {
		case "cowboy":
			if d := cmp.Diff([]string{"kernel", "stdlib", "crypto", "cowlib", "ranch"}, p.Depends); d != "" || p.Description != "Small, fast, modern HTTP server." {
				t.Errorf("%+v %s", p, d)
			}
			if d := cmp.Diff([]string{"usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/plugins/cowboy-2.8.0/"}, p.Files.Strings()); d != "" {
				t.Error(d)
			}
		case "erts":
			if d := cmp.Diff([]string{"usr/lib/erlang/erts-13.1.5/", "usr/lib/erlang/lib/erts-13.1.5/"}, p.Files.Strings()); d != "" {
				t.Error(d)
			}
		case "erlang":
			if d := cmp.Diff([]string{`cpe:2.3:a:erlang:erlang\/otp:25.2.3:*:*:*:*:*:*:*`}, p.CPEs); d != "" {
				t.Error(d)
			}
		case "katana_code":
			if len(p.Licenses) != 1 || p.Licenses[0].Raw != "Apache 2.0" || !slices.Equal(p.Depends, []string{"goldrush"}) {
				t.Errorf("%+v", p)
			}
		}
	}
}

// The file is what Mix 1.14 put into a release.
func TestRelease(t *testing.T) {
	out := &inventory.Record{}
	f := analyze.NewFile(analyze.Entry{Path: "app/releases/start_erl.data"}, []byte("13.1.5 0.1.0"))
	if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(f), out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"pkg:otp/erts@13.1.5"}, summary(out)); d != "" || !slices.Equal(out.Packages[0].Files.Strings(), []string{"app/erts-13.1.5/"}) {
		t.Error(d, out.Packages[0].Files.Strings())
	}
}

func TestArchive(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("prometheus-3.5.1/ebin/prometheus.app")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, `{application,prometheus,[{vsn,"3.5.1"},{description,"x"}]}.`)
	z.Close()
	out := &inventory.Record{}
	f := analyze.NewFile(analyze.Entry{Path: "plugins/prometheus-3.5.1.ez"}, b.Bytes())
	if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(f), out); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"pkg:hex/prometheus@3.5.1 0.8"}, summary(out)); d != "" {
		t.Error(d)
	}
}

// Every application of the system's Erlang and Elixir, against what Erlang
// itself reads.
func TestSystem(t *testing.T) {
	erl, err := exec.LookPath("erl")
	if err != nil {
		t.Skip("needs Erlang/OTP: ", err)
	}
	var files []string
	roots := []string{"/usr/lib/erlang", "/usr/lib/elixir"}
	if more := os.Getenv("TIDEWAITER_ERLANG_ROOT"); more != "" {
		roots = append(roots, more)
	}
	for _, root := range roots {
		filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && strings.HasSuffix(p, ".app") {
				files = append(files, p)
			}
			return nil
		})
	}
	if len(files) == 0 {
		t.Skip("no applications in /usr/lib/erlang")
	}
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte(strings.Join(files, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	truth, err := exec.Command(erl, "-noshell", "-eval", `{ok, B} = file:read_file("`+list+`"),
		[begin {ok, [{application, N, K}]} = file:consult(F), io:format("~ts ~ts ~0tp~n", [N, proplists:get_value(vsn, K), proplists:get_value(applications, K, [])]) end
		|| F <- string:split(binary_to_list(B), "\n", all)], halt().`).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := readApp(strings.TrimPrefix(f, "/"), "", data)
		if err != nil {
			t.Errorf("%s: %v", f, err)
		}
		fmt.Fprintf(&got, "%s %s [%s]\n", p.Name, p.Version, strings.Join(p.Depends, ","))
	}
	if d := cmp.Diff(strings.Split(string(truth), "\n"), strings.Split(got.String(), "\n")); d != "" {
		t.Errorf("erl -, got +:\n%s", d)
	}
	t.Logf("%d applications", len(files))
}

func TestLock(t *testing.T) {
	r := analyzetest.RunDir(t, Lock{}, "testdata/lock")
	want := []string{
		"pkg:github/eproxus/meck@1e7f7e3dc6bd5a1d3f4a3c0f4c1b2a3948576a6b declared",
		"pkg:github/tailwindlabs/heroicons@88ab3a0d790e6a47404cba02800a6b25d2afae50 declared",
		"pkg:hex/bunt@1.0.0 declared",
		"pkg:hex/certifi@2.6.1 declared",
		"pkg:hex/cowboy@1.0.4 declared",
		"pkg:hex/idna@6.1.1 declared",
		"pkg:hex/idna@6.1.1 declared",
		"pkg:hex/mimerl@1.2.0 declared",
		"pkg:hex/oban_pro@1.2.1 declared",
	}
	if d := cmp.Diff(want, summary(r)); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	for _, p := range r.Packages {
		switch p.Name {
		case "idna":
			if p.Hashes["sha256"] != "92376eb7894412ed19ac475e4a86f7b413c1b9fbb5bd16dccd57934157944cea" {
				t.Errorf("%+v", p)
			}
		case "cowboy":
			if !slices.Equal(p.Depends, []string{"cowlib"}) || p.Hashes != nil {
				t.Errorf("%+v", p)
			}
		case "oban_pro":
			if p.Meta["repository"] != "oban" {
				t.Errorf("%+v", p)
			}
		}
	}
}

func TestWants(t *testing.T) {
	for path, want := range map[string]analyze.Interest{
		"app/lib/jason-1.4.1/ebin/jason.app":             analyze.Alone,
		"app/_build/prod/lib/jason/ebin/jason.app":       analyze.Alone,
		"app/_build/test/lib/jason/ebin/jason.app":       analyze.Alone,
		"ebin/jason.app":                                 analyze.Ignore,
		"app/ebin/jason.app":                             analyze.Ignore,
		"x/test/code_SUITE_data/app1/ebin/app1.app":      analyze.Ignore,
		"usr/lib/erlang/releases/25/OTP_VERSION":         analyze.Alone,
		"Applications/Safari.app":                        analyze.Ignore,
		"usr/lib/erlang/OTP_VERSION":                     analyze.Ignore,
		"app/deps/jason/hex_metadata.config":             analyze.Alone,
		"usr/lib/x/plugins/jsx-2.9.0.ez":                 analyze.Ignore, // no zip file
		"app/_build/default/lib/rebar/ebin/rebar.appup":  analyze.Ignore,
		"app/_build/default/lib/rebar/ebin/rebars.app":   analyze.Ignore,
		"app/_build/default/lib/rebars/ebin/rebar.app":   analyze.Ignore,
		"usr/lib/x86_64-linux-gnu/a-23.01-1/ebin/a.app":  analyze.Alone,
		"usr/lib/erlang/lib/stdlib-4.2/src/stdlib.app.x": analyze.Ignore,
	} {
		if got := (Analyzer{}).Wants(analyze.Entry{Path: path}); got != want {
			t.Errorf("Wants(%s) = %v, want %v", path, got, want)
		}
	}
	for path, want := range map[string]analyze.Interest{
		"mix.lock": analyze.Alone, "app/mix.lock": analyze.Alone, "app/rebar.lock": analyze.Alone, "app/deps/x/mix.lock": analyze.Ignore,
		"app/premix.lock": analyze.Ignore, "app/_build/default/lib/x/rebar.lock": analyze.Ignore,
	} {
		if got := (Lock{}).Wants(analyze.Entry{Path: path}); got != want {
			t.Errorf("Lock.Wants(%s) = %v, want %v", path, got, want)
		}
	}
}

func TestBroken(t *testing.T) {
	for name, doc := range map[string]string{
		"cut":   `{application, a, [{vsn, "1.0"`,
		"deep":  `{application, a, ` + strings.Repeat("[", 100_000),
		"other": `{app, a}.`,
		"fun":   `{application, a, [{vsn, fun() -> ok end}]}.`,
		"empty": ``,
	} {
		out := &inventory.Record{}
		f := analyze.NewFile(analyze.Entry{Path: "lib/a/ebin/a.app"}, []byte(doc))
		if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(f), out); err != nil {
			t.Fatal(err)
		}
		if len(out.Problems) != 1 || len(out.Packages) != 0 {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

func FuzzTerms(f *testing.F) {
	for _, p := range []string{"testdata/lock/mix.lock", "testdata/lock/rebar.lock", "testdata/root/app/deps/katana_code/hex_metadata.config",
		"testdata/root/usr/lib/erlang/lib/ssl-10.8.7/ebin/ssl.app"} {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		for i := range 4 {
			f.Add(i, data)
		}
	}
	f.Add(0, []byte(`{application, 'a\x{41}', [{vsn, <<1,2:8,"é"/utf8>>}, #{a => $b, c => -1.5e3}]}.`))
	f.Fuzz(func(t *testing.T, which int, data []byte) {
		p := [...]string{"x/a-1/ebin/a.app", "x/hex_metadata.config", "mix.lock", "rebar.lock"}[uint(which)%4]
		var a analyze.Analyzer = Analyzer{}
		if uint(which)%4 > 1 {
			a = Lock{}
		}
		out := &inventory.Record{}
		if err := a.Analyze(t.Context(), analyze.NewFileSet(analyze.NewFile(analyze.Entry{Path: p}, data)), out); err != nil {
			t.Fatal(err)
		}
		for _, p := range out.Packages {
			if !valid(p.Name) || p.Version != "" && !valid(p.Version) {
				t.Errorf("%+v", p)
			}
		}
	})
}
