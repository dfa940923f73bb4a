package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// realSubjects are real images as check sees them, by the program's analyzers
// and with publishers' own data, each read once and handed out as often as
// needed.
type realSubjects struct {
	t    *testing.T
	c    *command
	args map[string][]string
	got  map[string]*policy.Subject
}

// newRealSubjects imports the data and says how each image is read: lower ones
// are the images that others were built on, "app" follows "below" under one
// tag, "downgraded" is CentOS 7 after Rocky 9.
func newRealSubjects(t *testing.T) *realSubjects {
	feeds := feedFolder(t)
	shared := filepath.Join(filepath.Dir(filepath.Dir(feeds)), "images")
	c := newCommand(t)
	for _, f := range []string{"debian=debian/security-tracker.json.gz", "osv-npm=osv/npm/all.zip", "osv-maven=osv/Maven/all.zip", "kev=kev/known_exploited_vulnerabilities.json", "epss=epss/epss_scores-2026-05-17.csv.gz", "eol=eol"} {
		name, path, _ := strings.Cut(f, "=")
		if code, _, errs := c.run("feed", "update", name, "--from", filepath.Join(feeds, path)); code != 0 {
			t.Fatal(name, errs)
		}
	}
	own := c.file("mal.yaml", "id: MAL-2026-1\nsummary: what a publisher of attacks would say of it\npackages:\n  - purl: pkg:npm/axios\n    fixed: 99.0.0\n")
	if code, _, errs := c.run("feed", "update", "own", "--from", own); code != 0 {
		t.Fatal(errs)
	}
	secrets := corpusImage(t, "secrets")
	base := lowerImage(t, secrets, 1)
	return &realSubjects{t: t, c: c, got: map[string]*policy.Subject{}, args: map[string][]string{
		"distroless": {"docker-archive:" + filepath.Join(shared, "distroless.tar")},
		"node":       {corpusImage(t, "debian-node")},
		"java":       {corpusImage(t, "debian-java")},
		"ruby":       {corpusImage(t, "debian-ruby")},
		"debian":     {corpusImage(t, "debian-base")},
		"alpine":     {alpine},
		"below":      {base, "--tag", "example.com/app:1"},
		"app": {secrets, "--tag", "example.com/app:1", "--content-search", "ROOTLOGIN=PermitRootLogin yes", "--retrieve-file", "/etc/passwd", "--retrieve-file", "/etc/ssh/sshd_config",
			"--dockerfile", c.file("Dockerfile", "FROM example.com/base:1\nEXPOSE 22\nUSER root\nRUN se_files\n")},
		"undone":     {base, "--base", secrets, "--tag", "example.com/app:1"},
		"rocky":      {"docker-archive:" + filepath.Join(shared, "rocky9.tar"), "--tag", "example.com/el:1"},
		"downgraded": {"docker-archive:" + filepath.Join(shared, "centos7-httpd24.tar"), "--base", "docker-archive:" + filepath.Join(shared, "rocky9.tar"), "--tag", "example.com/el:1"},
		"purls":      {"purl:pkg:npm/axios@0.21.1"},
		"privileged": {permissionsImage(t)},
	}}
}

// subject returns an image for one question: a copy that may be changed.
func (r *realSubjects) subject(name string) *policy.Subject {
	r.t.Helper()
	s := r.got[name]
	if s == nil {
		args := r.args[name]
		if args == nil {
			r.t.Fatalf("no image %s", name)
		}
		if file := strings.TrimPrefix(args[0], "docker-archive:"); file != args[0] {
			if _, err := os.Stat(file); err != nil {
				r.t.Skip(err)
			}
		}
		// The policy asks what is only looked up when it is asked.
		bundle := r.c.file("asks.json", rulesText(askRule("e", "packages", "eol"), askRule("v", "vulnerabilities", "package", "package_type", "all", "max_days_since_creation", "0")))
		file := filepath.Join(r.c.dir, name+".record.gz")
		if _, _, errs := r.c.run(append([]string{"check", "--policy", bundle, "-o", "verdict-record=" + file}, args...)...); errs != "" {
			r.t.Fatal(name, errs)
		}
		in, err := os.Open(file)
		if err != nil {
			r.t.Fatal(err)
		}
		defer in.Close()
		record, err := policy.ReadRecord(in)
		if err != nil {
			r.t.Fatal(err)
		}
		if s, err = record.Subject(); err != nil {
			r.t.Fatal(err)
		}
		r.got[name] = s
	}
	img := *s.Image
	img.Facts, img.Problems, img.Packages = slices.Clone(img.Facts), slices.Clone(img.Problems), slices.Clone(img.Packages)
	out := &policy.Subject{Image: &img, Tag: s.Tag, Now: s.Now, Collected: map[string]bool{}, Dockerfile: s.Dockerfile, Base: s.Base, Previous: s.Previous, Untold: s.Untold, Ancestors: s.Ancestors, Sources: s.Sources,
		Streams: s.Streams, Detected: s.Detected, PackageFeeds: s.PackageFeeds, Cycles: s.Cycles, Annotations: s.Annotations}
	for k, v := range s.Collected {
		out.Collected[k] = v
	}
	if s.Scan != nil {
		scan := *s.Scan
		scan.Image = &img
		out.Scan = &scan
	}
	return out
}

