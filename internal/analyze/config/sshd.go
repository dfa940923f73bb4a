package config

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// sshdSetting is a line of an sshd_config. Of several of one keyword the first
// counts, wherever it is included from; which that is, [ImageAnalyzer] finds
// out when all files are there.
type sshdSetting struct {
	setting
	Match string `json:"match,omitempty"` // of the block it stands in; "" outside
}

// readSSHD reads sshd_config(5).
func readSSHD(f *file) error {
	lines, err := readSettings(string(f.text), style{comment: "#", trailing: "#", separator: "= \t", keep: true})
	var list []sshdSetting
	match := ""
	for _, s := range lines {
		if s.Key == "match" {
			if match = strings.ToLower(s.Value); match == "all" {
				match = ""
			}
			continue
		}
		switch s.Key { // former names
		case "challengeresponseauthentication", "skeyauthentication":
			s.Key = "kbdinteractiveauthentication"
		case "pubkeyacceptedkeytypes":
			s.Key = "pubkeyacceptedalgorithms"
		}
		list = append(list, sshdSetting{s, match})
	}
	data, jerr := json.Marshal(list)
	if jerr != nil {
		return jerr
	}
	f.out.Facts = append(f.out.Facts, inventory.Fact{Kind: sshdKind, Path: f.path, Data: data})
	return err
}

// sshdFile is one file of the server's configuration.
type sshdFile struct {
	fact     *inventory.Fact
	settings []sshdSetting
}

// placed is a setting and the file it stands in.
type placed struct {
	sshdSetting
	fact *inventory.Fact
}

// judgeSSHD follows the inclusions from every sshd_config, which make one
// configuration, and asks the rules about it: outside of Match blocks, and
// about each block. report gets the file.
func judgeSSHD(files map[string]*sshdFile, report func(f *inventory.Fact, id string, line int, message string)) {
	var roots []string
	for p := range files {
		if path.Base(p) == "sshd_config" {
			roots = append(roots, p)
		}
	}
	slices.Sort(roots)
	for _, root := range roots {
		n := inclusion{files: files, open: map[string]bool{}}
		n.read(root, 0)
		blocks := map[string][]placed{}
		order := []string{""}
		for _, s := range n.all {
			if blocks[s.Match] == nil && s.Match != "" {
				order = append(order, s.Match)
			}
			blocks[s.Match] = append(blocks[s.Match], s)
		}
		for _, match := range order {
			judgeSSHDBlock(blocks[match], report)
		}
	}
}

func judgeSSHDBlock(block []placed, report func(f *inventory.Fact, id string, line int, message string)) {
	seen := map[string]bool{}
	var first []setting
	var facts []*inventory.Fact
	for _, s := range block {
		if !seen[s.Key] || s.Key == "hostkey" {
			first, facts = append(first, s.setting), append(facts, s.fact)
		}
		seen[s.Key] = true
	}
	// Lines of different files may have one number: the index stands for it.
	numbered := slices.Clone(first)
	for i := range numbered {
		numbered[i].Line = i
	}
	tell := func(id string, i int, message string) { report(facts[i], id, first[i].Line, message) }
	judge("sshd", numbered, tell)
	for i, s := range first {
		id, isWeak := weakIn(s.Key)
		if id == "" {
			continue
		}
		value := s.Value
		if strings.HasPrefix(value, "-") {
			continue // takes away from the defaults
		}
		var weak []string
		for name := range strings.SplitSeq(strings.TrimLeft(value, "+^"), ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); isWeak(name) {
				weak = append(weak, name)
			}
		}
		if weak != nil {
			tell(id, i, s.Key+" allows "+strings.Join(weak, ", "))
		}
	}
}

// inclusion follows Include lines, as deep as the server does and no file
// inside of itself.
type inclusion struct {
	files map[string]*sshdFile
	open  map[string]bool // files that are being read
	all   []placed
	count int
}

const (
	maxIncludes     = 1000
	maxIncludeDepth = 16
)

// read appends what a file says, with what it includes in its place. A Match
// block ends with the file that begins it.
func (n *inclusion) read(name string, depth int) {
	f := n.files[name]
	if n.count++; f == nil || n.open[name] || depth > maxIncludeDepth || n.count > maxIncludes || len(n.all) > maxSettings {
		return
	}
	n.open[name] = true
	defer delete(n.open, name)
	for _, s := range f.settings {
		if s.Key != "include" {
			n.all = append(n.all, placed{s, f.fact})
			continue
		}
		for pattern := range strings.FieldsSeq(s.Value) {
			pattern = strings.Trim(pattern, `"`)
			if !strings.HasPrefix(pattern, "/") {
				pattern = "/etc/ssh/" + pattern
			}
			if n.count > maxIncludes {
				return
			}
			for _, p := range n.matching(pattern[1:]) {
				from := len(n.all)
				n.read(p, depth+1)
				for i := from; s.Match != "" && i < len(n.all); i++ {
					if n.all[i].Match == "" {
						n.all[i].Match = s.Match
					}
				}
			}
		}
	}
}

// matching are the files that a pattern means, in order.
func (n *inclusion) matching(pattern string) []string {
	n.count++
	var names []string
	for p := range n.files {
		if ok, _ := path.Match(pattern, p); ok {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	return names
}

// weakIn says which check a list of algorithms has, and what is weak in it.
func weakIn(key string) (id string, weak func(name string) bool) {
	switch key {
	case "ciphers":
		return "TW-SSH-004", func(n string) bool {
			return strings.HasSuffix(n, "-cbc") || strings.HasPrefix(n, "arcfour") || strings.Contains(n, "-cbc@") || n == "none"
		}
	case "macs":
		return "TW-SSH-005", func(n string) bool {
			return strings.Contains(n, "md5") || strings.Contains(n, "ripemd") || strings.HasPrefix(n, "hmac-sha1-96") || strings.HasPrefix(n, "umac-64") || n == "none"
		}
	case "kexalgorithms":
		return "TW-SSH-006", func(n string) bool {
			return n == "diffie-hellman-group1-sha1" || n == "diffie-hellman-group14-sha1" || n == "diffie-hellman-group-exchange-sha1"
		}
	case "hostkeyalgorithms", "pubkeyacceptedalgorithms", "casignaturealgorithms":
		return "TW-SSH-015", weakKey
	}
	return "", nil
}

func weakKey(n string) bool {
	return n == "ssh-dss" || n == "ssh-rsa" || strings.HasPrefix(n, "ssh-dss-cert") || strings.HasPrefix(n, "ssh-rsa-cert")
}
