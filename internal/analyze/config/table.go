package config

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// tally counts files that one row speaks of.
type tally struct {
	path  string // of the first
	layer int
	files int
	bytes int64
}

func count(m map[string]*tally, key string, f *inventory.File, at string) {
	t := m[key]
	if t == nil {
		t = &tally{path: at, layer: f.Layer}
		m[key] = t
	}
	t.files++
	t.bytes += f.Size
}

// maxUsers is how many unknown owners one image may have before the rest is
// not told apart.
const maxUsers = 1000

// files looks at every entry of the image once.
func (c *imageCheck) files(ctx context.Context) error {
	var setid []inventory.File
	caches, owners := map[string]*tally{}, map[string]*tally{}
	users := c.users()
	compiler := ""
	shells := map[[32]byte]string{} // interpreters by digest: a copy has another name
	n := 0
	for f := range c.img.Files.All() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		tell := func(id, message string) { c.report(id, f.Path, f.Layer, 0, message) }
		if users != nil && !users[f.UID] {
			if key := strconv.Itoa(f.UID); owners[key] != nil || len(owners) < maxUsers {
				count(owners, key, &f, f.Path)
			}
		}
		switch f.Type {
		case inventory.Directory:
			if f.Perm&0o002 != 0 && f.Perm&0o1000 == 0 {
				switch f.Path {
				case "tmp", "var/tmp", "dev/shm":
					tell("TW-FIL-006", mode(&f))
				default:
					if !volatile(f.Path) {
						tell("TW-FIL-005", mode(&f))
					}
				}
			}
		case inventory.BlockDevice:
			tell("TW-FIL-007", fmt.Sprintf("block device %d:%d", f.Major, f.Minor))
		case inventory.CharDevice:
			if f.Major == 1 && (f.Minor == 1 || f.Minor == 2 || f.Minor == 4) {
				tell("TW-FIL-007", fmt.Sprintf("character device %d:%d", f.Major, f.Minor))
			}
		case inventory.Regular:
			if f.Perm&0o6000 != 0 && f.Perm&0o111 != 0 {
				setid = append(setid, f)
			} else if f.Perm&0o111 != 0 && f.Size > 0 && (f.Kind.ELF() || f.Kind == inventory.KindUnknown) && interpreter(path.Base(f.Path)) {
				shells[f.SHA256] = f.Path
			}
			if f.Perm&0o002 != 0 && f.Perm&0o6000 == 0 && !volatile(f.Path) {
				tell("TW-FIL-004", mode(&f))
			}
			if f.Caps != "" {
				if name := dangerous(f.Caps); name != "" && path.Base(f.Path) != "newuidmap" && path.Base(f.Path) != "newgidmap" {
					tell("TW-FIL-024", name)
				}
			}
			if dir := cache(&f); dir != "" {
				count(caches, dir, &f, dir)
				continue
			}
			c.named(&f, tell, &compiler)
		}
	}
	c.setid(setid, shells)
	for _, dir := range sortedKeys(caches) {
		t := caches[dir]
		c.report("TW-FIL-011", t.path, t.layer, 0, fmt.Sprintf("%d files, %d bytes", t.files, t.bytes))
	}
	for _, uid := range sortedKeys(owners) {
		t := owners[uid]
		c.report("TW-FIL-008", t.path, t.layer, 0, fmt.Sprintf("%d entries of user %s, this one and others", t.files, uid))
	}
	return nil
}

func sortedKeys(m map[string]*tally) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func mode(f *inventory.File) string { return fmt.Sprintf("mode %04o", f.Perm) }

