package feed

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// testClient does not wait between tries, but notes for how long it would have.
func testClient() (*Client, *[]time.Duration) {
	var waits []time.Duration
	return &Client{Stall: 5 * time.Second, Sleep: func(ctx context.Context, d time.Duration) error {
		waits = append(waits, d)
		return ctx.Err()
	}}, &waits
}

// serve starts a server and keeps what was asked.
func serve(t *testing.T, h func(n int, w http.ResponseWriter, r *http.Request)) (url string, asked func() []http.Header) {
	t.Helper()
	var mu sync.Mutex
	var seen []http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Header.Clone())
		n := len(seen)
		mu.Unlock()
		h(n, w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []http.Header { mu.Lock(); defer mu.Unlock(); return slices.Clone(seen) }
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func wantContent(t *testing.T, d *Download, err error, want []byte) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := io.ReadAll(d)
	if err != nil || !bytes.Equal(got, want) || d.Size() != int64(len(want)) {
		t.Fatalf("read %d bytes, %v; want %d, and Size %d", len(got), err, len(want), d.Size())
	}
}

func TestGetConditional(t *testing.T) {
	url, asked := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2023 15:04:05 GMT")
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, "{}")
	})
	c, _ := testClient()
	c.UserAgent = "tidewaiter/9"
	d, err := c.Get(t.Context(), url, Conditional{})
	if err != nil {
		t.Fatal(err)
	}
	if d.ETag != `"v1"` || d.LastModified != "Mon, 02 Jan 2023 15:04:05 GMT" || d.NotModified {
		t.Errorf("got %+v", d)
	}
	wantContent(t, d, nil, []byte("{}"))
	d, err = c.Get(t.Context(), url, Conditional{ETag: d.ETag, LastModified: d.LastModified})
	if err != nil || !d.NotModified || d.Size() != 0 || d.ETag != `"v1"` {
		t.Errorf("Get again = %+v, %v, want NotModified", d, err)
	}
	if h := asked()[1]; h.Get("If-Modified-Since") != "Mon, 02 Jan 2023 15:04:05 GMT" || h.Get("User-Agent") != "tidewaiter/9" {
		t.Errorf("asked with %v", h)
	}
}

func TestGetResumes(t *testing.T) {
	body := noise(5 << 20)
	for _, tt := range []struct {
		name   string
		tag    string
		change bool // the file changes in between
		ranges string
		want   []string // Range headers
	}{
		{"strong ETag", `"a"`, false, "bytes", []string{"", "bytes=2000000-", "bytes=4000000-"}},
		{"date", "", false, "bytes", []string{"", "bytes=2000000-", "bytes=4000000-"}},
		{"weak ETag", `W/"a"`, false, "bytes", []string{"", "", ""}},
		{"no ranges", `"a"`, false, "none", []string{"", "", ""}},
		{"changed", `"a"`, true, "bytes", []string{"", "bytes=2000000-", "bytes=2000000-"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url, asked := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
				tag, b := tt.tag, body
				if tt.change && n > 1 {
					tag, b = `"b"`, bytes.Repeat([]byte("x"), len(body))
				}
				w.Header().Set("Accept-Ranges", tt.ranges)
				if tag != "" {
					w.Header().Set("ETag", tag)
				}
				w.Header().Set("Last-Modified", "Mon, 02 Jan 2023 15:04:05 GMT")
				from := 0
				if s := r.Header.Get("Range"); s != "" && (r.Header.Get("If-Range") == tag || tag == "" && r.Header.Get("If-Range") != "") {
					fmt.Sscanf(s, "bytes=%d-", &from)
				}
				w.Header().Set("Content-Length", strconv.Itoa(len(b)-from))
				if from > 0 {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b)-1, len(b)))
					w.WriteHeader(http.StatusPartialContent)
				}
				if n < 3 {
					w.Write(b[from : from+2_000_000])
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				}
				w.Write(b[from:])
			})
			c, _ := testClient()
			d, err := c.Get(t.Context(), url, Conditional{Digest: map[bool]string{false: fmt.Sprintf("sha256:%x", sha256.Sum256(body))}[tt.change]})
			want := body
			if tt.change {
				want = bytes.Repeat([]byte("x"), len(body))
			}
			wantContent(t, d, err, want)
			var got []string
			for _, h := range asked() {
				got = append(got, h.Get("Range"))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("asked for %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGetRetries(t *testing.T) {
	url, _ := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 1:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		default:
			io.WriteString(w, "data")
		}
	})
	c, waits := testClient()
	d, err := c.Get(t.Context(), url, Conditional{})
	wantContent(t, d, err, []byte("data"))
	if w := *waits; len(w) != 2 || w[0] != 7*time.Second || w[1] < 2*time.Second || w[1] > 3*time.Second {
		t.Errorf("waited %v, want 7s and about 2s", *waits)
	}
}

