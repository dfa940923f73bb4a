// Package erlang reads applications of Erlang/OTP and Elixir: the resource
// files of installed applications, the metadata of packages from Hex, and the
// lock files of Mix and Rebar3.
package erlang

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads installed applications: NAME/ebin/NAME.app and
// NAME-VERSION/ebin/NAME.app, also inside .ez archives, hex_metadata.config of
// fetched packages, the version of Erlang/OTP itself, and which virtual machine
// a release brings (releases/start_erl.data). Applications that
// belong to Erlang/OTP, Elixir or RabbitMQ have type "otp". Any other is taken
// for a package from Hex, with Confidence 0.8 where only its resource file
// says so: that does not tell where it is from, and a program's own
// applications have one, too.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "erlang" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if kindOf(e.Path) != none && (e.Kind == inventory.KindZip || !strings.HasSuffix(e.Path, ".ez")) {
		return analyze.Alone
	}
	return analyze.Ignore
}

type kind uint8

const (
	none kind = iota
	app
	metadata
	release
	runtime
	archive
)

func kindOf(p string) kind {
	switch {
	case strings.HasSuffix(p, ".app"):
		if name, _ := appDir(p); name != "" && !inTests(p) {
			return app
		}
	case strings.HasSuffix(p, "/hex_metadata.config"):
		return metadata
	case strings.HasSuffix(p, "/OTP_VERSION"):
		if dir := strings.TrimSuffix(p, "/OTP_VERSION"); strings.HasSuffix(parent(dir), "releases") {
			return release
		}
	case strings.HasSuffix(p, "/releases/start_erl.data"):
		return runtime
	case strings.HasSuffix(p, ".ez"):
		return archive
	}
	return none
}

// appDir takes DIR/ebin/NAME.app apart, where the last element of DIR is NAME
// or NAME-VERSION; name is "" for any other path.
func appDir(p string) (name, dir string) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return "", ""
	}
	name = strings.TrimSuffix(p[i+1:], ".app")
	dir, ok := strings.CutSuffix(p[:i], "/ebin")
	if !ok || name == "" {
		return "", ""
	}
	rest, ok := strings.CutPrefix(dir[strings.LastIndexByte(dir, '/')+1:], name)
	if !ok || rest != "" && rest[0] != '-' {
		return "", ""
	}
	return name, dir
}

func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

