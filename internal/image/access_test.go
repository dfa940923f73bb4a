package image

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlainHTTPOnlyWhenAsked(t *testing.T) {
	m := makeImage(t, defaultPlatform(), gzLayer(tarOf(t, "a")))
	f := newRegistry(t, m)
	plainServer := httptest.NewServer(f)
	defer plainServer.Close()
	f.host = strings.TrimPrefix(plainServer.URL, "http://")
	o := f.opts
	o.Retries = -1
	if _, err := f.read(t, o); err == nil || !strings.Contains(err.Error(), "plain HTTP is used only when asked") {
		t.Errorf("err = %v", err)
	}
	if len(f.log) != 0 {
		t.Errorf("requests were sent: %q", f.log)
	}
	o.PlainHTTP = true
	if _, err := f.read(t, o); err != nil {
		t.Error(err)
	}
}

func TestUnknownAuthorityIsNotTrusted(t *testing.T) {
	f := newRegistry(t, makeImage(t, defaultPlatform(), gzLayer(tarOf(t, "a"))))
	o := f.opts
	o.CAFiles = nil
	if _, err := f.read(t, o); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("err = %v", err)
	}
	o.SkipTLSVerify = true
	if _, err := f.read(t, o); err != nil {
		t.Error(err)
	}
}

func TestTokens(t *testing.T) {
	m := makeImage(t, defaultPlatform(), gzLayer(tarOf(t, "a")))
	f := newRegistry(t, m)
	f.fault = func(w http.ResponseWriter, r *http.Request) bool {
		switch user, pass, ok := r.BasicAuth(); {
		case r.URL.Path == "/token" && ok && user == "me" && pass == "secret":
			if got := r.URL.Query().Get("scope"); got != "repository:team/app:pull" {
				t.Errorf("scope = %q", got)
			}
			fmt.Fprint(w, `{"token":"t0k"}`)
			return true
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusUnauthorized)
			return true
		case r.Header.Get("Authorization") == "Bearer t0k":
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+f.host+`/token",service="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	if _, err := f.read(t, f.opts); !errors.Is(err, ErrDenied) {
		t.Errorf("without credentials: %v", err)
	}
	o := f.opts
	o.Username, o.Password = "me", "secret"
	if _, err := f.read(t, o); err != nil {
		t.Errorf("with a password: %v", err)
	}
	o = f.opts
	o.AuthFile = filepath.Join(t.TempDir(), "auth.json")
	auth := base64.StdEncoding.EncodeToString([]byte("me:secret"))
	os.WriteFile(o.AuthFile, []byte(`{"auths":{"`+f.host+`/team":{"auth":"`+auth+`"},"`+f.host+`":{"auth":"bm86bm8="}}}`), 0o600)
	if _, err := f.read(t, o); err != nil {
		t.Errorf("with auth.json: %v", err)
	}
}

func TestForeignLayers(t *testing.T) {
	layer := gzLayer(tarOf(t, "a"))
	m := makeImage(t, defaultPlatform(), layer)
	f := newRegistry(t)
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(layer.stored) }))
	defer elsewhere.Close()
	for _, tt := range []struct {
		url, want string
		any       bool
	}{
		{elsewhere.URL + "/layer", "", true},
		{elsewhere.URL + "/layer", "not allowed", false},
		{strings.Replace(elsewhere.URL, "https", "http", 1), "only https", true},
		{"file:///etc/passwd", "only https", true},
	} {
		m.layers[0].URLs = []string{tt.url}
		m.seal(t)
		f.add(m)
		delete(f.blobs, m.layers[0].Digest)
		o := f.opts
		o.anyAddress = tt.any
		o.SkipTLSVerify, o.PlainHTTP = true, true
		_, err := f.read(t, o)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: err = %v, want %q", tt.url, err, tt.want)
		}
	}
}
