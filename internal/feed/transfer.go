package feed

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inflate"
)

// transfer is one download under way.
type transfer struct {
	c     *Client
	url   *url.URL
	cond  Conditional
	most  int64
	spool *spool
	check hash.Hash // nil: nothing demanded

	packed    bool   // ask for gzip: the file itself is not compressed
	validator string // for If-Range; "" if the download cannot be resumed
	total     int64  // announced; -1 unknown
	answer    Download
}

func (c *Client) prepare(address string, cond Conditional) (*transfer, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("reading the address of a feed: %w", bare(err))
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("%s is no address of a feed: it must begin with https://", redacted(u))
	}
	g := &transfer{c: c, url: u, cond: cond, most: cmp.Or(cond.MaxBytes, c.MaxBytes, defaultMaxBytes), spool: newSpool(c.Dir), total: -1}
	if cond.Digest != "" {
		if g.check, err = hashOf(cond.Digest); err != nil {
			return nil, err
		}
	}
	switch strings.ToLower(path.Ext(u.Path)) {
	case ".gz", ".tgz", ".bz2", ".xz", ".zst", ".zip", ".br", ".db", ".tar":
	default:
		g.packed = true
	}
	return g, nil
}

func (g *transfer) run(ctx context.Context) (*Download, error) {
	reached := int64(0)
	for failures := 0; ; {
		done, err := g.try(ctx)
		if done && err == nil {
			return g.finish()
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("downloading %s: %w", redacted(g.url), context.Cause(ctx))
		}
		again := (*retry)(nil)
		if !errors.As(err, &again) {
			return nil, fmt.Errorf("downloading %s: %w", redacted(g.url), err)
		}
		// A long download may break off often as long as it gets on.
		if g.validator != "" && g.spool.size-reached >= 1<<20 {
			failures, reached = 0, g.spool.size
		}
		if failures++; failures >= cmp.Or(g.c.Tries, defaultTries) {
			return nil, fmt.Errorf("downloading %s, tried %d times: %w", redacted(g.url), failures, again.err)
		}
		pause := again.after
		if most := cmp.Or(g.c.MaxWait, defaultMaxWait); pause > most {
			return nil, fmt.Errorf("downloading %s: the server asks to wait %s, which is more than %s: %w", redacted(g.url), pause, most, again.err)
		}
		if pause <= 0 {
			pause = min(time.Second<<min(failures-1, 6), time.Minute)
			pause += time.Duration(rand.Int64N(int64(pause) / 2))
		}
		if err := g.c.sleep(ctx, pause); err != nil {
			return nil, fmt.Errorf("downloading %s: %w", redacted(g.url), err)
		}
	}
}

func (c *Client) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// retry is an error that another try may mend.
type retry struct {
	err   error
	after time.Duration // the server's wish; 0: none
}

func (e *retry) Error() string { return e.err.Error() }
func (e *retry) Unwrap() error { return e.err }

// try makes one request. done is false when the answer was not complete.
func (g *transfer) try(ctx context.Context) (done bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := cmp.Or(g.c.Stall, defaultStall)
	watch := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer watch.Stop()

	if g.validator == "" && g.spool.size > 0 {
		if err := g.restart(); err != nil {
			return false, err
		}
	}
	req, err := g.request(ctx)
	if err != nil {
		return false, err
	}
	resp, err := g.c.client().Do(req)
	if err != nil {
		return false, classify(ctx, err)
	}
	defer resp.Body.Close()
	if done, err := g.headers(resp, req); done || err != nil {
		return done, err
	}
	body := io.Reader(&watched{resp.Body, watch, stall})
	if enc := resp.Header.Get("Content-Encoding"); g.packed && (enc == "gzip" || enc == "x-gzip") {
		body = inflate.NewReader(body)
	}
	if err := g.receive(body); err != nil {
		if limit := (*LimitError)(nil); errors.As(err, &limit) {
			return false, err
		}
		if local := (*spoolError)(nil); errors.As(err, &local) {
			return false, err
		}
		return false, classify(ctx, err)
	}
	return true, nil
}

// classify says whether an error of a connection is worth another try.
func classify(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		return &retry{err: cause}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var (
		limit       *LimitError
		redirect    *redirectError
		certificate *tls.CertificateVerificationError
	)
	if errors.As(err, &limit) || errors.As(err, &redirect) || errors.As(err, &certificate) {
		return bare(err)
	}
	return &retry{err: bare(err)}
}

