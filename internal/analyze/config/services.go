package config

import (
	"fmt"
	"slices"
	"strings"
)

// readPHP reads php.ini and the files of conf.d. Sections mean nothing there
// but for hosts and paths, whose settings keep their whole key.
func readPHP(f *file) error {
	list, err := readSettings(string(f.text), style{comment: ";#", trailing: ";", separator: "=", sections: true})
	for i := range list {
		if s := &list[i]; !strings.HasPrefix(s.section, "host=") && !strings.HasPrefix(s.section, "path=") {
			s.Key = s.name
		}
	}
	judge("php", list, f.report)
	return err
}

// readFPM reads the pools of PHP-FPM, each for itself.
func readFPM(f *file) error {
	list, err := readSettings(string(f.text), style{comment: ";#", trailing: ";", separator: "=", sections: true})
	for _, pool := range bySection(list) {
		for i := range pool {
			pool[i].Key = pool[i].name
		}
		judge("fpm", pool, f.report)
	}
	return err
}

// bySection parts settings, in order of first appearance.
func bySection(list []setting) [][]setting {
	var out [][]setting
	index := map[string]int{}
	for _, s := range list {
		i, ok := index[s.section]
		if !ok {
			i = len(out)
			index[s.section] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], s)
	}
	return out
}

// wellKnown are passwords that everybody tries first.
func wellKnown(password string) bool {
	switch strings.ToLower(password) {
	case "", "admin", "tomcat", "s3cret", "secret", "password", "passw0rd", "manager", "role1", "root", "changeit", "changeme", "change_me", "123456", "12345678", "test", "default",
		"foobared", "redis", "guest", "qwerty", "letmein", "must-be-changed", "<must-be-changed>", "admin123", "password1", "rabbitmq":
		return true
	}
	return false
}

// readRedis reads redis.conf and ACL files.
func readRedis(f *file) error {
	list, err := readSettings(string(f.text), style{comment: "#", keep: true})
	judge("redis", list, f.report)
	for i := range list {
		s := &list[i]
		switch s.Key {
		case "requirepass":
			if s.Value != "" && (wellKnown(s.Value) || len(s.Value) < 8) {
				f.report("TW-RED-002", s.Line, "requirepass")
			}
		case "user":
			words := strings.Fields(strings.ToLower(s.Value))
			if len(words) > 0 && words[0] == "default" && slices.Contains(words, "on") && slices.Contains(words, "nopass") && (slices.Contains(words, "+@all") || slices.Contains(words, "allcommands")) {
				f.report("TW-RED-005", s.Line, "user default on nopass")
			}
		}
	}
	return err
}

// readMySQL reads the groups of option files that servers read.
func readMySQL(f *file) error {
	list, err := readSettings(string(f.text), style{comment: "#;!", trailing: "#", separator: "=", sections: true, dash: true})
	var server []setting
	for _, s := range list {
		if s.section != "server" && !strings.HasPrefix(s.section, "mysqld") && !strings.HasPrefix(s.section, "mariadb") && !strings.HasPrefix(s.section, "galera") {
			continue
		}
		s.Key = strings.TrimPrefix(strings.TrimPrefix(s.name, "loose_"), "enable_")
		if s.bare {
			s.Value = "on"
		}
		if rest, ok := strings.CutPrefix(s.Key, "skip_"); ok && rest != "grant_tables" {
			s.Key, s.Value = rest, "off"
		}
		server = append(server, s)
	}
	judge("mysql", server, f.report)
	return err
}

// readMongo reads mongod.conf as YAML, or in the form of releases before 2.6.
func readMongo(f *file) error {
	list, err := readYAML(f.text)
	if err != nil || len(list) == 1 && list[0].Key == "" {
		old, oerr := readSettings(string(f.text), style{comment: "#", separator: "="})
		if oerr != nil {
			return oerr
		}
		known := false
		for i := range old {
			s := &old[i]
			switch s.Key {
			case "noauth":
				if isOn(strings.ToLower(s.Value)) {
					list, known = append(list, setting{Key: "security.authorization", Value: "disabled", Line: s.Line}), true
				}
			case "auth":
				state := "disabled"
				if isOn(strings.ToLower(s.Value)) {
					state = "enabled"
				}
				list, known = append(list, setting{Key: "security.authorization", Value: state, Line: s.Line}), true
			case "bind_ip":
				list, known = append(list, setting{Key: "net.bindip", Value: s.Value, Line: s.Line}), true
			case "dbpath", "logpath", "port":
				known = true
			}
		}
		if !known {
			return err
		}
	}
	for i := range list {
		if list[i].Key == "net.bindipall" && isOn(strings.ToLower(list[i].Value)) {
			list[i].Key, list[i].Value = "net.bindip", "*"
		}
	}
	judge("mongod", list, f.report)
	return nil
}

// readSamba reads smb.conf, each share for itself.
func readSamba(f *file) error {
	list, err := readSettings(string(f.text), style{comment: "#;", separator: "=", sections: true, continued: true})
	for _, share := range bySection(list) {
		for i := range share {
			if s := &share[i]; s.name == "read only" {
				s.Key = s.section + ".writable"
				if isOn(strings.ToLower(s.Value)) {
					s.Value = "no"
				} else {
					s.Value = "yes"
				}
			}
		}
		judge("samba", share, f.report)
	}
	return err
}

// readExports reads exports(5).
func readExports(f *file) error {
	list, err := readSettings(string(f.text), style{comment: "#", keep: true, continued: true})
	for _, s := range list {
		if strings.Contains(s.Value, "no_root_squash") {
			f.report("TW-SRV-003", s.Line, s.Key+" "+s.Value)
		}
	}
	return err
}

// readJupyter reads the assignments "c.Class.name = value" of a Python file.
// What the file computes is not known.
func readJupyter(f *file) error {
	list, err := readSettings(string(f.text), style{comment: "#", trailing: "#", separator: "="})
	var known []setting
	for _, s := range list {
		if rest, ok := strings.CutPrefix(s.Key, "c."); ok && !strings.ContainsAny(rest, " ()") {
			v := s.Value
			if v == "u''" || v == "b''" || v == "u\"\"" || v == "None" && strings.HasSuffix(rest, ".password") {
				v = ""
			}
			known = append(known, setting{Key: rest, Value: v, Line: s.Line})
		}
	}
	judge("jupyter", known, f.report)
	return err
}

// readFetch reads .curlrc and .wgetrc.
func readFetch(f *file) error {
	list, err := readSettings(string(f.text), style{comment: "#", separator: "=: \t"})
	for i := range list {
		s := &list[i]
		if s.Value == "" {
			s.Value = "on"
		}
	}
	judge("fetch", list, f.report)
	return err
}

// readOpenSSL reads the settings of openssl.cnf that lower what TLS is taken.
func readOpenSSL(f *file) error {
	list, err := readSettings(string(f.text), style{comment: "#", trailing: "#", separator: "=", sections: true, continued: true})
	for _, s := range list {
		key := s.name
		value := strings.ToLower(strings.ReplaceAll(s.Value, " ", ""))
		switch {
		case key == "minprotocol" && (value == "sslv3" || value == "tlsv1" || value == "tlsv1.0" || value == "tlsv1.1" || value == "none"),
			key == "cipherstring" && (strings.Contains(value, "seclevel=0") || strings.Contains(value, "seclevel=1")):
			f.report("TW-TLS-010", s.Line, fmt.Sprintf("%s = %s", key, s.Value))
		}
	}
	return err
}
