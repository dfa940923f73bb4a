package wordpress

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

// The files are the beginnings of those in Debian's wordpress 6.1.9, whose
// akismet is 5.0.2 and whose theme is 1.0.
func TestDebian(t *testing.T) {
	r := analyzetest.RunDir(t, Analyzer{}, "testdata/root")
	analyzetest.Check(t, r, "pkg:generic/wordpress@6.1.9", "pkg:wordpress-plugin/akismet@5.0.2", "pkg:wordpress-theme/twentytwentythree@1.0")
	p := analyzetest.Find(t, r, "akismet")
	if p.Meta["name"] != "Akismet Anti-Spam" || p.Supplier != "Automattic" || p.Licenses[0].Raw != "GPLv2 or later" || p.Homepage != "https://akismet.com/" ||
		!slices.Equal(p.Files.Strings(), []string{"usr/share/wordpress/wp-content/plugins/akismet/"}) {
		t.Errorf("%+v", p)
	}
	p = analyzetest.Find(t, r, "wordpress")
	if !slices.Equal(p.CPEs, []string{"cpe:2.3:a:wordpress:wordpress:6.1.9:*:*:*:*:*:*:*"}) ||
		!slices.Equal(p.Files.Strings(), []string{"usr/share/wordpress/wp-admin/", "usr/share/wordpress/wp-includes/"}) {
		t.Errorf("%+v", p)
	}
}

func TestHeaders(t *testing.T) {
	r := analyzetest.Run(t, Analyzer{}, fstest.MapFS{
		"var/www/html/wp-content/plugins/hello.php":     {Data: []byte("<?php\r\n/**\r\n * Plugin Name: Hello Dolly\r\n * Version: 1.7.2\r\n */\r\n")},
		"var/www/html/wp-content/plugins/woo/woo.php":   {Data: []byte("<?php /* Plugin Name: WooCommerce */\n# Version: 8.1.0-beta.1\n// Requires Plugins: a, b-c\n")},
		"var/www/html/wp-content/plugins/built/x.php":   {Data: []byte("<?php\n/*\nPlugin Name:Built\nVersion: {{VERSION}}\n*/")},
		"var/www/html/wp-content/plugins/woo/inc/a.php": {Data: []byte("<?php /*\nPlugin Name: no\n*/")},
		"var/www/html/wp-content/mu-plugins/must.php":   {Data: []byte("<?php /*\nPlugin Name: Must\nVersion: 2\n*/")},
		"var/www/html/wp-content/plugins/index.php":     {Data: []byte("<?php // Plugin Name: x")},
		"var/www/html/wp-content/themes/kid/style.css":  {Data: []byte("/*\nTheme Name: Kid\nTemplate: parent\nVersion: 0.1\n*/")},
		"srv/wp-includes/version.php":                   {Data: []byte("<?php\n$wp_version = \"6.5-RC1\";\n$required_php_version = '7.0.0';\n")},
		"srv/bad/wp-includes/version.php":               {Data: []byte("<?php // WordPress\n$wp_version = $x;\n")},
		"srv/other/wp-includes/version.php":             {Data: []byte("<?php\n")},
		"my-wp-content/plugins/a/a.php":                 {Data: []byte("<?php /*\nPlugin Name: no\n*/")},
	})
	analyzetest.Check(t, r,
		"pkg:generic/wordpress@6.5-RC1", "pkg:wordpress-plugin/built", "pkg:wordpress-plugin/hello-dolly@1.7.2", "pkg:wordpress-plugin/must@2",
		"pkg:wordpress-plugin/woo@8.1.0-beta.1", "pkg:wordpress-theme/kid@0.1",
		"problem: srv/bad/wp-includes/version.php: reading: it does not say WordPress's version")
	if p := analyzetest.Find(t, r, "woo"); !slices.Equal(p.Depends, []string{"a", "b-c"}) {
		t.Errorf("%+v", p)
	}
	if p := analyzetest.Find(t, r, "kid"); !slices.Equal(p.Depends, []string{"parent"}) {
		t.Errorf("%+v", p)
	}
}

func FuzzWordPress(f *testing.F) {
	analyzetest.Fuzz(f, []analyze.Analyzer{Analyzer{}}, []string{"wp-includes/version.php", "wp-content/plugins/a/a.php", "wp-content/themes/a/style.css"}, nil, "testdata")
}
