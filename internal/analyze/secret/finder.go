package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// finder returns a search that a pattern cannot express, or nil. It is given
// the place and length of a keyword.
func finder(name string) func(sc *scanner, r *rule, at, n int) {
	switch name {
	case "pem":
		return findPEM
	case "putty":
		return findPuTTY
	case "url":
		return findURL
	case "generic":
		return findGeneric
	}
	return nil
}

// check returns a further test of a value that a pattern matched, or nil.
// Its verdict has confidence 0 when the value is none; sure is the rule's
// confidence.
func check(name string) func(value []byte, sure float64) verdict {
	switch name {
	case "jwt":
		return checkJWT
	case "basic":
		return checkBasic
	case "base64-key":
		return checkBase64Key
	case "password":
		return checkPassword
	case "hash":
		return checkHash
	}
	return nil
}

// checkJWT decodes a token (RFC 7519): its header must name an algorithm and
// its claims must be JSON. The claims that every introduction uses are none.
func checkJWT(value []byte, sure float64) verdict {
	parts := strings.Split(string(value), ".")
	if len(parts) < 3 {
		return verdict{}
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return verdict{}
	}
	var h struct {
		Alg string `json:"alg"`
	}
	if json.Unmarshal(header, &h) != nil || h.Alg == "" || strings.EqualFold(h.Alg, "none") {
		return verdict{}
	}
	if len(parts) == 3 {
		claims, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || !json.Valid(claims) {
			return verdict{}
		}
		if bytes.Contains(claims, []byte("John Doe")) || bytes.Contains(claims, []byte(`"1234567890"`)) || bytes.Contains(claims, []byte(`"foo":"bar"`)) || bytes.Contains(claims, []byte("example.com")) {
			return verdict{}
		}
	}
	return verdict{confidence: sure, verified: true}
}

// checkBasic decodes base64 of "user:password" (RFC 7617).
func checkBasic(value []byte, sure float64) verdict {
	text, err := base64.StdEncoding.DecodeString(string(value))
	if err != nil {
		if text, err = base64.RawStdEncoding.DecodeString(string(value)); err != nil {
			return verdict{}
		}
	}
	user, pass, ok := bytes.Cut(text, []byte{':'})
	if !ok || len(user) == 0 || len(pass) < 3 || reference(pass) || placeholder(pass) || isWord(pass) {
		return verdict{}
	}
	return verdict{confidence: sure, verified: true, inside: "base64"}
}

// checkBase64Key decodes base64 of a private key in PEM.
func checkBase64Key(value []byte, sure float64) verdict {
	text, err := base64.StdEncoding.DecodeString(string(value))
	if err != nil || len(text) > maxKey {
		return verdict{}
	}
	i := bytes.Index(text, []byte("-----BEGIN "))
	if i < 0 {
		return verdict{}
	}
	label, rest, ok := bytes.Cut(text[i+11:], []byte("-----"))
	if !ok || !bytes.Contains(label, []byte("PRIVATE KEY")) {
		return verdict{}
	}
	a := readArmour(rest)
	if len(a.body) < minKey {
		return verdict{}
	}
	v := judgeKey(string(label), a, sure)
	v.inside = "base64"
	return v
}

// checkPassword accepts what stands in a place made for a password, unless
// it is a reference or nobody's.
func checkPassword(value []byte, sure float64) verdict {
	if reference(value) && value[0] != '/' && value[0] != '.' || isWord(value) || len(value) < 3 {
		return verdict{}
	}
	v := verdict{confidence: sure}
	lower := strings.ToLower(string(value))
	if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, w) }) || strings.Contains(lower, "pwd") || strings.Contains(lower, "pass") {
		v.weak, v.confidence = true, sure*0.4
	} else if s := shapeOf(value); s.classes() < 2 && len(value) < 12 {
		v.confidence *= 0.7
	}
	return v
}

// checkHash accepts the hash of a password; one that can be guessed quickly
// is surer to be a problem.
func checkHash(value []byte, sure float64) verdict {
	v := verdict{confidence: sure, hashed: true}
	for _, p := range []string{"$2", "$y$", "$argon2", "$5$", "$6$", "$7$"} {
		if bytes.HasPrefix(value, []byte(p)) {
			return v
		}
	}
	v.weak = true
	return v
}

