// Package config checks the settings of an image and of what runs in it: the
// image configuration, its files and their permissions, servers, sudo, package
// managers, keys and certificates. The checks are data, in rules: each has a
// stable id, a severity, an explanation, a remedy and references to the
// guidance it follows. What fails becomes a fact of kind "misconfiguration".
//
// [Analyzer] reads the files of one layer. What several files say together,
// and the image itself, is [ImageAnalyzer]'s. Neither looks at the clock: what
// depends on it carries the instants between which it counts.
//
// Settings are reported as they are written: what a program does where nothing
// is written is not, nor are the defaults of the distributions' packages.
package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// The kinds of facts of this package. The Data of the first is a [Finding];
// the others are what [ImageAnalyzer] joins.
const (
	Kind     = "misconfiguration"
	sshdKind = "sshd-settings" // an array of sshdSetting
	tlsKind  = "tls-key"       // a tlsKey
)

// Finding is a check that failed.
type Finding struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Severity string `json:"severity"`
	Message  string `json:"message,omitempty"`
	Remedy   string `json:"remedy,omitempty"`
	Line     int    `json:"line,omitempty"` // from 1
	// From and Until bound when it counts, where that depends on the day.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// newFact makes a fact of a failed check.
func newFact(id, path string, line int, message string, from, until time.Time) inventory.Fact {
	r := catalogue().byID[id]
	// What JSON cannot hold is before or after every day.
	for _, t := range [...]*time.Time{&from, &until} {
		if y := t.Year(); y < 1 || y > 9999 {
			*t = time.Time{}
		}
	}
	f := Finding{ID: id, Title: r.Title, Severity: r.Severity, Message: analyze.Clip(message, 300), Remedy: r.Remedy, Line: line, From: from, Until: until}
	data, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings, numbers and years in range
	}
	return inventory.Fact{Kind: Kind, Path: path, Data: data}
}

// Analyzer checks configuration files.
type Analyzer struct{}

var _ analyze.Analyzer = Analyzer{}

// Name implements [analyze.Analyzer].
func (Analyzer) Name() string { return "config" }

// Version implements [analyze.Analyzer].
func (Analyzer) Version() int { return 1 }

// Wants implements [analyze.Analyzer].
func (Analyzer) Wants(e analyze.Entry) analyze.Interest {
	if e.Size > 0 && reader(&e) != nil {
		return analyze.Alone
	}
	return analyze.Ignore
}

// file is what a reader gets, and where it reports.
type file struct {
	path   string
	mode   fs.FileMode
	text   []byte
	out    *inventory.Record
	counts map[string]int // findings, by check
}

// report notes a failed check.
func (f *file) report(id string, line int, message string) {
	f.during(id, line, message, time.Time{}, time.Time{})
}

func (f *file) during(id string, line int, message string, from, until time.Time) {
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	if f.counts[id]++; f.counts[id] > maxFindings {
		if f.counts[id] == maxFindings+1 {
			f.out.Problems = append(f.out.Problems, inventory.Problem{Analyzer: f.out.Analyzer, Path: f.path, Limit: "findings of one check",
				Message: fmt.Sprintf("%s fails more than %d times: the rest is not listed", id, maxFindings)})
		}
		return
	}
	f.out.Facts = append(f.out.Facts, newFact(id, f.path, line, message, from, until))
}

// Analyze implements [analyze.Analyzer].
func (Analyzer) Analyze(ctx context.Context, files fs.FS, out *inventory.Record) error {
	for f, err := range analyze.Each(files) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			analyze.Problemf(out, f.Path, "reading: %w", err)
			continue
		}
		read := reader(&f.Entry)
		if read == nil {
			continue
		}
		text, err := f.ReadAll(maxSize)
		if err != nil {
			analyze.Problemf(out, f.Path, "the settings were not checked: %w", err)
			continue
		}
		if err := read(&file{path: f.Path, mode: f.Mode, text: text, out: out}); err != nil {
			p := inventory.Problem{Analyzer: out.Analyzer, Path: f.Path, Message: "the settings were not checked, or not all: " + err.Error()}
			if errors.Is(err, errSettings) || errors.Is(err, errDepth) {
				p.Limit = "settings of one file"
			}
			out.Problems = append(out.Problems, p)
		}
	}
	return nil
}

