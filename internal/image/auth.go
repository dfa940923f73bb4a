package image

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// authFile is Docker's config.json, of which containers' auth.json
// (containers-auth.json(5)) has the same fields.
type authFile struct {
	Auths       map[string]authEntry `json:"auths"`
	CredsStore  string               `json:"credsStore"`
	CredHelpers map[string]string    `json:"credHelpers"`
}

type authEntry struct {
	Auth          string `json:"auth"` // base64 of user:password
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

const maxAuthFile = 1 << 20

// credentials finds those for a repository: what the options say, else the
// first file that knows the registry, else the cloud that the registry belongs
// to, else none.
func credentials(ctx context.Context, repo name.Repository, o Options) (authn.Authenticator, error) {
	if o.Username != "" || o.Password != "" {
		return &authn.Basic{Username: o.Username, Password: o.Password}, nil
	}
	paths, must := authFiles(os.Getenv), false
	if o.AuthFile != "" {
		paths, must = []string{o.AuthFile}, true
	}
	for _, p := range paths {
		f, err := readAuthFile(p)
		if errors.Is(err, os.ErrNotExist) && !must {
			continue
		}
		if err != nil {
			return nil, err
		}
		a, err := f.find(ctx, repo)
		if a != nil || err != nil {
			return a, err
		}
	}
	a, err := cloudCredentials(ctx, repo, o)
	if a != nil || err != nil {
		return a, err
	}
	return authn.Anonymous, nil
}

// authFiles are the usual places, in the order in which podman and skopeo look.
func authFiles(env func(string) string) []string {
	if p := env("REGISTRY_AUTH_FILE"); p != "" {
		return []string{p}
	}
	var paths []string
	add := func(dir, rest string) {
		if dir != "" {
			paths = append(paths, filepath.Join(dir, rest))
		}
	}
	home := env("HOME")
	if home == "" {
		home, _ = os.UserHomeDir()
	}
	if d := env("XDG_RUNTIME_DIR"); d != "" {
		add(d, "containers/auth.json")
	} else {
		paths = append(paths, fmt.Sprintf("/run/containers/%d/auth.json", os.Getuid()))
	}
	if d := env("XDG_CONFIG_HOME"); d != "" {
		add(d, "containers/auth.json")
	} else {
		add(home, ".config/containers/auth.json")
	}
	if d := env("DOCKER_CONFIG"); d != "" {
		add(d, "config.json")
	} else {
		add(home, ".docker/config.json")
	}
	return paths
}

func readAuthFile(path string) (authFile, error) {
	var f authFile
	file, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer file.Close()
	b, err := readAll(file, maxAuthFile, path, "of 1 MiB for files with credentials")
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("reading %s: %w", path, err)
	}
	return f, nil
}

// find looks for the repository, then for each namespace above it, then for
// the registry. Nil means that the file knows nothing.
func (f authFile) find(ctx context.Context, repo name.Repository) (authn.Authenticator, error) {
	host := publicName(repo.RegistryStr())
	var keys []string
	for p := repo.RepositoryStr(); p != "." && p != "/"; p = filepath.ToSlash(filepath.Dir(p)) {
		keys = append(keys, host+"/"+p)
	}
	keys = append(keys, host)
	if host == "docker.io" {
		keys = append(keys, "index.docker.io", "registry-1.docker.io")
	}
	byKey := map[string]authEntry{}
	for k, e := range f.Auths {
		byKey[authKey(k)] = e
	}
	for _, k := range keys {
		if h := f.CredHelpers[k]; h != "" {
			if a, err := askHelper(ctx, h, k); a != nil || err != nil {
				return a, err
			}
		}
		if e, ok := byKey[k]; ok {
			if a, err := e.authenticator(); a != nil || err != nil {
				return a, err
			}
		}
	}
	if f.CredsStore == "" {
		return nil, nil
	}
	if host == "docker.io" {
		host = authn.DefaultAuthKey // the name under which Docker stores it
	}
	return askHelper(ctx, f.CredsStore, host)
}

// authKey reduces keys such as https://index.docker.io/v1/ to what find asks for.
func authKey(k string) string {
	k, url := strings.CutPrefix(k, "https://")
	if !url {
		k, url = strings.CutPrefix(k, "http://")
	}
	k = strings.TrimSuffix(k, "/")
	if url || strings.HasSuffix(k, "/v1") || strings.HasSuffix(k, "/v2") {
		k, _, _ = strings.Cut(k, "/")
	}
	return k
}

func (e authEntry) authenticator() (authn.Authenticator, error) {
	if e.Auth != "" && e.Username == "" {
		b, err := base64.StdEncoding.DecodeString(e.Auth)
		if err != nil {
			return nil, errors.New("credentials file: an auth entry is not base64")
		}
		user, pass, ok := strings.Cut(string(b), ":")
		if !ok {
			return nil, errors.New("credentials file: an auth entry is not user:password")
		}
		e.Username, e.Password = user, strings.TrimRight(pass, "\x00")
	}
	if e.Username == "" && e.IdentityToken == "" && e.RegistryToken == "" {
		return nil, nil // Docker leaves such entries where a helper has the rest
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: e.Username, Password: e.Password,
		IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken,
	}), nil
}

// askHelper runs docker-credential-NAME. Nil means that it has no credentials.
func askHelper(ctx context.Context, helper, server string) (authn.Authenticator, error) {
	if helper == "" || strings.ContainsAny(helper, `/\`) {
		return nil, fmt.Errorf("credential helper %q: not a name", shorten(helper))
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	program := "docker-credential-" + helper
	cmd := exec.CommandContext(ctx, program, "get")
	cmd.Stdin = strings.NewReader(server)
	cmd.WaitDelay = time.Second
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &capped{&out, 1 << 20}, &capped{&said, 4 << 10}
	if err := cmd.Run(); err != nil {
		if strings.Contains(out.String()+said.String(), "credentials not found") {
			return nil, nil
		}
		why := strings.TrimSpace(out.String() + " " + said.String())
		return nil, fmt.Errorf("running %s: %w %s", program, err, shorten(why))
	}
	var got struct{ Username, Secret string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", program, err)
	}
	if got.Username == "<token>" {
		return authn.FromConfig(authn.AuthConfig{IdentityToken: got.Secret}), nil
	}
	return &authn.Basic{Username: got.Username, Password: got.Secret}, nil
}

// capped keeps the first n bytes and forgets the rest.
type capped struct {
	b *bytes.Buffer
	n int
}

func (c *capped) Write(p []byte) (int, error) {
	c.b.Write(p[:min(len(p), max(0, c.n-c.b.Len()))])
	return len(p), nil
}
