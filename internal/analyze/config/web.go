package config

import (
	"slices"
	"strings"
	"sync"
)

// weakCiphers returns what is weak in a list of ciphers in OpenSSL's form.
// What is excluded, or moved to the end, is not in it.
func weakCiphers(list string) []string {
	var weak []string
	for c := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		if c[0] == '!' || c[0] == '-' || c[0] == '+' || c[0] == '@' {
			continue
		}
		for part := range strings.FieldsFuncSeq(strings.ToUpper(c), func(r rune) bool { return r == '-' || r == '+' || r == '_' }) {
			switch part {
			case "RC4", "RC2", "DES", "3DES", "CBC3", "MD5", "NULL", "ENULL", "ANULL", "ADH", "AECDH", "EXP", "EXPORT", "EXPORT40", "EXPORT56", "LOW", "IDEA", "SEED", "COMPLEMENTOFALL":
				if !slices.Contains(weak, c) {
					weak = append(weak, c)
				}
			}
		}
	}
	// "ALL" holds them as well, unless they are taken away.
	upper := strings.ToUpper(list)
	if (strings.HasPrefix(upper, "ALL:") || upper == "ALL") && !(strings.Contains(upper, "!ANULL") || strings.Contains(upper, "!ADH")) {
		weak = append(weak, "ALL")
	}
	return weak
}

// systemDirectory reports whether a path holds more than may be served.
func systemDirectory(p string) bool {
	switch strings.TrimRight(p, "/") {
	case "", "/etc", "/root", "/home", "/usr", "/var", "/bin", "/sbin", "/lib", "/proc", "/sys", "/dev", "/boot", "/run", "/var/log", "/var/lib", "/etc/nginx", "/etc/apache2", "/etc/ssl":
		return strings.HasPrefix(p, "/")
	}
	return false
}

// readNginx reads a file of nginx's configuration.
func readNginx(f *file) error {
	p := nginxParser{text: string(f.text), line: 1}
	list, err := p.block(0)
	w := nginxWalk{f: f}
	w.tls = listensTLS(list)
	w.walk(list, nil, false)
	return err
}

// listensTLS reports whether a server of the file speaks TLS.
func listensTLS(list []directive) bool {
	for i := range list {
		if list[i].name == "listen" && slices.Contains(list[i].args, "ssl") || list[i].name == "ssl" && list[i].arg(0) == "on" || listensTLS(list[i].blocks) {
			return true
		}
	}
	return false
}

type nginxWalk struct {
	f   *file
	tls bool
}

// walk looks at directives; around are the blocks they stand in, restricted
// whether one of these does not let everybody in.
func (w *nginxWalk) walk(list []directive, around []*directive, restricted bool) {
	within := func(name string) *directive {
		for i := len(around) - 1; i >= 0; i-- {
			if around[i].name == name {
				return around[i]
			}
		}
		return nil
	}
	// What a location allows itself bounds only itself.
	here := restricted || slices.ContainsFunc(list, func(d directive) bool {
		return d.name == "limit_except" || d.name == "internal" || d.name == "auth_jwt"
	})
	restricted = restricted || slices.ContainsFunc(list, func(d directive) bool {
		return d.name == "deny" || d.name == "auth_basic" && d.arg(0) != "off" || d.name == "auth_request"
	})
	here = here || restricted
	for i := range list {
		d := &list[i]
		text := strings.TrimSpace(d.name + " " + strings.Join(d.args, " "))
		switch d.name {
		case "autoindex":
			if d.arg(0) == "on" {
				w.f.report("TW-NGX-001", d.line, text)
			}
		case "ssl_protocols":
			has := func(names ...string) bool {
				return slices.ContainsFunc(d.args, func(a string) bool { return slices.Contains(names, a) })
			}
			if has("SSLv2", "SSLv3") {
				w.f.report("TW-NGX-002", d.line, text)
			} else if has("TLSv1", "TLSv1.1") && (within("server") != nil || w.tls) {
				w.f.report("TW-NGX-003", d.line, text)
			}
		case "ssl_ciphers":
			if weak := weakCiphers(strings.Join(d.args, ":")); weak != nil {
				w.f.report("TW-NGX-004", d.line, "ssl_ciphers with "+strings.Join(weak, ", "))
			}
		case "user":
			if d.arg(0) == "root" && len(around) == 0 {
				w.f.report("TW-NGX-005", d.line, text)
			}
		case "alias":
			if l := within("location"); l != nil && len(l.args) > 0 {
				at := l.args[len(l.args)-1]
				prefix := len(l.args) == 1 || l.args[0] == "^~"
				if prefix && at != "" && at[0] == '/' && !strings.HasSuffix(at, "/") && strings.HasSuffix(d.arg(0), "/") {
					w.f.report("TW-NGX-006", d.line, "location "+at+" with "+text)
				}
			}
			if systemDirectory(d.arg(0)) {
				w.f.report("TW-NGX-007", d.line, text)
			}
		case "root":
			if systemDirectory(d.arg(0)) {
				w.f.report("TW-NGX-007", d.line, text)
			}
		case "stub_status":
			if d.arg(0) != "off" && !here {
				w.f.report("TW-NGX-008", d.line, text)
			}
		case "proxy_pass", "fastcgi_pass", "uwsgi_pass":
			_, rest, _ := strings.Cut(d.arg(0), "://")
			host, _, _ := strings.Cut(rest, "/")
			if strings.Contains(host, "$arg_") || strings.Contains(host, "$http_") || strings.Contains(host, "$cookie_") || strings.HasPrefix(d.arg(0), "$arg_") || strings.HasPrefix(d.arg(0), "$http_") {
				w.f.report("TW-NGX-009", d.line, text)
			}
		case "dav_methods":
			if d.arg(0) != "off" && !here {
				w.f.report("TW-NGX-010", d.line, text)
			}
		}
		if len(d.blocks) > 0 {
			w.walk(d.blocks, append(around[:len(around):len(around)], d), restricted)
		}
	}
}