// isWord reports whether a value is one that documentation and defaults use.
func isWord(v []byte) bool {
	switch strings.ToLower(string(v)) {
	case "pass", "password", "passwd", "pwd", "user", "username", "secret", "test", "tests", "none", "null", "nil", "true", "false", "yes", "no", "x", "xx", "xxx", "foo", "bar", "baz",
		"p", "pw", "passw0rd", "p@ssw0rd", "p4ssw0rd", "p455w0rd", "abc123", "key", "token", "anonymous", "prompt", "ask", "string", "disabled", "unset", "empty", "mypassword", "hunter2", "s3cret", "letmein", "welcome":
		return true
	}
	return false
}

// findURL finds a password in the authority of a URL (RFC 3986 section
// 3.2.1); the keyword is "://".
func findURL(sc *scanner, r *rule, at, n int) {
	text := sc.text
	from := at
	for from > 0 && at-from < 24 && (wordByte(text[from-1]) && text[from-1] != '_' || text[from-1] == '+' || text[from-1] == '-' || text[from-1] == '.') {
		from--
	}
	if at-from < 2 {
		return
	}
	start := at + n
	end, colon := -1, -1
scan:
	for i, limit := start, min(len(text), start+320); i < limit; i++ {
		switch c := text[i]; {
		case c == '@':
			end = i
			break scan
		case c == ':':
			if colon < 0 {
				colon = i
			}
		case c <= ' ', c == '/', c == '"', c == '\'', c == '`', c == '<', c == '>', c == '\\', c == '?', c == '(', c == ')', c == ',', c == ';' && colon < 0, c >= 0x7f:
			break scan
		}
	}
	if end <= start {
		return
	}
	host := text[end+1 : min(len(text), end+1+80)]
	for i, c := range host {
		if !wordByte(c) && c != '.' && c != '-' && c != '[' && !(c == ':' && i > 0 && host[0] == '[') {
			host = host[:i]
			break
		}
	}
	if len(host) == 0 || exampleHost(string(host)) {
		return
	}
	c := candidate{rule: r, verdict: verdict{confidence: r.Confidence}}
	if colon < 0 || colon+1 == end {
		user := text[start:end]
		if colon >= 0 {
			user = text[start:colon]
		}
		if s := shapeOf(user); len(user) < 20 || entropy(user) < 3.2 || s.digit < 2 || s.lower+s.upper < 2 || bytes.Contains(host, []byte("sentry")) || reference(user) || placeholder(user) {
			return
		}
		c.start, c.end, c.confidence = start, start+len(user), r.Confidence*0.7
	} else {
		user, pass := text[start:colon], text[colon+1:end]
		plain := pass
		if p, err := url.PathUnescape(string(pass)); err == nil && p != "" {
			plain = []byte(p)
		}
		if len(plain) < 3 || isWord(plain) || reference(pass) || placeholder(pass) || reference(append([]byte{}, user...)) && len(user) > 0 {
			return
		}
		lower := strings.ToLower(string(plain))
		switch s := shapeOf(plain); {
		case bytes.Equal(user, plain):
			c.weak, c.confidence = true, r.Confidence*0.5
		case slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, w) }):
			c.weak, c.confidence = true, r.Confidence*0.4
		case s.classes() < 2 || len(plain) < 8:
			c.confidence *= 0.6
		}
		c.start, c.end = colon+1, end
	}
	c.value = text[c.start:c.end]
	if c.start < c.end && !sc.set.isPublished(c.value) {
		sc.add(c)
	}
}

// exampleHost reports whether documentation uses a host (RFC 2606, RFC 5737).
func exampleHost(h string) bool {
	h = strings.ToLower(h)
	switch h {
	case "host", "hostname", "server", "domain", "address", "ip", "domain.com", "host.com", "foo.com", "bar.com", "site.com", "test.com", "mydomain.com", "a.com", "b.com", "foo", "bar", "x", "a", "b", "proxy", "proxy.com", "proxyhost", "myproxy", "host.name", "somewhere", "somehost":
		return true
	}
	for _, s := range []string{"example", "example.com", "example.org", "example.net", "test", "invalid"} {
		if h == s || strings.HasSuffix(h, "."+s) && !(s == "example" && strings.Contains(h, "corp")) {
			return true
		}
	}
	return strings.HasPrefix(h, "example") || strings.HasPrefix(h, "192.0.2.") || strings.HasPrefix(h, "your")
}

