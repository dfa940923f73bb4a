package image

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// registry reads one repository (OCI distribution specification).
type registry struct {
	repo   name.Repository
	base   string // https://host/v2/repository
	client *http.Client
	idle   func()
	o      Options
}

func openRegistry(ctx context.Context, ref Ref, o Options) (*Image, error) {
	n, tag, err := parseName(ref.Name)
	if err != nil {
		return nil, err
	}
	r, err := connectRegistry(ctx, n.Context(), o)
	if err != nil {
		return nil, err
	}
	img, err := r.image(ctx, n)
	if err != nil {
		r.Close()
		return nil, err
	}
	img.Registry, img.Repository, img.Tag = publicName(n.Context().RegistryStr()), n.Context().RepositoryStr(), tag
	img.Reference = img.Registry + "/" + img.Repository
	if tag != "" {
		img.Reference += ":" + tag
		img.Tags = []string{img.Reference}
	}
	if d, ok := n.(name.Digest); ok {
		img.Reference += "@" + d.DigestStr()
	}
	return img, nil
}

// publicName is the name by which people call a registry.
func publicName(host string) string {
	if host == name.DefaultRegistry {
		return "docker.io"
	}
	return host
}

// connectRegistry goes through the registry's login.
func connectRegistry(ctx context.Context, repo name.Repository, o Options) (*registry, error) {
	t, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	creds, err := credentials(ctx, repo, o)
	if err != nil {
		t.CloseIdleConnections()
		return nil, fmt.Errorf("finding credentials for %s: %w", repo.RegistryStr(), err)
	}
	// The context serves the login only; it bounds answers that never end.
	ctx, cancel := context.WithTimeout(ctx, o.Timeouts.Manifest)
	defer cancel()
	scopes := []string{repo.Scope(transport.PullScope)}
	rt, err := transport.NewWithContext(ctx, repo.Registry, creds, &retrier{next: t, o: o}, scopes)
	if err != nil {
		if o.PlainHTTP && strings.Contains(err.Error(), "HTTP response to HTTPS client") {
			err = cmp.Or(plainError(ctx, repo.RegistryStr(), t, o), err)
		}
		t.CloseIdleConnections()
		return nil, fmt.Errorf("connecting to registry %s: %w", repo.RegistryStr(), loginError(err))
	}
	return &registry{
		repo: repo,
		// The transport below replaces the scheme by the one that the registry speaks.
		base:   "https://" + repo.RegistryStr() + "/v2/" + repo.RepositoryStr(),
		client: &http.Client{Transport: rt, CheckRedirect: checkRedirect},
		idle:   t.CloseIdleConnections,
		o:      o,
	}, nil
}

// plainError is what is wrong with a registry that speaks plain HTTP: of the
// two attempts to reach one, the login tells that over https first.
func plainError(ctx context.Context, host string, t http.RoundTripper, o Options) error {
	o.Retries = 0
	client := &http.Client{Transport: &retrier{next: t, o: o}, CheckRedirect: checkRedirect}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/v2/", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return transport.CheckError(resp, http.StatusOK, http.StatusUnauthorized)
}

// loginError translates the errors of the login into ours.
func loginError(err error) error {
	var e *transport.Error
	if errors.As(err, &e) && e.Request != nil {
		kind := error(nil)
		switch e.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			kind = ErrDenied
		case http.StatusNotFound:
			kind = ErrNotFound
		}
		var msgs []string
		for _, d := range e.Errors {
			msgs = append(msgs, shorten(d.Message))
		}
		err = fmt.Errorf("%s %s answered %d %s %s", e.Request.Method, place(e.Request.URL), e.StatusCode,
			http.StatusText(e.StatusCode), strings.Join(msgs, "; "))
		if kind != nil {
			err = fmt.Errorf("%w: %w", kind, err)
		}
		return err
	}
	var u *url.Error
	if errors.As(err, &u) { // of several attempts the first, which was over https
		if errors.Is(err, errPlainHTTP) && strings.Contains(u.Err.Error(), "HTTP response to HTTPS client") {
			return fmt.Errorf("it speaks plain HTTP only: %w", errPlainHTTP)
		}
		return u.Err
	}
	return err
}

