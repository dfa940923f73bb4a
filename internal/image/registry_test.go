package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// read opens host/team/app:latest and reads all layers.
func (f *fakeRegistry) read(t testing.TB, o Options) (*Image, error) {
	t.Helper()
	noLeaks(t)
	img, err := tryOpen(t, "registry:"+f.host+"/team/app", o)
	if err != nil {
		return nil, err
	}
	for _, l := range img.Layers {
		s, err := l.Open(t.Context())
		if err != nil {
			return img, err
		}
		err = s.Drain()
		s.Close()
		if err != nil {
			return img, err
		}
	}
	return img, nil
}

func TestRegistryReads(t *testing.T) {
	m := makeImage(t, defaultPlatform(), gzLayer(tarOf(t, "a", "b")),
		blobOf{tarOf(t, "c"), tarOf(t, "c"), "application/vnd.oci.image.layer.v1.tar"},
		blobOf{zst(t, tarOf(t, "d")), tarOf(t, "d"), "application/vnd.oci.image.layer.v1.tar+gzip"}, // lies
		blobOf{gz(tarOf(t, "e")), tarOf(t, "e"), "application/x-something"})
	f := newRegistry(t, m)
	img, err := f.read(t, f.opts)
	if err != nil {
		t.Fatal(err)
	}
	if want := f.host + "/team/app:latest"; img.Reference != want || img.Tags[0] != want || img.Registry != f.host || img.Repository != "team/app" || img.Tag != "latest" {
		t.Errorf("Reference %q, Tags %q, Registry %q, Repository %q, Tag %q", img.Reference, img.Tags, img.Registry, img.Repository, img.Tag)
	}
	if img.Digest != m.manifest.Digest || img.ConfigDigest != m.config.Digest || img.IndexDigest != "" || !bytes.Equal(img.RawManifest, m.raw) {
		t.Errorf("Digest %s, ConfigDigest %s, IndexDigest %q", img.Digest, img.ConfigDigest, img.IndexDigest)
	}
	if l := img.Layers[1]; l.CreatedBy != "COPY 1 /" || l.Index != 1 || l.Size != m.layers[1].Size || l.DiffID != m.diffIDs[1] {
		t.Errorf("layer 1 = %+v", l)
	}
	if img.Config.ExposedPorts[0] != "80/tcp" || img.Config.Env[0] != "A=b" {
		t.Errorf("Config = %+v", img.Config)
	}
	byDigest, err := tryOpen(t, f.host+"/team/app:v1@"+m.manifest.Digest, f.opts)
	if err != nil {
		t.Fatal(err)
	}
	if want := f.host + "/team/app:v1@" + m.manifest.Digest; byDigest.Reference != want || byDigest.Tag != "v1" {
		t.Errorf("Reference %q, Tag %q, want %q", byDigest.Reference, byDigest.Tag, want)
	}
}