func TestGetGivesUp(t *testing.T) {
	tests := []struct {
		name   string
		serve  func(w http.ResponseWriter)
		tries  int
		reason string
	}{
		{"always 503", func(w http.ResponseWriter) { w.WriteHeader(503) }, 5, "tried 5 times"},
		{"404", func(w http.ResponseWriter) { http.Error(w, "no such feed", 404) }, 1, "answered 404 Not Found: no such feed"},
		{"long wait", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "86400"); w.WriteHeader(429) }, 1, "asks to wait 24h0m0s, which is more than 5m0s"},
		{"cut short", func(w http.ResponseWriter) { w.Header().Set("Content-Length", "100"); io.WriteString(w, "x") }, 5, "unexpected EOF"},
		{"304 unasked", func(w http.ResponseWriter) { w.WriteHeader(304) }, 1, "although nothing was known"},
		{"too large, announced", func(w http.ResponseWriter) { w.Header().Set("Content-Length", "2000") }, 1, "exceeds the limit of 1000 bytes of one download"},
		{"too large, chunked", func(w http.ResponseWriter) { w.(http.Flusher).Flush(); w.Write(make([]byte, 2000)) }, 1, "exceeds the limit of 1000 bytes of one download"},
		{"redirects", func(w http.ResponseWriter) { w.Header().Set("Location", "/again"); w.WriteHeader(302) }, 11, "exceeds the limit of 10 redirects"},
		{"other scheme", func(w http.ResponseWriter) { w.Header().Set("Location", "file:///etc/passwd"); w.WriteHeader(302) }, 1, "is not https"},
		{"web page", func(w http.ResponseWriter) {
			io.WriteString(w, "\ufeff \n<!DOCTYPE html>\n<HTML><title>Sign in &amp; go</title>")
		}, 1, `is a web page, not data: "Sign in & go"`},
		{"wrong part", func(w http.ResponseWriter) { w.Header().Set("Content-Range", "bytes 5-9/10"); w.WriteHeader(206) }, 5, "wrong part"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url, asked := serve(t, func(n int, w http.ResponseWriter, r *http.Request) { tt.serve(w) })
			c, _ := testClient()
			c.MaxBytes = 1000
			_, err := c.Get(t.Context(), url, Conditional{})
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("Get = %v, want %q", err, tt.reason)
			}
			if n := len(asked()); n != tt.tries {
				t.Errorf("asked %d times, want %d", n, tt.tries)
			}
		})
	}
}

