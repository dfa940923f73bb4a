// Package feed brings in what publishers say. A [Source] reads one publisher's
// format, from the network or from files in the same format; the leaves below
// this package hold them, one per publisher. What they share is here: the
// [Client] that downloads, [Members] of archives and folders, streaming readers
// of JSON and XML, and CVSS. Comparing with what is known, and storing, is left
// to package store.
package feed

import (
	"context"
	"iter"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// Item is one record of a feed: exactly one of its fields is set.
type Item struct {
	Advisory   *advisory.Advisory
	Exploited  *advisory.Exploited
	EPSS       *advisory.EPSS
	Cycle      *advisory.Cycle
	Statement  *advisory.Statement
	Repository *advisory.Repository
}

// Source is one feed of one publisher. Implementations hold their
// configuration only; one value may serve several fetches, not at once.
type Source interface {
	// Info describes the source; it does not change.
	Info() Info
	// Fetch gets what the publisher has, as far as state shows that it is
	// new. The sequence yields records; an error for one record is a
	// *[BadRecord] and the sequence goes on; any other error ends it, and the
	// update changes nothing. The new state is complete when the sequence has
	// ended.
	Fetch(ctx context.Context, in Input, state State) (*Update, error)
}

// Info describes a source to its owner.
type Info struct {
	Name      string        // unique and stable: "osv-npm", "debian", "nvd"
	Publisher string        // for people
	Describes string        // one line: what it knows
	URL       string        // default upstream address; "" where there is only --from
	Streams   []string      // key streams it speaks of, "debian:*" for all releases of one
	Licence   string        // of the data
	Off       string        // why it is off until the owner turns it on: its terms of use; "" when on by default
	Fresh     time.Duration // older data than this is stale
	// Partial names streams of which it knows some packages only. Its records
	// count, but they do not make such a stream one that there is data for.
	Partial []string
	// Replaces names a source whose claims a record of this one stands for: of
	// one with the same identifier nothing is heard as far as this one's record
	// has claims, whatever they are about.
	Replaces string
	Priority int // whose word is shown first where several speak of one package; higher wins
}

// Input is where a fetch reads from.
type Input struct {
	From   string // a local file or folder in the upstream's own format; "" for the network
	URL    string // instead of Info.URL
	Client *Client
}

// State is what a source remembers between fetches. It is kept with the data
// it belongs to, in one transaction.
type State struct {
	ETag         string            `json:"etag,omitempty"`
	LastModified string            `json:"lastModified,omitempty"`
	Revision     string            `json:"revision,omitempty"` // the publisher's own version of the data
	Fetched      time.Time         `json:"fetched,omitzero"`
	Published    time.Time         `json:"published,omitzero"` // when the publisher made it, where that shows
	Parts        map[string]string `json:"parts,omitempty"`    // per file or page: ETag or digest
}

// Update is what a fetch brings.
type Update struct {
	// Items yields the records. It can be ranged over once.
	Items iter.Seq2[Item, error]
	// Whole: Items is everything the publisher has; a record that is known
	// and not among them was taken back. Otherwise Items are changes, and
	// Removed names what was taken back.
	Whole     bool
	Unchanged bool     // the publisher has nothing new; Items is nil
	Removed   []string // ids; complete after Items ended
	// State is what to remember; complete after Items ended.
	State State
}

// BadRecord is an error of one record. The record is kept aside and listed;
// the feed goes on.
type BadRecord struct {
	Record string // which one: id, or file and line
	Err    error
}

func (e *BadRecord) Error() string { return e.Record + ": " + e.Err.Error() }
func (e *BadRecord) Unwrap() error { return e.Err }
