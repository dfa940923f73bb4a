package match

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

func TestLookups(t *testing.T) {
	debian12 := &inventory.Distro{ID: "debian", Version: "12", Codename: "bookworm"}
	tests := []struct {
		purl   string
		distro *inventory.Distro
		want   string // "STREAM NAME VERSION SCHEME names, …"
		state  State
	}{
		{"pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12&upstream=openssl", nil, "debian:12 libssl3 3.0.11-1 deb, debian:12 openssl 3.0.11-1 deb source", ""},
		{"pkg:deb/debian/libssl3@3.0.11-1%2Bb1?distro=debian-12&upstream=openssl%403.0.11-1", nil, "debian:12 libssl3 3.0.11-1+b1 deb, debian:12 openssl 3.0.11-1 deb source", ""},
		{"pkg:deb/debian/curl@7.88.1-10", debian12, "debian:12 curl 7.88.1-10 deb, debian:12 curl 7.88.1-10 deb source", ""},
		{"pkg:deb/debian/curl@7.88.1-10?distro=bookworm", nil, "debian:12 curl 7.88.1-10 deb, debian:12 curl 7.88.1-10 deb source", ""},
		{"pkg:deb/debian/curl@8.1-1?distro=debian-12.5", nil, "debian:12 curl 8.1-1 deb, debian:12 curl 8.1-1 deb source", ""},
		{"pkg:deb/debian/curl@8.1-1?distro=sid", nil, "debian:unstable curl 8.1-1 deb, debian:unstable curl 8.1-1 deb source", ""},
		{"pkg:deb/debian/curl@8.1-1?distro=unstable", nil, "debian:unstable curl 8.1-1 deb, debian:unstable curl 8.1-1 deb source", ""},
		{"pkg:deb/ubuntu/curl@7.81.0-1?distro=ubuntu-22.04", nil, "ubuntu:22.04 curl 7.81.0-1 deb, ubuntu:22.04 curl 7.81.0-1 deb source, ubuntu-pro:22.04 curl 7.81.0-1 deb source", ""},
		{"pkg:deb/ubuntu/curl@7.81.0-1?distro=jammy", nil, "ubuntu:22.04 curl 7.81.0-1 deb, ubuntu:22.04 curl 7.81.0-1 deb source, ubuntu-pro:22.04 curl 7.81.0-1 deb source", ""},
		{"pkg:deb/debian/curl@7.81.0-1?distro=devuan-4", nil, "", UnknownDistro},
		{"pkg:deb/debian/curl@7.81.0-1", nil, "", UnknownDistro},
		{"pkg:deb/debian/curl", debian12, "", NoVersion},
		{"pkg:rpm/redhat/openssl-libs@1.1.1k-9.el8_7?epoch=1&distro=rhel-8.7&upstream=openssl-1.1.1k-9.el8_7.src.rpm", nil, "rhel:8 openssl-libs 1:1.1.1k-9.el8_7 rpm, rhel:8 openssl 1.1.1k-9.el8_7 rpm source", ""},
		{"pkg:rpm/centos/bash@4.4.20-4.el8?distro=centos-8", nil, "rhel:8 bash 4.4.20-4.el8 rpm, rhel:8 bash 4.4.20-4.el8 rpm source", ""},
		{"pkg:rpm/almalinux/bash@4.4.20-4.el8?distro=almalinux-8.9", nil, "almalinux:8 bash 4.4.20-4.el8 rpm, almalinux:8 bash 4.4.20-4.el8 rpm source", ""},
		{"pkg:rpm/amzn/bash@4.2.46-34.amzn2?distro=amzn-2", nil, "amzn:2 bash 4.2.46-34.amzn2 rpm, amzn:2 bash 4.2.46-34.amzn2 rpm source", ""},
		{"pkg:rpm/amzn/bash@4.2.46-34?distro=amzn-2018.03", nil, "amzn:1 bash 4.2.46-34 rpm, amzn:1 bash 4.2.46-34 rpm source", ""},
		{"pkg:rpm/suse/zypper@1.14-1?distro=sles-15.4", nil, "sles:15.4 zypper 1.14-1 rpm, sles:15.4 zypper 1.14-1 rpm source", ""},
		{"pkg:rpm/opensuse/zypper@1.14-1?distro=opensuse-leap-15.5", nil, "opensuse-leap:15.5 zypper 1.14-1 rpm, opensuse-leap:15.5 zypper 1.14-1 rpm source", ""},
		{"pkg:apk/alpine/libcrypto3@3.1.4-r5?distro=alpine-3.19.1&upstream=openssl", nil, "alpine:3.19 libcrypto3 3.1.4-r5 apk, alpine:3.19 openssl 3.1.4-r5 apk source", ""},
		{"pkg:apk/alpine/musl@1.2.5-r1", &inventory.Distro{ID: "alpine", Version: "3.21_alpha20240923"}, "alpine:edge musl 1.2.5-r1 apk, alpine:edge musl 1.2.5-r1 apk source", ""},
		{"pkg:apk/wolfi/glibc@2.39-r1?distro=wolfi", nil, "wolfi glibc 2.39-r1 apk, wolfi glibc 2.39-r1 apk source", ""},
		{"pkg:apk/wolfi/glibc@2.39-r1", &inventory.Distro{ID: "wolfi", Version: "20230201"}, "wolfi glibc 2.39-r1 apk, wolfi glibc 2.39-r1 apk source", ""},
		{"pkg:alpm/arch/zlib@1:1.3-1?distro=arch", nil, "arch zlib 1:1.3-1 pacman, arch zlib 1:1.3-1 pacman source", ""},
		{"pkg:ebuild/dev-libs/openssl@3.0.9?distro=gentoo", nil, "gentoo dev-libs/openssl 3.0.9 portage, gentoo dev-libs/openssl 3.0.9 portage source", ""},
		{"pkg:pypi/Ruamel.Yaml__clib@0.2", nil, "pypi ruamel-yaml-clib 0.2 pep440", ""},
		{"pkg:npm/%40babel/traverse@7.23.0", nil, "npm @babel/traverse 7.23.0 npm", ""},
		{"pkg:npm/lodash@4.17.20", nil, "npm lodash 4.17.20 npm", ""},
		{"pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1", nil, "maven org.apache.logging.log4j:log4j-core 2.14.1 maven", ""},
		{"pkg:composer/Symfony/HTTP-Kernel@v5.0.1", nil, "composer symfony/http-kernel v5.0.1 composer", ""},
		{"pkg:golang/github.com/BurntSushi/toml@v1.0.0", nil, "golang github.com/BurntSushi/toml v1.0.0 go", ""},
		{"pkg:golang/stdlib@1.20.1", nil, "golang stdlib 1.20.1 go", ""},
		{"pkg:golang/golang.org/x/crypto@v0.0.0-20200622213623-75b288015ac9", nil, "golang golang.org/x/crypto v0.0.0-20200622213623-75b288015ac9 go", ""},
		{"pkg:nuget/Newtonsoft.Json@12.0.3", nil, "nuget newtonsoft.json 12.0.3 nuget", ""},
		{"pkg:gem/nokogiri@1.13.3?platform=x86_64-linux", nil, "gem nokogiri 1.13.3 gem", ""},
		{"pkg:cargo/time@0.1.43", nil, "cargo time 0.1.43 cargo", ""},
		{"pkg:hex/phoenix@1.5.0", nil, "hex phoenix 1.5.0 hex", ""},
		{"pkg:swift/github.com/vapor/vapor@4.84.1", nil, "swift github.com/vapor/vapor 4.84.1 swift", ""},
		{"pkg:bitnami/wordpress@6.2.0-1", nil, "bitnami wordpress 6.2.0-1 bitnami", ""},
		{"pkg:generic/openssl@3.0.1", nil, "", UnknownType},
		{"pkg:cpan/JSON@4.0", nil, "", UnknownType},
		{"pkg:npm/lodash", nil, "", NoVersion},
	}
	for _, tt := range tests {
		t.Run(tt.purl, func(t *testing.T) {
			p := pkgs(t, tt.purl)[0]
			ls, state := lookups(&p, tt.distro)
			var got []string
			for _, l := range ls {
				got = append(got, strings.TrimSpace(l.key.Stream+" "+l.key.Name+" "+l.version+" "+string(l.scheme)+" "+string(l.names)))
			}
			if s := strings.Join(got, ", "); s != tt.want || state != tt.state {
				t.Errorf("lookups = %q, %q;\nwant %q, %q", s, state, tt.want, tt.state)
			}
		})
	}
}

func TestStatesOfPackages(t *testing.T) {
	in := Input{Packages: pkgs(t,
		"pkg:npm/a@1.0.0", "pkg:npm/a", "pkg:pypi/a@1", "pkg:gem/a@1", "pkg:deb/x/a@1?distro=x-1", "pkg:cpan/a@1", "pkg:deb/debian/a@1?distro=debian-12", "pkg:deb/debian/a@1?distro=debian-11")}
	r, _ := find(t, in, list{}, Options{Coverage: covered{"npm": false, "pypi": true, "debian:12": false}})
	var got []string
	for _, s := range r.States {
		got = append(got, in.Packages[s.Package].PURL()+" "+string(s.State))
		if s.Message == "" {
			t.Errorf("%v says nothing", s)
		}
	}
	want := []string{"pkg:npm/a no-version", "pkg:pypi/a@1 stale", "pkg:gem/a@1 no-data", "pkg:deb/x/a@1?distro=x-1 unknown-distro", "pkg:cpan/a@1 unknown-type", "pkg:deb/debian/a@1?distro=debian-11 no-data"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("states (-want +got):\n%s", d)
	}
}
