package secret

import (
	"bytes"
	"math"
	"strings"
)

// entropy is the Shannon entropy of a text, bits per byte.
func entropy(b []byte) float64 {
	var count [256]int
	for _, c := range b {
		count[c]++
	}
	e := 0.0
	n := float64(len(b))
	for _, k := range count {
		if k > 0 {
			p := float64(k) / n
			e -= p * math.Log2(p)
		}
	}
	return e
}

// placeholder reports whether a value stands for another one: the form of a
// variable, a run of one character, a word that documentation uses.
func placeholder(v []byte) bool {
	run := 1
	for i := 1; i < len(v); i++ {
		if v[i] != v[i-1] {
			run = 1
		} else if run++; run >= 5 && v[i] != '=' && v[i] != '-' {
			return true // xxxxx, 00000, *****
		}
	}
	if len(v) > 256 {
		return false
	}
	for _, s := range []string{"${", "{{", "$(", "#{", "<%", "%(", "...", "\u2026", "XXXX", "EXAMPLE"} {
		if bytes.Contains(v, []byte(s)) {
			return true
		}
	}
	lower := strings.ToLower(string(v))
	for _, s := range []string{"abcdefgh", "12345678", "87654321", "deadbeef", "changeme", "change_me", "change-me", "placeholder", "your_", "your-", "example", "xxxx"} {
		if strings.Contains(lower, s) {
			return true
		}
	}
	return false
}

// words are values that nobody means as a secret, and parts of values that
// show that a person wrote them for other people.
var words = []string{"password", "passwd", "secret", "token", "credential", "apikey", "api_key", "your", "dummy", "sample", "redact", "replace", "insert",
	"undefined", "default", "foobar", "lorem", "qwerty", "todo", "fixme", "mypass", "string", "hidden", "masked", "notused", "unused", "required", "optional", "testing", "test123"}

// reference reports whether a value names a place where the secret is, or is
// an expression, and so none itself.
func reference(v []byte) bool {
	if len(v) == 0 {
		return false
	}
	switch v[0] {
	case '$', '<', '[', '{', '(', '/', '~', '&', '*', '%', '@', '!', '|', '>', '#':
		if v[0] == '$' && len(v) > 1 && '0' <= v[1] && v[1] <= '9' {
			return true // a hash, as crypt(3) writes it
		}
		if v[0] != '!' && v[0] != '#' && v[0] != '@' && v[0] != '*' && v[0] != '%' && v[0] != '&' || v[len(v)-1] == v[0] {
			return true
		}
	case '.':
		return true
	}
	if bytes.ContainsAny(v, " \t\\()[]{}<>\x00") || bytes.Contains(v, []byte("://")) || bytes.Contains(v, []byte("::")) {
		return true
	}
	for _, c := range v {
		if c < ' ' || c >= 0x7f {
			return true
		}
	}
	lower := bytes.ToLower(v)
	for _, p := range []string{"arn:", "vault:", "secret:", "op:", "ref+", "enc(", "env:", "file:", "ssm:", "sha256:", "sha1:", "sha512", "md5:", "{ssha", "pbkdf2", "aws:", "azure:", "data:", "ssh-", "ecdsa-", "base64,", "process.env", "os.", "self.", "this.", "config."} {
		if bytes.HasPrefix(lower, []byte(p)) {
			return true
		}
	}
	return false
}

// shape is what a value is made of.
type shape struct {
	lower, upper, digit, symbol int
}

func shapeOf(v []byte) (s shape) {
	for _, c := range v {
		switch {
		case 'a' <= c && c <= 'z':
			s.lower++
		case 'A' <= c && c <= 'Z':
			s.upper++
		case '0' <= c && c <= '9':
			s.digit++
		default:
			s.symbol++
		}
	}
	return s
}

// classes is how many kinds of characters a value has.
func (s shape) classes() int {
	n := 0
	for _, k := range []int{s.lower, s.upper, s.digit, s.symbol} {
		if k > 0 {
			n++
		}
	}
	return n
}

// changes counts where a value goes from one kind of character to another:
// random text does at about every second place, names and words seldom.
func changes(v []byte) int {
	n := 0
	last := byte(0)
	for _, c := range v {
		k := byte(4)
		switch {
		case 'a' <= c && c <= 'z':
			k = 1
		case 'A' <= c && c <= 'Z':
			k = 2
		case '0' <= c && c <= '9':
			k = 3
		}
		if last != 0 && k != last {
			n++
		}
		last = k
	}
	return n
}
