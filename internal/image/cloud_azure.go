package image

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

func azureRegistry(host string) bool {
	for _, s := range []string{".azurecr.io", ".azurecr.cn", ".azurecr.us"} {
		if strings.HasSuffix(host, s) {
			return true
		}
	}
	return false
}

// azure gives credentials for Azure's container registry: a service principal
// of the environment, a workload's or a machine's identity. The latter two give
// a token that the registry changes into one of its own.
func (c *cloud) azure(ctx context.Context, host string) (authn.Authenticator, error) {
	id, secret, tenant := c.env("AZURE_CLIENT_ID"), c.env("AZURE_CLIENT_SECRET"), c.env("AZURE_TENANT_ID")
	if id != "" && secret != "" {
		return &authn.Basic{Username: id, Password: secret}, nil
	}
	const resource = "https://management.azure.com/"
	var t struct {
		Token string `json:"access_token"`
	}
	var err error
	switch file := c.env("AZURE_FEDERATED_TOKEN_FILE"); {
	case file != "" && id != "" && tenant != "":
		assertion, ferr := c.file(file)
		if ferr != nil {
			return nil, ferr
		}
		login := c.env("AZURE_AUTHORITY_HOST")
		setDefault(&login, "https://login.microsoftonline.com/")
		err = c.form(ctx, strings.TrimSuffix(login, "/")+"/"+url.PathEscape(tenant)+"/oauth2/v2.0/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {id}, "scope": {resource + ".default"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {strings.TrimSpace(string(assertion))},
		}, &t)
	case strings.Contains(c.vendor(), "7783-7084-3265-9085-8269-3286-77"): // Azure's asset tag
		q := url.Values{"api-version": {"2018-02-01"}, "resource": {resource}}
		if id != "" {
			q.Set("client_id", id)
		}
		err = c.call(ctx, http.MethodGet, "http://169.254.169.254/metadata/identity/oauth2/token?"+q.Encode(),
			map[string]string{"Metadata": "true"}, "", &t)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking Azure for a token: %w", err)
	}
	var own struct {
		Token string `json:"refresh_token"`
	}
	values := url.Values{"grant_type": {"access_token"}, "service": {host}, "access_token": {t.Token}}
	if tenant != "" {
		values.Set("tenant", tenant)
	}
	if err := c.form(ctx, "https://"+host+"/oauth2/exchange", values, &own); err != nil {
		return nil, fmt.Errorf("changing Azure's token into one of %s: %w", host, err)
	}
	return authn.FromConfig(authn.AuthConfig{IdentityToken: own.Token}), nil
}
