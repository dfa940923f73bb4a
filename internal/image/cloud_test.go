package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// TestSignature uses "get-vanilla" of AWS's test suite for signatures, version 4.
func TestSignature(t *testing.T) {
	req, _ := http.NewRequest("GET", "https://example.amazonaws.com/", nil)
	k := awsKeys{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	k.sign(req, nil, "us-east-1", "service", time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC))
	want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
	if got := req.Header.Get("Authorization"); got != want {
		t.Errorf("Authorization = %s\nwant %s", got, want)
	}
}

func TestECRRegion(t *testing.T) {
	for host, want := range map[string]string{
		"123456789012.dkr.ecr.eu-central-1.amazonaws.com":       "eu-central-1",
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com": "us-gov-west-1",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn":      "cn-north-1",
		"public.ecr.aws": "",
		"12345678901.dkr.ecr.eu-central-1.amazonaws.com":          "",
		"123456789012.dkr.ecr.eu-central-1.example.com":           "",
		"123456789012.dkr.ecr.eu/../central-1.amazonaws.com":      "",
		"registry-1.docker.io":                                    "",
		"123456789012.dkr.ecr.eu-central-1.evil.amazonaws.com.io": "",
	} {
		if got := ecrRegion(host); got != want {
			t.Errorf("ecrRegion(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestCloudCredentials(t *testing.T) {
	const ecr = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
	ecrAnswer := fmt.Sprintf(`{"authorizationData":[{"authorizationToken":%q}]}`, base64.StdEncoding.EncodeToString([]byte("AWS:pass")))
	keys := `{"AccessKeyId":"id","SecretAccessKey":"s","Token":"tt"}`
	tests := []struct {
		name, host string
		env, files map[string]string
		answers    map[string]string // by host and path
		want       authn.AuthConfig
		err        string
	}{
		{name: "nothing", host: ecr},
		{name: "no cloud", host: "registry.example.com", env: map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s"}},
		{name: "service account", host: "europe-docker.pkg.dev", env: map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "/key"},
			files: map[string]string{"/key": `{"type":"service_account"}`}, want: authn.AuthConfig{Username: "_json_key", Password: `{"type":"service_account"}`}},
		{name: "person", host: "gcr.io", env: map[string]string{"HOME": "/h"},
			files:   map[string]string{"/h/.config/gcloud/application_default_credentials.json": `{"type":"authorized_user","refresh_token":"r"}`},
			answers: map[string]string{"oauth2.googleapis.com/token": `{"access_token":"t"}`}, want: authn.AuthConfig{Username: "oauth2accesstoken", Password: "t"}},
		{name: "Google's machine", host: "eu.gcr.io", files: map[string]string{"/sys/class/dmi/id/product_name": "Google Compute Engine\n"},
			answers: map[string]string{"169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token": `{"access_token":"t"}`},
			want:    authn.AuthConfig{Username: "oauth2accesstoken", Password: "t"}},
		{name: "Google's machine without account", host: "eu.gcr.io", files: map[string]string{"/sys/class/dmi/id/product_name": "Google Compute Engine\n"}},
		{name: "AWS keys", host: ecr, env: map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s"},
			answers: map[string]string{"api.ecr.eu-central-1.amazonaws.com/": ecrAnswer}, want: authn.AuthConfig{Username: "AWS", Password: "pass"}},
		{name: "AWS refuses", host: ecr, env: map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s"}, err: "asking ECR for a password"},
		{name: "AWS profile", host: ecr, env: map[string]string{"HOME": "/h", "AWS_PROFILE": "p"},
			files:   map[string]string{"/h/.aws/credentials": "[default]\naws_access_key_id = no\n[p]\naws_access_key_id = id\naws_secret_access_key=s\n"},
			answers: map[string]string{"api.ecr.eu-central-1.amazonaws.com/": ecrAnswer}, want: authn.AuthConfig{Username: "AWS", Password: "pass"}},
		{name: "AWS web identity", host: ecr, env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn"}, files: map[string]string{"/t": "jwt"},
			answers: map[string]string{
				"sts.eu-central-1.amazonaws.com/": `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>` +
					`<AccessKeyId>id</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>tt</SessionToken></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
				"api.ecr.eu-central-1.amazonaws.com/": ecrAnswer,
			}, want: authn.AuthConfig{Username: "AWS", Password: "pass"}},
		{name: "AWS task", host: ecr, env: map[string]string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"},
			answers: map[string]string{"169.254.170.2/v2/x": keys, "api.ecr.eu-central-1.amazonaws.com/": ecrAnswer}, want: authn.AuthConfig{Username: "AWS", Password: "pass"}},
		{name: "AWS task elsewhere", host: ecr, env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/x"}, err: "over plain HTTP"},
		{name: "AWS machine", host: ecr, files: map[string]string{"/sys/class/dmi/id/sys_vendor": "Amazon EC2"},
			answers: map[string]string{
				"169.254.169.254/latest/api/token":                               "imds",
				"169.254.169.254/latest/meta-data/iam/security-credentials/":     "role\n",
				"169.254.169.254/latest/meta-data/iam/security-credentials/role": keys,
				"api.ecr.eu-central-1.amazonaws.com/":                            ecrAnswer,
			}, want: authn.AuthConfig{Username: "AWS", Password: "pass"}},
		{name: "Azure principal", host: "x.azurecr.io", env: map[string]string{"AZURE_CLIENT_ID": "i", "AZURE_CLIENT_SECRET": "s"}, want: authn.AuthConfig{Username: "i", Password: "s"}},
		{name: "Azure machine", host: "x.azurecr.io", files: map[string]string{"/sys/class/dmi/id/chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"},
			answers: map[string]string{"169.254.169.254/metadata/identity/oauth2/token": `{"access_token":"aad"}`, "x.azurecr.io/oauth2/exchange": `{"refresh_token":"acr"}`},
			want:    authn.AuthConfig{IdentityToken: "acr"}},
		{name: "Azure workload", host: "x.azurecr.io", env: map[string]string{"AZURE_CLIENT_ID": "i", "AZURE_TENANT_ID": "t", "AZURE_FEDERATED_TOKEN_FILE": "/f"}, files: map[string]string{"/f": "jwt"},
			answers: map[string]string{"login.microsoftonline.com/t/oauth2/v2.0/token": `{"access_token":"aad"}`, "x.azurecr.io/oauth2/exchange": `{"refresh_token":"acr"}`},
			want:    authn.AuthConfig{IdentityToken: "acr"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				what := strings.TrimPrefix(r.URL.Path, "/")
				if a, ok := tt.answers[what]; ok {
					if strings.HasPrefix(what, "api.ecr") {
						wantHost, body := "api.ecr.eu-central-1.amazonaws.com", readBody(r)
						if r.Host != wantHost || body != "{}" || !strings.Contains(r.Header.Get("Authorization"), "Credential=id/") {
							t.Errorf("ECR got host %q, body %q, %q", r.Host, body, r.Header.Get("Authorization"))
						}
					}
					io.WriteString(w, a)
					return
				}
				w.WriteHeader(http.StatusForbidden)
			}))
			defer srv.Close()
			c := newCloud(Options{})
			c.env = func(k string) string { return tt.env[k] }
			c.file = func(p string) ([]byte, error) {
				if b, ok := tt.files[p]; ok {
					return []byte(b), nil
				}
				return nil, os.ErrNotExist
			}
			c.helper = func(context.Context, string, string) (authn.Authenticator, error) { return nil, errors.New("none") }
			c.at = func(address string) string {
				_, rest, _ := strings.Cut(address, "://")
				return srv.URL + "/" + rest
			}
			a, err := c.credentials(t.Context(), tt.host)
			if tt.err != "" {
				wantError(t, err, tt.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got authn.AuthConfig
			if a != nil {
				cfg, err := a.Authorization()
				if err != nil {
					t.Fatal(err)
				}
				got = *cfg
			}
			if got.Username != tt.want.Username || got.Password != tt.want.Password || got.IdentityToken != tt.want.IdentityToken {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func readBody(r *http.Request) string {
	b, _ := io.ReadAll(r.Body)
	return string(b)
}

func TestAuthFiles(t *testing.T) {
	dir := t.TempDir()
	helper := filepath.Join(dir, "docker-credential-test")
	os.WriteFile(helper, []byte(`#!/bin/sh
read server
case "$server" in
	https://index.docker.io/v1/) echo '{"Username":"hub","Secret":"h"}';;
	token.example.com) echo '{"Username":"<token>","Secret":"idt"}';;
	broken.example.com) echo 'no idea'; exit 1;;
	*) echo "credentials not found in native keychain"; exit 1;;
esac
`), 0o755)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	auth := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	file := filepath.Join(dir, "config.json")
	os.WriteFile(file, fmt.Appendf(nil, `{
		"auths": {
			"https://old.example.com/v1/": {"auth": %q},
			"quay.io": {"auth": %q}, "quay.io/team": {"auth": %q}, "quay.io/team/app": {"auth": %q},
			"split.example.com": {"username": "u", "password": "p"},
			"empty.example.com": {},
			"bad.example.com": {"auth": "%%%%"}
		},
		"credsStore": "test",
		"credHelpers": {"token.example.com": "test", "evil.example.com": "../../bin/sh"}
	}`, auth("old:o:o"), auth("quay:q"), auth("team:t"), auth("app:a")), 0o600)
	for _, tt := range []struct{ repo, want string }{
		{"nginx", "hub:h:"},
		{"old.example.com/x", "old:o:o:"},
		{"quay.io/team/app", "app:a:"},
		{"quay.io/team/other", "team:t:"},
		{"quay.io/teammate/app", "quay:q:"},
		{"split.example.com/x", "u:p:"},
		{"token.example.com/x", "::idt"},
		{"empty.example.com/x", "::"},
		{"nowhere.example.com/x", "::"},
		{"bad.example.com/x", "error: not base64"},
		{"broken.example.com/x", "error: no idea"},
		{"evil.example.com/x", "error: not a name"},
	} {
		repo, err := name.NewRepository(tt.repo)
		if err != nil {
			t.Fatal(err)
		}
		a, err := credentials(t.Context(), repo, Options{AuthFile: file})
		if want, bad := strings.CutPrefix(tt.want, "error: "); bad {
			wantError(t, err, want)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.repo, err)
			continue
		}
		cfg, err := a.Authorization()
		if got := cfg.Username + ":" + cfg.Password + ":" + cfg.IdentityToken; err != nil || got != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.repo, got, err, tt.want)
		}
	}
	repo, _ := name.NewRepository("nginx")
	if _, err := credentials(t.Context(), repo, Options{AuthFile: filepath.Join(dir, "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a named file that is missing: %v", err)
	}
}

func TestAuthFilePlaces(t *testing.T) {
	env := map[string]string{"HOME": "/h"}
	get := func(k string) string { return env[k] }
	if got := authFiles(get); got[1] != "/h/.config/containers/auth.json" || got[2] != "/h/.docker/config.json" {
		t.Errorf("%q", got)
	}
	env["XDG_RUNTIME_DIR"], env["XDG_CONFIG_HOME"], env["DOCKER_CONFIG"] = "/r", "/c", "/d"
	if got := strings.Join(authFiles(get), " "); got != "/r/containers/auth.json /c/containers/auth.json /d/config.json" {
		t.Errorf("%q", got)
	}
	env["REGISTRY_AUTH_FILE"] = "/a.json"
	if got := strings.Join(authFiles(get), " "); got != "/a.json" {
		t.Errorf("%q", got)
	}
}
