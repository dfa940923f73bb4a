package image

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// daemon is Docker's or Podman's API. Only two calls are needed: inspect and
// save. An image comes as one docker archive in which the layers may precede
// the list of them, so it is kept in a temporary file until it is closed.
type daemon struct {
	client *http.Client
	base   string // scheme, host and path before /images
	save   string // query of the save call
	o      Options
}

func openDaemon(ctx context.Context, ref Ref, o Options) (*Image, error) {
	if err := checkDaemonName(ref.Name); err != nil {
		return nil, err
	}
	d, err := connectDaemon(ref.Kind, o)
	if err != nil {
		return nil, err
	}
	defer d.client.CloseIdleConnections()
	var known struct {
		ID          string `json:"Id"`
		RepoTags    []string
		RepoDigests []string
	}
	raw, err := d.get(ctx, ref.Name+"/json", func(r io.Reader) ([]byte, error) {
		return readAll(r, o.Limits.ConfigBytes, "the daemon's answer", "ConfigBytes")
	})
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &known); err != nil {
		return nil, fmt.Errorf("reading the daemon's answer: %w", err)
	}
	var f *os.File
	_, err = d.get(ctx, ref.Name+"/get"+d.save, func(r io.Reader) ([]byte, error) {
		f, err = spool(ctx, r, o)
		return nil, err
	})
	if err != nil {
		return nil, err
	}
	a, err := openTar(f, o.Limits)
	if err != nil {
		return nil, err
	}
	img, err := openSaved(ctx, a, "", o)
	if err != nil {
		return nil, err
	}
	img.RepoDigests = known.RepoDigests
	if len(known.RepoTags) > 0 {
		img.Tags = known.RepoTags
	}
	return img, nil
}

// checkDaemonName keeps a name from becoming another call.
func checkDaemonName(s string) error {
	for _, part := range strings.Split(s, "/") {
		if part == "" || part == "." || part == ".." || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@-+") != "" {
			return fmt.Errorf("%q is no name of an image", shorten(s))
		}
	}
	return nil
}

// connectDaemon finds the socket; the connection is made by the first call.
func connectDaemon(kind Kind, o Options) (*daemon, error) {
	d := &daemon{o: o, base: "http://daemon"}
	address, places := o.DockerSocket, []string(nil)
	run, home := os.Getenv("XDG_RUNTIME_DIR"), os.Getenv("HOME")
	if kind == Podman {
		d.base += "/v4.0.0/libpod"
		d.save = "?format=docker-archive"
		address = o.PodmanSocket
		setDefault(&address, os.Getenv("CONTAINER_HOST"))
		places = []string{filepath.Join(run, "podman/podman.sock"), "/run/podman/podman.sock"}
	} else {
		setDefault(&address, os.Getenv("DOCKER_HOST"))
		places = []string{
			"/var/run/docker.sock", filepath.Join(run, "docker.sock"),
			filepath.Join(home, ".docker/run/docker.sock"), filepath.Join(home, ".docker/desktop/docker.sock"),
			filepath.Join(home, ".colima/default/docker.sock"),
		}
	}
	t := &http.Transport{DisableCompression: true, ReadBufferSize: 256 << 10}
	d.client = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("a daemon does not redirect")
	}}
	scheme, rest, ok := strings.Cut(address, "://")
	switch {
	case ok && scheme == "tcp":
		host, tlsDir := rest, os.Getenv("DOCKER_CERT_PATH")
		d.base = strings.Replace(d.base, "daemon", host, 1)
		if os.Getenv("DOCKER_TLS_VERIFY") != "" && tlsDir != "" {
			d.base = strings.Replace(d.base, "http:", "https:", 1)
			o.CAFiles = []string{filepath.Join(tlsDir, "ca.pem")}
			o.ClientCert, o.ClientKey = filepath.Join(tlsDir, "cert.pem"), filepath.Join(tlsDir, "key.pem")
			secure, err := newTransport(o)
			if err != nil {
				return nil, err
			}
			secure.ResponseHeaderTimeout = 0
			d.client.Transport = secure
		}
		return d, nil
	case ok && scheme != "unix":
		return nil, fmt.Errorf("%s: only unix:// and tcp:// addresses of a daemon are supported", shorten(address))
	case ok:
		address = rest
	}
	socket, err := findSocket(kind, address, places)
	if err != nil {
		return nil, err
	}
	t.DialContext = unixDialer(socket, o)
	return d, nil
}

func findSocket(kind Kind, given string, places []string) (string, error) {
	if given != "" {
		return given, nil
	}
	for _, p := range places {
		if filepath.IsAbs(p) && exists(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s does not seem to run here: no socket at %s", kind, strings.Join(places, ", "))
}

func unixDialer(socket string, o Options) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: o.Timeouts.Connect}).DialContext(ctx, "unix", socket)
	}
}

// get asks for images/what and gives the body to read.
func (d *daemon) get(ctx context.Context, what string, read func(io.Reader) ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	path, query, _ := strings.Cut(what, "?")
	u, err := url.Parse(d.base)
	if err != nil {
		return nil, err
	}
	u.Path += "/images/" + path
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	// Docker may write the whole archive to its own disk before the first byte.
	slow := time.AfterFunc(10*d.o.Timeouts.Answer, func() { cancel(errStalled) })
	resp, err := d.client.Do(req)
	slow.Stop()
	if err != nil {
		if context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("asking the daemon: %w", err)
	}
	body := &stallReader{r: resp.Body, ctx: ctx, cancel: cancel, after: d.o.Timeouts.Stall}
	defer body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, daemonError(resp)
	}
	return read(bufio.NewReaderSize(body, 256<<10))
}

func daemonError(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	var e struct{ Message, Cause string }
	if json.Unmarshal(b, &e) != nil || e.Message == "" {
		e.Message = string(b)
	}
	msg := strings.TrimSpace(shorten(e.Message))
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: the daemon says: %s", ErrNotFound, msg)
	}
	return fmt.Errorf("the daemon answered %s: %s", resp.Status, msg)
}
