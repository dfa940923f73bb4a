package image

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// newTransport makes connections as the options say.
func newTransport(o Options) (*http.Transport, error) {
	dialer := &net.Dialer{Timeout: o.Timeouts.Connect, KeepAlive: 30 * time.Second}
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   o.Timeouts.Connect,
		ResponseHeaderTimeout: o.Timeouts.Answer,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       90 * time.Second,
		// Blobs are digested as they are sent; nobody may unpack them on the way.
		DisableCompression:     true,
		MaxResponseHeaderBytes: 256 << 10,
		ReadBufferSize:         64 << 10,
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.SkipTLSVerify} //nolint:gosec // only when asked
	if len(o.CAFiles) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		for _, name := range o.CAFiles {
			pem, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("reading certificate authority: %w", err)
			}
			if !pool.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("reading certificate authority %s: no PEM certificate in it", name)
			}
		}
		c.RootCAs = pool
	}
	if o.ClientCert != "" || o.ClientKey != "" {
		pair, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("reading client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	t.TLSClientConfig = c
	return t, nil
}

// retrier sends requests without a body again when the other side is busy or
// the connection breaks, and keeps to https unless told otherwise.
type retrier struct {
	next  http.RoundTripper
	o     Options
	https bool // refuse anything else, even with PlainHTTP
}

func (t *retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && (!t.o.PlainHTTP || t.https) {
		return nil, fmt.Errorf("%s: %w", req.URL.Host, errPlainHTTP)
	}
	if req.Header.Get("User-Agent") != t.o.UserAgent {
		req = req.Clone(req.Context())
		req.Header.Set("User-Agent", t.o.UserAgent)
	}
	retries := t.o.Retries
	if req.Body != nil && req.GetBody == nil {
		retries = 0
	}
	for n := 0; ; n++ {
		if n > 0 && req.GetBody != nil {
			body, err := req.GetBody()
			if err != nil {
				return nil, err
			}
			req.Body = body
		}
		resp, err := t.once(req)
		if n >= retries || req.Context().Err() != nil || !again(resp, err) {
			if err != nil {
				return nil, err
			}
			return t.check(resp)
		}
		wait := t.o.backoff(n)
		if resp != nil {
			asked := retryAfter(resp.Header.Get("Retry-After"), time.Now())
			if asked > t.o.Timeouts.RetryAfter {
				return resp, nil // the status is the answer: waiting so long is not for us to decide
			}
			wait = max(wait, asked)
			io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
			resp.Body.Close()
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// once sends the request; whoever reads the answer gives up when it stalls.
func (t *retrier) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = &stallReader{r: resp.Body, ctx: ctx, cancel: cancel, after: t.o.Timeouts.Stall}
	return resp, nil
}

// check keeps web pages of proxies and portals from being taken for answers.
func (t *retrier) check(resp *http.Response) (*http.Response, error) {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode/100 != 2 || kind != "text/html" && kind != "application/xhtml+xml" {
		return resp, nil
	}
	body := bufio.NewReaderSize(resp.Body, 1024)
	head, err := body.Peek(1024)
	if err != nil && err != io.EOF {
		resp.Body.Close()
		return nil, err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(head), []byte("<")) {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{body, resp.Body}
		return resp, nil
	}
	resp.Body.Close()
	return nil, fmt.Errorf("%w (%s %s%s): is it a registry, and is no login page or proxy in the way?",
		ErrHTML, resp.Status, resp.Request.URL.Host, resp.Request.URL.Path)
}

// again tells failures that may pass from those that stay.
func again(resp *http.Response, err error) bool {
	if err == nil {
		switch resp.StatusCode {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
			http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, 522:
			return true
		}
		return false
	}
	var (
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		dns    *net.DNSError
	)
	switch {
	case errors.As(err, &verify), errors.As(err, &record), errors.As(err, &alert),
		errors.As(err, &dns) && dns.IsNotFound,
		errors.Is(err, errPrivateAddress), errors.Is(err, context.Canceled):
		return false
	}
	return true
}

// backoff is 0.25 s, 0.5 s, 1 s … up to 8 s, and up to a quarter more or less
// so that many clients do not come back together.
func (o Options) backoff(n int) time.Duration {
	d := o.firstWait << min(n, 5)
	return d*3/4 + rand.N(d/2)
}

// retryAfter reads the header: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// checkRedirect bounds redirects and keeps a registry from sending us to this
// machine or to a cloud's metadata service. Private addresses are allowed,
// since registries inside a company keep their blobs there.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return fmt.Errorf("redirected %d times, last to %s: a redirect loop", len(via), req.URL.Host)
	}
	from, to := via[0].URL, req.URL
	if to.Hostname() == from.Hostname() {
		return nil
	}
	if a, err := netip.ParseAddr(to.Hostname()); err == nil && (a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsUnspecified()) ||
		to.Hostname() == "localhost" {
		return fmt.Errorf("redirect from %s to %s: %w", from.Host, to.Host, errPrivateAddress)
	}
	return nil
}

var errPlainHTTP = errors.New("plain HTTP is used only when asked (--plain-http)")

var errPrivateAddress = errors.New("this machine and private networks are not allowed here")

// statusError turns an answer other than the expected one into an error.
func statusError(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	kind := error(nil)
	switch resp.StatusCode {
	case http.StatusNotFound:
		kind = ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = ErrDenied
	}
	err := fmt.Errorf("%s %s answered %s%s", resp.Request.Method, place(resp.Request.URL), resp.Status, reason(body))
	if kind != nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	if d := resp.Header.Get("Retry-After"); d != "" && resp.StatusCode == http.StatusTooManyRequests {
		return fmt.Errorf("%w (it asks to wait: Retry-After %s)", err, shorten(d))
	}
	return err
}

// place is an address without what may be secret in it.
func place(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// reason is what the registry says in the body of an error, in brief.
func reason(body []byte) string {
	text := strings.TrimSpace(string(body))
	switch {
	case text == "":
		return ""
	case strings.HasPrefix(text, "<"):
		return " with a web page"
	}
	if msgs := registryErrors(body); msgs != "" {
		text = msgs
	}
	return ": " + strings.Join(strings.Fields(shorten(text)), " ")
}
