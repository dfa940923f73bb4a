package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseRef(t *testing.T) {
	m := makeImage(t, amd64(), gzLayer(tarOf(t, "a")))
	layout := writeLayout(t, indexOf(t, m.entry("linux/amd64")), m.blobs)
	var ociFiles []archiveFile
	for _, n := range []string{"oci-layout", "index.json", blobPath(m.manifest.Digest), blobPath(m.config.Digest), blobPath(m.layers[0].Digest)} {
		b, err := os.ReadFile(filepath.Join(layout, n))
		if err != nil {
			t.Fatal(err)
		}
		ociFiles = append(ociFiles, archiveFile{name: "./" + n, data: b})
	}
	ociArchive := writeArchive(t, ociFiles...)
	docker := writeArchive(t, saved(t, nil, m)...)
	old := writeArchive(t, legacy(t, tarOf(t, "a"))...)
	dir := t.TempDir()
	write := func(name, data string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	cdx := write("bom.json", `{"bomFormat":"CycloneDX"}`)
	xml := write("bom.xml", "\xef\xbb\xbf<?xml version=\"1.0\"?><bom/>")
	spdx := write("bom.spdx", "# comment\nSPDXVersion: SPDX-2.3\n")
	packed, err := os.ReadFile(ociArchive)
	if err != nil {
		t.Fatal(err)
	}
	packedArchive := write("oci.tar.gz", string(gz(packed)))

	for s, want := range map[string]Ref{
		"nginx":                        {Registry, "nginx"},
		"nginx:1.25":                   {Registry, "nginx:1.25"},
		"localhost:5000/x":             {Registry, "localhost:5000/x"},
		"registry:docker:24":           {Registry, "docker:24"},
		"docker:nginx":                 {Docker, "nginx"},
		"docker://quay.io/x/y:1":       {Registry, "quay.io/x/y:1"},
		"podman:localhost/x":           {Podman, "localhost/x"},
		"containerd:x":                 {Containerd, "x"},
		"dir:/nowhere":                 {Dir, "/nowhere"},
		"sbom:/nowhere":                {SBOM, "/nowhere"},
		"oci-archive:a.tar:v1":         {OCIArchive, "a.tar:v1"},
		"docker-archive:a.tar":         {DockerArchive, "a.tar"},
		layout:                         {OCIDir, layout},
		layout + ":v1":                 {OCIDir, layout + ":v1"},
		layout + "@sha256:abc":         {OCIDir, layout + "@sha256:abc"},
		ociArchive:                     {OCIArchive, ociArchive},
		ociArchive + ":v1":             {OCIArchive, ociArchive + ":v1"},
		packedArchive:                  {OCIArchive, packedArchive},
		docker:                         {DockerArchive, docker},
		docker + ":team/app:1":         {DockerArchive, docker + ":team/app:1"},
		old:                            {DockerArchive, old},
		dir:                            {Dir, dir},
		cdx:                            {SBOM, cdx},
		xml:                            {SBOM, xml},
		spdx:                           {SBOM, spdx},
		"nginx@sha256:" + sha(nil)[7:]: {Registry, "nginx@sha256:" + sha(nil)[7:]},
		"a:b@sha256:" + sha(nil)[7:]:   {Registry, "a:b@sha256:" + sha(nil)[7:]},
	} {
		if got, err := ParseRef(s); err != nil || got != want {
			t.Errorf("ParseRef(%q) = %v, %v, want %v", s, got, err, want)
		}
	}
	readAllLayers(t, mustOpen(t, packedArchive, Options{}))
	readAllLayers(t, mustOpen(t, ociArchive, Options{}))

	rootfs := writeArchive(t, archiveFile{name: "etc/os-release", data: []byte("ID=x")})
	for s, want := range map[string]string{
		"":                             "empty",
		"registry:":                    "nothing behind the prefix",
		"UPPER CASE":                   "want [registry/]repository[:tag][@digest]",
		"./missing.tar":                "no such file or folder",
		"/missing":                     "no such file or folder",
		"nginx@sha256:abc":             "want [registry/]repository",
		"a\nb":                         "control characters",
		strings.Repeat("a", 9000):      "longer than 8192 bytes",
		rootfs:                         "a tar, but not of an image",
		write("noise", "\x00\x01\x02"): "neither an image archive (tar) nor an SBOM",
	} {
		_, err := ParseRef(s)
		wantError(t, err, want)
	}
}

func TestReferenceIsNormal(t *testing.T) {
	for s, want := range map[string]string{
		"nginx":               "docker.io library/nginx latest",
		"docker.io/a/b:1":     "docker.io a/b 1",
		"index.docker.io/x:2": "docker.io library/x 2",
		"quay.io/a/b/c":       "quay.io a/b/c latest",
	} {
		n, tag, err := parseName(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := publicName(n.Context().RegistryStr()) + " " + n.Context().RepositoryStr() + " " + tag; got != want {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}
