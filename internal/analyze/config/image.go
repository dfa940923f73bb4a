package config

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// ImageAnalyzer checks the image configuration, the file table, and what files
// of several layers say together. Facts of the configuration have no Path.
type ImageAnalyzer struct{}

var _ analyze.ImageAnalyzer = ImageAnalyzer{}

// Name implements [analyze.ImageAnalyzer].
func (ImageAnalyzer) Name() string { return "config-image" }

// Version implements [analyze.ImageAnalyzer].
func (ImageAnalyzer) Version() int { return 1 }

// imageCheck collects what fails in one image.
type imageCheck struct {
	img    *inventory.Image
	counts map[string]int
}

func (c *imageCheck) report(id, path string, layer, line int, message string) {
	if c.counts[id]++; c.counts[id] > maxFindings {
		if c.counts[id] == maxFindings+1 {
			c.img.Problems = append(c.img.Problems, inventory.Problem{Analyzer: "config-image", Layer: -1, Limit: "findings of one check",
				Message: fmt.Sprintf("%s fails more than %d times: the rest is not listed", id, maxFindings)})
		}
		return
	}
	f := newFact(id, path, line, message, time.Time{}, time.Time{})
	f.Layer = layer
	c.img.Facts = append(c.img.Facts, f)
}

// AnalyzeImage implements [analyze.ImageAnalyzer].
func (ImageAnalyzer) AnalyzeImage(ctx context.Context, config *inventory.Config, img *inventory.Image) error {
	c := &imageCheck{img: img, counts: map[string]int{}}
	// A root file system has no configuration to be wrong.
	if config.OS != "" || config.Architecture != "" || len(config.History) > 0 {
		c.configuration(config)
	}
	c.history(config.History)
	if err := c.files(ctx); err != nil {
		return err
	}
	return c.joined()
}

// joined judges what needs several files.
func (c *imageCheck) joined() error {
	sshd := map[string]*sshdFile{}
	authorities := map[string]string{} // subjects by key
	var private []located[tlsKey]
	for i := range c.img.Facts {
		f := &c.img.Facts[i]
		if f.Hidden {
			continue
		}
		switch f.Kind {
		case sshdKind:
			file := &sshdFile{fact: f}
			if err := json.Unmarshal(f.Data, &file.settings); err != nil {
				return fmt.Errorf("reading the fact of %s: %w", f.Path, err)
			}
			sshd[f.Path] = file
		case tlsKind:
			var k tlsKey
			if err := json.Unmarshal(f.Data, &k); err != nil {
				return fmt.Errorf("reading the fact of %s: %w", f.Path, err)
			}
			if k.Private {
				private = append(private, located[tlsKey]{f.Path, f.Layer, k})
			} else {
				authorities[k.Key] = k.Subject
			}
		}
	}
	// Reporting appends to the facts that the pointers point into: copies stay.
	for _, s := range sshd {
		fact := *s.fact
		s.fact = &fact
	}
	judgeSSHD(sshd, func(f *inventory.Fact, id string, line int, message string) {
		c.report(id, f.Path, f.Layer, line, message)
	})
	for _, k := range private {
		if subject, ok := authorities[k.is.Key]; ok {
			c.report("TW-TLS-008", k.path, k.layer, k.is.Line, subject)
		}
	}
	return nil
}

type located[T any] struct {
	path  string
	layer int
	is    T
}

func (c *imageCheck) configuration(config *inventory.Config) {
	tell := func(id, message string) { c.report(id, "", -1, 0, message) }
	user, _, _ := strings.Cut(config.User, ":")
	switch {
	case user == "":
		tell("TW-IMG-001", "no user is named")
	case user == "root" || strings.Trim(user, "0") == "":
		tell("TW-IMG-001", "user "+config.User)
	}
	for _, p := range config.ExposedPorts {
		switch number, _, _ := strings.Cut(p, "/"); number {
		case "22":
			tell("TW-IMG-002", "port "+p)
		case "20", "21", "23", "69", "512", "513", "514":
			tell("TW-IMG-003", "port "+p)
		case "2375":
			tell("TW-IMG-004", "port "+p)
		}
	}
	if h := config.Healthcheck; h == nil || len(h.Test) == 0 {
		tell("TW-IMG-005", "")
	} else if h.Test[0] == "NONE" {
		tell("TW-IMG-005", "it is turned off")
	}
	for _, e := range config.Env {
		name, value, _ := strings.Cut(e, "=")
		c.variable(name, value)
	}
	for _, v := range config.Volumes {
		clean := path.Clean("/" + v)
		switch {
		case strings.HasSuffix(clean, "docker.sock"), strings.HasSuffix(clean, "containerd.sock"), systemDirectory(clean) && clean != "/home" && clean != "/var/log" && clean != "/var/lib" && clean != "/run":
			tell("TW-IMG-013", v)
		}
	}
	command := slices.Concat(config.Entrypoint, config.Cmd)
	for _, w := range command {
		for _, word := range strings.Fields(w) {
			if path.Base(word) == "sshd" {
				tell("TW-IMG-018", word)
				break
			}
		}
	}
	c.java(strings.Join(command, " "), "the command")
	if len(config.OnBuild) > 0 {
		tell("TW-IMG-020", config.OnBuild[0])
	}
}