// reader returns what reads a file, nil for a file of no interest. It is asked
// about every file: it looks at the name before anything else.
func reader(e *analyze.Entry) func(*file) error {
	name := e.Path[strings.LastIndexByte(e.Path, '/')+1:]
	read := byName(name, e)
	if read == nil || e.Kind.ELF() || aside(e.Path) {
		return nil
	}
	return read
}

// aside reports whether a path is documentation, a template, a test, or
// belongs to an installed library: nothing there is in force.
func aside(p string) bool {
	if strings.HasPrefix(p, "usr/share/") && !strings.HasPrefix(p, "usr/share/tomcat") {
		return true
	}
	for _, dir := range [...]string{"/site-packages/", "/dist-packages/", "/gems/", "/vendor/", "/var/lib/dpkg/", "usr/lib/python", "/ruby/", "/go/src/"} {
		if strings.Contains(p, dir) {
			return true
		}
	}
	return analyze.Foreign(p)
}

func byName(name string, e *analyze.Entry) func(*file) error {
	switch name {
	case "sshd_config":
		return readSSHD
	case "sudoers":
		return readSudoers
	case "nginx.conf":
		return readNginx
	case "httpd.conf", "apache2.conf":
		return readApache
	case "php.ini":
		return readPHP
	case "php-fpm.conf":
		return readFPM
	case "redis.conf", "sentinel.conf", "valkey.conf":
		return readRedis
	case "my.cnf", ".my.cnf":
		return readMySQL
	case "pg_hba.conf":
		return readHBA
	case "postgresql.conf", "postgresql.auto.conf":
		return plain("postgresql", style{comment: "#", trailing: "#", separator: "= \t"})
	case "tomcat-users.xml":
		return readTomcatUsers
	case "server.xml", "web.xml":
		if strings.Contains(e.Path, "tomcat") || strings.HasSuffix(e.Path, "/conf/"+name) {
			return readTomcat
		}
	case "context.xml":
		if strings.HasSuffix(e.Path, "manager/META-INF/context.xml") {
			return readTomcatManager
		}
	case "mongod.conf", "mongodb.conf":
		return readMongo
	case "elasticsearch.yml", "opensearch.yml":
		return tree("elasticsearch", readYAML)
	case "rabbitmq.conf":
		return plain("rabbitmq", style{comment: "#", trailing: "#", separator: "="})
	case "daemon.json":
		if strings.Contains(e.Path, "docker/") {
			return tree("daemon", readJSON)
		}
	case "kubelet-config.yaml", "kubelet-config.yml", "kubelet.yaml", "kubeletconfig.yaml":
		return tree("kubelet", readYAML)
	case "config.yaml":
		if strings.HasSuffix(e.Path, "kubelet/config.yaml") {
			return tree("kubelet", readYAML)
		}
	case "vsftpd.conf":
		return plain("vsftpd", style{comment: "#", separator: "="})
	case "supervisord.conf":
		return plain("supervisor", style{comment: "#;", trailing: ";", separator: "=", sections: true})
	case "smb.conf":
		return readSamba
	case "grafana.ini":
		return plain("grafana", style{comment: "#;", separator: "=", sections: true})
	case "exports":
		if strings.HasSuffix(e.Path, "etc/exports") {
			return readExports
		}
	case "jupyter_notebook_config.py", "jupyter_server_config.py":
		return readJupyter
	case "pip.conf":
		return plain("pip", style{comment: "#;", separator: "=:", sections: true})
	case ".npmrc", "npmrc":
		return plain("npm", style{comment: "#;", separator: "="})
	case ".gitconfig", "gitconfig":
		return plain("git", style{comment: "#;", trailing: "#;", separator: "=", sections: true})
	case ".curlrc", "curlrc", ".wgetrc", "wgetrc":
		return readFetch
	case "apt.conf":
		return readAPT
	case "sources.list":
		return readSources
	case "yum.conf", "dnf.conf":
		return plain("yum", style{comment: "#", separator: "=", sections: true})
	case "openssl.cnf":
		if !strings.Contains(e.Path, "easy-rsa") {
			return readOpenSSL
		}
	}
	if e.Kind == inventory.KindPEM {
		return readPEM
	}
	switch extension(name) {
	case ".conf":
		return confFile(e.Path)
	case ".cnf":
		if strings.Contains(e.Path, "mysql/") || strings.Contains(e.Path, "my.cnf.d/") || strings.Contains(e.Path, "mariadb") {
			return readMySQL
		}
	case ".ini":
		if strings.Contains(e.Path, "php") && strings.Contains(e.Path, "conf.d/") {
			return readPHP
		}
	case ".repo":
		if strings.Contains(e.Path, "yum.repos.d/") {
			return plain("yum", style{comment: "#", separator: "=", sections: true})
		}
	case ".list":
		if strings.Contains(e.Path, "sources.list.d/") {
			return readSources
		}
	case ".sources":
		if strings.Contains(e.Path, "sources.list.d/") {
			return readSources822
		}
	case ".pem", ".crt", ".key", ".cer":
		if e.Kind == inventory.KindText || e.Kind == inventory.KindUnknown {
			return readPEM
		}
	}
	if !strings.HasPrefix(e.Path, "etc/") {
		return nil
	}
	switch {
	case strings.HasPrefix(e.Path, "etc/sudoers.d/"):
		if !strings.Contains(name, ".") && !strings.HasSuffix(name, "~") {
			return readSudoers // sudo passes over other names, too
		}
	case strings.HasPrefix(e.Path, "etc/apt/apt.conf.d/"):
		return readAPT
	case strings.HasPrefix(e.Path, "etc/nginx/sites-"):
		return readNginx
	}
	return nil
}

