package report

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/bom"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func sample() *inventory.Image {
	return &inventory.Image{
		Reference: "registry.example.com/team/app:1.2", Digest: inventory.Digest("sha256:" + strings.Repeat("ab", 32)),
		Config: inventory.Config{Created: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), OS: "linux", Architecture: "arm64", Variant: "v8"},
		Layers: []inventory.LayerInfo{
			{Size: 28_230_000, Files: 3412, CreatedBy: "/bin/sh -c #(nop) ADD file:abc in / "},
			{Size: 999, Files: 1, CreatedBy: "RUN /bin/sh -c pip install --no-cache-dir -r requirements.txt && rm -rf /root/.cache /tmp/everything/else # buildkit"},
		},
		Distro: &inventory.Distro{ID: "debian", Version: "12", PrettyName: "Debian GNU/Linux 12 (bookworm)"},
		Packages: []inventory.Package{
			{Type: "deb", Namespace: "debian", Name: "adduser", Version: "3.134", Licenses: []inventory.License{{Expression: "GPL-2.0-only"}}},
			{Type: "deb", Namespace: "debian", Name: "libc6", Version: "2.36-9+deb12u4", Licenses: []inventory.License{{Expression: "LGPL-2.1-or-later"}, {Expression: "GPL-2.0-only OR MIT"}, {Expression: "LGPL-2.1-or-later"}}},
			{Type: "maven", Namespace: "org.springframework.boot", Name: "spring-boot-autoconfigure-processor-with-a-long-name", Version: "3.2.1.RELEASE-20240101T000000Z-build.77", Layer: 1},
			{Type: "npm", Namespace: "@babel", Name: "core", Version: "7.0.0", Layer: 1, Licenses: []inventory.License{{Raw: "see \x1b[31mLICENSE\nfile"}}},
			{Type: "pypi", Name: "pyyaml", Version: "6.0", Layer: 1, Owner: "deb/python3-yaml"},
			{Type: "pypi", Name: "unknown-layer", Layer: -1},
		},
		Declared: []inventory.Package{
			{Type: "npm", Name: "a", Path: "app/package-lock.json", State: inventory.Declared},
			{Type: "npm", Name: "b", Path: "app/package-lock.json", State: inventory.Declared},
			{Type: "pypi", Name: "c", Path: "app/poetry.lock", State: inventory.Declared},
		},
		Binaries: []inventory.Binary{{Path: "opt/tool/bin/thing", Size: 12_345_678, Type: "executable", Language: "go", Static: true, Layer: 1}},
		Coverage: inventory.Coverage{Executables: 312, Bytes: 180_300_000, AttributedFiles: 311, AttributedBytes: 180_299_999},
		Problems: []inventory.Problem{
			{Analyzer: "java", Path: "app.jar", Layer: 1, Limit: "nesting", Message: "archive nested deeper than 20"},
			{Layer: -1, Message: "no history"},
		},
	}
}

