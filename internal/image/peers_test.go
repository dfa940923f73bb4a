package image

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// These tests run against the real programs, which Debian has as packages.

func need(t testing.TB, program string) string {
	t.Helper()
	p, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	return p
}

// start runs a server until the test ends and waits until ready says so.
func start(t testing.TB, ready func() error, env []string, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	var err error
	for range 200 {
		if err = ready(); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	cmd.Wait()
	t.Skipf("%s does not start here: %v\n%s", filepath.Base(program), err, out.String())
}

// authority makes a CA and certificates for this machine.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) issue(t testing.TB, name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem":     {Type: "CERTIFICATE", Bytes: der},
		name + "-key.pem": {Type: "PRIVATE KEY", Bytes: pkcs},
	} {
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startRegistry runs Debian's docker-registry with TLS, a password and, when
// asked, client certificates.
func startRegistry(t testing.TB, mutual bool) (host string, o Options) {
	t.Helper()
	program := need(t, "docker-registry")
	ca := newAuthority(t)
	ca.issue(t, "server", &x509.Certificate{Subject: pkix.Name{CommonName: "registry"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	ca.issue(t, "client", &x509.Certificate{Subject: pkix.Name{CommonName: "me"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	hash, err := bcrypt.GenerateFromPassword([]byte("s3cret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(ca.path("htpasswd"), []byte("me:"+string(hash)+"\n"), 0o600)
	host = freePort(t)
	config := fmt.Sprintf(`version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: %s}}
http:
  addr: %s
  secret: x
  tls:
    certificate: %s
    key: %s
`, t.TempDir(), host, ca.path("server.pem"), ca.path("server-key.pem"))
	if mutual {
		config += "    clientcas: [" + ca.path("ca.pem") + "]\n"
	}
	config += "auth: {htpasswd: {realm: test, path: " + ca.path("htpasswd") + "}}\n"
	os.WriteFile(ca.path("config.yml"), []byte(config), 0o600)
	start(t, func() error {
		c, err := net.Dial("tcp", host)
		if err == nil {
			c.Close()
		}
		return err
	}, nil, program, "serve", ca.path("config.yml"))
	return host, Options{
		CAFiles: []string{ca.path("ca.pem")}, Username: "me", Password: "s3cret", AuthFile: emptyAuth(t),
		ClientCert: ca.path("client.pem"), ClientKey: ca.path("client-key.pem"), firstWait: 5 * time.Millisecond,
	}
}

// push uploads an image as the distribution specification says.
func push(t testing.TB, host, repo, tag string, o Options, m *made) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	b, _ := os.ReadFile(o.CAFiles[0])
	pool.AppendCertsFromPEM(b)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}
	defer tr.CloseIdleConnections()
	do := func(method, address, contentType string, body []byte) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(o.Username, o.Password)
		req.Header.Set("Content-Type", contentType)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			t.Fatalf("%s %s: %s %s", method, address, resp.Status, text)
		}
		return resp
	}
	base := "https://" + host + "/v2/" + repo
	for d, b := range m.blobs {
		if d == m.manifest.Digest {
			continue
		}
		u, err := url.Parse(do("POST", base+"/blobs/uploads/", "", nil).Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("digest", d)
		u.RawQuery = q.Encode()
		do("PUT", u.String(), "application/octet-stream", b)
	}
	do("PUT", base+"/manifests/"+tag, m.manifest.MediaType, m.raw)
}

func TestRealRegistry(t *testing.T) {
	for _, mutual := range []bool{false, true} {
		t.Run(fmt.Sprint("mutual=", mutual), func(t *testing.T) {
			host, o := startRegistry(t, mutual)
			m := makeImage(t, defaultPlatform(), gzLayer(noise(t, 3<<20)), gzLayer(tarOf(t, "a", "b")))
			push(t, host, "team/app", "v1", o, m)
			noLeaks(t)
			img := mustOpen(t, host+"/team/app:v1", o)
			if img.Digest != m.manifest.Digest || img.ConfigDigest != m.config.Digest {
				t.Errorf("Digest %s, want %s", img.Digest, m.manifest.Digest)
			}
			if n, _ := readAllLayers(t, img); n != 3 {
				t.Errorf("%d files", n)
			}
			readAllLayers(t, mustOpen(t, host+"/team/app@"+m.manifest.Digest, o))

			_, err := tryOpen(t, host+"/team/app:v2", o)
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("no such tag: %v", err)
			}
			wrong := o
			wrong.Password = "guess"
			if _, err = tryOpen(t, host+"/team/app:v1", wrong); !errors.Is(err, ErrDenied) {
				t.Errorf("wrong password: %v", err)
			}
			if mutual {
				none := o
				none.ClientCert, none.ClientKey, none.Retries = "", "", -1
				if _, err := tryOpen(t, host+"/team/app:v1", none); err == nil {
					t.Error("without a client certificate: no error")
				}
			}
		})
	}
}

// TestRealRegistryRealImages copies real images with skopeo into the registry.
func TestRealRegistryRealImages(t *testing.T) {
	skopeo := need(t, "skopeo")
	paths, _ := filepath.Glob(filepath.Join(shared(t), "images", "*.tar"))
	host, o := startRegistry(t, false)
	for _, p := range paths {
		name := strings.TrimSuffix(filepath.Base(p), ".tar")
		out, err := exec.Command(skopeo, "copy", "--insecure-policy", "--dest-tls-verify=false", "--dest-creds", "me:s3cret",
			"docker-archive:"+p, "docker://"+host+"/corpus/"+name+":latest").CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo: %v\n%s", err, out)
		}
		out, err = exec.Command(skopeo, "inspect", "--tls-verify=false", "--creds", "me:s3cret", "--format", "{{.Digest}} {{.Os}}/{{.Architecture}}",
			"docker://"+host+"/corpus/"+name).Output()
		if err != nil {
			t.Fatal(err)
		}
		img := mustOpen(t, host+"/corpus/"+name, o)
		if got := img.Digest + " " + img.Platform.String(); got != strings.TrimSpace(string(out)) {
			t.Errorf("%s: %s, skopeo says %s", name, got, out)
		}
		n, size := readAllLayers(t, img)
		m, fileSize := readAllLayers(t, mustOpen(t, p, Options{}))
		if n != m || size != fileSize {
			t.Errorf("%s: %d files, %d bytes from the registry; %d, %d from the archive", name, n, size, m, fileSize)
		}
	}
}

func TestRealContainerd(t *testing.T) {
	program, ctr := need(t, "containerd"), need(t, "ctr")
	dir := t.TempDir()
	socket := filepath.Join(dir, "c.sock")
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\n[grpc]\naddress = %q\n", dir+"/root", dir+"/state", socket)
	os.WriteFile(dir+"/config.toml", []byte(config), 0o600)
	start(t, func() error {
		return exec.Command(ctr, "-a", socket, "version").Run()
	}, nil, program, "-c", dir+"/config.toml")
	file := filepath.Join(shared(t), "images", "distroless.tar")
	for _, args := range [][]string{
		{"import", "--no-unpack", file},
		{"tag", "corpus/distroless:latest", "docker.io/corpus/distroless:latest"},
	} {
		if out, err := exec.Command(ctr, append([]string{"-a", socket, "images"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ctr %s: %v\n%s", args, err, out)
		}
	}
	noLeaks(t)
	o := Options{ContainerdSocket: socket}
	want := mustOpen(t, file, Options{})
	for _, name := range []string{"corpus/distroless", "docker.io/corpus/distroless:latest"} {
		img := mustOpen(t, "containerd:"+name, o)
		if img.Digest != want.Digest || img.ConfigDigest != want.ConfigDigest || len(img.Tags) != 2 || img.Reference != "docker.io/corpus/distroless:latest" {
			t.Errorf("%s: %s %s, %q; the archive has %s", name, img.Reference, img.Digest, img.Tags, want.Digest)
		}
		n, size := readAllLayers(t, img)
		if m, wantSize := readAllLayers(t, want); n != m || size != wantSize {
			t.Errorf("%d files, %d bytes; the archive has %d, %d", n, size, m, wantSize)
		}
	}
	if _, err := tryOpen(t, "containerd:nginx", o); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such image: %v", err)
	}
	o.ContainerdNamespace = "moby"
	if _, err := tryOpen(t, "containerd:corpus/distroless:latest", o); !errors.Is(err, ErrNotFound) {
		t.Errorf("other namespace: %v", err)
	}
}

func TestRealPodman(t *testing.T) {
	program := need(t, "podman")
	dir, err := os.MkdirTemp("", "p") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.WriteFile(dir+"/storage.conf", fmt.Appendf(nil, "[storage]\ndriver = \"vfs\"\ngraphroot = %q\nrunroot = %q\n", dir+"/root", dir+"/run"), 0o600)
	socket := dir + "/podman.sock"
	env := []string{"CONTAINERS_STORAGE_CONF=" + dir + "/storage.conf"}
	start(t, func() error {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err
	}, env, program, "system", "service", "--time=0", "unix://"+socket)
	file := filepath.Join(shared(t), "images", "distroless.tar")
	load := exec.Command(program, "load", "-i", file)
	load.Env = append(os.Environ(), env...)
	if out, err := load.CombinedOutput(); err != nil {
		t.Skipf("podman load does not work here: %v\n%s", err, out)
	}
	noLeaks(t)
	want := mustOpen(t, file, Options{})
	tmp := t.TempDir()
	// The same socket speaks Docker's API too.
	for _, ref := range []string{"podman:corpus/distroless", "docker:localhost/corpus/distroless:latest", "podman:" + strings.TrimPrefix(want.ConfigDigest, "sha256:")} {
		img, err := tryOpen(t, ref, Options{PodmanSocket: socket, DockerSocket: "unix://" + socket, TempDir: tmp})
		if err != nil {
			t.Fatal(err)
		}
		if img.ConfigDigest != want.ConfigDigest || len(img.Tags) != 1 || len(img.RepoDigests) != 1 || !strings.HasSuffix(img.RepoDigests[0], want.Digest) {
			t.Errorf("%s: %s, %q, %q", ref, img.ConfigDigest, img.Tags, img.RepoDigests)
		}
		n, size := readAllLayers(t, img)
		if m, wantSize := readAllLayers(t, want); n != m || size != wantSize {
			t.Errorf("%d files, %d bytes; the archive has %d, %d", n, size, m, wantSize)
		}
	}
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left in the temporary folder: %v", left)
	}
	for _, kind := range []string{"podman:", "docker:"} {
		if _, err := tryOpen(t, kind+"no/such:thing", Options{PodmanSocket: socket, DockerSocket: socket}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
