package image

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// google gives credentials for Artifact Registry and its predecessor: those of
// the application default credentials (a service account's key or a person's
// refresh token; no workload identity federation), else those of the machine.
// Many of its images are public, so no failure here is an error: the registry
// will say what it wants.
func (c *cloud) google(ctx context.Context, _ string) (authn.Authenticator, error) {
	path := c.env("GOOGLE_APPLICATION_CREDENTIALS")
	if path == "" {
		path = filepath.Join(c.env("HOME"), ".config/gcloud/application_default_credentials.json")
	}
	if b, err := c.file(path); err == nil {
		var key struct {
			Type         string `json:"type"`
			ClientID     string `json:"client_id"`
			ClientSecret string `json:"client_secret"`
			RefreshToken string `json:"refresh_token"`
		}
		if json.Unmarshal(b, &key) == nil {
			switch key.Type {
			case "service_account":
				return &authn.Basic{Username: "_json_key", Password: string(b)}, nil
			case "authorized_user":
				return c.googleToken(func(out any) error {
					return c.form(ctx, "https://oauth2.googleapis.com/token", url.Values{
						"grant_type": {"refresh_token"}, "refresh_token": {key.RefreshToken},
						"client_id": {key.ClientID}, "client_secret": {key.ClientSecret},
					}, out)
				})
			}
		}
	}
	host := c.env("GCE_METADATA_HOST")
	if host == "" && !strings.Contains(c.vendor(), "Google") {
		return nil, nil
	}
	setDefault(&host, "169.254.169.254")
	return c.googleToken(func(out any) error {
		return c.call(ctx, http.MethodGet, "http://"+host+"/computeMetadata/v1/instance/service-accounts/default/token",
			map[string]string{"Metadata-Flavor": "Google"}, "", out)
	})
}

func (c *cloud) googleToken(get func(out any) error) (authn.Authenticator, error) {
	var t struct {
		Token string `json:"access_token"`
	}
	if err := get(&t); err != nil || t.Token == "" {
		return nil, nil
	}
	return &authn.Basic{Username: "oauth2accesstoken", Password: t.Token}, nil
}