func TestGetStalls(t *testing.T) {
	release := make(chan bool)
	url, _ := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"a"`)
		if r.Header.Get("Range") == "bytes=3-" {
			w.Header().Set("Content-Range", "bytes 3-5/6")
			w.WriteHeader(206)
			io.WriteString(w, "def")
			return
		}
		w.Header().Set("Content-Length", "6")
		io.WriteString(w, "abc")
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	c, _ := testClient()
	c.Stall = 50 * time.Millisecond
	d, err := c.Get(t.Context(), url, Conditional{})
	wantContent(t, d, err, []byte("abcdef"))
}

func TestGetCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url, asked := serve(t, func(n int, w http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	c, _ := testClient()
	if _, err := c.Get(ctx, url, Conditional{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v, want cancelled", err)
	}
	if len(asked()) != 1 {
		t.Errorf("asked %d times", len(asked()))
	}
}

func TestGetEncoding(t *testing.T) {
	plain := bytes.Repeat([]byte("vulnerability "), 10000)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(plain)
	z.Close()
	url, asked := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip") // some servers do it for files that are compressed
		w.Write(packed.Bytes())
	})
	c, _ := testClient()
	d, err := c.Get(t.Context(), url+"/feed.json", Conditional{Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(plain))})
	wantContent(t, d, err, plain)
	d, err = c.Get(t.Context(), url+"/feed.json.gz", Conditional{})
	wantContent(t, d, err, packed.Bytes())
	if h := asked(); h[0].Get("Accept-Encoding") != "gzip" || h[1].Get("Accept-Encoding") != "identity" {
		t.Errorf("asked for %q and %q", h[0].Get("Accept-Encoding"), h[1].Get("Accept-Encoding"))
	}
}

func TestGetDigest(t *testing.T) {
	url, _ := serve(t, func(n int, w http.ResponseWriter, r *http.Request) { io.WriteString(w, "data") })
	c, _ := testClient()
	_, err := c.Get(t.Context(), url, Conditional{Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("other")))})
	var wrong *DigestError
	if !errors.As(err, &wrong) {
		t.Errorf("Get = %v, want a DigestError", err)
	}
	if _, err := c.Get(t.Context(), url, Conditional{Digest: "sha256:abc"}); err == nil {
		t.Error("a digest of three letters was taken")
	}
}

func TestGetRedirectKeepsSecrets(t *testing.T) {
	other, asked := serve(t, func(n int, w http.ResponseWriter, r *http.Request) { io.WriteString(w, "data") })
	url, _ := serve(t, func(n int, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other+"/x", http.StatusFound) })
	c, _ := testClient()
	d, err := c.Get(t.Context(), url, Conditional{Header: http.Header{"Apikey": {"secret"}}})
	wantContent(t, d, err, []byte("data"))
	if asked()[0].Get("apiKey") != "" {
		t.Error("the key went to another host")
	}
}

func TestGetNeverLeavesHTTPS(t *testing.T) {
	plain, asked := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {})
	s := httptest.NewTLSServer(http.RedirectHandler(plain, http.StatusFound))
	defer s.Close()
	c, _ := testClient()
	c.HTTP = s.Client()
	if _, err := c.Get(t.Context(), s.URL, Conditional{}); err == nil || !strings.Contains(err.Error(), "not https") || len(asked()) != 0 {
		t.Errorf("Get = %v", err)
	}
	c2, _ := testClient()
	if _, err := c2.Get(t.Context(), s.URL, Conditional{}); err == nil || strings.Contains(err.Error(), "tried") {
		t.Errorf("Get with an unknown certificate = %v, want an error at once", err)
	}
	for _, bad := range []string{"", "feed.json", "ftp://host/x", "file:///etc/passwd", "https://", "https://user:secret@:80:90/"} {
		_, err := c.Get(t.Context(), bad, Conditional{})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Get(%q) = %v", bad, err)
		}
	}
}

func ExampleClient_Get() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, `[{"id":"A-1"}]`) }))
	defer s.Close()
	var c Client
	d, err := c.Get(context.Background(), s.URL, Conditional{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	r := NewJSONReader(d, MaxRecord)
	for _, err := range r.Array() {
		var v struct{ ID string }
		if err == nil {
			err = r.Decode(&v)
		}
		fmt.Println(v.ID, err)
	}
	// Output: A-1 <nil>
}
