package account

// Kinds of the facts of this package.
const (
	// AccountKind is the Kind of an account: one fact per line of a passwd
	// file that is in use. Its Data is an [Account].
	AccountKind = "account"
	// FileKind is the Kind of a whole database: one fact per file, copies
	// included. Its Data is a [File].
	FileKind = "account-file"
)

// Account is a line of passwd(5).
type Account struct {
	Name     string `json:"name"`
	Password string `json:"password,omitempty"` // "x", "*", "!", "empty" or "hash"
	UID      string `json:"uid"`                // as written
	GID      string `json:"gid"`
	Gecos    string `json:"gecos,omitempty"`
	Home     string `json:"home,omitempty"`
	Shell    string `json:"shell,omitempty"`
	Line     int    `json:"line,omitempty"` // from 1
}

// File is what an account database says.
type File struct {
	Database      string    `json:"database"`                // passwd, shadow, group or gshadow
	Backup        bool      `json:"backup,omitempty"`        // a copy, by its path
	WorldReadable bool      `json:"worldReadable,omitempty"` // a shadow file that everybody may read
	Entries       []Entry   `json:"entries"`
	Findings      []Finding `json:"findings,omitempty"`

	findings map[Finding]bool
}

// Entry is a line of passwd(5), shadow(5), group(5) or gshadow(5).
type Entry struct {
	Name string `json:"name"`
	Line int    `json:"line"`          // from 1
	UID  *int64 `json:"uid,omitempty"` // of passwd; nil where it is no number
	GID  *int64 `json:"gid,omitempty"` // of passwd and group

	Gecos   string   `json:"gecos,omitempty"`
	Home    string   `json:"home,omitempty"`
	Shell   string   `json:"shell,omitempty"`
	Members []string `json:"members,omitempty"` // of group and gshadow
	Admins  []string `json:"admins,omitempty"`  // of gshadow

	Password  State  `json:"password"`
	Algorithm string `json:"algorithm,omitempty"` // of a hash: DES, BSDi, MD5, bcrypt, SHA-256 …
	Weak      bool   `json:"weak,omitempty"`      // a hash that is guessed quickly: DES, BSDi, MD5, NT, SHA-1
	Changed   int    `json:"changed,omitempty"`   // of shadow: day of the last change, from 1970-01-01
	MaxDays   int    `json:"maxDays,omitempty"`   // of shadow: the password must be changed after so many days
	Expires   int    `json:"expires,omitempty"`   // of shadow: day on which the account expires, from 1970-01-01

	uid, gid, raw string // as written; raw is the first byte of a password that is no hash
}

// State is what a password field means.
type State string

// The states of a password.
const (
	Shadowed State = "shadowed" // "x": it is in the shadow file
	Locked   State = "locked"   // "!" or "*" alone: nobody logs in with a password
	Disabled State = "disabled" // "!" before a hash that is still there
	Empty    State = "empty"    // none is needed
	Hashed   State = "hash"
	Unknown  State = "unknown" // anything else: no password can have it
)

// Finding is something in a database that somebody should look at.
type Finding struct {
	Kind  string `json:"kind"`
	Name  string `json:"name,omitempty"` // of the account
	Line  int    `json:"line,omitempty"`
	Other string `json:"other,omitempty"` // the earlier account of a twin, or the algorithm of a hash
}

// The kinds of findings.
const (
	FindingEmptyPassword = "empty-password" // nothing is asked for
	FindingWeakHash      = "weak-hash"      // Other is the algorithm
	FindingHashInPasswd  = "hash-in-passwd" // a hash where everybody can read it
	FindingRootTwin      = "uid-0"          // an account of UID 0 that is not root
	FindingDuplicateUID  = "duplicate-uid"  // two accounts of one UID; Other is the first
	FindingDuplicateGID  = "duplicate-gid"  // two groups of one GID
	FindingDuplicateName = "duplicate-name" // a name twice
	FindingWorldReadable = "world-readable" // a shadow file that everybody may read
	FindingBadID         = "bad-id"         // UID or GID is no number of 32 bits
	FindingBadLine       = "bad-line"       // a line with too few fields
	FindingCompat        = "compat-entry"   // a line that begins with "+" or "-": accounts come from NIS
	FindingRootGroup     = "gid-0-group"    // a group of GID 0 that is not root
	FindingGroupPassword = "group-password" // a group has a password
)

func (f *File) note(n Finding) {
	if f.findings == nil {
		f.findings = map[Finding]bool{}
	}
	if !f.findings[n] {
		f.findings[n] = true
		f.Findings = append(f.Findings, n)
	}
}

// word is the password in the words of Account.
func (e *Entry) word() string {
	switch e.Password {
	case Empty:
		return "empty"
	case Hashed, Disabled:
		return "hash"
	}
	return e.raw
}
