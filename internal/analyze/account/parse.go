package account

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parse reads a database line by line, as getpwent(3) and its like do: blank
// lines and comments are left out, a line that is none is a finding.
func parse(database string, text []byte, problem func(format string, args ...any)) File {
	f := File{Database: database, Entries: []Entry{}}
	want := map[string]int{"passwd": 7, "shadow": 2, "group": 3, "gshadow": 2}[database]
	names, ids := map[string]bool{}, map[int64]string{}
	n, long := 0, 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimRight(line, "\r\n")
		if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
			continue
		}
		if len(line) > maxLine {
			long++
			continue
		}
		if len(f.Entries) >= maxEntries {
			problem("more than the limit of %d entries: the rest was not read", maxEntries)
			break
		}
		if line[0] == '+' || line[0] == '-' {
			f.note(Finding{Kind: FindingCompat, Name: clip(string(line)), Line: n})
			continue
		}
		fields := strings.Split(string(line), ":")
		if len(fields) < want || fields[0] == "" {
			f.note(Finding{Kind: FindingBadLine, Line: n})
			continue
		}
		e := Entry{Name: clip(fields[0]), Line: n}
		e.setPassword(fields[1])
		switch database {
		case "passwd":
			f.passwd(&e, fields)
		case "shadow":
			f.shadow(&e, fields)
		case "group":
			f.group(&e, fields)
		case "gshadow":
			if len(fields) > 2 {
				e.Admins = list(fields[2])
			}
			if len(fields) > 3 {
				e.Members = list(fields[3])
			}
		}
		f.judge(&e, names, ids)
		f.Entries = append(f.Entries, e)
	}
	if long > 0 {
		problem("%d lines are longer than the limit of %d bytes and were not read", long, maxLine)
	}
	return f
}

func (f *File) passwd(e *Entry, fields []string) {
	e.uid, e.gid = clip(fields[2]), clip(fields[3])
	e.UID, e.GID = number(fields[2]), number(fields[3])
	e.Gecos, e.Home, e.Shell = clip(fields[4]), clip(fields[5]), clip(fields[6])
	if e.UID == nil || e.GID == nil {
		f.note(Finding{Kind: FindingBadID, Name: e.Name, Line: e.Line})
	}
}

func (f *File) shadow(e *Entry, fields []string) {
	day := func(i int) int {
		if i >= len(fields) {
			return 0
		}
		n, err := strconv.Atoi(fields[i])
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	e.Changed, e.MaxDays, e.Expires = day(2), day(4), day(7)
}

func (f *File) group(e *Entry, fields []string) {
	if e.GID = number(fields[2]); e.GID == nil {
		f.note(Finding{Kind: FindingBadID, Name: e.Name, Line: e.Line})
	}
	if len(fields) > 3 {
		e.Members = list(fields[3])
	}
}

// judge notes what one entry, or it and those before it, say.
func (f *File) judge(e *Entry, names map[string]bool, ids map[int64]string) {
	note := func(kind, other string) {
		f.note(Finding{Kind: kind, Name: e.Name, Line: e.Line, Other: other})
	}
	if names[e.Name] {
		note(FindingDuplicateName, "")
	}
	names[e.Name] = true
	user := f.Database == "passwd" || f.Database == "shadow"
	switch {
	case user && e.Password == Empty:
		note(FindingEmptyPassword, "")
	case e.Password == Hashed && e.Weak:
		note(FindingWeakHash, e.Algorithm)
	}
	if f.Database == "passwd" && (e.Password == Hashed || e.Password == Disabled) {
		note(FindingHashInPasswd, e.Algorithm)
	}
	if !user && e.Password == Hashed {
		note(FindingGroupPassword, e.Algorithm)
	}
	id, twin := e.UID, FindingDuplicateUID
	if f.Database == "group" {
		id, twin = e.GID, FindingDuplicateGID
	}
	if id == nil {
		return
	}
	if *id == 0 && e.Name != "root" {
		if f.Database == "passwd" {
			note(FindingRootTwin, ids[0])
		} else {
			note(FindingRootGroup, ids[0])
		}
	}
	if first, ok := ids[*id]; ok {
		if *id != 0 {
			note(twin, first)
		}
		return
	}
	ids[*id] = e.Name
}

// setPassword says what a password field means (crypt(5), shadow(5)).
func (e *Entry) setPassword(p string) {
	if p == "" {
		e.Password = Empty
		return
	}
	e.raw = p[:1]
	locked := strings.TrimLeft(p, "!*")
	if locked == "" || locked == "LK" || strings.HasPrefix(p, "*LK*") || locked == "NP" {
		e.Password = Locked
		return
	}
	if p == "x" {
		e.Password = Shadowed
		return
	}
	e.Algorithm, e.Weak = algorithm(locked)
	switch {
	case e.Algorithm == "":
		e.Password = Unknown
	case len(locked) < len(p):
		e.Password, e.Weak = Disabled, false
	default:
		e.Password = Hashed
	}
}

// algorithm names that of a hash by its form.
func algorithm(h string) (name string, weak bool) {
	for _, a := range [...]struct {
		prefix, name string
		weak         bool
	}{
		{"$y$", "yescrypt", false}, {"$gy$", "gost-yescrypt", false}, {"$7$", "scrypt", false}, {"$6$", "SHA-512", false}, {"$5$", "SHA-256", false},
		{"$2a$", "bcrypt", false}, {"$2b$", "bcrypt", false}, {"$2y$", "bcrypt", false}, {"$2x$", "bcrypt", true},
		{"$argon2", "Argon2", false}, {"$1$", "MD5", true}, {"$apr1$", "MD5", true}, {"$md5", "MD5", true}, {"$sha1$", "SHA-1", true}, {"$3$", "NT", true},
	} {
		if strings.HasPrefix(h, a.prefix) {
			return a.name, a.weak
		}
	}
	alphabet := func(s string) bool {
		return strings.IndexFunc(s, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '/')
		}) < 0
	}
	switch {
	case len(h) == 13 && alphabet(h):
		return "DES", true
	case len(h) == 20 && h[0] == '_' && alphabet(h[1:]):
		return "BSDi", true
	}
	return "", false
}

func number(s string) *int64 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return nil
	}
	id := int64(n)
	return &id
}

func list(s string) []string {
	var out []string
	for m := range strings.SplitSeq(s, ",") {
		if m = strings.TrimSpace(m); m != "" {
			out = append(out, clip(m))
		}
	}
	return out
}

// clip bounds a field and makes it valid UTF-8, as JSON demands.
func clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}