// volatile reports whether a path lies where everybody may write, or that the
// runtime covers.
func volatile(p string) bool {
	for _, dir := range [...]string{"tmp", "var/tmp", "dev", "proc", "sys", "run/lock", "var/lock", "run/user", "dev/shm"} {
		if rest, ok := strings.CutPrefix(p, dir); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// users are the accounts of the image; nil where they are not known.
func (c *imageCheck) users() map[int]bool {
	var out map[int]bool
	for i := range c.img.Facts {
		f := &c.img.Facts[i]
		if f.Kind != "account" || f.Hidden {
			continue
		}
		var a struct {
			UID string `json:"uid"`
		}
		if json.Unmarshal(f.Data, &a) != nil {
			continue
		}
		if uid, err := strconv.Atoi(a.UID); err == nil {
			if out == nil {
				out = map[int]bool{0: true}
			}
			out[uid] = true
		}
	}
	return out
}

// cache returns the cache of a package manager that a file is part of.
func cache(f *inventory.File) string {
	if f.Size == 0 {
		return ""
	}
	p := f.Path
	if strings.HasPrefix(p, "var/") {
		name := path.Base(p)
		if name == "lock" || name == ".lock" || name == "CACHEDIR.TAG" {
			return ""
		}
		for _, dir := range [...]string{"var/lib/apt/lists", "var/cache/apk", "var/cache/yum", "var/cache/dnf", "var/cache/zypp", "var/cache/pacman/pkg", "var/lib/dnf/repos"} {
			if strings.HasPrefix(p, dir+"/") {
				return dir
			}
		}
		if strings.HasPrefix(p, "var/cache/apt/") && (strings.HasSuffix(name, ".deb") || strings.HasSuffix(name, "cache.bin")) {
			return "var/cache/apt"
		}
		return ""
	}
	for i := strings.Index(p, "/."); i >= 0; {
		rest := p[i+2:]
		if after, ok := strings.CutPrefix(rest, "cache/"); ok {
			dir, _, _ := strings.Cut(after, "/")
			switch dir {
			case "pip", "yarn", "composer", "go-build", "uv", "pypoetry", "pnpm", "node-gyp", "bundle":
				return p[:i] + "/.cache/" + dir
			}
		}
		if strings.HasPrefix(rest, "npm/_cacache/") {
			return p[:i] + "/.npm/_cacache"
		}
		next := strings.Index(rest, "/.")
		if next < 0 {
			break
		}
		i += 2 + next
	}
	return ""
}

// setid looks at setuid and setgid programs.
func (c *imageCheck) setid(list []inventory.File, shells map[[32]byte]string) {
	owned := map[string]bool{}
	for i := range list {
		owned[list[i].Path] = false
	}
	listed := false // some package says which files it owns
	for i := range c.img.Packages {
		p := &c.img.Packages[i]
		if !p.OS() || p.Files.Len() == 0 || len(list) == 0 {
			continue
		}
		listed = true
		for name := range p.Files.All() {
			if _, ok := owned[string(name)]; ok {
				owned[string(name)] = true
			} else if !strings.HasPrefix(string(name), "usr/") {
				// merged: the package says bin/su, the image has usr/bin/su
				if _, ok := owned["usr/"+string(name)]; ok {
					owned["usr/"+string(name)] = true
				}
			}
		}
	}
	for i := range list {
		f := &list[i]
		switch {
		case interpreter(path.Base(f.Path)):
			c.report("TW-FIL-001", f.Path, f.Layer, 0, mode(f))
		case shells[f.SHA256] != "":
			c.report("TW-FIL-001", f.Path, f.Layer, 0, mode(f)+", a copy of /"+shells[f.SHA256])
		case f.Perm&0o002 != 0 || f.Perm&0o020 != 0 && f.GID != 0:
			c.report("TW-FIL-003", f.Path, f.Layer, 0, mode(f))
		case listed && !owned[f.Path]:
			c.report("TW-FIL-002", f.Path, f.Layer, 0, mode(f))
		}
	}
}

// dangerous names a capability of a program, as security.capability has them,
// that is as good as being root.
func dangerous(raw string) string {
	caps, err := inventory.ParseCapabilities(raw)
	if err != nil {
		return "" // no kernel runs it
	}
	for _, name := range [...]string{"chown", "dac_override", "dac_read_search", "fowner", "setgid", "setuid", "sys_module", "sys_rawio", "sys_ptrace", "sys_admin", "setfcap", "bpf"} {
		if n, err := inventory.CapabilityNumber(name); err == nil && caps.Permitted&(1<<n) != 0 {
			return "CAP_" + strings.ToUpper(name)
		}
	}
	return ""
}

// named looks at files by their names.
func (c *imageCheck) named(f *inventory.File, tell func(id, message string), compiler *string) {
	slash := strings.LastIndexByte(f.Path, '/')
	dir, name := "", f.Path
	if slash >= 0 {
		dir, name = f.Path[:slash], f.Path[slash+1:]
	}
	if name == "" {
		return
	}
	switch name {
	case "HEAD":
		if path.Base(dir) == ".git" {
			c.report("TW-FIL-009", dir, f.Layer, 0, "")
		}
	case "wc.db", "entries":
		if path.Base(dir) == ".svn" {
			c.report("TW-FIL-010", dir, f.Layer, 0, "")
		}
	case "requires":
		if path.Base(dir) == ".hg" {
			c.report("TW-FIL-010", dir, f.Layer, 0, "")
		}
	case ".bash_history", ".zsh_history", ".ash_history", ".sh_history", ".histfile", ".mysql_history", ".mariadb_history", ".psql_history", ".python_history", ".rediscli_history", ".node_repl_history", ".sqlite_history", ".irb_history", ".mongo_history", ".dbshell":
		if f.Size > 0 {
			tell("TW-FIL-013", "")
		}
	case "authorized_keys", "authorized_keys2":
		if path.Base(dir) == ".ssh" && f.Size > 0 {
			tell("TW-FIL-016", "")
		}
	case ".rhosts", ".shosts", "hosts.equiv", "shosts.equiv":
		if f.Size > 0 && !analyze.Foreign(f.Path) {
			tell("TW-FIL-017", "")
		}
	case "passwd", "group", "sudoers", "shadow", "gshadow", "shadow-", "gshadow-":
		if dir != "etc" {
			break
		}
		if strings.Contains(name, "shadow") {
			if f.Perm&0o004 != 0 {
				tell("TW-FIL-019", mode(f))
			}
		}
		if f.Perm&0o022 != 0 || f.UID != 0 {
			tell("TW-FIL-020", fmt.Sprintf("%s, user %d", mode(f), f.UID))
		}
	case "sshd":
		if (dir == "usr/sbin" || dir == "sbin" || dir == "usr/local/sbin") && f.Executable() {
			tell("TW-FIL-021", "")
		}
	case "in.telnetd", "telnetd", "utelnetd", "in.rshd", "rshd", "in.rlogind", "rlogind", "in.rexecd", "in.tftpd", "tftpd":
		if strings.HasSuffix(dir, "sbin") && f.Executable() {
			tell("TW-FIL-022", "")
		}
	case "cc1", "cc1plus", "rustc":
		if *compiler == "" && f.Kind.ELF() {
			*compiler = f.Path
			tell("TW-FIL-023", "")
		}
	case "Dockerfile", "docker-compose.yml", "docker-compose.yaml", "compose.yaml":
		if f.Size > 0 && !aside(f.Path) && !strings.HasPrefix(f.Path, "usr/lib/") {
			tell("TW-FIL-025", "")
		}
	}
	if strings.HasPrefix(dir, "etc/sudoers.d") && (f.Perm&0o022 != 0 || f.UID != 0) {
		tell("TW-FIL-020", fmt.Sprintf("%s, user %d", mode(f), f.UID))
	}
	if f.Size == 0 {
		return
	}
	ext := extension(name)
	switch ext {
	case ".hprof":
		tell("TW-FIL-012", fmt.Sprintf("%d bytes", f.Size))
	case ".tfstate":
		tell("TW-FIL-018", "")
	case ".backup":
		if strings.HasSuffix(name, ".tfstate.backup") {
			tell("TW-FIL-018", "")
		}
	case ".dump", ".rdb":
		if (name == "dump.rdb" || strings.HasSuffix(name, ".dump")) && !aside(f.Path) {
			tell("TW-FIL-026", fmt.Sprintf("%d bytes", f.Size))
		}
	case ".gz", ".bz2", ".xz", ".zst", ".sql":
		stem := strings.TrimSuffix(name, ext)
		if (strings.HasSuffix(stem, ".sql") || ext == ".sql" && (strings.Contains(stem, "dump") || strings.Contains(stem, "backup"))) && !aside(f.Path) {
			tell("TW-FIL-026", fmt.Sprintf("%d bytes", f.Size))
		}
	}
	if f.Kind == inventory.KindELFOther && (name == "core" || strings.HasPrefix(name, "core.") && strings.Trim(name[5:], "0123456789") == "" || strings.HasPrefix(name, "vmcore")) {
		tell("TW-FIL-012", fmt.Sprintf("%d bytes", f.Size))
	}
	if strings.HasPrefix(f.Path, "etc/") {
		if dir == "etc/ssh" && strings.HasPrefix(name, "ssh_host_") && strings.HasSuffix(name, "_key") {
			tell("TW-FIL-015", "")
		}
		switch {
		case name[len(name)-1] == '~', strings.HasSuffix(name, ".swp"), strings.HasSuffix(name, ".swo"), strings.HasSuffix(name, ".rpmsave"), strings.HasSuffix(name, ".dpkg-old"), strings.HasSuffix(name, ".orig"):
			tell("TW-FIL-014", "")
		}
	}
}
