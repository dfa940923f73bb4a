package node

import (
	"bytes"
	"fmt"
	"strings"
)

// readYarnLock reads the lock of Yarn 1, a format of its own, and that of
// later ones, which is YAML.
func readYarnLock(data []byte, l *lock) error {
	read := readYarn1
	if bytes.HasPrefix(data, []byte("__metadata:")) || bytes.Contains(data, []byte("\n__metadata:")) {
		read = readBerry
	}
	if err := read(data, l); err != nil {
		return fmt.Errorf("reading yarn.lock: %w", err)
	}
	return nil
}

// readYarn1 reads blocks of
//
//	name@range, name@range:
//	  version "1.0.0"
//	  resolved "address#sha1"
//	  integrity sha512-…
//	  dependencies:
//	    name "range"
func readYarn1(data []byte, l *lock) error {
	var e locked
	var local, depends bool
	flush := func() error {
		if local {
			return nil
		}
		return l.add(e)
	}
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, "\r\n ")
		trimmed := bytes.TrimLeft(line, " ")
		if len(trimmed) == 0 || trimmed[0] == '#' {
			continue
		}
		switch indent := len(line) - len(trimmed); {
		case indent == 0:
			if err := flush(); err != nil {
				return err
			}
			first, _, _ := bytes.Cut(trimmed, []byte(", "))
			spec := unquoteYarn(bytes.TrimSuffix(first, []byte(":")))
			name, rng := splitSpec(spec)
			if alias, ok := strings.CutPrefix(rng, "npm:"); ok && alias != "" {
				name, _ = splitSpec(alias)
			}
			e, depends = locked{name: name}, false
			local = strings.HasPrefix(rng, "file:") || strings.HasPrefix(rng, "link:") || strings.HasPrefix(rng, "workspace:")
		case indent <= 2:
			depends = false
			key, value, _ := bytes.Cut(trimmed, []byte(" "))
			v := unquoteYarn(value)
			switch string(key) {
			case "version":
				e.version = v
			case "resolved":
				if _, sum, ok := strings.Cut(v, "#"); ok && len(sum) == 40 && isHex(sum) && e.hashes == nil && strings.Contains(v, ".tgz#") {
					e.hashes = map[string]string{"sha1": sum}
				}
			case "integrity":
				if h := integrity(v); h != nil {
					e.hashes = h
				}
			case "dependencies:", "optionalDependencies:":
				depends = true
			}
		case depends:
			key := trimmed
			if key[0] == '"' {
				if n := quoted(key); n > 0 {
					key = key[:n]
				}
			} else {
				key, _, _ = bytes.Cut(key, []byte(" "))
			}
			if len(e.depends) < maxDepends {
				e.depends = append(e.depends, unquoteYarn(key))
			}
		}
	}
	return flush()
}

func unquoteYarn(v []byte) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		return unquote(v)
	}
	return string(v)
}

// readBerry reads the lock of Yarn 2 and later. Its checksums are of Yarn's
// own archives, not of the registry's, so they are not taken.
func readBerry(data []byte, l *lock) error {
	var e locked
	var hard bool
	var failed error
	flush := func() {
		if hard && failed == nil {
			failed = l.add(e)
		}
	}
	err := scanYAML(data, func(path []string, value string) {
		switch len(path) {
		case 1:
			flush()
			e, hard = locked{}, path[0] != "__metadata"
		case 2:
			switch path[1] {
			case "version":
				e.version = value
			case "resolution":
				name, reference := splitSpec(value)
				e.name = name
				for _, local := range [...]string{"workspace:", "link:", "portal:", "file:"} {
					hard = hard && !strings.HasPrefix(reference, local)
				}
			case "linkType":
				hard = hard && value == "hard"
			case "conditions": // on system and processor
				if strings.Contains(value, "os=") && !strings.Contains(value, "os=linux") {
					e.scope = "optional"
				}
			}
		case 3:
			if path[1] == "dependencies" && len(e.depends) < maxDepends {
				e.depends = append(e.depends, path[2])
			}
		}
	})
	flush()
	if err == nil {
		err = failed
	}
	return err
}
