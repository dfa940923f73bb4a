// Package distro tells which distribution a layer's files say they are of.
//
// Every file is one fact. Where an image has several, they are asked in this
// order, and the first that exists counts:
//
//  1. etc/os-release, usr/lib/os-release, the same in Bottlerocket's sys-root
//  2. files of one distribution: rocky-release, almalinux-release,
//     oracle-release, centos-release, fedora-release, photon-release,
//     mariner-release, azurelinux-release, openEuler-release, SuSE-release,
//     alpine-release (all in etc), slackware-version
//  3. etc/redhat-release and etc/system-release, which relatives of Red Hat
//     Enterprise Linux have as well, some of them untruly
//  4. etc/lsb-release, etc/openwrt_release
//  5. etc/gentoo-release, etc/arch-release and etc/debian_version, which
//     descendants leave in place: Ubuntu's says "bookworm/sid"
package distro

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Analyzer reads os-release(5) and the files that came before it.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements analyze.Analyzer.
func (Analyzer) Name() string { return "distro" }

// Version implements analyze.Analyzer.
func (Analyzer) Version() int { return 1 }

const (
	maxFile  = 1 << 20 // bytes
	maxValue = 1024    // bytes of one value

	// Bottlerocket keeps its root below a folder named for the architecture.
	bottlerocketEnd = "-bottlerocket-linux-gnu/sys-root/usr/lib/os-release"
)

// Wants implements analyze.Analyzer.
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if reader(e.Path) != nil {
		return analyze.Alone
	}
	return analyze.Ignore
}

// reader returns what reads the file of a path; nil if nothing does. A reader
// returns no distribution (ID "") where the file names none.
func reader(p string) func(data string) (inventory.Distro, error) {
	name, ok := strings.CutPrefix(p, "etc/")
	if !ok {
		switch {
		case p == "usr/lib/os-release":
			return osRelease
		case strings.HasSuffix(p, bottlerocketEnd) && strings.Count(p, "/") == strings.Count(bottlerocketEnd, "/"):
			return osRelease
		}
		return nil
	}
	switch name {
	case "os-release":
		return osRelease
	case "redhat-release", "centos-release", "system-release", "fedora-release", "oracle-release", "rocky-release", "almalinux-release",
		"openEuler-release", "gentoo-release", "photon-release", "mariner-release", "azurelinux-release", "slackware-version":
		return release
	case "SuSE-release":
		return suseRelease
	case "alpine-release":
		return alpineRelease
	case "arch-release":
		return archRelease
	case "lsb-release", "openwrt_release":
		return lsbRelease
	case "debian_version":
		return debianVersion
	}
	return nil
}

// Analyze implements analyze.Analyzer.
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		read := reader(f.Path)
		if read == nil {
			continue
		}
		var data []byte
		if err == nil {
			data, err = f.ReadAll(maxFile)
		}
		var d inventory.Distro
		if err == nil {
			d, err = read(strings.TrimPrefix(string(data), "\ufeff"))
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading %s: %w", path.Base(f.Path), err)
			continue
		}
		if d.ID != "" {
			d.Path = f.Path
			out.Distros = append(out.Distros, d)
		}
	}
	return nil
}

// osRelease reads os-release(5). A file without ID is one of "linux", as the
// specification says; without anything it is an error.
func osRelease(data string) (inventory.Distro, error) {
	d := inventory.Distro{}
	found := 0
	assignments(data, func(key, value string) {
		found++
		switch key {
		case "ID":
			d.ID = identifier(value)
		case "ID_LIKE":
			d.IDLike = nil
			for like := range strings.FieldsSeq(value) {
				if like = identifier(like); like != "" {
					d.IDLike = append(d.IDLike, like)
				}
			}
		case "VERSION_ID":
			d.Version = value
		case "VERSION_CODENAME":
			d.Codename = value
		case "NAME":
			d.Name = value
		case "PRETTY_NAME":
			d.PrettyName = value
		case "VARIANT_ID":
			d.Variant = value
		case "CPE_NAME":
			d.CPE = value
		case "SUPPORT_END":
			d.Support = value
		case "BUILD_ID":
			d.Build = value
		}
	})
	if found == 0 {
		return d, fmt.Errorf("no assignment in it")
	}
	if d.ID == "" {
		d.ID = "linux"
	}
	return d, nil
}

// lsbRelease reads what lsb_release(1) of Debian and Ubuntu reads. Other
// distributions have a file of that name that does not name them.
func lsbRelease(data string) (inventory.Distro, error) {
	var d inventory.Distro
	assignments(data, func(key, value string) {
		switch key {
		case "DISTRIB_ID":
			d.ID, d.Name = identifier(value), value
		case "DISTRIB_RELEASE":
			d.Version = value
		case "DISTRIB_CODENAME":
			d.Codename = value
		case "DISTRIB_DESCRIPTION":
			d.PrettyName = value
		}
	})
	return d, nil
}

// assignments calls each with every KEY=value line: shell assignments without
// expansion, the value in quotes of either kind or none (os-release(5)).
func assignments(data string, each func(key, value string)) {
	for line := range strings.Lines(data) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		if !ok || key == "" || key[0] == '#' || strings.ContainsAny(key, " \t") {
			continue
		}
		if value = unquote(value); clean(value) {
			each(key, value)
		}
	}
}

func unquote(s string) string {
	if s == "" {
		return s
	}
	var quote byte
	if s[0] == '\'' || s[0] == '"' {
		quote, s = s[0], s[1:]
	}
	if quote == 0 && strings.IndexByte(s, '\\') < 0 {
		return strings.TrimSpace(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return b.String()
		case s[i] == '\\' && quote != '\'' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String() // the quote that ends it is missing
}

// clean reports whether a value is fit to be kept: of reasonable length,
// without control characters, and no placeholder that a build left in.
func clean(s string) bool {
	if len(s) > maxValue || strings.Contains(s, "${") || len(s) > 2 && s[0] == '@' && s[len(s)-1] == '@' {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// identifier makes a value of ID of what is nearly one: lower case, and only
// what os-release(5) allows.
func identifier(s string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToLower(s)) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
			b.WriteByte(c)
		case c == ' ' && b.Len() > 0:
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}