// inTests reports whether a resource file is another application's fixture.
func inTests(p string) bool {
	if strings.Contains(p, "_SUITE_data/") {
		return true
	}
	i := strings.Index(p, "/test/")
	return i >= 0 && !strings.HasSuffix(p[:i], "_build")
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		k := kindOf(f.Path)
		var data []byte
		if err == nil && k == archive {
			err = readArchive(ctx, f, out)
		} else if err == nil && k != none {
			if data, err = f.ReadAll(maxFile); err == nil {
				err = read(k, f.Path, "", data, out)
			}
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

// Limits of the files of one application.
const (
	maxFile    = 8 << 20
	maxEntries = 100_000 // of an archive
	maxDepends = 1000
)

// readArchive reads the application in an .ez archive, which is a zip file
// that holds NAME-VERSION/ebin/NAME.app.
func readArchive(ctx context.Context, f *analyze.File, out *inventory.Record) error {
	z, err := zip.NewReader(f.ReaderAt, f.Size)
	if err != nil {
		return fmt.Errorf("reading archive: %w", err)
	}
	if len(z.File) > maxEntries {
		return fmt.Errorf("archive has more than the limit of %d entries", maxEntries)
	}
	for _, e := range z.File {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if kindOf(e.Name) != app {
			continue
		}
		r, err := e.Open()
		if err != nil {
			return fmt.Errorf("reading archive: %w", err)
		}
		data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
		r.Close()
		if err != nil {
			return fmt.Errorf("reading archive: %w", err)
		}
		if len(data) > maxFile {
			return fmt.Errorf("%.200q in archive is larger than the limit of %d bytes", e.Name, maxFile)
		}
		if err := read(app, f.Path, e.Name, data, out); err != nil {
			return err
		}
	}
	return nil
}

func read(k kind, file, inner string, data []byte, out *inventory.Record) error {
	var p inventory.Package
	var err error
	switch k {
	case app:
		p, err = readApp(file, inner, data)
	case metadata:
		p, err = readMetadata(file, data)
	case release:
		v := strings.TrimRight(strings.TrimSpace(string(data)), "*")
		if !valid(v) || v[0] < '0' || v[0] > '9' {
			return fmt.Errorf("%.40q is no version of Erlang/OTP", v)
		}
		p = inventory.Package{Type: "generic", Name: "erlang", Version: v, CPEs: []string{cpe("erlang", `erlang\/otp`, v)}}
	case runtime: // "ERTS RELEASE"
		v, _, ok := strings.Cut(strings.TrimSpace(string(data)), " ")
		if !ok || !version(v) {
			return nil // what starts the release would not understand it either
		}
		dir := strings.TrimSuffix(file, "releases/start_erl.data")
		p = inventory.Package{Type: "otp", Name: "erts", Version: v, Files: inventory.NewFileList([]string{dir + "erts-" + v + "/"})}
	}
	if err != nil {
		return err
	}
	p.Path, p.Inner, p.Technique = file, inner, inventory.TechMetadata
	out.Packages = append(out.Packages, p)
	return nil
}

// readApp reads an application resource file, app(4):
// {application, NAME, [{vsn, "VERSION"}, …]}.
func readApp(file, inner string, data []byte) (inventory.Package, error) {
	p := inventory.Package{Type: "hex", Confidence: 0.8}
	terms, err := parse(data, false)
	if len(terms) == 0 || terms[0].kind != tuple || len(terms[0].list) < 3 || terms[0].list[0].text != "application" {
		if err == nil {
			err = fmt.Errorf("it does not begin with {application, Name, Keys}")
		}
		return p, fmt.Errorf("reading application: %w", err)
	}
	where := file
	if inner != "" {
		where = inner
	}
	base, dir := appDir(where)
	name, keys := terms[0].list[1].text, terms[0].list[2]
	if !valid(name) {
		name = base
	}
	p.Name, p.Version = name, keys.get("vsn").string()
	if !version(p.Version) {
		p.Version = strings.TrimPrefix(strings.TrimPrefix(path.Base(dir), base), "-")
		if !version(p.Version) {
			p.Version = ""
		}
	}
	p.Description = analyze.FirstLine(keys.get("description").string())
	for _, t := range keys.get("applications").list {
		if n := t.text; valid(n) && len(p.Depends) < maxDepends {
			p.Depends = append(p.Depends, n)
		}
	}
	p.Licenses = licenses(keys.get("licenses"))
	if inner == "" {
		p.Files = inventory.NewFileList([]string{dir + "/"})
	} else {
		p.Files = inventory.NewFileList([]string{file})
	}
	switch {
	case otp(name), elixir(name), strings.HasPrefix(name, "rabbit") && strings.Contains(file, "rabbitmq"):
		p.Type, p.Confidence = "otp", 0
	}
	switch {
	case p.Version == "":
	case name == "erts" && inner == "": // the virtual machine lies beside the libraries
		p.Files = inventory.NewFileList([]string{dir + "/", path.Join(path.Dir(path.Dir(dir)), "erts-"+p.Version) + "/"})
	case name == "elixir":
		p.CPEs = []string{cpe("elixir-lang", "elixir", p.Version)}
	case name == "rabbit":
		p.CPEs = []string{cpe("vmware", "rabbitmq", p.Version), cpe("broadcom", "rabbitmq_server", p.Version)}
	}
	return p, nil
}

// readMetadata reads hex_metadata.config, which Mix and Rebar3 leave in the
// folder of a package they fetched: {<<"KEY">>, VALUE}. for each key.
func readMetadata(file string, data []byte) (inventory.Package, error) {
	p := inventory.Package{Type: "hex"}
	terms, err := parse(data, false)
	if err != nil {
		return p, fmt.Errorf("reading metadata: %w", err)
	}
	all := term{kind: list, list: terms}
	p.Name, p.Version = all.get("name").string(), all.get("version").string()
	if !valid(p.Name) || !version(p.Version) {
		return p, fmt.Errorf("reading metadata: name %.80q, version %.80q", p.Name, p.Version)
	}
	p.Description = analyze.FirstLine(all.get("description").string())
	p.Licenses = licenses(all.get("licenses"))
	requirements := all.get("requirements")
	for _, t := range requirements.list {
		n := ""
		if t.kind == tuple && len(t.list) == 2 { // {<<"NAME">>, [{<<"app">>, …}]}
			n = t.list[0].text
		} else if t.kind == list { // [{<<"name">>, <<"NAME">>}, …]
			n = t.get("name").string()
		}
		if valid(n) && len(p.Depends) < maxDepends {
			p.Depends = append(p.Depends, n)
		}
	}
	if dir := path.Dir(file); dir != "." {
		p.Files = inventory.NewFileList([]string{dir + "/"})
	}
	return p, nil
}

func licenses(t term) []inventory.License {
	var all []inventory.License
	for _, l := range t.list {
		if s := analyze.FirstLine(l.string()); s != "" && len(all) < 20 {
			all = append(all, inventory.License{Raw: s, Source: "declared"})
		}
	}
	return all
}

// otp reports whether an application is part of Erlang/OTP, or was.
func otp(name string) bool {
	switch name {
	case "appmon", "asn1", "common_test", "compiler", "cosEvent", "cosEventDomain", "cosFileTransfer", "cosNotification", "cosProperty",
		"cosTime", "cosTransactions", "crypto", "debugger", "dialyzer", "diameter", "edoc", "eldap", "erl_docgen", "erl_interface", "erts", "et",
		"eunit", "ftp", "gs", "hipe", "ic", "inets", "jinterface", "kernel", "megaco", "mnesia", "observer", "odbc", "orber", "os_mon", "ose",
		"otp_mibs", "parsetools", "percept", "pman", "public_key", "reltool", "runtime_tools", "sasl", "snmp", "ssh", "ssl", "stdlib",
		"syntax_tools", "test_server", "tftp", "toolbar", "tools", "tv", "typer", "webtool", "wx", "xmerl":
		return true
	}
	return false
}

// elixir reports whether an application is part of Elixir.
func elixir(name string) bool {
	switch name {
	case "eex", "elixir", "ex_unit", "iex", "logger", "mix":
		return true
	}
	return false
}
