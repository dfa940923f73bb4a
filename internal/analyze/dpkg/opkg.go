package dpkg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Opkg reads the databases of opkg, which OpenWrt, the distributions made with
// OpenEmbedded, and Entware use. Its files are those of dpkg with some fields
// of its own:
//
//   - usr/lib/opkg/status, of OpenEmbedded var/lib/opkg/status and of Entware
//     opt/lib/opkg/status: every package that has files in the file system;
//   - info/NAME.control beside it: what the package says of itself. Nothing in
//     it says that the package is installed, so it is Declared, and adds to
//     the installed package of the same version;
//   - info/NAME.list: its files.
type Opkg struct{}

var _ analyze.Analyzer = Opkg{}

// Name implements [analyze.Analyzer].
func (Opkg) Name() string { return "opkg" }

// Version implements [analyze.Analyzer].
func (Opkg) Version() int { return 1 }

const (
	opkgMiddle = "/lib/opkg/"
	opkgStatus = "status"
	opkgInfo   = "info/"
	controlEnd = ".control"
)

// Wants implements [analyze.Analyzer].
func (Opkg) Wants(e analyze.Entry) analyze.Interest {
	if opkgClass(e.Path) == nothing {
		return analyze.Ignore
	}
	return analyze.Alone
}

func opkgClass(p string) class {
	if len(p) < len("usr")+len(opkgMiddle) || p[3] != '/' {
		return nothing
	}
	if top := p[:3]; top != "usr" && top != "var" && top != "opt" {
		return nothing
	}
	name, ok := strings.CutPrefix(p[3:], opkgMiddle)
	if !ok {
		return nothing
	}
	if name == opkgStatus {
		return status
	}
	name, ok = strings.CutPrefix(name, opkgInfo)
	switch {
	case !ok || strings.IndexByte(name, '/') >= 0:
	case strings.HasSuffix(name, listEnd) && len(name) > len(listEnd):
		return list
	case strings.HasSuffix(name, controlEnd) && len(name) > len(controlEnd):
		return singleStatus
	}
	return nothing
}

// Analyze implements [analyze.Analyzer].
func (Opkg) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := opkgClass(f.Path)
		if err == nil && c == nothing {
			continue
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(analyze.MaxText)
		}
		if err == nil {
			if c == list {
				err = readOpkgList(f.Path, data, out)
			} else {
				err = readOpkg(ctx, f.Path, data, c == singleStatus, out)
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "%w", err)
		}
	}
	return nil
}

// readOpkg appends the packages of a status or control file.
func readOpkg(ctx context.Context, file string, data []byte, control bool, out *inventory.Record) error {
	// what these fields hold is not what dpkg's of the same name hold
	type own struct{ source, license, cpe, url []byte }
	var (
		e      entry
		o      own
		bad    badEntries
		shared = make(interner)
		before = len(out.Packages)
		fields int
	)
	for key, value := range paragraphs(data) {
		if len(key) > 0 {
			fields++
			switch string(key) {
			case "source":
				o.source = value
			case "license":
				o.license = firstLine(value)
			case "cpe-id":
				o.cpe = value
			case "url":
				o.url = value
			default:
				e.set(key, value)
			}
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if control || present(e.status) {
			if len(out.Packages)-before >= maxPackages {
				bad.add(fmt.Errorf("more than the limit of %d packages", maxPackages))
				break
			}
			e.size = nil // here in bytes, there in KiB
			if len(e.homepage) == 0 {
				e.homepage = o.url
			}
			p, err := e.pack(file, shared)
			if err != nil {
				bad.add(err)
			} else {
				p.Type = "opkg"
				if p.Source = recipe(o.source); p.Source == p.Name {
					p.Source = ""
				} else if p.Source != "" {
					p.SourceVersion = p.Version
				}
				if len(o.license) > 0 {
					p.Licenses = []inventory.License{{Raw: text(o.license, maxLicenseName), Source: inventory.DeclaredLicense}}
				}
				if c := opkgCPE(string(o.cpe), p.Version); c != "" {
					p.CPEs = []string{c}
				}
				if strings.HasSuffix(p.Meta["Status"], " installed") { // "install user installed", "install hold installed"
					if delete(p.Meta, "Status"); len(p.Meta) == 0 {
						p.Meta = nil
					}
				}
				if control {
					p.State = inventory.Declared
				}
				out.Packages = append(out.Packages, p)
			}
		}
		e, o = entry{}, own{}
	}
	if fields == 0 && len(strings.TrimSpace(string(data))) > 0 {
		return errors.New("not a package database: no field in it")
	}
	return bad.err()
}

// recipe takes from a Source field the name of what the package was built
// from: the last element of OpenWrt's path in its tree ("package/openssl",
// "feeds/packages/net/adblock"), or the name of OpenEmbedded's recipe
// ("bash_3.2.48.bb"). Others write addresses, which name nothing.
func recipe(field []byte) string {
	s := string(field)
	if name, ok := strings.CutSuffix(s, ".bb"); ok {
		s, _, _ = strings.Cut(name[strings.LastIndexByte(name, '/')+1:], "_")
	} else if strings.HasPrefix(s, "package/") || strings.HasPrefix(s, "feeds/") {
		s = path.Base(s)
	} else {
		return ""
	}
	if !word([]byte(s)) {
		return ""
	}
	return s
}

// opkgCPE makes of OpenWrt's CPE-ID ("cpe:/a:vendor:product", the URI form
// without a version) and the version without its release a CPE 2.3 name.
func opkgCPE(id, version string) string {
	part, rest, ok := strings.Cut(strings.TrimPrefix(id, "cpe:/"), ":")
	vendor, product, ok2 := strings.Cut(rest, ":")
	if !strings.HasPrefix(id, "cpe:/") || !ok || !ok2 || part != "a" && part != "o" || !plain(vendor) || !plain(product) {
		return ""
	}
	if i := strings.LastIndexByte(version, '-'); i > 0 {
		version = version[:i]
	}
	if !plain(version) {
		version = "*"
	}
	return "cpe:2.3:" + part + ":" + vendor + ":" + product + ":" + version + ":*:*:*:*:*:*:*"
}

// plain reports whether s stands for itself in a CPE name.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '.' && s[i] != '_' && s[i] != '-' {
			return false
		}
	}
	return s != "" && s != "-" && len(s) <= maxName
}

// readOpkgList appends what a NAME.list says: one path per line, with a tab
// before what newer versions of opkg add to it, mode and target of a link.
func readOpkgList(file string, data []byte, out *inventory.Record) error {
	var paths []string
	var err error
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(strings.TrimRight(line, "\r\n"), "\t")
		p := relative(line)
		if p == "" {
			continue
		}
		if len(paths) == maxFiles {
			err = fmt.Errorf("more than the limit of %d files", maxFiles)
			break
		}
		paths = append(paths, p)
	}
	files := inventory.NewFileList(withoutParents(paths))
	if files.Len() > 0 {
		out.Owned = append(out.Owned, inventory.Ownership{Path: file, Type: "opkg", Name: strings.TrimSuffix(path.Base(file), listEnd), Files: files})
	}
	return err
}
