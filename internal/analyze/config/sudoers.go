package config

import (
	"path"
	"strings"
)

// readSudoers reads sudoers(5): Defaults, aliases, and who may run what. What
// it includes is read as files of their own.
func readSudoers(f *file) error {
	s := sudoers{f: f, commands: map[string][]string{}}
	var lines []sudoLine
	for line, start := range logicalLines(string(f.text), true) {
		if line = strings.TrimSpace(withoutComment(line)); line == "" {
			continue
		}
		if len(lines) >= maxSettings {
			return errSettings
		}
		lines = append(lines, sudoLine{line, start})
	}
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l.text, "Cmnd_Alias"); ok {
			for def := range strings.SplitSeq(rest, ":") {
				name, value, _ := strings.Cut(def, "=")
				s.commands[strings.TrimSpace(name)] = splitList(value)
			}
		}
	}
	for _, l := range lines {
		s.line(l)
	}
	if s.expanded > maxSettings {
		return errSettings
	}
	return nil
}

type sudoLine struct {
	text   string
	number int
}

type sudoers struct {
	f        *file
	commands map[string][]string // aliases
	expanded int                 // commands, those of aliases counted wherever they are named
}

// withoutComment cuts a comment. "#1000" is a user, "#include" an order of old.
func withoutComment(line string) string {
	quoted := false
	for i := range len(line) {
		switch line[i] {
		case '"':
			quoted = !quoted
		case '#':
			if quoted || i > 0 && (line[i-1] == '\\' || line[i-1] == '%' || line[i-1] == '(' || line[i-1] == ':') {
				continue
			}
			if i+1 < len(line) && line[i+1] >= '0' && line[i+1] <= '9' {
				continue
			}
			return line[:i]
		}
	}
	return line
}

// splitList parts a list at its commas, but for escaped ones.
func splitList(s string) []string {
	var out []string
	start := 0
	quoted := false
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ',' && !quoted:
			if item := strings.TrimSpace(s[start:i]); item != "" {
				out = append(out, item)
			}
			start = i + 1
		case s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		}
	}
	return out
}

func (s *sudoers) line(l sudoLine) {
	first, rest, _ := strings.Cut(l.text, " ")
	if i := strings.IndexByte(first, '\t'); i >= 0 {
		first, rest = first[:i], l.text[i+1:]
	}
	switch {
	case strings.HasPrefix(first, "Defaults"):
		s.defaults(l, rest)
		return
	case strings.HasSuffix(first, "_Alias"), strings.HasPrefix(first, "@"), strings.HasPrefix(first, "#include"):
		return
	}
	users, spec, ok := strings.Cut(l.text, "=")
	if !ok {
		return
	}
	// USERS HOSTS=…: hosts are the last word before the equals sign.
	fields := strings.Fields(users)
	if len(fields) < 2 {
		return
	}
	who := strings.Join(fields[:len(fields)-1], " ")
	if who == "root" || who == "#0" {
		return
	}
	// Tags hold for the commands that follow, to the end of the line.
	password := true
	all, negated := false, false
	everybody := false
	for _, command := range splitList(spec) {
		if strings.HasPrefix(command, "(") { // as whom
			if end := strings.IndexByte(command, ')'); end > 0 {
				command = strings.TrimSpace(command[end+1:])
			}
		}
		for {
			tag, after, found := strings.Cut(command, ":")
			if !found || tag == "" || strings.Trim(tag, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_ ") != "" {
				break
			}
			switch strings.TrimSpace(tag) {
			case "NOPASSWD":
				password = false
			case "PASSWD":
				password = true
			}
			command = strings.TrimSpace(after)
		}
		switch {
		case strings.HasPrefix(command, "!"):
			negated = true
		case command == "ALL":
			all = true
			if !password {
				s.f.report("TW-SUD-001", l.number, who)
			}
			everybody = everybody || who == "ALL"
		default:
			s.command(l, who, command, password, 0)
		}
	}
	if everybody {
		s.f.report("TW-SUD-003", l.number, "")
	}
	if all && negated {
		s.f.report("TW-SUD-007", l.number, who)
	}
}

// command looks at one command, or those of an alias.
func (s *sudoers) command(l sudoLine, who, command string, password bool, depth int) {
	if s.expanded++; s.expanded > maxSettings {
		return
	}
	if list, ok := s.commands[command]; ok {
		if depth < 8 {
			for _, c := range list {
				s.command(l, who, c, password, depth+1)
			}
		}
		return
	}
	program, args, _ := strings.Cut(command, " ")
	if !strings.HasPrefix(program, "/") {
		return // a digest, sudoedit, list
	}
	if strings.Contains(args, "*") && args != `""` {
		s.f.report("TW-SUD-005", l.number, who+" "+command)
	}
	if !password && args == "" && startsOthers(path.Base(program)) {
		s.f.report("TW-SUD-004", l.number, who+" "+program)
	}
}

// startsOthers reports whether a program runs what its user wants.
func startsOthers(name string) bool {
	if interpreter(name) {
		return true
	}
	switch name {
	case "vi", "vim", "nano", "emacs", "ed", "less", "more", "man", "su", "sudo", "apt", "apt-get", "yum", "dnf", "apk", "pip", "pip3", "npm", "git", "tar", "zip", "rsync", "scp", "ssh",
		"docker", "podman", "systemctl", "mount", "chroot", "nsenter", "unshare", "strace", "gdb", "tee", "dd", "crontab", "make", "cp", "mv", "chmod", "chown", "install", "ln":
		return true
	}
	return false
}

// interpreter reports whether a program is a shell or an interpreter, or runs
// commands as they do.
func interpreter(name string) bool {
	switch name {
	case "sh", "bash", "rbash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "csh", "tcsh", "busybox", "python", "python2", "python3", "perl", "ruby", "node", "nodejs", "lua", "php", "tclsh",
		"awk", "gawk", "mawk", "nawk", "find", "env", "xargs", "nice", "timeout", "vim.basic", "vim.tiny", "nmap", "expect", "script", "socat", "nc", "ncat", "tclsh8.6", "java":
		return true
	}
	for _, p := range [...]string{"python2.", "python3.", "perl5.", "ruby2.", "ruby3.", "php7.", "php8.", "lua5."} {
		if rest, ok := strings.CutPrefix(name, p); ok && strings.Trim(rest, "0123456789.") == "" {
			return true
		}
	}
	return false
}

// defaults looks at the settings of a Defaults line.
func (s *sudoers) defaults(l sudoLine, rest string) {
	for _, item := range splitList(rest) {
		name, value, _ := strings.Cut(item, "=")
		name = strings.TrimSpace(strings.TrimRight(name, "+-"))
		switch name {
		case "!authenticate":
			s.f.report("TW-SUD-002", l.number, item)
		case "!env_reset":
			s.f.report("TW-SUD-006", l.number, item)
		case "env_keep", "env_check":
			if strings.Contains(item, "-=") || name == "env_check" {
				continue
			}
			for _, v := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '"' || r == '\t' }) {
				switch {
				case v == "*", strings.HasPrefix(v, "LD_"), strings.HasPrefix(v, "PYTHON"), strings.HasPrefix(v, "PERL5"), v == "RUBYLIB", v == "RUBYOPT", v == "BASH_ENV", v == "ENV", v == "NODE_OPTIONS":
					s.f.report("TW-SUD-006", l.number, "env_keep "+v)
				}
			}
		}
	}
}