// registryErrors gives the messages of an error body of the specification.
func registryErrors(body []byte) string {
	var e struct {
		Errors []struct{ Code, Message string } `json:"errors"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	var msgs []string
	for _, m := range e.Errors {
		msgs = append(msgs, strings.Trim(m.Code+": "+m.Message, ": "))
	}
	return strings.Join(msgs, "; ")
}

func (r *registry) image(ctx context.Context, ref name.Reference) (*Image, error) {
	res, err := newResolver(r, r.o)
	if err != nil {
		return nil, err
	}
	raw, promised, err := r.get(ctx, ref.Identifier())
	if err != nil {
		return nil, err
	}
	if d, ok := ref.(name.Digest); ok {
		promised = d.DigestStr()
	}
	if promised == "" {
		promised = digestOf(raw, "")
	}
	if err := verify("manifest of "+ref.Context().RepositoryStr(), raw, promised, 0); err != nil {
		return nil, err
	}
	return res.image(ctx, raw, promised)
}

func (r *registry) manifest(ctx context.Context, d descriptor) ([]byte, error) {
	raw, _, err := r.get(ctx, d.Digest)
	return raw, err
}

// get reads a manifest by tag or digest, and what the registry says its digest is.
func (r *registry) get(ctx context.Context, id string) (raw []byte, digest string, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeouts.Manifest)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/manifests/"+id, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Accept", strings.Join([]string{typeOCIIndex, typeOCIManifest, typeDockerList, typeDockerManifest}, ", "))
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, "", loginError(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "", statusError(resp)
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "manifest.v1+") && strings.Contains(resp.Header.Get("Content-Type"), "docker") {
		return nil, "", errSchema1
	}
	raw, err = readAll(resp.Body, r.o.Limits.ManifestBytes, "manifest "+id, "ManifestBytes")
	if err != nil {
		return nil, "", err
	}
	digest = resp.Header.Get("Docker-Content-Digest")
	if checkDigest(digest) != nil {
		digest = "" // older proxies write other things there
	}
	return raw, digest, nil
}

func (r *registry) blob(ctx context.Context, d descriptor) (io.ReadCloser, error) {
	b, err := openDownload(ctx, &download{
		client: r.client, url: r.base + "/blobs/" + d.Digest, what: "blob", size: d.Size, o: r.o,
	})
	if err != nil {
		return nil, loginError(err)
	}
	return b, nil
}

func (r *registry) Close() error {
	r.idle()
	return nil
}

// foreignBlobs fetches layers from elsewhere: over https, without credentials,
// and never from this machine or a private network, since the address comes
// from the image.
func foreignBlobs(o Options) func(context.Context, descriptor, string) (io.ReadCloser, error) {
	o.ClientCert, o.ClientKey = "", ""
	return func(ctx context.Context, d descriptor, address string) (io.ReadCloser, error) {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, fmt.Errorf("%q: only https addresses are followed", shorten(address))
		}
		t, err := newTransport(o)
		if err != nil {
			return nil, err
		}
		if !o.anyAddress {
			t.DialContext = publicDialer(o)
		}
		t.DisableKeepAlives = true
		client := &http.Client{Transport: &retrier{next: t, o: o, https: true}, CheckRedirect: checkRedirect}
		return openDownload(ctx, &download{client: client, url: address, what: "blob", size: d.Size, o: o})
	}
}

// isPublic tells addresses that anybody may be sent to.
func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}

// refusePrivate is a net.Dialer's Control: it sees the address after the name
// was looked up, so that no name can hide it.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(a.Addr()) {
		return fmt.Errorf("%s: %w", address, errPrivateAddress)
	}
	return nil
}

// publicDialer connects to public addresses only.
func publicDialer(o Options) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: o.Timeouts.Connect, Control: refusePrivate}
	return d.DialContext
}
