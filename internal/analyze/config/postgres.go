package config

import (
	"net/netip"
	"strings"
)

// readHBA reads pg_hba.conf: TYPE DATABASE USER [ADDRESS [MASK]] METHOD.
func readHBA(f *file) error {
	n := 0
	for line := range strings.Lines(string(f.text)) {
		if n++; n > maxSettings {
			return errSettings
		}
		line, _, _ = strings.Cut(line, "#")
		w := strings.Fields(line)
		if len(w) < 4 {
			continue
		}
		method, remote, where := w[3], false, ""
		switch strings.ToLower(w[0]) {
		case "local":
		case "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc":
			if len(w) < 5 {
				continue
			}
			where, method = w[3], w[4]
			if _, err := netip.ParseAddr(w[4]); err == nil && len(w) > 5 {
				method = w[5] // a mask stood between
			}
			remote = !loopback(where)
		default:
			continue
		}
		switch row := strings.TrimSpace(w[0] + " " + w[1] + " " + w[2] + " " + where); strings.ToLower(method) {
		case "trust":
			if remote {
				f.report("TW-PGS-001", n, row)
			} else {
				f.report("TW-PGS-002", n, row)
			}
		case "password":
			if w[0] != "hostssl" && remote {
				f.report("TW-PGS-003", n, row)
			}
		case "ident":
			if remote {
				f.report("TW-PGS-004", n, row)
			}
		case "md5":
			if remote {
				f.report("TW-PGS-005", n, row)
			}
		}
	}
	return nil
}

func loopback(where string) bool {
	if where == "localhost" || where == "samehost" {
		return true
	}
	addr, _, _ := strings.Cut(where, "/")
	a, err := netip.ParseAddr(addr)
	return err == nil && a.IsLoopback()
}
