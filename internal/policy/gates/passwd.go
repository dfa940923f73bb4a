package gates

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func passwdFile() policy.Gate {
	listed := func(name, param, alias, what, example string, kind policy.Type, match func(e *pwEntry, p policy.Params) (string, bool)) trigger {
		spec := policy.ParamSpec{Name: param, Type: kind, Required: true, Example: example, Description: "The " + what + " that must not be there"}
		if alias != "" {
			spec.Aliases = []string{alias}
		}
		return trigger{policy.TriggerSpec{Name: "blacklist_" + name, Name2: "denylist_" + name, Description: "An entry of /etc/passwd has one of the given " + what, Params: []policy.ParamSpec{spec}},
			func(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
				return passwdEntries(s, p, match)
			}}
	}
	return newGate("passwd_file", "The accounts in /etc/passwd",
		trigger{policy.TriggerSpec{Name: "content_not_available", Description: "The file /etc/passwd was not kept by the analysis"}, passwdMissing},
		listed("usernames", "user_names", "usernameblacklist", "user names", "daemon,ftp", policy.List, func(e *pwEntry, p policy.Params) (string, bool) {
			return "user", in(p.List("user_names"), e.name)
		}),
		listed("userids", "user_ids", "useridblacklist", "user ids", "0,1", policy.NumberList, func(e *pwEntry, p policy.Params) (string, bool) {
			return "uid", inNumbers(p.Numbers("user_ids"), e.uid)
		}),
		listed("groupids", "group_ids", "groupidblacklist", "group ids", "999,20", policy.NumberList, func(e *pwEntry, p policy.Params) (string, bool) {
			return "gid", inNumbers(p.Numbers("group_ids"), e.gid)
		}),
		listed("shells", "shells", "shellblacklist", "login shells", "/bin/bash,/bin/zsh", policy.List, func(e *pwEntry, p policy.Params) (string, bool) {
			return "shell", in(p.List("shells"), e.shell)
		}),
		listed("full_entry", "entry", "pentryblacklist", "whole entries", "mail:x:8:12:mail:/var/spool/mail:/sbin/nologin", policy.String, func(e *pwEntry, p policy.Params) (string, bool) {
			return "pentry", p.Text("entry") == e.line
		}),
	)
}

// pwEntry is one line of the file; fields that a short line lacks are "".
type pwEntry struct{ name, uid, gid, shell, line string }

type pwFile struct {
	stored  bool
	entries []pwEntry
	layer   inventory.Digest
	err     error
}

// passwd reads the retrieved file, or else the accounts an analyzer found.
func passwd(s *policy.Subject) pwFile {
	return policy.Memo(s, "passwd", func() pwFile {
		var out pwFile
		at := map[string]int{}
		add := func(line string) {
			fields := strings.Split(line, ":")
			for len(fields) < 7 {
				fields = append(fields, "")
			}
			e := pwEntry{fields[0], fields[2], fields[3], fields[6], line}
			if i, twice := at[e.name]; twice {
				out.entries[i] = e // the last line of a name wins
				return
			}
			at[e.name] = len(out.entries)
			out.entries = append(out.entries, e)
		}
		retrieved, err := retrieved(s)
		if err != nil {
			return pwFile{err: err}
		}
		if f, ok := retrieved["/etc/passwd"]; ok {
			out.stored, out.layer = true, f.layer
			for line := range strings.Lines(string(f.content)) {
				if line = strings.TrimSpace(line); line != "" {
					add(line)
				}
			}
			return out
		}
		accounts, err := policy.Facts[policy.Account](s, policy.FactAccount)
		if err != nil {
			return pwFile{err: err}
		}
		for i := range accounts {
			a := &accounts[i]
			if a.Path != "/etc/passwd" || a.Hidden {
				continue
			}
			out.stored, out.layer = true, s.LayerDigest(a.Layer)
			password := "x"
			if a.Fact.Password == "empty" {
				password = ""
			}
			add(strings.Join([]string{a.Fact.Name, password, a.Fact.UID, a.Fact.GID, a.Fact.Gecos, a.Fact.Home, a.Fact.Shell}, ":"))
		}
		return out
	})
}

func passwdMissing(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	f := passwd(s)
	if f.err != nil || f.stored {
		return nil, f.err
	}
	return hit("Cannot locate /etc/passwd in image stored files archive: check analyzer settings."), nil
}

func passwdEntries(s *policy.Subject, p policy.Params, match func(*pwEntry, policy.Params) (string, bool)) ([]policy.Hit, error) {
	f := passwd(s)
	if f.err != nil {
		return nil, f.err
	}
	if !f.stored {
		if _, there := s.Image.Files.Lookup("etc/passwd"); there {
			return unknown("the image has an /etc/passwd, but it was not kept by the analysis"), nil
		}
		return nil, nil
	}
	var out []policy.Hit
	for i := range f.entries {
		e := &f.entries[i]
		kind, ok := match(e, p)
		if !ok {
			continue
		}
		what := map[string]string{"user": e.name, "uid": e.uid, "gid": e.gid, "shell": e.shell, "pentry": e.line}[kind]
		out = append(out, policy.Hit{Message: fmt.Sprintf("Blacklisted %s '%s' found in image's /etc/passwd: pentry=%s", kind, what, e.line),
			Evidence: policy.Evidence{Path: "/etc/passwd", Layer: f.layer, Detail: e.name}})
	}
	return out, nil
}

func in(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

func inNumbers(list []int64, s string) bool {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		return false
	}
	for _, item := range list {
		if item == n {
			return true
		}
	}
	return false
}
