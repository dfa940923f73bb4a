package config

import (
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// maxStep bounds how much of one step of the history is looked at, in bytes.
const maxStep = 64 << 10

// instruction parts a step of the history into its instruction and the rest,
// in the forms of the classic builder and of BuildKit. arguments are the build
// arguments that the step ran with.
func instruction(createdBy string) (word, rest string, arguments []string) {
	s := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(createdBy), "# buildkit"))
	if nop, ok := strings.CutPrefix(s, "/bin/sh -c #(nop)"); ok {
		word, rest, _ = strings.Cut(strings.TrimSpace(nop), " ")
		return word, strings.TrimSpace(rest), nil
	}
	word, rest, _ = strings.Cut(s, " ")
	switch word {
	case "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR":
		return word, strings.TrimSpace(rest), nil
	case "RUN":
		s = strings.TrimSpace(rest)
	}
	// "|2 A=x B=y /bin/sh -c …"
	if strings.HasPrefix(s, "|") {
		command := strings.Index(s, " /bin/sh -c ")
		if command < 0 {
			command = len(s)
		}
		for _, f := range strings.Fields(s[:command])[1:] {
			if strings.Contains(f, "=") {
				arguments = append(arguments, f)
			}
		}
		s = strings.TrimSpace(s[command:])
	}
	return "RUN", strings.TrimPrefix(s, "/bin/sh -c "), arguments
}

func (c *imageCheck) history(steps []inventory.History) {
	layer := 0
	secrets := map[string]bool{}
	for i := range steps {
		at := -1
		if !steps[i].EmptyLayer {
			at = layer
			layer++
		}
		text := steps[i].CreatedBy
		if len(text) > maxStep {
			text = text[:maxStep]
			c.img.Problems = append(c.img.Problems, inventory.Problem{Analyzer: "config-image", Layer: at, Limit: "history step", Message: "a step of the history is longer than the limit of 64 KiB: its rest was not checked"})
		}
		tell := func(id, message string) { c.report(id, "", at, 0, message) }
		word, rest, arguments := instruction(text)
		switch word {
		case "ADD":
			if !strings.Contains(rest, "--checksum=") {
				for w := range strings.FieldsSeq(rest) {
					if w = strings.Trim(w, `"[],`); strings.HasPrefix(w, "http://") || strings.HasPrefix(w, "https://") || strings.HasPrefix(w, "ftp://") {
						host, _, _ := strings.Cut(w[strings.Index(w, "://")+3:], "/")
						tell("TW-IMG-006", "from "+host[strings.LastIndexByte(host, '@')+1:])
						break
					}
				}
			}
		case "ARG":
			arguments = strings.Fields(rest)
		case "RUN":
			c.run(rest, tell)
		}
		for _, a := range arguments {
			name, value, _ := strings.Cut(a, "=")
			if secretName(name) && secretValue(value) && !secrets[name] {
				secrets[name] = true
				tell("TW-IMG-008", name)
			}
		}
	}
}

// run looks at the shell commands of a step.
func (c *imageCheck) run(command string, tell func(id, message string)) {
	told := map[string]bool{}
	once := func(id, message string) {
		if !told[id+message] {
			told[id+message] = true
			tell(id, message)
		}
	}
	updated, installed := "", false
	for _, pipeline := range shellCommands(command) {
		for i, words := range pipeline {
			program := path.Base(words[0])
			has := func(names ...string) bool {
				return slices.ContainsFunc(words[1:], func(w string) bool { return slices.Contains(names, w) })
			}
			switch program {
			case "apt-get", "apt", "aptitude", "apk", "yum", "dnf", "microdnf", "zypper":
				if has("update", "makecache", "refresh") && !has("install", "add") {
					updated = program
				}
				if has("install", "add", "upgrade", "dist-upgrade", "build-dep", "full-upgrade") || program == "yum" || program == "dnf" || program == "microdnf" {
					installed = true
				}
				if w := firstOf(words, "--allow-unauthenticated", "--force-yes", "--allow-untrusted", "--nogpgcheck", "--no-gpgcheck", "--no-gpg-checks", "--allow-insecure-repositories"); w != "" {
					once("TW-IMG-011", program+" "+w)
				}
			case "curl":
				if w := firstOf(words, "-k", "--insecure"); w != "" {
					once("TW-IMG-011", "curl "+w)
				} else if w := shortOption(words, 'k'); w != "" {
					once("TW-IMG-011", "curl "+w)
				}
			case "wget":
				if has("--no-check-certificate") {
					once("TW-IMG-011", "wget --no-check-certificate")
				}
			case "pip", "pip3":
				if has("--trusted-host") || slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "--trusted-host=") }) {
					once("TW-IMG-011", program+" --trusted-host")
				}
			case "npm", "yarn":
				if has("--strict-ssl=false") || has("strict-ssl") && has("false") {
					once("TW-IMG-011", program+" strict-ssl false")
				}
			case "git":
				if has("http.sslVerify=false", "http.sslVerify=0") || has("http.sslVerify") && has("false", "0") {
					once("TW-IMG-011", "git http.sslVerify false")
				}
			case "chmod":
				if mode := writableByAll(words[1:]); mode != "" {
					once("TW-IMG-012", "chmod "+mode)
				}
			}
			if i > 0 && (program == "sh" || program == "bash" || program == "ash" || program == "dash" || program == "zsh" || program == "python" || program == "python3" || program == "perl" || program == "ruby" || program == "node") &&
				slices.ContainsFunc(pipeline[:i], func(w []string) bool { return fetches(path.Base(w[0])) }) {
				once("TW-IMG-010", pipeline[0][0]+" | "+program)
			}
		}
	}
	for _, opening := range [...]string{`sh -c "$(curl`, `sh -c "$(wget`, "sh <(curl", "sh <(wget", "eval \"$(curl", `sh -c "$(/usr/bin/curl`} {
		if strings.Contains(command, opening) {
			once("TW-IMG-010", strings.TrimLeft(opening, "("))
		}
	}
	if updated != "" && !installed {
		once("TW-IMG-009", updated)
	}
}

