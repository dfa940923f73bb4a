package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/engine"
	"github.com/tidewaiter/tidewaiter/internal/store"
)

// BenchmarkScan matches 500 packages of Debian 10, of which 60 have
// advisories, with the publishers' whole data.
func BenchmarkScan(b *testing.B) { benchmarkScan(b, realFeeds(b, "debian", "debian-dsa")) }

// BenchmarkScanKnown is BenchmarkScan when the packages were matched before.
func BenchmarkScanKnown(b *testing.B) {
	f := realFeeds(b, "debian", "debian-dsa")
	answers, err := store.OpenAnswers(b.Context(), filepath.Join(b.TempDir(), "matches.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer answers.Close()
	f.Answers = answers
	benchmarkScan(b, f)
}

func benchmarkScan(b *testing.B, f *engine.Feeds) {
	b.Helper()
	var purls strings.Builder
	for i, name := range strings.Fields(`openssl curl glibc systemd apt bash perl gnupg2 gnutls28 libgcrypt20 libxml2 sqlite3 python3.7 expat zlib ncurses util-linux
		krb5 openldap libssh2 nghttp2 git subversion mariadb-10.3 postgresql-11 imagemagick tiff libwebp libpng1.6 freetype cairo glib2.0 ruby2.5 nodejs php7.3 apache2 nginx vim
		busybox bind9 dbus sudo shadow lz4 xz-utils bzip2 gzip tar unzip cups avahi samba openssh rsync wget wpa linux tzdata icu lxml jackson-databind qemu`) {
		fmt.Fprintf(&purls, "pkg:deb/debian/p%d@1.0-1?distro=debian-10&upstream=%s\n", i, name)
	}
	for i := range 440 {
		fmt.Fprintf(&purls, "pkg:deb/debian/none%d@1.0-1?distro=debian-10\n", i)
	}
	img, err := engine.ReadPURLs(strings.NewReader(purls.String()), "bench")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := f.Scan(b.Context(), img, engine.ScanOptions{}); err != nil {
		b.Fatal(err)
	}
	findings := 0
	for b.Loop() {
		s, err := f.Scan(b.Context(), img, engine.ScanOptions{})
		if err != nil {
			b.Fatal(err)
		}
		findings = len(s.Findings)
	}
	b.ReportMetric(float64(len(img.Packages)), "packages")
	b.ReportMetric(float64(findings), "findings")
}
