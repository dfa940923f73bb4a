package secret

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// FactKind is the Kind of the facts of this package. The Data of such a fact
// is a [Secret].
const FactKind = "secret"

// Secret is what is known of a secret that was found: never its value, and of
// its text no more than [Redact] leaves, where that is asked for.
type Secret struct {
	Rule     string `json:"rule"`               // ID of the rule
	Title    string `json:"title"`              // what it is, for people
	Category string `json:"category"`           // one of the Category constants
	Service  string `json:"service,omitempty"`  // whose it is, where the rule knows
	Name     string `json:"name,omitempty"`     // of the variable, key or label that holds it, where there is one
	Where    string `json:"where,omitempty"`    // "" in a file; else one of the Where constants
	Line     int    `json:"line,omitempty"`     // from 1; 0 where the whole file is meant
	Column   int    `json:"column,omitempty"`   // of its first byte, from 1, in bytes
	Inside   string `json:"inside,omitempty"`   // encoding that the place holds it in: base64
	Length   int    `json:"length,omitempty"`   // of the value, bytes
	Weak     bool   `json:"weak,omitempty"`     // a hash that is quickly guessed, or a well-known password
	Hashed   bool   `json:"hashed,omitempty"`   // the value is a hash of the secret
	Example  bool   `json:"example,omitempty"`  // Context is documentation or test
	Preview  string `json:"preview,omitempty"`  // [Redact] of the value, where Analyzer.Preview asks for it
	Context  string `json:"context,omitempty"`  // one of the Context constants
	Verified bool   `json:"verified,omitempty"` // the value was decoded, or its check digits agree

	// Encrypted says that a passphrase protects a private key or key store.
	Encrypted bool `json:"encrypted,omitempty"`
	// Confidence says how sure it is that this is a secret of somebody, 0 to 1.
	// It is lower in documentation and tests.
	Confidence float64 `json:"confidence"`
	// Fingerprint is the first 16 bytes of HMAC-SHA-256 over the value, in
	// hexadecimal: equal where the value is, and of no use to who lacks the key
	// and cannot guess the value. A private key is fingerprinted without the
	// blanks of its armour, so that its copies agree.
	Fingerprint string `json:"fingerprint"`
}

// The categories of rules.
const (
	CategoryToken      = "token"       // issued by a service
	CategoryPrivateKey = "private-key" // of any format
	CategoryKeyStore   = "key-store"   // a file of keys or passwords in a format of its own
	CategoryPassword   = "password"    // in a file or field made for it
	CategoryURL        = "url-password"
	CategoryConnection = "connection-string"
	CategoryJWT        = "jwt"
	CategoryGeneric    = "generic" // looks like a secret, by name and entropy
)

// Where a secret of the image configuration stands.
const (
	WhereEnv      = "env"
	WhereLabel    = "label"
	WhereHistory  = "history"
	WhereArgument = "argument" // a build argument, in the history
	WhereCommand  = "command"  // command, entry point, health check or ONBUILD
)

// The contexts of a file that lower the confidence of what is found in it.
const (
	ContextTest          = "test"
	ContextDocumentation = "documentation"
	ContextExample       = "example" // a template or sample by its name
	ContextLibrary       = "library" // in the tree of an installed package
)

// Found is a secret and where its value stands in the text that was scanned.
type Found struct {
	Secret
	Start, End int // bytes; both 0 where the whole file is meant
}

// Redact shows so little of a secret that somebody who has it knows which one
// is meant, and nobody else can use it: its first characters, at most four and
// at most an eighth of it, and its length. Of a key in PEM it shows the armour.
func Redact(value []byte) string {
	if line, _, ok := bytes.Cut(value, []byte("\n")); ok && bytes.HasPrefix(line, []byte("-----BEGIN ")) && len(line) < 100 {
		value = bytes.TrimRight(line, "\r")
		if utf8.Valid(value) {
			return string(value) + "…"
		}
	}
	shown := 0
	for shown < len(value) && shown < min(4, len(value)/8) && value[shown] > ' ' && value[shown] < 0x7f {
		shown++
	}
	return fmt.Sprintf("%s… (%d bytes)", value[:shown], len(value))
}