// java looks at options of the virtual machine.
func (c *imageCheck) java(options, where string) {
	for w := range strings.FieldsSeq(options) {
		w = strings.Trim(w, `"'`)
		switch {
		case w == "-Dcom.sun.management.jmxremote.authenticate=false",
			(strings.HasPrefix(w, "-agentlib:jdwp") || strings.HasPrefix(w, "-Xrunjdwp")) && (strings.Contains(w, "address=*:") || strings.Contains(w, "address=0.0.0.0:")):
			c.report("TW-IMG-019", "", -1, 0, where+": "+w)
		}
	}
}

// variable looks at one variable of the environment. Its value is quoted only
// where it is no secret.
func (c *imageCheck) variable(name, value string) {
	tell := func(id, message string) { c.report(id, "", -1, 0, message) }
	if secretName(name) && secretValue(value) {
		tell("TW-IMG-007", name)
	}
	v := strings.ToLower(value)
	upper := strings.ToUpper(name)
	switch upper {
	case "PATH", "LD_LIBRARY_PATH", "LD_PRELOAD":
		separators := ":"
		if upper == "LD_PRELOAD" {
			separators = ": "
		}
		for _, dir := range strings.Split(strings.Trim(value, "\n"), separators[:1]) {
			switch {
			case dir == "" && upper == "PATH", dir == ".", dir != "" && dir[0] != '/' && dir[0] != '$' && upper != "LD_PRELOAD",
				dir == "/tmp", strings.HasPrefix(dir, "/tmp/"), dir == "/var/tmp", strings.HasPrefix(dir, "/var/tmp/"), strings.HasPrefix(dir, "/dev/shm"):
				tell("TW-IMG-014", fmt.Sprintf("%s has %q", name, dir))
			}
		}
	case "NODE_TLS_REJECT_UNAUTHORIZED", "PYTHONHTTPSVERIFY":
		if v == "0" {
			tell("TW-IMG-015", name+"="+value)
		}
	case "GIT_SSL_NO_VERIFY", "CURL_INSECURE", "NPM_CONFIG_STRICT_SSL":
		if isOn(v) == (upper != "NPM_CONFIG_STRICT_SSL") && v != "" {
			tell("TW-IMG-015", name+"="+value)
		}
	case "PIP_TRUSTED_HOST":
		if v != "" {
			tell("TW-IMG-015", name)
		}
	case "FLASK_DEBUG", "DJANGO_DEBUG", "APP_DEBUG", "DEBUG_MODE", "WP_DEBUG", "SYMFONY_DEBUG":
		if isOn(v) {
			tell("TW-IMG-016", name+"="+value)
		}
	case "FLASK_ENV", "RAILS_ENV", "RACK_ENV", "APP_ENV", "NODE_ENV", "ASPNETCORE_ENVIRONMENT":
		if v == "development" || v == "dev" || v == "debug" {
			tell("TW-IMG-016", name+"="+value)
		}
	case "MYSQL_ALLOW_EMPTY_PASSWORD", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "MARIADB_ALLOW_EMPTY_PASSWORD", "ALLOW_EMPTY_PASSWORD", "ALLOW_ANONYMOUS_LOGIN", "ALLOW_PLAINTEXT_LISTENER":
		if v != "" && v != "no" && v != "false" && v != "0" {
			tell("TW-IMG-017", name+"="+value)
		}
	case "POSTGRES_HOST_AUTH_METHOD":
		if v == "trust" {
			tell("TW-IMG-017", name+"="+value)
		}
	}
	if strings.Contains(value, "jdwp") || strings.Contains(value, "jmxremote") {
		c.java(value, name)
	}
}

// secretName reports whether a variable's name says that it holds a secret.
func secretName(name string) bool {
	words := strings.FieldsFunc(strings.ToUpper(name), func(r rune) bool { return r == '_' || r == '-' || r == '.' })
	if len(words) == 0 {
		return false
	}
	switch words[len(words)-1] {
	case "FILE", "PATH", "DIR", "URL", "URI", "NAME", "HEADER", "TTL", "LENGTH", "ALGORITHM", "TYPE", "EXPIRY", "EXPIRATION", "TIMEOUT", "ENABLED", "REQUIRED", "METHOD", "VERSION", "PORT", "HOST", "USER":
		return false
	}
	for i, w := range words {
		switch w {
		case "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "SECRETS", "TOKEN", "APIKEY", "CREDENTIAL", "CREDENTIALS", "PWD":
			return w != "PWD" || i > 0
		case "KEY":
			if i > 0 {
				switch words[i-1] {
				case "API", "PRIVATE", "ACCESS", "SECRET", "ENCRYPTION", "SIGNING", "AUTH", "MASTER":
					return true
				}
			}
		}
	}
	return strings.HasSuffix(words[len(words)-1], "PASSWORD") || strings.HasSuffix(words[len(words)-1], "APIKEY")
}

// secretValue reports whether a value may be a secret: it is no place, no
// switch, no number and nothing that is still to be filled in.
func secretValue(v string) bool {
	v = strings.Trim(v, `"' `)
	lower := strings.ToLower(v)
	switch {
	case len(v) < 4, v[0] == '/', v[0] == '$', v[0] == '<', strings.Contains(v, "${"), strings.Contains(v, "://") && !strings.Contains(v, "@"), strings.HasPrefix(lower, "file:"):
		return false
	case lower == "true", lower == "false", lower == "none", lower == "null", strings.Trim(v, "*x.") == "", strings.Trim(v, "0123456789") == "" && len(v) < 6:
		return false
	}
	return true
}
