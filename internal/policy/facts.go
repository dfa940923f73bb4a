package policy

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Kinds of facts that gates know. The Data of an inventory.Fact of a kind is
// the JSON of the struct of the same name.
const (
	FactSecretMatch   = "secret-match"     // ContentMatch: the configured search for secrets of the 1_0 interface
	FactContentMatch  = "content-match"    // ContentMatch: the configured search in contents
	FactSecret        = "secret"           // Secret
	FactRetrievedFile = "retrieved-file"   // RetrievedFile
	FactAccount       = "account"          // Account
	FactAccountFile   = "account-file"     // AccountFile
	FactMalware       = "malware"          // Malware
	FactMalwareScan   = "malware-scan"     // MalwareScan; Path is ""
	FactPackageFile   = "package-file"     // PackageFile: a difference from the package database
	FactMisconfigured = "misconfiguration" // Misconfiguration
	FactSTIG          = "stig"             // STIG; Path is ""
)

// ContentMatch says that a configured expression matched lines of a file.
type ContentMatch struct {
	Name       string `json:"name,omitempty"` // of the expression
	Expression string `json:"expression"`
	Lines      []int  `json:"lines,omitempty"` // from 0, as the 1_0 interface counts
}

// Label is the match's name as messages have it: NAME=expression.
func (m *ContentMatch) Label() string {
	if m.Name == "" {
		return m.Expression
	}
	return m.Name + "=" + m.Expression
}

// Secret is a secret that was found; never its value.
type Secret struct {
	Rule        string  `json:"rule"`            // id of the rule that found it
	Title       string  `json:"title,omitempty"` // what it is, for people
	Category    string  `json:"category,omitempty"`
	Line        int     `json:"line,omitempty"`      // from 1
	Where       string  `json:"where,omitempty"`     // file (also ""), env, label, history, argument, command
	Name        string  `json:"name,omitempty"`      // of the variable, label or argument that holds it
	Confidence  float64 `json:"confidence"`          // 0 to 1
	Validity    string  `json:"validity,omitempty"`  // "", valid, invalid, expired
	Example     bool    `json:"example,omitempty"`   // documentation or a test fixture
	Encrypted   bool    `json:"encrypted,omitempty"` // a passphrase protects it
	Fingerprint string  `json:"fingerprint,omitempty"`
}

// RetrievedFile is the content of a file that the configuration asked for.
type RetrievedFile struct {
	Content   []byte `json:"content"`
	Truncated bool   `json:"truncated,omitempty"`
}

// Account is a line of a passwd file. Secrets are not kept: Password says
// what kind it is.
type Account struct {
	Name     string `json:"name"`
	Password string `json:"password,omitempty"` // "x", "*", "!", "empty", "hash"
	UID      string `json:"uid"`                // as written
	GID      string `json:"gid"`
	Gecos    string `json:"gecos,omitempty"`
	Home     string `json:"home,omitempty"`
	Shell    string `json:"shell,omitempty"`
}

// AccountFile is what is wrong with passwd, shadow, group or gshadow.
type AccountFile struct {
	Database string           `json:"database"`
	Backup   bool             `json:"backup,omitempty"` // a copy
	Findings []AccountFinding `json:"findings,omitempty"`
}

// AccountFinding is one thing wrong with an account database.
type AccountFinding struct {
	Kind  string `json:"kind"`           // empty-password, weak-hash, uid-0, world-readable …
	Name  string `json:"name,omitempty"` // of the account or group
	Line  int    `json:"line,omitempty"` // from 1
	Other string `json:"other,omitempty"`
}

// Malware is what a scanner found in a file.
type Malware struct {
	Scanner   string `json:"scanner"` // clamav
	Signature string `json:"signature"`
}

// MalwareScan says that a scanner looked at the image, or could not.
type MalwareScan struct {
	Scanner   string `json:"scanner"`
	Version   string `json:"version,omitempty"`
	Completed bool   `json:"completed"`
	Message   string `json:"message,omitempty"` // why it did not complete
}

// PackageFile is a file that is not as its package's database says.
type PackageFile struct {
	Package string `json:"package"`
	Type    string `json:"type,omitempty"`
	Status  string `json:"status"` // changed or missing
	Config  bool   `json:"config,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// Misconfiguration is a setting that somebody should look at.
type Misconfiguration struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Severity string `json:"severity"` // low, medium, high, critical
	Message  string `json:"message,omitempty"`
	Remedy   string `json:"remedy,omitempty"`
	Line     int    `json:"line,omitempty"` // from 1
	// From and Until bound when it counts, where that depends on the day:
	// from the first instant on, before the second. Zero is no bound.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// STIG is the outcome of a STIG evaluation.
type STIG struct {
	Profile string `json:"profile"`
	Passed  bool   `json:"passed"`
}

// Located is a fact with the place it was found at.
type Located[T any] struct {
	Path   string // absolute
	Layer  int
	Hidden bool
	Fact   T
}

type factsOf[T any] struct {
	list []Located[T]
	err  error
}

// Facts returns the facts of a kind, decoded, in the order of the inventory.
// Hidden ones, of files that a layer above replaced or removed, are among them.
func Facts[T any](s *Subject, kind string) ([]Located[T], error) {
	f := Memo(s, "facts "+kind, func() factsOf[T] {
		var out factsOf[T]
		for i := range s.Image.Facts {
			f := &s.Image.Facts[i]
			if f.Kind != kind {
				continue
			}
			l := Located[T]{Path: Absolute(f.Path), Layer: f.Layer, Hidden: f.Hidden}
			if err := json.Unmarshal(f.Data, &l.Fact); err != nil {
				out.err = fmt.Errorf("reading the %s fact of %s: %w", kind, l.Path, err)
				return out
			}
			out.list = append(out.list, l)
		}
		return out
	})
	return f.list, f.err
}

// NewFact makes a fact of one of the structs above.
func NewFact(kind, path string, v any) (inventory.Fact, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return inventory.Fact{}, fmt.Errorf("writing the %s fact of %s: %w", kind, path, err)
	}
	return inventory.Fact{Kind: kind, Path: path, Data: data}, nil
}

// CheckFact says what is wrong with the data of a fact of a kind that gates
// know: it must be the JSON of that kind's struct. Of other kinds nothing is
// asked.
func CheckFact(kind string, data []byte) error {
	var v any
	switch kind {
	case FactSecretMatch, FactContentMatch:
		v = new(ContentMatch)
	case FactSecret:
		v = new(Secret)
	case FactRetrievedFile:
		v = new(RetrievedFile)
	case FactAccount:
		v = new(Account)
	case FactAccountFile:
		v = new(AccountFile)
	case FactMalware:
		v = new(Malware)
	case FactMalwareScan:
		v = new(MalwareScan)
	case FactPackageFile:
		v = new(PackageFile)
	case FactMisconfigured:
		v = new(Misconfiguration)
	case FactSTIG:
		v = new(STIG)
	default:
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("its data is not that of the kind %s: %w", kind, err)
	}
	return nil
}

// Absolute writes a path of the file table with its leading slash; "" stays.
func Absolute(path string) string {
	if path == "" || path[0] == '/' {
		return path
	}
	return "/" + path
}
