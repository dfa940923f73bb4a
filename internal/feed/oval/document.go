package oval

import (
	"fmt"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// Limits of one document.
const (
	maxDefinitions = 1_000_000
	maxEntities    = 20_000_000 // tests, objects, states and variables
	maxNodes       = 2_000_000  // criteria and criteria groups of one definition
	maxNesting     = 50         // of criteria
	maxText        = 1 << 30    // bytes of titles and descriptions that are held
)

// text is a string that occurs often, by its place in a table.
type text uint32

// table holds every string once. The empty string is 0.
type table struct {
	index map[string]text
	all   []string
}

func newTable() *table { return &table{map[string]text{"": 0}, []string{""}} }

func (t *table) put(s string) text {
	if i, ok := t.index[s]; ok {
		return i
	}
	i := text(len(t.all))
	t.index[s] = i
	t.all = append(t.all, s)
	return i
}

func (t *table) get(i text) string { return t.all[i] }

// document is one OVAL file as far as it says something of packages. What a
// definition refers to stands behind it in the file, so definitions are held,
// in a small form, until the end.
type document struct {
	*table
	timestamp   time.Time
	definitions []*definition
	tests       map[text]test
	objects     map[text]object
	states      map[text]state
	variables   map[text][]text
}

// definition is an OVAL definition (OVAL language 5.10, definitions schema).
type definition struct {
	id, class, title, description string

	platforms   []string
	references  []reference
	severity    string
	issued      time.Time
	updated     time.Time
	cves        []cve
	cpes        []string
	resolutions []resolution
	patchable   string // Azure Linux
	criteria    *node
	problem     error // why it cannot be evaluated
}

type reference struct{ source, id, url string }

// cve is what Red Hat's extension says of one CVE of an advisory.
type cve struct{ id, public, cwe, cvss2, cvss3, cvss4 string }

// resolution is Red Hat's word on components that have no fix.
type resolution struct {
	state      string
	components []string
}

// node is a group of criteria, or a criterion, which has no kids.
type node struct {
	and, negate bool
	test        text
	comment     text
	kids        []node
}

type testKind uint8

const (
	kindOther   testKind = iota
	kindPackage          // rpminfo, dpkginfo
	kindRelease          // rpmverifyfile: which distribution is installed
	kindUname            // the running kernel, about which an image says nothing
	kindFile             // textfilecontent54: modules, and the boot loader's choice
)

type test struct {
	kind    testKind
	none    bool // check_existence="none_exist"
	nobody  bool // check="none satisfy"
	comment text
	object  text
	states  []text
}

// object names packages; an object may name several by a variable.
type object struct {
	names    []text
	variable text
}

// state is what a package must be like. Operations are as OVAL words them.
type state struct {
	evr, evrOp         text
	version, versionOp text
	release, releaseOp text
	arch, archOp       text
	signature          bool
}

func limit(what, of string, most int64) error {
	return &feed.LimitError{What: what, Limit: of, Most: most}
}

// date reads the forms in which publishers write dates; anything else is the
// zero time.
func date(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02", "20060102"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1 {
			return t.UTC()
		}
	}
	return time.Time{}
}

// shorten makes a text of the input fit for a message.
func shorten(s string) string {
	if len(s) > 120 {
		s = s[:120] + "…"
	}
	return fmt.Sprintf("%q", s)
}