// question is a trigger asked about a real image, and what has to come of it.
type question struct {
	ask    string // gate/trigger, in the words of format 1_0
	image  string
	params []string
	want   string // pattern of a message; "" when nothing may fire
	n      int    // rows; 0 for any number
	with   func(*policy.Subject)
}

func made(kind, path, data string) func(*policy.Subject) {
	return func(s *policy.Subject) {
		s.Collected[kind] = true
		if data != "" {
			s.Image.Facts = append(s.Image.Facts, inventory.Fact{Kind: kind, Path: path, Data: []byte(data)})
		}
	}
}

func later(days int) func(*policy.Subject) {
	return func(s *policy.Subject) { s.Now = s.Now.AddDate(0, 0, days) }
}

// registryKnows is what the npm registry and RubyGems say of axios and rake:
// nobody collects that, so it is told here.
func registryKnows(s *policy.Subject) {
	s.PackageFeeds = map[string]*policy.PackageFeed{
		"npm": {Synced: s.Now, Packages: map[string]policy.FeedPackage{"axios": {Latest: "1.7.0", Versions: []string{"0.21.0", "1.7.0"}}, "eslint": {Latest: "8.57.1", Versions: []string{"8.57.1"}}}},
		"gem": {Synced: s.Now, Packages: map[string]policy.FeedPackage{"rake": {Latest: "13.2.1", Versions: []string{"13.2.1"}}, "abbrev": {Latest: "0.1.0", Versions: []string{"0.1.0"}}}},
	}
}

func none(kind string) func(*policy.Subject) { return made(kind, "", "") }

func source(packages ...inventory.Package) func(*policy.Subject) {
	return func(s *policy.Subject) { s.Sources = []policy.Source{{Name: "git", Packages: packages}} }
}

func p(params ...string) []string { return params }