func render(t *testing.T, format string, img *inventory.Image, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, format, img, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile("testdata/"+name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func TestTable(t *testing.T) {
	got := render(t, Table, sample(), Options{})
	golden(t, "table.txt", got)
	for line := range strings.Lines(got) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.ContainsRune(line, '\x1b') || strings.TrimRight(line, " ") != line {
			t.Errorf("%q has an escape or ends in blanks", line)
		}
	}
}

func TestTableEmpty(t *testing.T) {
	if got, want := render(t, Table, &inventory.Image{Reference: "x"}, Options{}), "Image         x\nPackages      none\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTableNarrow(t *testing.T) {
	for line := range strings.Lines(render(t, Table, sample(), Options{Width: 70})) {
		if strings.HasPrefix(line, "  org.spring") && utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 70 {
			t.Errorf("more than 70 columns: %s", line)
		}
	}
}

// A long list says how much of it is not shown.
func TestTableCuts(t *testing.T) {
	img := &inventory.Image{Problems: slices.Repeat([]inventory.Problem{{Layer: -1, Message: "m"}}, maxProblemLines+5), Binaries: make([]inventory.Binary, maxBinaryLines+1)}
	got := render(t, Table, img, Options{})
	for _, want := range []string{"… and 5 problems more", "… and 1 file more"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestTemplate(t *testing.T) {
	text := `{{range groups .Packages}}{{.Type}}:{{range .Packages}} {{name .}}@{{.Version}}{{end}}
{{end}}{{range .Packages}}{{csv (purl .) (licenses .) .Layer}}
{{end}}{{(layer 1).Files}} {{(layer 9).Files}} {{bytes (layer 0).Size}} {{instruction (layer 0).CreatedBy}}
{{json .Coverage}} {{.Distro.ID | upper}} {{index .Problems 0 | json}} {{(index .Packages 0).PURL}}
{{.Reference | replace "/" "|" | shorten 12}} {{join "+" (split "." "a.b")}} {{contains "b" "abc"}}
`
	want := `deb: adduser@3.134 libc6@2.36-9+deb12u4
maven: org.springframework.boot:spring-boot-autoconfigure-processor-with-a-long-name@3.2.1.RELEASE-20240101T000000Z-build.77
npm: @babel/core@7.0.0
pypi: pyyaml@6.0 unknown-layer@
pkg:deb/debian/adduser@3.134,GPL-2.0-only,0
pkg:deb/debian/libc6@2.36-9%2Bdeb12u4,LGPL-2.1-or-later AND (GPL-2.0-only OR MIT),0
pkg:maven/org.springframework.boot/spring-boot-autoconfigure-processor-with-a-long-name@3.2.1.RELEASE-20240101T000000Z-build.77,,1
pkg:npm/%40babel/core@7.0.0,"see ` + "\x1b[31mLICENSE\nfile" + `",1
pkg:pypi/pyyaml@6.0,,1
pkg:pypi/unknown-layer,,-1
1 0 28.2 MB ADD file:abc in /
{"executables":312,"bytes":180300000,"attributedFiles":311,"attributedBytes":180299999} DEBIAN {"analyzer":"java","path":"app.jar","layer":1,"limit":"nesting","message":"archive nested deeper than 20"} pkg:deb/debian/adduser@3.134
registry.ex… a+b true
`
	if d := cmp.Diff(want, render(t, Template, sample(), Options{Template: text})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, bad := range []string{"{{", "{{.NoSuchField}}", "{{nofunc}}"} {
		if err := Write(io.Discard, Template, sample(), Options{Template: bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestWriteReachesEveryFormat(t *testing.T) {
	for _, f := range Formats() {
		if !Known(f) {
			t.Errorf("%s is listed and not known", f)
		}
		text := render(t, f, sample(), Options{ToolVersion: "1"})
		if f == Table || f == Files {
			continue
		}
		img, got, err := bom.Read(strings.NewReader(text), bom.Limits{})
		if err != nil || string(got) != f || len(img.Packages) != 6 {
			t.Errorf("%s: read as %s, %v", f, got, err)
		}
	}
	if !Known(Template) || Known("syft-json") || Known("") {
		t.Error("wrong formats are known")
	}
	if err := Write(io.Discard, "yaml", sample(), Options{}); err == nil || !strings.Contains(err.Error(), "cyclonedx-json") {
		t.Errorf("unknown format: %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWritePassesErrors(t *testing.T) {
	for _, f := range append(Formats(), Template) {
		if f == Files {
			continue // the sample has none
		}
		if err := Write(full{}, f, sample(), Options{Template: "x"}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestText(t *testing.T) {
	sizes := map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_499: "999 kB", 999_600: "1.0 MB", 28_230_000: "28.2 MB", 1 << 62: "4612 PB", -5: "-5 B"}
	for n, want := range sizes {
		if got := byteSize(n); got != want {
			t.Errorf("byteSize(%d) = %s, want %s", n, got, want)
		}
	}
	if got := thousands(1234567); got != "1,234,567" {
		t.Errorf("thousands: %s", got)
	}
	if got := count(2, "library"); got != "2 libraries" {
		t.Errorf("count: %s", got)
	}
	if got := percent(999_999, 1_000_000); got != "99.9 %" {
		t.Errorf("percent: %s", got)
	}
	if got := printable("a\x1b[2J\u202eb\xffc\n\nd"); got != "a\uFFFD[2J\uFFFDb\uFFFDc d" {
		t.Errorf("printable: %q", got)
	}
	if got := shorten(3, "äöüß"); got != "äö…" {
		t.Errorf("shorten: %s", got)
	}
	for in, want := range map[string]string{
		"/bin/sh -c #(nop)  CMD [\"bash\"]": `CMD ["bash"]`,
		"/bin/sh -c apt-get update":         "RUN apt-get update",
		"COPY a b # buildkit":               "COPY a b",
	} {
		if got := instruction(in); got != want {
			t.Errorf("instruction(%q) = %q, want %q", in, got, want)
		}
	}
}