func (g *transfer) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, vs := range g.cond.Header {
		req.Header[http.CanonicalHeaderKey(k)] = vs
	}
	req.Header.Set("User-Agent", cmp.Or(g.c.UserAgent, "tidewaiter"))
	req.Header.Set("Accept-Encoding", "identity")
	if g.spool.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", g.spool.size))
		req.Header.Set("If-Range", g.validator)
		return req, nil
	}
	if g.packed {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	if g.cond.ETag != "" {
		req.Header.Set("If-None-Match", g.cond.ETag)
	}
	if g.cond.LastModified != "" {
		req.Header.Set("If-Modified-Since", g.cond.LastModified)
	}
	return req, nil
}

// headers takes what stands before the body. done: there is none.
func (g *transfer) headers(resp *http.Response, req *http.Request) (done bool, err error) {
	h := resp.Header
	switch resp.StatusCode {
	case http.StatusOK:
		if err := g.restart(); err != nil {
			return false, err
		}
		g.answer = Download{URL: redacted(resp.Request.URL), ETag: h.Get("ETag"), LastModified: h.Get("Last-Modified"), ContentType: h.Get("Content-Type")}
		g.total, g.validator = resp.ContentLength, ""
		encoded := g.packed && h.Get("Content-Encoding") != ""
		if encoded {
			g.total = -1
		}
		// A weak ETag says nothing about bytes; a date does with If-Range.
		if tag := g.answer.ETag; !encoded && h.Get("Accept-Ranges") != "none" {
			if tag != "" && !strings.HasPrefix(tag, "W/") {
				g.validator = tag
			} else if tag == "" {
				g.validator = g.answer.LastModified
			}
		}
		if g.total > g.most {
			return false, &LimitError{"it", "bytes of one download", g.most}
		}
		return false, nil
	case http.StatusPartialContent:
		var from, to int64
		if _, err := fmt.Sscanf(h.Get("Content-Range"), "bytes %d-%d/", &from, &to); err != nil || from != g.spool.size || req.Header.Get("Range") == "" {
			g.validator = ""
			return false, &retry{err: fmt.Errorf("it answered with the wrong part, %q", h.Get("Content-Range"))}
		}
		return false, nil
	case http.StatusNotModified:
		if g.cond.ETag == "" && g.cond.LastModified == "" {
			return false, errors.New("it answered 304 Not Modified although nothing was known")
		}
		g.answer = Download{
			URL: redacted(resp.Request.URL), NotModified: true,
			ETag: cmp.Or(h.Get("ETag"), g.cond.ETag), LastModified: cmp.Or(h.Get("Last-Modified"), g.cond.LastModified),
		}
		return true, nil
	case http.StatusRequestedRangeNotSatisfiable:
		g.validator = ""
		return false, &retry{err: &StatusError{URL: redacted(g.url), Code: resp.StatusCode}}
	}
	bad := &StatusError{URL: redacted(g.url), Code: resp.StatusCode, Detail: firstLine(resp)}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, 500, 502, 503, 504, 520, 521, 522, 523, 524:
		return false, &retry{bad, retryAfter(h, time.Now())}
	}
	return false, bad
}

// retryAfter reads RFC 9110, 10.2.3: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<31)) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}

func firstLine(resp *http.Response) string {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") && !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return ""
	}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	s, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return strings.ToValidUTF8(s, "\ufffd")
}

// watched puts the stall timer back at every read that brings something.
type watched struct {
	r     io.Reader
	timer *time.Timer
	stall time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if n > 0 {
		w.timer.Reset(w.stall)
	}
	return n, err
}

func (g *transfer) restart() error {
	if g.check != nil {
		g.check.Reset()
	}
	return g.spool.reset()
}

func (g *transfer) receive(body io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if g.spool.size+int64(n) > g.most {
				return &LimitError{"it", "bytes of one download", g.most}
			}
			if g.check != nil {
				g.check.Write(buf[:n])
			}
			if err := g.spool.append(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (g *transfer) finish() (*Download, error) {
	d := g.answer
	d.blob = g.spool
	d.size = g.spool.size
	if d.NotModified {
		return &d, nil
	}
	if g.total >= 0 && d.size != g.total {
		return nil, fmt.Errorf("downloading %s: %d bytes were announced, %d came", redacted(g.url), g.total, d.size)
	}
	if g.check != nil {
		if err := checkDigest(g.check, g.cond.Digest); err != nil {
			return nil, fmt.Errorf("downloading %s: %w", redacted(g.url), err)
		}
	}
	if !g.cond.HTML {
		if title, is := sniffHTML(&d); is {
			return nil, &HTMLError{redacted(g.url), title}
		}
	}
	return &d, nil
}

// redacted writes an address without its password.
func redacted(u *url.URL) string { return u.Redacted() }