// questions: what is wanted was seen on the images by other means: dpkg's and
// rpm's databases, find(1), sha256sum(1), the images' configurations, Debian's
// tracker, CISA's catalogue, endoflife.date's files. Where a fact is made
// (malware, STIG, registries, sources, changed files of packages) nobody collects it from these
// images yet.
func questions() []question {
	const (
		axios  = "pkg:npm/axios@0.21.1"
		passwd = "root:x:0:0:root:/root:/bin/bash"
		toor   = "toor:x:0:0:second root:/root:/bin/bash"
		spring = "CRITICAL Vulnerability found in non-os package type (java) - /usr/share/java/spring3-beans-3.x.jar*(CVE-2022-22965 - *)"
	)
	return []question{
		{ask: "always/always", image: "debian", want: "Unconditional trigger match", n: 1},

		{ask: "dockerfile/instruction", image: "node", params: p("instruction", "RUN", "check", "like", "value", "debs nodejs"), want: "*for line 'debs nodejs ca-certificates'", n: 1},
		{ask: "dockerfile/instruction", image: "node", params: p("instruction", "RUN", "check", "like", "value", "debs nodejs", "actual_dockerfile_only", "true")},
		{ask: "dockerfile/effective_user", image: "app", params: p("users", "root", "type", "blacklist"), want: "User root found*", n: 1},
		{ask: "dockerfile/effective_user", image: "app", params: p("users", "app", "type", "blacklist")},
		{ask: "dockerfile/exposed_ports", image: "app", params: p("ports", "22", "type", "blacklist"), want: "Dockerfile exposes port (22) which is in policy file DENIEDPORTS list", n: 1},
		{ask: "dockerfile/exposed_ports", image: "debian", params: p("ports", "22", "type", "blacklist")},
		{ask: "dockerfile/no_dockerfile_provided", image: "debian", want: "Image was not analyzed with an actual Dockerfile", n: 1},
		{ask: "dockerfile/no_dockerfile_provided", image: "app"},

		{ask: "files/content_regex_match", image: "app", params: p("regex_name", "ROOTLOGIN"), want: "*file=/etc/ssh/sshd_config regexp=ROOTLOGIN=PermitRootLogin yes", n: 1},
		{ask: "files/content_regex_match", image: "app", params: p("regex_name", "CONTACT")},
		{ask: "files/name_match", image: "app", params: p("regex", "/root/.ssh/id_rsa$"), want: "*file=/root/.ssh/id_rsa*", n: 1},
		{ask: "files/name_match", image: "debian", params: p("regex", "/root/.ssh/.*")},
		{ask: "files/attribute_match", image: "below", params: p("filename", "/etc/shadow", "mode", "0640"), want: "filename=/etc/shadow and mode=0o640 op=equals specified_mode=0o640", n: 1},
		{ask: "files/attribute_match", image: "below", params: p("filename", "/etc/debian_version", "checksum", "0e6ef511d8279cbe816b3596bdda9302016f5e29f6d16814b84ea7cbc12b3ffe", "checksum_match", "not_equals")},
		{ask: "files/suid_or_guid_set", image: "app", want: "SUID or SGID found set on file /usr/local/bin/rootsh. Mode: 0o*4755", n: 13},
		{ask: "files/suid_or_guid_set", image: "alpine"},
		{ask: "files/owner", image: "below", params: p("regex", "/etc/shadow$", "group_ids", "42"), want: "*/etc/shadow*", n: 1},
		{ask: "files/owner", image: "below", params: p("regex", "/etc/shadow$", "user_ids", "1000")},
		{ask: "files/world_writable", image: "app", params: p("exclude", "/dev/.*"), want: "*/srv/open*", n: 2},
		{ask: "files/world_writable", image: "below", params: p("exclude", "/dev/.*")},
		{ask: "files/world_writable", image: "privileged", want: "Anybody may write to directory /srv/open. Mode: 0o777", n: 2},
		{ask: "files/capabilities", image: "privileged", want: "File /usr/bin/raw has capabilities cap_net_raw=ep", n: 2},
		{ask: "files/capabilities", image: "privileged", params: p("names", "cap_setuid"), want: "File /opt/setuid has capabilities cap_setuid=ep", n: 1},
		{ask: "files/capabilities", image: "debian"},
		{ask: "files/device_nodes", image: "debian", want: "There is a character device 1:3 at /dev/null. Mode: 0o666", n: 8},
		{ask: "files/device_nodes", image: "debian", params: p("standard", "false")},
		{ask: "files/device_nodes", image: "distroless"},
		{ask: "files/device_nodes", image: "privileged", params: p("standard", "false"), want: "There is a block device 8:0 at /dev/sda. Mode: 0o660", n: 1},

		{ask: "licenses/blacklist_exact_match", image: "distroless", params: p("licenses", "OpenSSL"), want: "LICFULLMATCH*openssl(OpenSSL)*", n: 1},
		{ask: "licenses/blacklist_exact_match", image: "distroless", params: p("licenses", "SSPL-1.0")},
		{ask: "licenses/blacklist_partial_match", image: "distroless", params: p("licenses", "LGPL"), want: "LICSUBMATCH*libc6(LGPL-2.1+)*", n: 1},
		{ask: "licenses/blacklist_partial_match", image: "distroless", params: p("licenses", "SSPL")},
		{ask: "licenses/not_allowed", image: "ruby", params: p("categories", "permissive,public-domain,unknown", "package_type", "gem"), want: "*pkg-config*LGPL-2.0-or-later*", n: 1},
		{ask: "licenses/not_allowed", image: "distroless", params: p("categories", "permissive,public-domain", "package_type", "gem")},
		{ask: "licenses/undeclared", image: "node", want: "Texts in package abbrev (npm) show licences that it does not declare: MIT"}, // package.json says ISC, LICENSE is both
		{ask: "licenses/undeclared", image: "debian"},

		{ask: "malware/scans", image: "app", with: made(policy.FactMalware, "srv/open/eicar", `{"scanner":"clamav","signature":"Eicar-Test-Signature"}`), want: "Malware scan finding: scanner=clamav file=/srv/open/eicar signature=Eicar-Test-Signature", n: 1},
		{ask: "malware/scans", image: "app", with: made(policy.FactMalwareScan, "", `{"scanner":"clamav","completed":true}`)},
		{ask: "malware/scan_not_run", image: "debian", want: "No malware scans found for image", n: 1},
		{ask: "malware/scan_not_run", image: "debian", with: made(policy.FactMalwareScan, "", `{"scanner":"clamav","completed":true}`)},

		{ask: "metadata/attribute", image: "app", params: p("attribute", "layer_count", "check", ">=", "value", "3"), want: "*attribute: 'layer_count' check: '>=' check_value: '3' matched image value: '3'", n: 1},
		{ask: "metadata/attribute", image: "rocky", params: p("attribute", "distro", "check", "in", "value", "debian,alpine")},

		{ask: "npms/newer_version_in_feed", image: "node", with: registryKnows, want: "NPMNOTLATEST Package (axios) version (0.21.1) installed but is not the latest version (1.7.0)", n: 1},
		{ask: "npms/newer_version_in_feed", image: "ruby", with: registryKnows},
		{ask: "npms/unknown_in_feeds", image: "node", with: registryKnows, want: "NPMNOTOFFICIAL Package (mongoose) in container but not in official NPM feed."},
		{ask: "npms/unknown_in_feeds", image: "ruby", with: registryKnows},
		{ask: "npms/version_not_in_feeds", image: "node", with: registryKnows, want: "NPMBADVERSION Package (axios) version (0.21.1)*(['0.21.0', '1.7.0'])", n: 1},
		{ask: "npms/version_not_in_feeds", image: "ruby", with: registryKnows},
		{ask: "npms/blacklisted_name_version", image: "node", params: p("name", "axios", "version", "0.21.1"), want: "NPM Package is blacklisted: axios-0.21.1", n: 1},
		{ask: "npms/blacklisted_name_version", image: "node", params: p("name", "axios", "version", "0.21.2")},
		{ask: "npms/feed_data_unavailable", image: "node", want: "NPM packages are present but the anchore npm feed is not available*", n: 1},
		{ask: "npms/feed_data_unavailable", image: "node", with: registryKnows},
		{ask: "ruby_gems/newer_version_found_in_feed", image: "ruby", with: registryKnows, want: "*(rake)*(13.2.1)"},
		{ask: "ruby_gems/newer_version_found_in_feed", image: "debian", with: registryKnows},
		{ask: "ruby_gems/not_found_in_feed", image: "ruby", with: registryKnows, want: "GEMNOTOFFICIAL Package (actioncable)*"},
		{ask: "ruby_gems/not_found_in_feed", image: "debian", with: registryKnows},
		{ask: "ruby_gems/version_not_found_in_feed", image: "ruby", with: registryKnows, want: "GEMBADVERSION Package (rake)*"},
		{ask: "ruby_gems/version_not_found_in_feed", image: "debian", with: registryKnows},
		{ask: "ruby_gems/blacklist", image: "ruby", params: p("name", "actioncable", "version", "6.1.7.10"), want: "Gem Package is blacklisted: actioncable-6.1.7.10", n: 1},
		{ask: "ruby_gems/blacklist", image: "ruby", params: p("name", "actioncable", "version", "7.0.0")},
		{ask: "ruby_gems/feed_data_unavailable", image: "ruby", want: "Gem packages are present but the anchore gem feed is not available*", n: 1},
		{ask: "ruby_gems/feed_data_unavailable", image: "ruby", with: registryKnows},

		{ask: "packages/required_package", image: "distroless", params: p("name", "libssl1.1", "version", "1.1.0l-1~deb9u6", "version_match_type", "minimum"), want: "Required min-version input package (libssl1.1) is present (1.1.0l-1~deb9u1), but is lower version than what is specified in policy (1.1.0l-1~deb9u6)", n: 1},
		{ask: "packages/required_package", image: "distroless", params: p("name", "libssl1.1", "version", "1.1.0j-1~deb9u1", "version_match_type", "minimum")},
		{ask: "packages/blacklist", image: "distroless", params: p("name", "openssl"), want: "Package is blacklisted: openssl", n: 1},
		{ask: "packages/blacklist", image: "alpine", params: p("name", "openssl")},
		{ask: "packages/verify", image: "distroless", with: made(policy.FactPackageFile, "usr/bin/openssl", `{"package":"openssl","status":"changed"}`), want: "VERIFY check against package db for package 'openssl' failed on entry '/usr/bin/openssl' with status: 'changed'", n: 1},
		{ask: "packages/verify", image: "distroless", with: none(policy.FactPackageFile)},
		{ask: "packages/metadata", image: "java", params: p("type", "java", "name", "log4j", "version", "2", "version_comparison", "<"), want: "*log4j*1.2.17*"},
		{ask: "packages/metadata", image: "java", params: p("type", "java", "name", "log4j", "version", "1.2", "version_comparison", "<")},
		{ask: "packages/eol", image: "node", want: "Package eslint 8.57.1: support of eslint 8 ended on 2024-10-05", n: 2},
		{ask: "packages/eol", image: "ruby", with: func(s *policy.Subject) { s.Now = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{ask: "packages/malicious", image: "node", want: "Package axios version 0.21.1 is malicious (MAL-2026-1)", n: 1},
		{ask: "packages/malicious", image: "java"},

		{ask: "passwd_file/content_not_available", image: "distroless", want: "Cannot locate /etc/passwd in image stored files archive: check analyzer settings.", n: 1, with: func(s *policy.Subject) { s.Image.Facts = nil }},
		{ask: "passwd_file/content_not_available", image: "app"},
		{ask: "passwd_file/blacklist_usernames", image: "app", params: p("user_names", "toor"), want: "Blacklisted user 'toor' found in image's /etc/passwd: pentry=" + toor, n: 1},
		{ask: "passwd_file/blacklist_usernames", image: "below", params: p("user_names", "toor")},
		{ask: "passwd_file/blacklist_userids", image: "app", params: p("user_ids", "0"), want: "Blacklisted uid '0' found in image's /etc/passwd: pentry=" + toor, n: 2},
		{ask: "passwd_file/blacklist_userids", image: "app", params: p("user_ids", "4242")},
		{ask: "passwd_file/blacklist_groupids", image: "app", params: p("group_ids", "1001"), want: "Blacklisted gid '1001' found*nopass:*", n: 1},
		{ask: "passwd_file/blacklist_groupids", image: "below", params: p("group_ids", "1001")},
		{ask: "passwd_file/blacklist_shells", image: "below", params: p("shells", "/bin/bash"), want: "Blacklisted shell '/bin/bash' found in image's /etc/passwd: pentry=" + passwd, n: 1},
		{ask: "passwd_file/blacklist_shells", image: "below", params: p("shells", "/bin/zsh")},
		{ask: "passwd_file/blacklist_full_entry", image: "app", params: p("entry", toor), want: "Blacklisted pentry '" + toor + "' found*", n: 1},
		{ask: "passwd_file/blacklist_full_entry", image: "app", params: p("entry", "toor:x:0:0::/:")},

		{ask: "retrieved_files/content_not_available", image: "below", params: p("path", "/etc/ssh/sshd_config"), want: "Cannot locate file in the image analysis", n: 1},
		{ask: "retrieved_files/content_not_available", image: "app", params: p("path", "/etc/ssh/sshd_config")},
		{ask: "retrieved_files/content_regex", image: "app", params: p("path", "/etc/ssh/sshd_config", "regex", "PermitRootLogin", "check", "match"), want: "Content regex 'PermitRootLogin' check 'match' found in retrieved file '/etc/ssh/sshd_config'", n: 1},
		{ask: "retrieved_files/content_regex", image: "app", params: p("path", "/etc/ssh/sshd_config", "regex", "PermitRootLogin", "check", "no_match")},

		{ask: "secret_scans/content_regex_checks", image: "app", params: p("content_regex_name", "PRIV_KEY", "filename_regex", "/root/.ssh/id_rsa"), want: "*file=/root/.ssh/id_rsa regexp=PRIV_KEY=*", n: 1},
		{ask: "secret_scans/content_regex_checks", image: "below", params: p("content_regex_name", "PRIV_KEY")},

		{ask: "vulnerabilities/package", image: "java", params: p("package_type", "non-os", "severity_comparison", "=", "severity", "critical", "epss_score", "0.9"), want: spring},
		{ask: "vulnerabilities/package", image: "java", params: p("package_type", "os")},
		{ask: "vulnerabilities/package", image: "distroless", params: p("package_type", "os", "severity_comparison", ">=", "fix_available", "true"), want: "*(fixed in: 1.1.0l-1~deb9u6)(CVE-2022-1292 - https://security-tracker.debian.org/tracker/CVE-2022-1292)"},
		{ask: "vulnerabilities/stale_feed_data", image: "distroless", params: p("max_days_since_sync", "3"), with: later(5), want: "The vulnerability feed for this image distro is older than MAXAGE (3) days", n: 1},
		{ask: "vulnerabilities/stale_feed_data", image: "distroless", params: p("max_days_since_sync", "3")},
		{ask: "vulnerabilities/vulnerability_data_unavailable", image: "rocky", want: "Distro-specific feed data not found for distro namespace: rhel:9*", n: 1},
		{ask: "vulnerabilities/vulnerability_data_unavailable", image: "distroless"},
		{ask: "vulnerabilities/blacklist", image: "distroless", params: p("vulnerability_ids", "CVE-2022-1292,CVE-1999-0001"), want: "Blacklisted vulnerabilities detected: ['CVE-2022-1292']", n: 1},
		{ask: "vulnerabilities/blacklist", image: "distroless", params: p("vulnerability_ids", "CVE-2014-0160")},
		{ask: "vulnerabilities/kev_list", image: "java", want: "CVE-2022-22965 in /usr/share/java/spring3-beans-3.x.jar is known to be exploited"},
		{ask: "vulnerabilities/kev_list", image: "distroless"},
		{ask: "vulnerabilities/epss", image: "java", params: p("score", "0.94"), want: "CVE-2022-22965 in * is likely to be exploited (EPSS score 0.94428, percentile 0.99984)"},
		{ask: "vulnerabilities/epss", image: "distroless", params: p("score", "0.99")},

		{ask: "ancestry/allowed_base_image_digest", image: "app", params: p("base_digest", "sha256:x"), want: "Base image example.com/app:1 (sha256:*) is not among the allowed base images", n: 1},
		{ask: "ancestry/allowed_base_image_digest", image: "undone", params: p("base_digest", "sha256:b1b650555b864025cc8b27c6f8b105d5df85dddd43c14fb4342b1a7b6a29569f")},
		{ask: "ancestry/allowed_base_image_tag", image: "app", params: p("base_tag", "debian:12"), want: "Base image example.com/app:1 (sha256:*) is not among*", n: 1},
		{ask: "ancestry/allowed_base_image_tag", image: "app", params: p("base_tag", "example.com/app:1")},
		{ask: "ancestry/denylist_ancestor_image_digest", image: "undone", params: p("ancestor_digest", "sha256:b1b650555b864025cc8b27c6f8b105d5df85dddd43c14fb4342b1a7b6a29569f"), want: "Image is built on *, which is denied", n: 1},
		{ask: "ancestry/denylist_ancestor_image_digest", image: "app", params: p("ancestor_digest", "sha256:x")},
		{ask: "ancestry/denylist_ancestor_image_tag", image: "app", params: p("ancestor_tag", "example.com/app:1"), want: "Image is built on example.com/app:1 *", n: 1},
		{ask: "ancestry/denylist_ancestor_image_tag", image: "app", params: p("ancestor_tag", "debian:9")},
		{ask: "ancestry/no_ancestors_analyzed", image: "below", want: "No ancestor of the image has been analyzed", n: 1},
		{ask: "ancestry/no_ancestors_analyzed", image: "app"},

		{ask: "distro/deny", image: "downgraded", params: p("distro", "centos", "version", "8", "check", "<"), want: "Distro centos version 7 is denied (< 8)", n: 1},
		{ask: "distro/deny", image: "rocky", params: p("distro", "rocky", "version", "9", "check", "<")},
		{ask: "distro/eol", image: "alpine", want: "Support of distro alpine version 3.10* ended on 2021-05-01", n: 1},
		{ask: "distro/eol", image: "rocky", with: func(s *policy.Subject) { s.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{ask: "distro/unknown", image: "debian", with: func(s *policy.Subject) { s.Image.Distro = nil }, want: "The image has packages of an operating system, but does not say which", n: 1},
		{ask: "distro/unknown", image: "debian"},

		{ask: "image_source_drift/package_downgraded", image: "node", with: source(inventory.Package{Type: "npm", Name: "axios", Version: "1.7.0"}), want: "Package axios (npm) was downgraded from 1.7.0 in source git to 0.21.1", n: 1},
		{ask: "image_source_drift/package_downgraded", image: "node", with: source(inventory.Package{Type: "npm", Name: "axios", Version: "0.21.0"})},
		{ask: "image_source_drift/package_removed", image: "node", with: source(inventory.Package{Type: "npm", Name: "no-such-package", Version: "1"}), want: "Package no-such-package (npm) 1 of source git is missing", n: 1},
		{ask: "image_source_drift/package_removed", image: "node", with: source(inventory.Package{Type: "npm", Name: "axios", Version: "0.21.1"})},
		{ask: "image_source_drift/no_related_sources", image: "node", want: "No source is related to the image", n: 1},
		{ask: "image_source_drift/no_related_sources", image: "node", with: source()},
		{ask: "stig/evaluation_passed", image: "debian", want: "No STIG evaluation is attached to the image", n: 1},
		{ask: "stig/evaluation_passed", image: "debian", with: made(policy.FactSTIG, "", `{"profile":"a","passed":true}`)},

		{ask: "tag_drift/packages_added", image: "downgraded", params: p("package_type", "rpm"), want: "Package httpd24-httpd (rpm) * was added to the previous image of the tag"},
		{ask: "tag_drift/packages_added", image: "below"},
		{ask: "tag_drift/packages_removed", image: "downgraded", want: "Package rocky-release (rpm) * of the previous image of the tag is missing"},
		{ask: "tag_drift/packages_removed", image: "app"},
		{ask: "tag_drift/packages_modified", image: "downgraded", want: "Package bash (rpm) changed from 5.1.8-* in the previous image of the tag to 4.2.46-*", n: 0},
		{ask: "tag_drift/packages_modified", image: "app"},

		{ask: "accounts/weakness", image: "app", want: "uid-0 in /etc/passwd: toor*"},
		{ask: "accounts/weakness", image: "below"},
		{ask: "base_image/package_added", image: "downgraded", want: "Package httpd24-httpd (rpm) * was added to the base image"},
		{ask: "base_image/package_added", image: "undone"},
		{ask: "base_image/package_removed", image: "downgraded", want: "Package rocky-release (rpm) * of the base image is missing"},
		{ask: "base_image/package_removed", image: "app"},
		{ask: "base_image/package_version_changed", image: "downgraded", want: "Package bash (rpm) changed from 5.1.8-* in the base image to 4.2.46-*"},
		{ask: "base_image/package_version_changed", image: "undone"},
		{ask: "base_image/packages_differ", image: "downgraded", want: "Packages differ from the base image: * added, * removed, * changed", n: 1},
		{ask: "base_image/packages_differ", image: "undone"},
		{ask: "base_image/setuid_added", image: "app", want: "SUID or SGID file /usr/local/bin/rootsh with mode 0o4755 is not in the base image", n: 2},
		{ask: "base_image/setuid_added", image: "undone"},
		{ask: "base_image/setuid_removed", image: "undone", want: "SUID or SGID file /usr/local/bin/sgidtool of the base image is missing, or has lost the bits", n: 2},
		{ask: "base_image/setuid_removed", image: "app"},
		{ask: "base_image/setuid_mode_changed", image: "app", with: otherMode, want: "SUID or SGID file /usr/bin/su has mode 0o4755, in the base image 0o4711", n: 1},
		{ask: "base_image/setuid_mode_changed", image: "app"},

		{ask: "binaries/unidentified", image: "distroless", want: "Executable /lib/x86_64-linux-gnu/ld-2.24.so belongs to no package"},
		{ask: "binaries/unidentified", image: "below"},
		{ask: "binaries/coverage", image: "distroless", params: p("min_percent", "40"), want: "Packages account for 39.5 percent of the executable bytes (* of * files), less than 40", n: 1},
		{ask: "binaries/coverage", image: "distroless", params: p("min_percent", "39")},
		{ask: "data/stale", image: "debian", params: p("max_days", "3", "sources", "debian"), with: later(5), want: "Vulnerability data of debian is stale", n: 1},
		{ask: "data/stale", image: "debian", params: p("max_days", "3", "sources", "debian")},
		{ask: "data/missing", image: "rocky", want: "Package bash (rpm) could not be judged: no-data"},
		{ask: "data/missing", image: "distroless"},
		{ask: "data/not_scanned", image: "debian", with: func(s *policy.Subject) { s.Scan = nil }, want: "The image was not matched against vulnerability data", n: 1},
		{ask: "data/not_scanned", image: "debian"},
		{ask: "data/unread_files", image: "java", with: func(s *policy.Subject) {
			s.Image.Problems = append(s.Image.Problems, inventory.Problem{Analyzer: "java", Path: "opt/dup/renamed.jar", Message: "not a zip file"})
		}, want: "/opt/dup/renamed.jar could not be read wholly: not a zip file"},
		{ask: "data/unread_files", image: "alpine"},
		{ask: "expression/image", image: "app", params: p("expression", `"22/tcp" in image.ports && image.layers == 3 && "token" in image.labels`, "message", "that one"), want: "that one", n: 1},
		{ask: "expression/image", image: "debian", params: p("expression", `"22/tcp" in image.ports`)},
		{ask: "expression/package", image: "node", params: p("expression", `pkg.purl == "`+axios+`"`, "message", "m"), want: "m: package axios 0.21.1 (npm)", n: 1},
		{ask: "expression/package", image: "java", params: p("expression", `pkg.type == "npm" && pkg.name == "axios"`)},
		{ask: "expression/finding", image: "java", params: p("expression", `finding.exploited && finding.epss > 0.9`, "message", "m"), want: "m: CVE-2022-22965 in /usr/share/java/spring3-beans-3.x.jar"},
		{ask: "expression/finding", image: "distroless", params: p("expression", `finding.id == "CVE-2014-0160"`)},
		{ask: "expression/file", image: "app", params: p("expression", `file.path == "/usr/local/bin/rootsh" && file.uid == 0 && file.mode == 2541`, "message", "m", "regex", "/usr/local/.*"), want: "m: file /usr/local/bin/rootsh", n: 1},
		{ask: "expression/file", image: "app", params: p("expression", `file.size > 1000000000000`)},
		{ask: "expression/fact", image: "app", params: p("kind", "account", "expression", `fact.data.name == "toor" && fact.data.uid == "0"`, "message", "m"), want: "m*/etc/passwd*", n: 1},
		{ask: "expression/fact", image: "below", params: p("kind", "account", "expression", `fact.data.name == "toor"`)},
		{ask: "misconfiguration/check", image: "app", params: p("severity", "high"), want: "* in /etc/ssh/sshd_config*"},
		{ask: "misconfiguration/check", image: "below", params: p("severity", "critical")},
		{ask: "secrets/found", image: "app", params: p("min_confidence", "0.7"), want: "Secret * found in /root/.ssh/id_rsa*"},
		{ask: "secrets/found", image: "debian"},
	}
}

// otherMode gives a setuid file of the base another mode: no two of the images
// differ in that.
func otherMode(s *policy.Subject) {
	base := *s.Base
	var b inventory.Builder
	for f := range base.Files.All() {
		if f.Path == "usr/bin/su" {
			f.Perm = 0o4711
		}
		b.Add(f)
	}
	base.Files = b.Table()
	s.Base = &base
}

// TestGatesOnRealImages: every active trigger fires on a real inventory as is
// known of that image, and stays silent on one where it must. Only
// always/always knows no silence.
func TestGatesOnRealImages(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads ten images and six feeds")
	}
	corpusImage(t, "secrets")
	r := newRealSubjects(t)
	specs := map[string]*policy.TriggerSpec{}
	evals := map[string]policy.Gate{}
	for _, g := range policyGates() {
		spec := g.Spec()
		for i := range spec.Triggers {
			if spec.State != policy.EOL {
				specs[spec.Name+"/"+spec.Triggers[i].Name] = &spec.Triggers[i]
				evals[spec.Name+"/"+spec.Triggers[i].Name] = g
			}
		}
	}
	// Images of one tag in the order in which they had it.
	for _, name := range []string{"below", "app", "undone", "rocky", "downgraded"} {
		r.subject(name)
	}
	fires, silent := map[string]bool{}, map[string]bool{"always/always": true}
	for _, q := range questions() {
		spec := specs[q.ask]
		if spec == nil {
			t.Errorf("there is no %s", q.ask)
			continue
		}
		given := map[string]string{}
		for i := 0; i < len(q.params); i += 2 {
			given[q.params[i]] = q.params[i+1]
		}
		params, err := spec.With("r", given)
		if err != nil {
			t.Errorf("%s %q: %v", q.ask, q.params, err)
			continue
		}
		s := r.subject(q.image)
		if q.with != nil {
			q.with(s)
		}
		hits, err := evals[q.ask].Evaluate(t.Context(), spec.Name, s, params)
		if err != nil {
			t.Errorf("%s %q: %v", q.ask, q.params, err)
			continue
		}
		pattern, err := policy.ParsePattern(q.want)
		if err != nil {
			t.Fatal(err)
		}
		n, matched := 0, false
		var got []string
		for _, h := range hits {
			if h.Unknown {
				got = append(got, "? "+h.Message)
				continue
			}
			n++
			matched = matched || pattern.Match(h.Message)
			got = append(got, h.Message)
		}
		if q.want == "" {
			silent[q.ask] = true
			if n > 0 {
				t.Errorf("%s %q on %s: must be silent, says %.600q", q.ask, q.params, q.image, got)
			}
			continue
		}
		fires[q.ask] = true
		if !matched || q.n > 0 && n != q.n {
			t.Errorf("%s %q on %s: %d rows, want %s (%d); they are %s", q.ask, q.params, q.image, n, q.want, q.n, strings.Join(got[:min(len(got), 6)], "\n  "))
		}
	}
	for name := range specs {
		if !fires[name] || !silent[name] {
			t.Errorf("%s: fires on a real image %v, is silent on one %v", name, fires[name], silent[name])
		}
	}
}
