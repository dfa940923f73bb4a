package image

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestDaemonFaults talks to a daemon that misbehaves.
func TestDaemonFaults(t *testing.T) {
	m := makeImage(t, amd64(), gzLayer(tarOf(t, "a")))
	archive, err := os.ReadFile(writeArchive(t, saved(t, []string{"x:latest"}, m)...))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var save atomic.Pointer[http.HandlerFunc]
	mux := http.NewServeMux()
	mux.HandleFunc("GET /images/x/json", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"Id":"sha256:1","RepoTags":["x:latest","x:1"],"RepoDigests":["x@sha256:2"]}`))
	})
	mux.HandleFunc("GET /images/x/get", func(w http.ResponseWriter, r *http.Request) { (*save.Load())(w, r) })
	mux.HandleFunc("GET /images/y/json", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte(`{"message":"No such image: y"}`))
	})
	srv := &http.Server{Handler: mux}
	go srv.Serve(l)
	defer srv.Close()
	tmp := t.TempDir()
	o := Options{DockerSocket: socket, TempDir: tmp, Timeouts: Timeouts{Stall: 200 * time.Millisecond, Answer: 20 * time.Millisecond}}
	noLeaks(t)

	for _, tt := range []struct {
		name, want string
		save       func(w http.ResponseWriter, r *http.Request)
		limits     Limits
	}{
		{name: "well", save: func(w http.ResponseWriter, r *http.Request) { w.Write(archive) }},
		{name: "error", want: "500 Internal Server Error: disk full", save: func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			w.Write([]byte(`{"message":"disk full"}`))
		}},
		{name: "truncated", want: "only the beginning of one", save: func(w http.ResponseWriter, r *http.Request) { w.Write(archive[:2000]) }},
		{name: "stalls", want: "stalled", save: func(w http.ResponseWriter, r *http.Request) {
			w.Write(archive[:2000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		{name: "never answers", want: "stalled", save: func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{name: "too large", want: "SpoolBytes = 1000", limits: Limits{SpoolBytes: 1000}, save: func(w http.ResponseWriter, r *http.Request) { w.Write(archive) }},
		{name: "no archive", want: "neither manifest.json", save: func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1024)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			handler := http.HandlerFunc(tt.save)
			save.Store(&handler)
			o := o
			o.Limits = tt.limits
			img, err := tryOpen(t, "docker:x", o)
			if left, _ := os.ReadDir(tmp); len(left) != 0 {
				t.Errorf("left in the temporary folder: %v", left)
			}
			if tt.want != "" {
				wantError(t, err, tt.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(img.Tags) != 2 || img.RepoDigests[0] != "x@sha256:2" || img.ConfigDigest != m.config.Digest {
				t.Errorf("got %q, %q, %s", img.Tags, img.RepoDigests, img.ConfigDigest)
			}
			readAllLayers(t, img)
		})
	}
	if _, err := tryOpen(t, "docker:y", o); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such image: %v", err)
	}
	for _, name := range []string{"../containers/json", "x/../../y", "x?y", "a b"} {
		_, err := tryOpen(t, "docker:"+name, o)
		wantError(t, err, "is no name of an image")
	}
	o.DockerSocket = "ssh://host"
	_, err = tryOpen(t, "docker:x", o)
	wantError(t, err, "only unix:// and tcp://")
	o.DockerSocket = filepath.Join(dir, "none")
	_, err = tryOpen(t, "docker:x", o)
	wantError(t, err, "no such file")
}