// findGeneric finds an assignment to a name that says "password", "token" …
// of a value that is one by its looks.
func findGeneric(sc *scanner, r *rule, at, n int) {
	a, ok := sc.assigned(at, n)
	if !ok || len(a.name) > maxName {
		return
	}
	keyword := strings.ToLower(string(sc.text[at : at+n]))
	keyword = strings.Trim(keyword, "=:\"' _-.")
	i := strings.LastIndex(a.name, keyword)
	if i < 0 || !secretName(a.name[:i], a.name[i+len(keyword):]) {
		return
	}
	value := sc.text[a.start:a.end]
	if len(value) < 6 || len(value) > 512 || reference(value) || placeholder(value) || sc.set.isPublished(value) {
		return
	}
	lower := strings.ToLower(string(value))
	if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, w) }) || isWord(value) || strings.Contains(a.name, lower) {
		return
	}
	score := 0.0
	if strings.HasPrefix(keyword, "pass") || keyword == "pwd" {
		score = passwordScore(value, sc.syntax)
	} else {
		score = tokenScore(value)
	}
	if sc.syntax == code {
		score -= 0.1
	}
	if score < 0.3 {
		return
	}
	sc.add(candidate{rule: r, start: a.start, end: a.end, value: value, name: a.name, verdict: verdict{confidence: score}})
}

// secretName judges what stands before and after the keyword of a name:
// "password_file" and "next_token" are no secrets.
func secretName(head, tail string) bool {
	tail = strings.Trim(tail, "_-.0123456789")
	switch tail {
	case "", "value", "val", "base", "base64", "b64", "hex", "raw", "plain", "plaintext", "prod", "production", "dev", "development", "staging", "stage", "live", "main", "primary", "secondary",
		"key", "secret", "token", "key_base", "keybase", "keyvalue", "access_key", "accesskey", "root", "admin", "user", "db", "str":
	default:
		return false
	}
	for _, h := range []string{"csrf", "xsrf", "next", "page", "continu", "cancel", "public", "pub", "cache", "idempot", "hash", "sync", "no", "has", "is_", "old_hash", "without", "invalid", "bad", "missing", "expired", "confirm", "forgot", "reset", "show", "hide"} {
		if strings.HasSuffix(strings.TrimRight(head, "_-."), h) || strings.HasPrefix(head, h) && len(h) > 3 {
			return false
		}
	}
	return true
}

func passwordScore(v []byte, syn syntax) float64 {
	s := shapeOf(v)
	if s.classes() < 2 && (syn != loose || len(v) < 8) {
		return 0
	}
	if s.digit == 0 && s.symbol > 0 && s.classes() == 2 || syn == code && (s.digit == 0 || len(v) < 8) {
		return 0 // words with hyphens or dots
	}
	if s.lower+s.upper == 0 {
		return 0.3 // a number
	}
	score := 0.35
	if s.classes() >= 3 && len(v) >= 8 || s.classes() >= 2 && len(v) >= 12 {
		score += 0.15
	}
	if entropy(v) >= 3 && changes(v)*4 >= len(v) {
		score += 0.1
	}
	return score
}

func tokenScore(v []byte) float64 {
	s := shapeOf(v)
	if len(v) < 16 || s.digit < 2 || s.lower+s.upper < 2 || s.symbol*3 > len(v) {
		return 0
	}
	e := entropy(v)
	hexadecimal := isHex(v)
	if hexadecimal && (len(v) < 20 || e < 3) || !hexadecimal && e < 3.3 || changes(v)*5 < len(v) {
		return 0
	}
	score := 0.45
	if len(v) >= 20 && changes(v)*3 >= len(v) {
		score += 0.1
	}
	return score
}

func isHex(v []byte) bool {
	for _, c := range v {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || c == '-') {
			return false
		}
	}
	return true
}