func fetches(program string) bool { return program == "curl" || program == "wget" }

func firstOf(words []string, names ...string) string {
	for _, w := range words {
		if slices.Contains(names, w) {
			return w
		}
	}
	return ""
}

// shortOption returns the word of bundled short options that holds one: -fsSLk.
func shortOption(words []string, option byte) string {
	for _, w := range words {
		if len(w) > 2 && w[0] == '-' && w[1] != '-' && strings.Trim(w[1:], "fsSLgvikOJ#") == "" && strings.IndexByte(w, option) > 0 {
			return w
		}
	}
	return ""
}

// writableByAll returns the mode of a chmod that lets everybody write, unless
// it sets the sticky bit or is about a place for everybody.
func writableByAll(words []string) string {
	mode := ""
	for _, w := range words {
		switch {
		case strings.HasPrefix(w, "-"):
		case mode == "":
			mode = w
		case w == "/tmp", strings.HasPrefix(w, "/tmp/"), strings.HasPrefix(w, "/var/tmp"), strings.HasPrefix(w, "/dev/"):
			return ""
		}
	}
	if digits := strings.TrimLeft(mode, "0"); digits != "" && strings.Trim(digits, "01234567") == "" {
		sticky := len(digits) == 4 && (digits[0]-'0')&1 != 0
		if last := digits[len(digits)-1]; (last-'0')&2 != 0 && !sticky {
			return mode
		}
		return ""
	}
	for part := range strings.SplitSeq(mode, ",") {
		i := strings.IndexAny(part, "+=")
		if i < 0 || strings.Contains(part, "t") {
			continue
		}
		if who := part[:i]; strings.ContainsRune(part[i:], 'w') && strings.ContainsAny(who, "ao") {
			return mode
		}
	}
	return ""
}

// shellCommands parts a shell command into its pipelines of simple commands,
// each of words, without the words before it that change nothing (sudo, env,
// assignments). Quotes are honoured; nothing is expanded.
func shellCommands(s string) [][][]string {
	var out [][][]string
	var pipeline [][]string
	var words []string
	var word strings.Builder
	begun := false
	endWord := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	endCommand := func() {
		endWord()
		if w := simple(words); len(w) > 0 {
			pipeline = append(pipeline, w)
		}
		words = nil
	}
	endPipeline := func() {
		endCommand()
		if len(pipeline) > 0 {
			out = append(out, pipeline)
		}
		pipeline = nil
	}
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; ch {
		case ' ', '\t', '\r':
			endWord()
		case '\n', ';', '(', ')', '{', '}', '`':
			endPipeline()
		case '&':
			if i+1 < len(s) && s[i+1] == '&' {
				endPipeline()
				i++
			} else if i > 0 && s[i-1] == '>' || i+1 < len(s) && s[i+1] == '>' {
				word.WriteByte(ch)
				begun = true
			} else {
				endPipeline()
			}
		case '|':
			if i+1 < len(s) && s[i+1] == '|' {
				endPipeline()
				i++
			} else {
				endCommand()
			}
		case '\\':
			if i+1 < len(s) {
				i++
				if s[i] != '\n' {
					word.WriteByte(s[i])
					begun = true
				}
			}
		case '\'', '"':
			begun = true
			for i++; i < len(s) && s[i] != ch; i++ {
				if s[i] == '\\' && ch == '"' && i+1 < len(s) {
					i++
				}
				word.WriteByte(s[i])
			}
		default:
			word.WriteByte(ch)
			begun = true
		}
	}
	endPipeline()
	return out
}

func simple(words []string) []string {
	for len(words) > 0 {
		switch w := words[0]; {
		case w == "sudo", w == "env", w == "exec", w == "time", w == "then", w == "do", w == "else", w == "if", w == "!", w == "-E", w == "-H", w == "command":
		case strings.Contains(w, "=") && !strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "="):
		default:
			return words
		}
		words = words[1:]
	}
	return nil
}