// readApache reads a file of Apache's configuration.
func readApache(f *file) error {
	list, err := parseApache(string(f.text))
	apacheWalk(f, list, nil)
	return err
}

// open reports whether the directives of a section let everybody in.
func open(list []directive) bool {
	granted, bounded := false, false
	for i := range list {
		d := &list[i]
		args := strings.ToLower(strings.Join(d.args, " "))
		switch d.name {
		case "require":
			if args == "all granted" {
				granted = true
			} else {
				bounded = true
			}
		case "allow":
			granted = granted || args == "from all"
		case "<requireall", "<requireany", "<requirenone", "<limit", "<limitexcept":
			bounded = true
		}
	}
	return granted && !bounded
}

func bounded(list []directive) bool {
	return slices.ContainsFunc(list, func(d directive) bool {
		args := strings.ToLower(strings.Join(d.args, " "))
		return d.name == "require" && args != "all granted" || d.name == "deny" || strings.HasPrefix(d.name, "<require") || strings.HasPrefix(d.name, "<limit") ||
			strings.HasPrefix(d.name, "<if") && bounded(d.blocks)
	})
}

func apacheWalk(f *file, list []directive, around []*directive) {
	// Asked about the whole list, once.
	listBounded := sync.OnceValue(func() bool { return bounded(list) })
	proxyBounded := sync.OnceValue(func() bool { // the file's own <Proxy> section may say who may use it
		return slices.ContainsFunc(list, func(s directive) bool { return strings.HasPrefix(s.name, "<proxy") && bounded(s.blocks) })
	})
	listOpen := sync.OnceValue(func() bool { return open(list) })
	for i := range list {
		d := &list[i]
		args := strings.ToLower(strings.Join(d.args, " "))
		text := d.name + " " + strings.Join(d.args, " ")
		switch d.name {
		case "<directory":
			if d.arg(0) == "/" && open(d.blocks) {
				f.report("TW-APA-001", d.line, "Directory / with Require all granted")
			}
		case "traceenable":
			if args == "on" || args == "extended" {
				f.report("TW-APA-002", d.line, text)
			}
		case "sslprotocol":
			if words := strings.Fields(args); slices.ContainsFunc(words, func(w string) bool { w = strings.TrimPrefix(w, "+"); return w == "sslv2" || w == "sslv3" }) {
				f.report("TW-APA-003", d.line, text)
			}
		case "sslciphersuite":
			if weak := weakCiphers(strings.Join(d.args, ":")); weak != nil {
				f.report("TW-APA-004", d.line, "SSLCipherSuite with "+strings.Join(weak, ", "))
			}
		case "user":
			if args == "root" || args == "#0" {
				f.report("TW-APA-005", d.line, text)
			}
		case "sethandler":
			if args != "server-status" && args != "server-info" && args != "ldap-status" && args != "balancer-manager" {
				break
			}
			if len(around) > 0 && listOpen() {
				f.report("TW-APA-006", d.line, text)
			}
		case "proxyrequests":
			if args == "on" && !proxyBounded() {
				f.report("TW-APA-007", d.line, text)
			}
		case "dav":
			if args != "off" && !listBounded() {
				f.report("TW-APA-008", d.line, text)
			}
		case "servertokens":
			if args == "full" {
				f.report("TW-APA-009", d.line, text)
			}
		}
		if len(d.blocks) > 0 {
			apacheWalk(f, d.blocks, append(around[:len(around):len(around)], d))
		}
	}
}
