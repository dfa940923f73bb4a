package inventory

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Cases of the official test suite of the specification (package-url/purl-spec,
// tests/), its parse, build and roundtrip tests of the types we write.
func TestPURLSuite(t *testing.T) {
	tests := []struct {
		in, canonical string
		want          Package // by our conventions: a Go path is whole
	}{
		{"pkg:maven/org.apache.commons/io@1.3.4", "", Package{Type: "maven", Namespace: "org.apache.commons", Name: "io", Version: "1.3.4"}},
		{"pkg:maven/org.apache.commons/io", "", Package{Type: "maven", Namespace: "org.apache.commons", Name: "io"}},
		{"pkg:maven/HTTPClient/HTTPClient@0.3-3", "", Package{Type: "maven", Namespace: "HTTPClient", Name: "HTTPClient", Version: "0.3-3"}},
		{"pkg:maven/mygroup/myartifact@1.0.0%20Final?mykey=my%20value", "", Package{Type: "maven", Namespace: "mygroup", Name: "myartifact", Version: "1.0.0 Final", Qualifiers: map[string]string{"mykey": "my value"}}},
		{
			"pkg:Maven/org.apache.xmlgraphics/batik-anim@1.9.1?repositorY_url=repo.spring.io/release&classifier=sources",
			"pkg:maven/org.apache.xmlgraphics/batik-anim@1.9.1?classifier=sources&repository_url=repo.spring.io%2Frelease",
			Package{Type: "maven", Namespace: "org.apache.xmlgraphics", Name: "batik-anim", Version: "1.9.1", Qualifiers: map[string]string{"classifier": "sources", "repository_url": "repo.spring.io/release"}},
		},
		{
			"pkg:GOLANG/google.golang.org/genproto@abcdedf#/googleapis/api/annotations/",
			"pkg:golang/google.golang.org/genproto@abcdedf#googleapis/api/annotations",
			Package{Type: "golang", Name: "google.golang.org/genproto", Version: "abcdedf", Subpath: "googleapis/api/annotations"},
		},
		{"pkg:golang/github.com/gorilla/context@234fd47e07d1004f0aed9c#api", "", Package{Type: "golang", Name: "github.com/gorilla/context", Version: "234fd47e07d1004f0aed9c", Subpath: "api"}},
		{
			"pkg:bitbucket/birKenfeld/pyGments-main@244fd47e07d1014f0aed9c",
			"pkg:bitbucket/birkenfeld/pygments-main@244fd47e07d1014f0aed9c",
			Package{Type: "bitbucket", Namespace: "birkenfeld", Name: "pygments-main", Version: "244fd47e07d1014f0aed9c"},
		},
		{"pkg:github/Package-url/purl-Spec@244fd47e07d1004f0aed9c", "pkg:github/package-url/purl-spec@244fd47e07d1004f0aed9c", Package{Type: "github", Namespace: "package-url", Name: "purl-spec", Version: "244fd47e07d1004f0aed9c"}},
		{"pkg:deb/debian/curl@7.50.3-1?arch=i386", "", Package{Type: "deb", Namespace: "debian", Name: "curl", Version: "7.50.3-1", Arch: "i386"}},
		{"pkg:deb/debian/attr@1:2.4.47-2?arch=source", "", Package{Type: "deb", Namespace: "debian", Name: "attr", Version: "1:2.4.47-2", Arch: "source"}},
		{"pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64", "", Package{Type: "deb", Namespace: "debian", Name: "attr", Version: "1:2.4.47-2+b1", Arch: "amd64"}},
		{
			"pkg:Rpm/fedora/curl@7.50.3-1.fc25?Arch=i386&Distro=fedora-25",
			"pkg:rpm/fedora/curl@7.50.3-1.fc25?arch=i386&distro=fedora-25",
			Package{Type: "rpm", Namespace: "fedora", Name: "curl", Version: "7.50.3-1.fc25", Arch: "i386", Distro: "fedora:25"},
		},
		{"pkg:rpm/centerim@4.22.10-1.el6?arch=i686&distro=fedora-25&epoch=1", "", Package{Type: "rpm", Name: "centerim", Version: "1:4.22.10-1.el6", Arch: "i686", Distro: "fedora:25"}},
		{"pkg:docker/customer/dockerimage@sha256:244fd47e07d1004f0aed9c?repository_url=gcr.io", "", Package{Type: "docker", Namespace: "customer", Name: "dockerimage", Version: "sha256:244fd47e07d1004f0aed9c", Qualifiers: map[string]string{"repository_url": "gcr.io"}}},
		{"pkg:gem/jruby-launcher@1.1.2?Platform=java", "pkg:gem/jruby-launcher@1.1.2?platform=java", Package{Type: "gem", Name: "jruby-launcher", Version: "1.1.2", Qualifiers: map[string]string{"platform": "java"}}},
		{"pkg:npm/%40angular/animation@12.3.1", "", Package{Type: "npm", Namespace: "@angular", Name: "animation", Version: "12.3.1"}},
		{"pkg:npm/@angular/animation@12.3.1", "pkg:npm/%40angular/animation@12.3.1", Package{Type: "npm", Namespace: "@angular", Name: "animation", Version: "12.3.1"}},
		{"pkg:npm/@angular/animation", "pkg:npm/%40angular/animation", Package{Type: "npm", Namespace: "@angular", Name: "animation"}},
		{"pkg:nuget/EnterpriseLibrary.Common@6.0.1304", "", Package{Type: "nuget", Name: "EnterpriseLibrary.Common", Version: "6.0.1304"}},
		{"pkg:PYPI/Django_package@1.11.1.dev1", "pkg:pypi/django-package@1.11.1.dev1", Package{Type: "pypi", Name: "django-package", Version: "1.11.1.dev1"}},
		{"pkg:pypi/My.PyPI_.--._Package@1.11.1.dev1", "pkg:pypi/my-pypi-package@1.11.1.dev1", Package{Type: "pypi", Name: "my-pypi-package", Version: "1.11.1.dev1"}},
		{"pkg:/maven/org.apache.commons/io", "pkg:maven/org.apache.commons/io", Package{Type: "maven", Namespace: "org.apache.commons", Name: "io"}},
		{"pkg:///maven/org.apache.commons/io", "pkg:maven/org.apache.commons/io", Package{Type: "maven", Namespace: "org.apache.commons", Name: "io"}},
		{"pkg:conan/bincrafters/cctz@2.3?channel=stable", "", Package{Type: "conan", Namespace: "bincrafters", Name: "cctz", Version: "2.3", Qualifiers: map[string]string{"channel": "stable"}}},
		{"pkg:conda/absl-py@0.4.1?build=py36h06a4308_0&channel=main&subdir=linux-64&type=tar.bz2", "", Package{Type: "conda", Name: "absl-py", Version: "0.4.1", Qualifiers: map[string]string{"build": "py36h06a4308_0", "channel": "main", "subdir": "linux-64", "type": "tar.bz2"}}},
		{"pkg:cran/A3@0.9.1", "", Package{Type: "cran", Name: "A3", Version: "0.9.1"}},
		{"pkg:swift/github.com/Alamofire/Alamofire@5.4.3", "", Package{Type: "swift", Namespace: "github.com/Alamofire", Name: "Alamofire", Version: "5.4.3"}},
		{"pkg:hackage/AC-HalfInteger@1.2.1", "", Package{Type: "hackage", Name: "AC-HalfInteger", Version: "1.2.1"}},
		{"pkg:composer/Laravel/Laravel@5.5.0", "pkg:composer/laravel/laravel@5.5.0", Package{Type: "composer", Namespace: "laravel", Name: "laravel", Version: "5.5.0"}},
		{"pkg:apk/alpine/curl@7.83.0-r0?arch=x86", "", Package{Type: "apk", Namespace: "alpine", Name: "curl", Version: "7.83.0-r0", Arch: "x86"}},
		{"pkg:alpm/arch/containers-common@1:0.47.4-4?arch=x86_64", "", Package{Type: "alpm", Namespace: "arch", Name: "containers-common", Version: "1:0.47.4-4", Arch: "x86_64"}},
		{"pkg:generic/openssl@1.1.10g?checksum=sha1:ad9503c3e994a4f%2Csha256:41bf9088b3a1e6c1ef1d", "", Package{Type: "generic", Name: "openssl", Version: "1.1.10g", Qualifiers: map[string]string{"checksum": "sha1:ad9503c3e994a4f,sha256:41bf9088b3a1e6c1ef1d"}}},
		{
			"pkg:generic/bitwarderl?vcs_url=git%2Bhttps://git.fsfe.org/dxtr/bitwarderl%40cc55108da32",
			"pkg:generic/bitwarderl?vcs_url=git%2Bhttps:%2F%2Fgit.fsfe.org%2Fdxtr%2Fbitwarderl%40cc55108da32",
			Package{Type: "generic", Name: "bitwarderl", Qualifiers: map[string]string{"vcs_url": "git+https://git.fsfe.org/dxtr/bitwarderl@cc55108da32"}},
		},
		{"pkg:cargo/rand@0.7.2", "", Package{Type: "cargo", Name: "rand", Version: "0.7.2"}},
		{"pkg:hex/phoenix_html@2.13.3", "", Package{Type: "hex", Name: "phoenix_html", Version: "2.13.3"}},
	}
	for _, tt := range tests {
		got, err := ParsePURL(tt.in)
		if err != nil {
			t.Errorf("ParsePURL(%q): %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(FileList{})); diff != "" {
			t.Errorf("ParsePURL(%q) (-want +got):\n%s", tt.in, diff)
		}
		canonical := tt.canonical
		if canonical == "" {
			canonical = tt.in
		}
		if s := tt.want.PURL(); s != canonical {
			t.Errorf("PURL() = %s, want %s", s, canonical)
		}
	}
}

func TestPURLWrite(t *testing.T) {
	tests := []struct {
		p    Package
		want string
	}{
		{
			Package{Type: "deb", Namespace: "debian", Name: "libstdc++6", Version: "12.2.0-14+deb12u1", Arch: "amd64", Distro: "debian:12", Source: "gcc-12"},
			"pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12",
		},
		{
			Package{Type: "deb", Namespace: "ubuntu", Name: "perl-base", Version: "5.30.0~rc1-9", Arch: "all", Distro: "ubuntu:20.04", Source: "perl", SourceVersion: "1:5.30-9"},
			"pkg:deb/ubuntu/perl-base@5.30.0~rc1-9?arch=all&distro=ubuntu-20.04&upstream=perl%401:5.30-9",
		},
		{
			Package{Type: "rpm", Namespace: "rocky", Name: "nodejs", Version: "1:18.20.2-1.module+el9", Arch: "x86_64", Distro: "rocky:9.3", Module: "nodejs:18:9030020240301:rhel9"},
			"pkg:rpm/rocky/nodejs@18.20.2-1.module%2Bel9?arch=x86_64&distro=rocky-9.3&epoch=1&rpmmod=nodejs:18:9030020240301:rhel9",
		},
		{Package{Type: "rpm", Namespace: "opensuse-tumbleweed", Name: "bash", Version: "5.2-1", Distro: "opensuse-tumbleweed"}, "pkg:rpm/opensuse-tumbleweed/bash@5.2-1?distro=opensuse-tumbleweed"},
		{Package{Type: "golang", Name: "github.com/BurntSushi/toml", Version: "v1.2.0"}, "pkg:golang/github.com/BurntSushi/toml@v1.2.0"},
		{Package{Type: "golang", Name: "stdlib", Version: "1.22.1"}, "pkg:golang/stdlib@1.22.1"},
		{Package{Type: "npm", Name: "@babel/core", Version: "7.0.0"}, "pkg:npm/%40babel/core@7.0.0"},
		{Package{Type: "cpan", Name: "DateTime::Format"}, "pkg:cpan/DateTime-Format"},
		{Package{Type: "Bad Type", Name: "x"}, "pkg:generic/x"},
		{Package{Type: "generic", Name: "a b/c?#%é"}, "pkg:generic/a%20b%2Fc%3F%23%25%C3%A9"},
		{Package{Type: "generic", Name: "x", Arch: "amd64", Qualifiers: map[string]string{"B": "1", "b": "2", "ARCH": "no", "bad key": "x", "e": ""}, Subpath: "./a/../b//c"}, "pkg:generic/x?arch=amd64&b=1#a/b/c"},
		{Package{Type: "generic"}, ""},
	}
	for _, tt := range tests {
		if got := tt.p.PURL(); got != tt.want {
			t.Errorf("PURL() = %s, want %s", got, tt.want)
		}
	}
}

func TestParsePURLForeign(t *testing.T) {
	tests := []struct {
		in   string
		want Package
	}{
		{"pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie", Package{Type: "deb", Namespace: "debian", Name: "curl", Version: "7.50.3-1", Arch: "i386", Distro: "debian:jessie"}},
		{"pkg:rpm/redhat/libcurl@7.61.1-18.el8?arch=x86_64&distro=rhel-8.4&upstream=curl-7.61.1-18.el8.src.rpm", Package{Type: "rpm", Namespace: "redhat", Name: "libcurl", Version: "7.61.1-18.el8", Arch: "x86_64", Distro: "rhel:8.4", Source: "curl", SourceVersion: "7.61.1-18.el8"}},
		{"pkg:rpm/redhat/nodejs@18-1?modularitylabel=nodejs:18&epoch=0", Package{Type: "rpm", Namespace: "redhat", Name: "nodejs", Version: "18-1", Module: "nodejs:18"}},
		{"pkg:rpm/opensuse/bash@5?distro=opensuse-leap-15.5", Package{Type: "rpm", Namespace: "opensuse", Name: "bash", Version: "5", Distro: "opensuse-leap:15.5"}},
		{"pkg:apk/alpine/libcrypto3@3.1.4-r5?arch=x86_64&upstream=openssl&distro=alpine-3.19.1", Package{Type: "apk", Namespace: "alpine", Name: "libcrypto3", Version: "3.1.4-r5", Arch: "x86_64", Source: "openssl", Distro: "alpine:3.19.1"}},
		{"pkg:golang/github.com%2Fgorilla/context@v1?type=module", Package{Type: "golang", Name: "github.com/gorilla/context", Version: "v1", Qualifiers: map[string]string{"type": "module"}}},
		{"pkg:npm/a@1?upstream=b&epoch=2", Package{Type: "npm", Name: "a", Version: "1", Qualifiers: map[string]string{"upstream": "b", "epoch": "2"}}},
	}
	for _, tt := range tests {
		got, err := ParsePURL(tt.in)
		if err != nil {
			t.Errorf("ParsePURL(%q): %v", tt.in, err)
		} else if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(FileList{})); diff != "" {
			t.Errorf("ParsePURL(%q) (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestParsePURLErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "pkg:"},
		{"EnterpriseLibrary.Common@6.0.1304", "pkg:"},
		{"pkg:EnterpriseLibrary.Common@6.0.1304", "no type"},
		{"pkg:n&g?inx/nginx@0.8.9", "no type"},
		{"pkg:3nginx/nginx@0.8.9", "type is not valid"},
		{"pkg:nginx:a/nginx@0.8.9", "type is not valid"},
		{"pkg:npm/myartifact@1.0.0?in%20production=true", "qualifier key"},
		{"pkg:maven/@1.3.4", "no name"},
		{"pkg%3Amaven/org.apache.commons/io", "pkg:"},
		{"pkg:cran/@0.9.1", "no name"},
		{"pkg:swift/github.com/Alamofire/@5.4.3", "no name"},
		{"pkg:hackage", "no type or no name"},
		{"pkg:npm/a%2", "percent-encoding"},
		{"pkg:npm/a%ff", "UTF-8"},
		{"pkg:npm/a?x=1&x=2", "twice"},
		{"pkg:npm/" + strings.Repeat("a", maxPURL), "limit of 16384 bytes"},
		{"pkg:npm/a?" + strings.Repeat("a=&", 100), "limit of 64 qualifiers"},
	}
	for _, tt := range tests {
		if _, err := ParsePURL(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParsePURL(%.60q) error = %v, want one with %q", tt.in, err, tt.want)
		}
	}
}

// FuzzPURL: what was parsed is written in a form that parses to the same.
func FuzzPURL(f *testing.F) {
	for _, s := range []string{
		"pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12%401:2",
		"pkg:rpm/opensuse/bash@5?distro=opensuse-leap-15.5&epoch=3&rpmmod=a:b", "pkg:npm/@a/b@1#x/../y", "pkg:golang/a/b/c@v1", "pkg:pypi/A._-b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePURL(s)
		if err != nil {
			return
		}
		written := p.PURL()
		q, err := ParsePURL(written)
		if err != nil {
			if len(written) > maxPURL {
				return // encoding made it longer than the limit
			}
			t.Fatalf("%q written as %q: %v", s, written, err)
		}
		if again := q.PURL(); again != written {
			t.Fatalf("%q: %q, then %q", s, written, again)
		}
		if q.Name != p.Name || q.Version != p.Version || q.Arch != p.Arch || !maps.Equal(p.Qualifiers, q.Qualifiers) {
			t.Fatalf("%q: %+v, then %+v", s, p, q)
		}
	})
}

func BenchmarkPURL(b *testing.B) {
	p := Package{Type: "deb", Namespace: "debian", Name: "libstdc++6", Version: "12.2.0-14+deb12u1", Arch: "amd64", Distro: "debian:12", Source: "gcc-12"}
	b.ReportAllocs()
	for b.Loop() {
		_ = p.PURL()
	}
}

func BenchmarkParsePURL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = ParsePURL("pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12")
	}
}