// TestRegistryFaults lists what registries do wrong and what we say about it.
func TestRegistryFaults(t *testing.T) {
	big := noise(t, 3<<20)
	m := makeImage(t, defaultPlatform(), gzLayer(big))
	blob := m.layers[0].Digest
	isBlob := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, blob) }
	isManifest := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }
	var count atomic.Int64
	hijack := func(w http.ResponseWriter, send []byte, length int) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", length)
		rw.Write(send)
		rw.Flush()
		conn.Close()
	}
	tests := []struct {
		name  string
		fault func(w http.ResponseWriter, r *http.Request) bool
		opts  func(o *Options)
		want  string // part of the error; empty: none
		is    error
	}{
		{name: "429 then well", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isManifest(r) || count.Add(1) > 2 {
				return false
			}
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}},
		{name: "429 for ever", fault: func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, opts: func(o *Options) { o.Retries = 1 }, want: "429"},
		{name: "429 asks for an hour", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isManifest(r) {
				return false
			}
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, want: "Retry-After 3600"},
		{name: "503 then well", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isBlob(r) || count.Add(1) > 1 {
				return false
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}},
		{name: "HTML for a manifest", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isManifest(r) {
				return false
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<!DOCTYPE html><title>Log in</title>")
			return true
		}, want: "registry answered HTML", is: ErrHTML},
		{name: "HTML for everything", fault: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<html>")
			return true
		}, want: "registry answered HTML", is: ErrHTML},
		{name: "HTML called JSON", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isManifest(r) {
				w.Header().Set("Content-Type", typeOCIManifest)
				fmt.Fprint(w, "<html></html>")
			}
			return isManifest(r)
		}, is: ErrHTML},
		{name: "HTML with 404", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isManifest(r) {
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprint(w, "<html></html>")
			}
			return isManifest(r)
		}, want: "with a web page", is: ErrNotFound},
		{name: "redirect circle", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isBlob(r) {
				return false
			}
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
			return true
		}, opts: func(o *Options) { o.Retries = -1 }, want: "redirect loop"},
		{name: "redirect to metadata service", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isBlob(r) {
				http.Redirect(w, r, "https://169.254.169.254/latest/", http.StatusTemporaryRedirect)
			}
			return isBlob(r)
		}, want: "not allowed"},
		{name: "redirect to plain HTTP", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isBlob(r) {
				http.Redirect(w, r, "http://registry.invalid/x", http.StatusTemporaryRedirect)
			}
			return isBlob(r)
		}, want: "plain HTTP is used only when asked"},
		{name: "connection breaks, ranges work", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isBlob(r) || r.Header.Get("Range") != "" {
				return false
			}
			hijack(w, m.blobs[blob][:1<<20], len(m.blobs[blob]))
			return true
		}},
		{name: "connection breaks, no ranges", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isBlob(r) || count.Add(1) > 1 {
				r.Header.Del("Range")
				return false
			}
			hijack(w, m.blobs[blob][:1<<20], len(m.blobs[blob]))
			return true
		}},
		{name: "range of something else", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isBlob(r) {
				return false
			}
			if r.Header.Get("Range") == "" {
				hijack(w, m.blobs[blob][:1<<20], len(m.blobs[blob]))
				return true
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(m.blobs[blob])-1, len(m.blobs[blob])))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(m.blobs[blob])
			return true
		}, want: "asked for bytes from 1048576"},
		{name: "breaks at the same byte always", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isBlob(r) {
				return false
			}
			if r.Header.Get("Range") == "" {
				hijack(w, m.blobs[blob][:1000], len(m.blobs[blob]))
			} else {
				hijack(w, nil, len(m.blobs[blob]))
			}
			return true
		}, opts: func(o *Options) { o.Retries = 1 }, want: "broken off at byte"},
		{name: "stalls in a blob", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isBlob(r) {
				return false
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(m.blobs[blob])))
			w.Write(m.blobs[blob][:500])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, opts: func(o *Options) { o.Retries = 1 }, want: "stalled"},
		{name: "stalls once", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isBlob(r) || count.Add(1) > 1 {
				return false
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(m.blobs[blob])))
			w.Write(m.blobs[blob][:500])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}},
		{name: "stalls in a manifest", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isManifest(r) {
				return false
			}
			fmt.Fprint(w, "{")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, want: "stalled"},
		{name: "stalls in a web page", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if !isBlob(r) {
				return false
			}
			w.Header().Set("Content-Type", "text/html")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, want: "stalled"},
		{name: "stalls in the greeting", fault: func(w http.ResponseWriter, r *http.Request) bool {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}, want: "stalled"},
		{name: "endless greeting", fault: func(w http.ResponseWriter, r *http.Request) bool {
			for r.URL.Path == "/v2/" {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return true
				}
			}
			return false
		}, opts: func(o *Options) { o.Timeouts.Manifest = 300 * time.Millisecond }},
		{name: "never answers", fault: func(w http.ResponseWriter, r *http.Request) bool {
			<-r.Context().Done()
			return true
		}, opts: func(o *Options) { o.Retries, o.Timeouts.Answer = -1, 100*time.Millisecond }, want: "timeout"},
		{name: "other bytes of the same length", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isBlob(r) {
				b := bytes.Clone(m.blobs[blob])
				b[len(b)/2] ^= 1
				w.Write(b)
			}
			return isBlob(r)
		}, want: "layer 0 (" + blob + ") blob: digest mismatch: expected " + blob},
		{name: "announces too much", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isBlob(r) {
				hijack(w, m.blobs[blob], len(m.blobs[blob])+100)
			}
			return isBlob(r)
		}, want: "size mismatch"},
		{name: "sends too much", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isBlob(r) {
				w.Write(m.blobs[blob])
				w.(http.Flusher).Flush() // chunked: no length announced
				w.Write(make([]byte, 1000))
			}
			return isBlob(r)
		}, want: "size mismatch"},
		{name: "blob is gone", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isBlob(r) {
				w.WriteHeader(http.StatusNotFound)
			}
			return isBlob(r)
		}, is: ErrNotFound},
		{name: "manifest with another digest", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isManifest(r) {
				w.Header().Set("Docker-Content-Digest", sha([]byte("x")))
				w.Write(m.raw)
			}
			return isManifest(r)
		}, want: "digest mismatch"},
		{name: "endless manifest", fault: func(w http.ResponseWriter, r *http.Request) bool {
			for isManifest(r) {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return true
				}
			}
			return false
		}, want: "ManifestBytes = 4194304"},
		{name: "schema 1", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isManifest(r) {
				w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
				fmt.Fprint(w, `{"schemaVersion":1,"fsLayers":[]}`)
			}
			return isManifest(r)
		}, want: "schema 1"},
		{name: "no such tag", fault: func(w http.ResponseWriter, r *http.Request) bool {
			if isManifest(r) {
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
			}
			return isManifest(r)
		}, want: "MANIFEST_UNKNOWN: manifest unknown", is: ErrNotFound},
		{name: "denied", fault: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}, is: ErrDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			count.Store(0)
			f := newRegistry(t, m)
			f.fault = tt.fault
			o := f.opts
			if tt.opts != nil {
				tt.opts(&o)
			}
			_, err := f.read(t, o)
			if tt.want == "" && tt.is == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("err = %v, want %q, %v", err, tt.want, tt.is)
			}
			t.Log(err)
		})
	}
}

