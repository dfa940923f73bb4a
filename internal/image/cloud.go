package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// cloud finds the credentials that a machine in a cloud has for the cloud's
// own registry. First the cloud's helper program is asked, when it is
// installed; then the environment, then the metadata service, which is only
// called where the machine says that it runs there.
type cloud struct {
	client *http.Client
	env    func(string) string
	file   func(string) ([]byte, error) // reads a file of the machine
	now    func() time.Time
	helper func(ctx context.Context, name, server string) (authn.Authenticator, error)
	// at changes the addresses of services; tests put themselves there.
	at func(address string) string
}

func newCloud(o Options) *cloud {
	dial := &http.Transport{Proxy: func(r *http.Request) (*url.URL, error) {
		if a, err := netip.ParseAddr(r.URL.Hostname()); err == nil && a.IsLinkLocalUnicast() {
			return nil, nil // metadata services are of this machine, not of the proxy's
		}
		return http.ProxyFromEnvironment(r)
	}, TLSHandshakeTimeout: 10 * time.Second, DisableKeepAlives: true}
	return &cloud{
		client: &http.Client{Transport: dial, Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("credentials are not fetched through redirects")
		}},
		env: os.Getenv, file: os.ReadFile, now: time.Now, helper: installedHelper,
		at: func(address string) string { return address },
	}
}

// cloudCredentials gives nil when the registry is of no cloud, or the machine
// has no credentials for it.
func cloudCredentials(ctx context.Context, repo name.Repository, o Options) (authn.Authenticator, error) {
	return newCloud(o).credentials(ctx, repo.RegistryStr())
}

func (c *cloud) credentials(ctx context.Context, host string) (authn.Authenticator, error) {
	var helpers []string
	var own func(context.Context, string) (authn.Authenticator, error)
	switch {
	case host == "gcr.io" || strings.HasSuffix(host, ".gcr.io") || strings.HasSuffix(host, ".pkg.dev"):
		helpers, own = []string{"gcloud", "gcr"}, c.google
	case ecrRegion(host) != "":
		helpers, own = []string{"ecr-login"}, c.amazon
	case azureRegistry(host):
		helpers, own = []string{"acr-env"}, c.azure
	default:
		return nil, nil
	}
	for _, h := range helpers {
		if a, err := c.helper(ctx, h, host); err == nil && a != nil {
			return a, nil
		}
	}
	return own(ctx, host)
}

// installedHelper asks a credential helper if there is one.
func installedHelper(ctx context.Context, name, server string) (authn.Authenticator, error) {
	if _, err := exec.LookPath("docker-credential-" + name); err != nil {
		return nil, nil
	}
	return askHelper(ctx, name, server)
}

// call sends a small request and reads the answer's JSON into out; out may be
// a *[]byte for anything else.
func (c *cloud) call(ctx context.Context, method, address string, header map[string]string, body string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.at(address), strings.NewReader(body))
	if err != nil {
		return err
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	return c.do(req, out)
}

func (c *cloud) do(req *http.Request, out any) error {
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return statusError(resp)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = b
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", req.URL.Host, err)
	}
	return nil
}

// form posts values as a web form.
func (c *cloud) form(ctx context.Context, address string, values url.Values, out any) error {
	return c.call(ctx, http.MethodPost, address, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, values.Encode(), out)
}

// vendor is who the firmware says made the machine.
func (c *cloud) vendor() string {
	var all []byte
	for _, f := range []string{"sys_vendor", "product_name", "chassis_asset_tag"} {
		b, _ := c.file("/sys/class/dmi/id/" + f)
		all = append(append(all, bytes.TrimSpace(b)...), '\n')
	}
	return string(all)
}
