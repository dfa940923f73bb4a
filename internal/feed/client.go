package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Limits of a Client whose fields are zero.
const (
	defaultMaxBytes = 4 << 30
	defaultTries    = 5
	defaultStall    = time.Minute
	defaultMaxWait  = 5 * time.Minute
	maxRedirects    = 10
)

// Client downloads. The zero value works; a Client is safe for use by several
// goroutines and must not be copied after its first download.
//
// A download that breaks off goes on where it stopped if the server can do
// that, else from the start. What is worth another try (a broken connection,
// 408, 429, 5xx) is tried again after a growing pause, or after the one that
// the server asks for with Retry-After. An address of https is never left for
// plain http.
type Client struct {
	// HTTP does the requests; nil: the proxies that the environment names
	// (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) and the system's certificates. Its
	// Timeout should be zero: a large feed takes its time; see Stall.
	HTTP *http.Client

	UserAgent string        // "": "tidewaiter"
	MaxBytes  int64         // most bytes of one download, unpacked; 0: 4 GiB
	Tries     int           // in a row without progress; 0: 5
	Stall     time.Duration // longest time without a byte; 0: a minute
	MaxWait   time.Duration // longest pause that a server may ask for; 0: 5 minutes
	Dir       string        // of temporary files, which have no name; "": the system's

	// Sleep waits between tries; nil: real time.
	Sleep func(ctx context.Context, d time.Duration) error

	once sync.Once
	own  *http.Client
}

// Conditional says what is there already and what the answer must be. The zero
// value asks for everything and demands nothing.
type Conditional struct {
	// ETag and LastModified are those of the copy that is there. If it is
	// still the newest, [Download.NotModified] is set.
	ETag, LastModified string
	// Digest is what the content must have: "sha256:HEX", also sha512, sha1
	// and md5. A mismatch is a [*DigestError].
	Digest string
	// Header is added to the request, but not to requests to other hosts that
	// the answer redirects to.
	Header http.Header
	// MaxBytes bounds this download instead of Client.MaxBytes.
	MaxBytes int64
	// HTML: a web page is what is wanted. Otherwise it is an [*HTMLError].
	HTML bool
}

// A StatusError is an answer other than the data.
type StatusError struct {
	URL    string
	Code   int
	Detail string // the first line of the answer, if it is text
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s answered %d %s", e.URL, e.Code, http.StatusText(e.Code))
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// A LimitError says which limit the input exceeds.
type LimitError struct {
	What  string // what was read
	Limit string // "bytes of one download"
	Most  int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s exceeds the limit of %d %s", e.What, e.Most, e.Limit)
}

var errStalled = errors.New("no data arrived any more")

// Get downloads url whole and returns its content, which the caller closes.
func (c *Client) Get(ctx context.Context, url string, cond Conditional) (*Download, error) {
	if c == nil {
		c = new(Client)
		defer func() { c.client().CloseIdleConnections() }()
	}
	g, err := c.prepare(url, cond)
	if err != nil {
		return nil, err
	}
	d, err := g.run(ctx)
	if err != nil {
		g.spool.Close()
		return nil, err
	}
	return d, nil
}

func (c *Client) client() *http.Client {
	c.once.Do(func() {
		base := c.HTTP
		if base == nil {
			t := http.DefaultTransport.(*http.Transport).Clone()
			t.DisableCompression = true // asked for where it helps, see transfer.request
			base = &http.Client{Transport: t}
		}
		own := *base
		own.CheckRedirect = checkRedirect
		c.own = &own
	})
	return c.own
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) > maxRedirects:
		return &LimitError{redacted(first.URL), "redirects", maxRedirects}
	case req.URL.Scheme != "https" && first.URL.Scheme == "https", req.URL.Scheme != "https" && req.URL.Scheme != "http":
		return &redirectError{redacted(req.URL)}
	}
	if req.URL.Host != first.URL.Host {
		for name := range first.Header {
			switch name {
			case "User-Agent", "Accept", "Accept-Encoding", "If-None-Match", "If-Modified-Since", "Range", "If-Range":
			default:
				req.Header.Del(name)
			}
		}
	}
	return nil
}

type redirectError struct{ to string }

func (e *redirectError) Error() string {
	return fmt.Sprintf("it redirects to %s, which is not https", e.to)
}

// bare takes the address out of an error, whose text repeats it, password and
// all.
func bare(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}