func TestResumesAtTheByte(t *testing.T) {
	m := makeImage(t, defaultPlatform(), gzLayer(noise(t, 2<<20)))
	blob := m.blobs[m.layers[0].Digest]
	f := newRegistry(t, m)
	f.fault = func(w http.ResponseWriter, r *http.Request) bool {
		from := 0
		if rg := r.Header.Get("Range"); rg != "" {
			fmt.Sscanf(rg, "bytes=%d-", &from)
		}
		if !strings.Contains(r.URL.Path, "/blobs/"+m.layers[0].Digest) || len(blob)-from < 300_000 {
			return false
		}
		conn, rw, _ := w.(http.Hijacker).Hijack()
		if from == 0 {
			fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(blob))
		} else {
			fmt.Fprintf(rw, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n", from, len(blob)-1, len(blob), len(blob)-from)
		}
		rw.Write(blob[from : from+300_000])
		rw.Flush()
		conn.Close()
		return true
	}
	var fetched atomic.Int64
	o := f.opts
	o.Retries = 20
	o.Fetched = func(_ int, n int64) { fetched.Add(n) }
	if _, err := f.read(t, o); err != nil {
		t.Fatal(err)
	}
	if fetched.Load() != int64(len(blob)) {
		t.Errorf("read %d bytes, the blob has %d", fetched.Load(), len(blob))
	}
	if f.requests("bytes=300000-") != 1 || f.requests("bytes=600000-") != 1 {
		t.Errorf("requests: %q", f.log)
	}
}

func TestCloseInTheMiddle(t *testing.T) {
	m := makeImage(t, defaultPlatform(), gzLayer(noise(t, 8<<20)))
	f := newRegistry(t, m)
	noLeaks(t)
	img := mustOpen(t, f.host+"/team/app", f.opts)
	for range 5 {
		s, err := img.Layers[0].Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
		s.Close()
		if _, err := s.Next(); err == nil || err == io.EOF {
			t.Errorf("Next after Close: %v", err)
		}
		if s.DiffID() != "" {
			t.Error("DiffID before the end")
		}
		s.Close()
	}
}