// extension is path.Ext for the short ones of configuration files, and quick
// for all others.
func extension(name string) string {
	for i := len(name) - 1; i >= 0 && i >= len(name)-9; i-- {
		if name[i] == '.' {
			return name[i:]
		}
	}
	return ""
}

// confFile tells *.conf by the folder it lies in.
func confFile(p string) func(*file) error {
	switch {
	case strings.Contains(p, "sshd_config.d/"):
		return readSSHD
	case strings.Contains(p, "nginx/"):
		return readNginx
	case strings.Contains(p, "apache2/"), strings.Contains(p, "httpd/"):
		return readApache
	case strings.Contains(p, "php-fpm.d/"), strings.Contains(p, "fpm/pool.d/"):
		return readFPM
	case strings.Contains(p, "redis/"):
		return readRedis
	case strings.Contains(p, "rabbitmq/conf.d/"):
		return plain("rabbitmq", style{comment: "#", trailing: "#", separator: "="})
	case strings.Contains(p, "postgresql/") && strings.Contains(p, "conf.d/"):
		return plain("postgresql", style{comment: "#", trailing: "#", separator: "= \t"})
	case strings.HasPrefix(p, "etc/supervisor/conf.d/"):
		return plain("supervisor", style{comment: "#;", trailing: ";", separator: "=", sections: true})
	case strings.HasPrefix(p, "etc/mongod") || strings.Contains(p, "mongodb/"):
		return readMongo
	}
	return nil
}

// plain reads lines of settings and asks the rules of a format.
func plain(format string, st style) func(*file) error {
	return func(f *file) error {
		list, err := readSettings(string(f.text), st)
		judge(format, list, f.report)
		return err
	}
}

// tree is plain for nested formats. What was read before an error counts.
func tree(format string, read func([]byte) ([]setting, error)) func(*file) error {
	return func(f *file) error {
		list, err := read(f.text)
		judge(format, list, f.report)
		return err
	}
}
