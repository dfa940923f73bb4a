package gates

import (
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// gateCase is one question about the fixture, possibly changed, and the whole
// answer: messages, with the trigger id before a tab where the gate makes its
// own, and "?" before what is unknown.
type gateCase struct {
	ask    string
	params []string
	change func(s *policy.Subject)
	want   []string
}

func answers(hits []policy.Hit) []string {
	var out []string
	for _, h := range hits {
		m := h.Message
		if h.ID != "" {
			m = h.ID + "\t" + m
		}
		if h.Unknown {
			m = "?" + m
		}
		out = append(out, m)
	}
	return out
}

func noFacts(s *policy.Subject)   { s.Image.Facts = nil; s.Image.Files = nil }
func notLooked(s *policy.Subject) { noFacts(s); s.Collected = map[string]bool{} }
func noScan(s *policy.Subject)    { s.Scan = nil }
func noPackages(s *policy.Subject) {
	s.Image.Packages = nil
	s.Scan.Findings = nil
}

// bundledGPL puts texts into the gem rake, which declares MIT.
func bundledGPL(s *policy.Subject) {
	for i := range s.Image.Packages {
		if p := &s.Image.Packages[i]; p.Name == "rake" {
			p.Licenses = append(slices.Clone(p.Licenses), inventory.License{Expression: "GPL-2.0-only", Source: "detected", Confidence: 0.9}, inventory.License{Expression: "MIT", Source: "detected", Confidence: 0.99})
		}
	}
}

// privileged puts files with capabilities, as setcap writes them, and devices
// into the image.
func privileged(s *policy.Subject) {
	s.Image.Files = table(
		inventory.File{Path: "dev/null", Type: inventory.CharDevice, Perm: 0o666, Major: 1, Minor: 3},
		inventory.File{Path: "dev/sda", Type: inventory.BlockDevice, Perm: 0o660, Major: 8},
		inventory.File{Path: "opt/ns", Perm: 0o755, Caps: "\x01\x00\x00\x03\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe8\x03\x00\x00"},
		inventory.File{Path: "opt/odd", Perm: 0o755, Caps: "\x01\x00\x00\x09\x00\x20\x00\x00"},
		inventory.File{Path: "srv", Type: inventory.Directory, Perm: 0o755, Caps: "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		inventory.File{Path: "srv/zero", Type: inventory.CharDevice, Perm: 0o666, Major: 1, Minor: 1},
		inventory.File{Path: "usr/bin/ping", Perm: 0o755, Caps: "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		inventory.File{Path: "usr/bin/tool", Perm: 0o755, Caps: "\x01\x00\x00\x02\x80\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
	)
}

func guessed(text string) func(*policy.Subject) {
	return func(s *policy.Subject) { s.Dockerfile = policy.Dockerfile{Mode: policy.ModeGuessed, Text: text} }
}

const (
	curlLine  = "apt-get update && apt-get install -y curl"
	cveOne    = "CVE-2024-0001+openssl\tHIGH Vulnerability found in os package type (dpkg) - openssl (fixed in: 3.0.13-1~deb12u1)(CVE-2024-0001 - https://security-tracker.debian.org/tracker/CVE-2024-0001)"
	cveLog4j  = "CVE-2021-44228+log4j-core-2.14.1.jar\tCRITICAL Vulnerability found in non-os package type (java) - /app/app.jar:BOOT-INF/lib/log4j-core-2.14.1.jar (fixed in: 2.15.0, 2.12.2)(CVE-2021-44228 - https://u)"
	cveNPM    = "CVE-2021-44906+minimist\tMEDIUM Vulnerability found in non-os package type (npm) - /usr/lib/node_modules/minimist/package.json (CVE-2021-44906 - https://m)"
	cveZlib   = "CVE-2023-45853+zlib1g\tCRITICAL Vulnerability found in os package type (dpkg) - zlib1g (CVE-2023-45853 - https://nvd.nist.gov/vuln/detail/CVE-2023-45853)"
	cveMal    = "MAL-2025-1+requests-2.25.1\tUNKNOWN Vulnerability found in non-os package type (python) - /usr/lib/python3/dist-packages (MAL-2025-1 - https://mal)"
	noLicence = "LICFULLMATCH Packages are installed that have blacklisted licenses: "
)

func withScore(m, score string) string { return strings.Replace(m, ")(CVE", ")("+score+")(CVE", 1) }

func gateCases() []gateCase {
	return []gateCase{
		{"always/always", nil, nil, []string{"always\tUnconditional trigger match"}},

		{"dockerfile/instruction", ps("instruction=RUN", "check=like", "value=.*curl"), nil, []string{"Dockerfile directive 'RUN' check 'like' matched against '.*curl' for line '" + curlLine + "'"}},
		{"dockerfile/instruction", ps("instruction=RUN", "check=like", "value=curl"), nil, nil},
		{"dockerfile/instruction", ps("instruction=RUN", "check=not_like", "value=curl"), nil, []string{"Dockerfile directive 'RUN' check 'not_like' matched against 'curl' for line '" + curlLine + "'"}},
		{"dockerfile/instruction", ps("instruction=HEALTHCHECK", "check=not_exists"), nil, []string{"Dockerfile directive 'HEALTHCHECK' not found, matching condition 'not_exists' check"}},
		{"dockerfile/instruction", ps("instruction=HEALTHCHECK", "check=not_exists"), guessed("FROM scratch\n"), []string{"Dockerfile directive 'HEALTHCHECK' not found, matching condition 'not_exists' check"}},
		{"dockerfile/instruction", ps("instruction=HEALTHCHECK", "check=not_exists"), guessed("# nothing\n"), nil},
		{"dockerfile/instruction", ps("instruction=HEALTHCHECK", "check=not_exists"), func(s *policy.Subject) { s.Dockerfile = policy.Dockerfile{} }, nil},
		{"dockerfile/instruction", ps("instruction=HEALTHCHECK", "check=not_exists", "actual_dockerfile_only=true"), guessed("FROM scratch\n"), nil},
		{"dockerfile/instruction", ps("instruction=FROM", "check=exists"), nil, []string{"Dockerfile directive 'FROM' check 'exists' matched against '' for line 'debian:12 AS build'"}},
		{"dockerfile/instruction", ps("instruction=LABEL", "check=in", "value=x, a=b"), nil, []string{"Dockerfile directive 'LABEL' check 'in' matched against 'x, a=b' for line 'a=b'"}},
		{"dockerfile/instruction", ps("instruction=LABEL", "check=not_in", "value=x,a=b"), nil, nil},
		{"dockerfile/instruction", ps("instruction=LABEL", "check=="), nil, nil},
		{"dockerfile/instruction", ps("instruction=LABEL", "check=!=", "value=x"), nil, []string{"Dockerfile directive 'LABEL' check '!=' matched against 'x' for line 'a=b'"}},
		{"dockerfile/effective_user", ps("users=root,docker", "type=blacklist"), nil, []string{"User root found as effective user, which is explicity not allowed"}},
		{"dockerfile/effective_user", ps("users=docker", "type=whitelist"), nil, []string{"User root found as effective user, which is not on the allowed list"}},
		{"dockerfile/effective_user", ps("users=root", "type=whitelist"), nil, nil},
		{"dockerfile/effective_user", ps("users=root", "type=blacklist"), guessed("FROM x\n"), []string{"User root found as effective user, which is explicity not allowed"}},
		{"dockerfile/effective_user", ps("users=app", "type=blacklist"), guessed("USER [app]\n"), []string{"User app found as effective user, which is explicity not allowed"}},
		{"dockerfile/effective_user", ps("users=app", "type=blacklist"), guessed("USER app:app\n"), nil},
		{"dockerfile/effective_user", ps("users=root", "type=whitelist"), guessed("user app\n"), nil},
		{"dockerfile/exposed_ports", ps("ports=22,53,23", "type=blacklist"), nil, []string{"Dockerfile exposes port (22) which is in policy file DENIEDPORTS list", "Dockerfile exposes port (53/udp) which is in policy file DENIEDPORTS list"}},
		{"dockerfile/exposed_ports", ps("ports=22,8080", "type=whitelist"), nil, []string{"Dockerfile exposes port (53/udp) which is not in policy file ALLOWEDPORTS list", "Dockerfile exposes port (9000-9010) which is not in policy file ALLOWEDPORTS list"}},
		{"dockerfile/exposed_ports", ps("ports=23,9005", "type=blacklist"), nil, nil},
		{"dockerfile/no_dockerfile_provided", nil, guessed("FROM x"), []string{"Image was not analyzed with an actual Dockerfile"}},
		{"dockerfile/no_dockerfile_provided", nil, func(s *policy.Subject) { s.Dockerfile = policy.Dockerfile{} }, []string{"Image was not analyzed with an actual Dockerfile"}},
		{"dockerfile/no_dockerfile_provided", nil, nil, nil},

		{"files/content_regex_match", nil, nil, []string{"File content analyzer found regexp match in container: file=/app/readme regexp=CONTACT=.*@example.com", "File content analyzer found regexp match in container: file=/app/other regexp=^TODO"}},
		{"files/content_regex_match", ps("regex_name=CONTACT"), nil, []string{"File content analyzer found regexp match in container: file=/app/readme regexp=CONTACT=.*@example.com"}},
		{"files/content_regex_match", ps("regex_name=^TODO"), nil, []string{"File content analyzer found regexp match in container: file=/app/other regexp=^TODO"}},
		{"files/content_regex_match", ps("regex_name=NONE"), nil, nil},
		{"files/content_regex_match", nil, notLooked, []string{"?the contents of files were not searched"}},
		{"files/name_match", ps(`regex=/app/.*\.jar`), nil, []string{`Application of regex matched file found in container: file=/app/app.jar regexp=/app/.*\.jar`}},
		{"files/name_match", ps(`regex=app\.jar`), nil, nil},
		{"files/attribute_match", ps("filename=/etc/shadow", "mode=00640", "mode_op=not_equals"), nil, []string{"filename=/etc/shadow and mode=0o644 op=not_equals specified_mode=0o640"}},
		{"files/attribute_match", ps("filename=/etc/shadow", "mode=00644", "checksum=abcd"+strings.Repeat("0", 60)), nil,
			[]string{"filename=/etc/shadow and checksum=abcd" + strings.Repeat("0", 60) + " op=equals specified_checksum=abcd" + strings.Repeat("0", 60) + " and mode=0o644 op=equals specified_mode=0o644"}},
		{"files/attribute_match", ps("filename=/etc/shadow", "mode=00644", "checksum="+strings.Repeat("0", 64)), nil, nil},
		{"files/attribute_match", ps("filename=/etc/shadow"), nil, nil},
		{"files/attribute_match", ps("filename=/none", "mode=00644"), nil, nil},
		{"files/attribute_match", ps("filename=/none", "mode=00644", "skip_missing=False"), nil, []string{"filename=/none and skip_missing=False"}},
		{"files/suid_or_guid_set", nil, nil, []string{"SUID or SGID found set on file /usr/bin/su. Mode: 0o104755"}},
		{"files/suid_or_guid_set", nil, noFacts, nil},
		{"files/owner", ps("regex=/app/.*", "user_ids=1000"), nil, []string{"File /app/app.jar belongs to uid 1000, gid 1000, which is not allowed"}},
		{"files/owner", ps("regex=/(app|etc)", "user_ids=0,1000", "type=whitelist"), nil, nil},
		{"files/world_writable", nil, nil, []string{"Anybody may write to file /var/open. Mode: 0o666"}},
		{"files/world_writable", ps("exclude=/var/"), nil, nil},
		{"files/capabilities", nil, nil, nil},
		{"files/capabilities", nil, privileged, []string{"File /opt/ns has capabilities cap_net_raw=ep [rootid=1000]", "Capabilities of file /opt/odd cannot be read: revision 9 is none of 1 to 3", "File /usr/bin/ping has capabilities cap_net_raw=ep", "File /usr/bin/tool has capabilities cap_setuid=eip cap_setgid=ei"}},
		{"files/capabilities", ps("exclude=/(opt|usr)/"), privileged, nil},
		{"files/capabilities", ps("names=CAP_SETGID, 21"), privileged, []string{"?Capabilities of file /opt/odd cannot be read: revision 9 is none of 1 to 3", "File /usr/bin/tool has capabilities cap_setuid=eip cap_setgid=ei"}},
		{"files/capabilities", ps("names=sys_admin", "exclude=/opt/"), privileged, nil},
		{"files/device_nodes", nil, nil, nil},
		{"files/device_nodes", nil, privileged, []string{"There is a character device 1:3 at /dev/null. Mode: 0o666", "There is a block device 8:0 at /dev/sda. Mode: 0o660", "There is a character device 1:1 at /srv/zero. Mode: 0o666"}},
		{"files/device_nodes", ps("standard=false"), privileged, []string{"There is a block device 8:0 at /dev/sda. Mode: 0o660", "There is a character device 1:1 at /srv/zero. Mode: 0o666"}},
		{"files/device_nodes", ps("exclude=/(dev|srv)/"), privileged, nil},

		{"licenses/blacklist_exact_match", ps("licenses=OpenSSL,MIT"), nil, []string{noLicence + "openssl(OpenSSL), rake(MIT)"}},
		{"licenses/blacklist_exact_match", ps("licenses=mit,GPL"), nil, nil},
		{"licenses/blacklist_partial_match", ps("licenses=GPL,SSPL"), nil, []string{"LICSUBMATCH Packages are installed that have blacklisted licenses: openssl(GPL-2), log4j-core(AGPL-3.0-only), log4j-core(SSPL-1.0)"}},
		{"licenses/blacklist_partial_match", ps("licenses=EUPL"), nil, nil},
		{"licenses/not_allowed", ps("categories=permissive"), nil, []string{"Package log4j-core (java) is licensed AGPL-3.0-only OR SSPL-1.0, which is not allowed"}},
		{"licenses/not_allowed", ps("categories=permissive", "licenses=AGPL-3.0-only"), nil, nil},
		{"licenses/not_allowed", ps("licenses=MIT", "package_type=npm", "unlicensed=true"), nil, []string{"No licence of package minimist (npm) is known"}},

		{"licenses/not_allowed", ps("licenses=MIT", "package_type=gem", "source=all"), bundledGPL, []string{"Package rake (gem) is licensed MIT, GPL-2.0-only, which is not allowed"}},
		{"licenses/not_allowed", ps("licenses=MIT", "package_type=gem", "source=all", "min_confidence=0.95"), bundledGPL, nil},
		{"licenses/not_allowed", ps("licenses=MIT", "package_type=gem", "source=detected"), bundledGPL, []string{"Package rake (gem) is licensed GPL-2.0-only, MIT, which is not allowed"}},
		{"licenses/not_allowed", ps("licenses=MIT", "package_type=gem"), bundledGPL, nil},
		{"licenses/not_allowed", ps("licenses=GPL-2.0-only", "package_type=gem", "source=declared"), bundledGPL, []string{"Package rake (gem) is licensed MIT, which is not allowed"}},
		{"licenses/blacklist_partial_match", ps("licenses=GPL-2.0"), bundledGPL, nil},
		{"licenses/undeclared", nil, bundledGPL, []string{"Texts in package rake (gem) show licences that it does not declare: GPL-2.0-only"}},
		{"licenses/undeclared", ps("categories=strong-copyleft"), bundledGPL, []string{"Texts in package rake (gem) show licences that it does not declare: GPL-2.0-only"}},
		{"licenses/undeclared", ps("categories=permissive"), bundledGPL, nil},
		{"licenses/undeclared", ps("min_confidence=0.95"), bundledGPL, nil},
		{"licenses/undeclared", nil, nil, nil},

		{"malware/scans", nil, nil, []string{"clamav+Eicar-Test-Signature+dd9c841d399dc578c5050f10504edf3d\tMalware scan finding: scanner=clamav file=/tmp/eicar.com signature=Eicar-Test-Signature"}},
		{"malware/scans", nil, noFacts, []string{"?no malware scanner has looked at the whole image"}},
		{"malware/scans", nil, func(s *policy.Subject) { s.Image.Facts = s.Image.Facts[7:8] }, nil},
		{"malware/scan_not_run", nil, noFacts, []string{"No malware scans found for image"}},
		{"malware/scan_not_run", nil, nil, nil},

		{"metadata/attribute", ps("attribute=size", "check=>", "value=750mb"), nil, []string{"Attribute check for attribute: 'size' check: '>' check_value: '786432000' matched image value: '838860800'"}},
		{"metadata/attribute", ps("attribute=size", "check=>", "value=1gb"), nil, nil},
		{"metadata/attribute", ps("attribute=size", "check=in", "value=1kb,800mb"), nil, []string{"Attribute check for attribute: 'size' check: 'in' check_value: '1kb,800mb' matched image value: '838860800'"}},
		{"metadata/attribute", ps("attribute=layer_count", "check=>=", "value=5"), nil, []string{"Attribute check for attribute: 'layer_count' check: '>=' check_value: '5' matched image value: '5'"}},
		{"metadata/attribute", ps("attribute=distro", "check=in", "value=alpine,debian"), nil, []string{"Attribute check for attribute: 'distro' check: 'in' check_value: 'alpine,debian' matched image value: 'debian'"}},
		{"metadata/attribute", ps("attribute=distro", "check=not_in", "value=alpine,debian"), nil, nil},
		{"metadata/attribute", ps("attribute=distro_version", "check=<", "value=9"), nil, []string{"Attribute check for attribute: 'distro_version' check: '<' check_value: '9' matched image value: '12'"}},
		{"metadata/attribute", ps("attribute=architecture", "check=like", "value=amd"), nil, []string{"Attribute check for attribute: 'architecture' check: 'like' check_value: 'amd' matched image value: 'amd64'"}},
		{"metadata/attribute", ps("attribute=os_type", "check=exists", "value="), nil, []string{"Attribute check for attribute: 'os_type' check: 'exists' check_value: '' matched image value: 'linux'"}},
		{"metadata/attribute", ps("attribute=like_distro", "check=="), nil, nil},
		{"metadata/attribute", ps("attribute=distro", "check=>", "value=a"), func(s *policy.Subject) { s.Image.Distro = nil }, nil},
		{"metadata/attribute", ps("attribute=distro", "check=not_exists"), func(s *policy.Subject) { s.Image.Distro = nil }, []string{"Attribute check for attribute: 'distro' check: 'not_exists' check_value: '' matched image value: ''"}},

		{"npms/newer_version_in_feed", nil, nil, []string{"NPMNOTLATEST Package (minimist) version (1.2.5) installed but is not the latest version (1.2.8)"}},
		{"npms/newer_version_in_feed", nil, func(s *policy.Subject) { s.Image.Packages[4].Version = "1.2.8" }, nil},
		{"npms/newer_version_in_feed", nil, func(s *policy.Subject) { s.PackageFeeds = nil }, []string{"?there is no data of the npm registry"}},
		{"npms/unknown_in_feeds", nil, addNPM, []string{"NPMNOTOFFICIAL Package (@corp/lib) in container but not in official NPM feed."}},
		{"npms/unknown_in_feeds", nil, nil, nil},
		{"npms/unknown_in_feeds", nil, func(s *policy.Subject) { s.PackageFeeds["npm"].Packages = nil }, nil},
		{"npms/version_not_in_feeds", nil, func(s *policy.Subject) { s.Image.Packages[4].Version = "9" }, []string{"NPMBADVERSION Package (minimist) version (9) installed but version is not in the official feed for this package (['1.2.5', '1.2.8'])"}},
		{"npms/version_not_in_feeds", nil, nil, nil},
		{"npms/blacklisted_name_version", ps("name=minimist", "version=1.2.5"), nil, []string{"NPM Package is blacklisted: minimist-1.2.5"}},
		{"npms/blacklisted_name_version", ps("name=minimist"), nil, []string{"NPM Package is blacklisted: minimist"}},
		{"npms/blacklisted_name_version", ps("name=minimist", "version=1"), nil, nil},
		{"npms/feed_data_unavailable", nil, func(s *policy.Subject) { s.PackageFeeds = nil }, []string{"NPM packages are present but the anchore npm feed is not available - will be unable to perform checks that require feed data"}},
		{"npms/feed_data_unavailable", nil, nil, nil},
		{"ruby_gems/newer_version_found_in_feed", nil, nil, []string{"Package (rake) version (13.0.6) installed but is not the latest version (13.1.0)"}},
		{"ruby_gems/newer_version_found_in_feed", nil, noPackages, nil},
		{"ruby_gems/not_found_in_feed", nil, func(s *policy.Subject) {
			s.Image.Packages = append(s.Image.Packages, inventory.Package{Type: "gem", Name: "private", Version: "1"})
		}, []string{"GEMNOTOFFICIAL Package (private) in container but not in official GEM feed."}},
		{"ruby_gems/not_found_in_feed", nil, nil, nil},
		{"ruby_gems/version_not_found_in_feed", nil, nil, []string{"GEMBADVERSION Package (rake) version (13.0.6) installed but version is not in the official feed for this package (['13.1.0'])"}},
		{"ruby_gems/version_not_found_in_feed", nil, noPackages, nil},
		{"ruby_gems/blacklist", ps("name=rake"), nil, []string{"Gem Package is blacklisted: rake"}},
		{"ruby_gems/blacklist", ps("name=rak"), nil, nil},
		{"ruby_gems/feed_data_unavailable", nil, func(s *policy.Subject) { s.PackageFeeds = nil }, []string{"Gem packages are present but the anchore gem feed is not available - will be unable to perform checks that require feed data"}},
		{"ruby_gems/feed_data_unavailable", nil, nil, nil},

		{"packages/required_package", ps("name=curl"), nil, []string{"Required input package (curl) is not present in container image"}},
		{"packages/required_package", ps("name=curl", "version=8"), nil, []string{"Required input package (curl,8) is not present in container image"}},
		{"packages/required_package", ps("name=openssl", "version=3"), nil, []string{"Required input package (openssl) is present (3.0.11-1~deb12u2), but not at the version specified in policy (openssl)"}},
		{"packages/required_package", ps("name=openssl", "version=3.0.13-1~deb12u1", "version_match_type=minimum"), nil,
			[]string{"Required min-version input package (openssl) is present (3.0.11-1~deb12u2), but is lower version than what is specified in policy (3.0.13-1~deb12u1)"}},
		{"packages/required_package", ps("name=openssl", "version=3.0.9", "version_match_type=minimum"), nil, nil},
		{"packages/required_package", ps("name=rake", "version=13.0.6"), nil, nil},
		{"packages/blacklist", ps("name=openssl"), nil, []string{"Package is blacklisted: openssl"}},
		{"packages/blacklist", ps("name=openssl", "version=3.0.11"), nil, []string{"Package is blacklisted: openssl-3.0.11"}},
		{"packages/blacklist", ps("name=openssl", "version=3.0.1"), nil, nil},
		{"packages/verify", nil, nil, []string{"VERIFY check against package db for package 'openssl' failed on entry '/usr/bin/openssl' with status: 'changed'", "VERIFY check against package db for package 'zlib1g' failed on entry '/usr/lib/libz.so.1' with status: 'missing'"}},
		{"packages/verify", ps("only_packages=openssl", "only_directories=/usr", "check=missing"), nil, nil},
		{"packages/verify", nil, notLooked, []string{"?files were not compared with the package database"}},
		{"packages/metadata", ps("type=java", "name=log4j", "name_comparison=like", "version=2.17.1", "version_comparison=<"), nil, []string{"Package log4j-core version 2.14.1 of type java matches the given metadata"}},
		{"packages/metadata", ps("type=java", "version=2.9", "version_comparison=<"), nil, nil},
		{"packages/eol", ps("days_before=60"), nil, []string{"Package openssl 3.0.11-1~deb12u2: support of openssl 3.0 ends on 2026-03-31"}},
		{"packages/eol", nil, nil, nil},
		{"packages/malicious", nil, nil, []string{"MAL-2025-1+requests-2.25.1\tPackage requests version 2.25.1 is malicious (MAL-2025-1)"}},
		{"packages/malicious", nil, noPackages, nil},

		{"passwd_file/content_not_available", nil, noFacts, []string{"Cannot locate /etc/passwd in image stored files archive: check analyzer settings."}},
		{"passwd_file/content_not_available", nil, nil, nil},
		{"passwd_file/blacklist_usernames", ps("user_names=games,nobody"), nil, []string{"Blacklisted user 'games' found in image's /etc/passwd: pentry=games:x:6:61:games:/usr/games:/bin/sh"}},
		{"passwd_file/blacklist_usernames", ps("usernameblacklist=nobody"), nil, nil},
		{"passwd_file/blacklist_usernames", ps("user_names=games"), func(s *policy.Subject) { s.Image.Facts = nil }, []string{"?the image has an /etc/passwd, but it was not kept by the analysis"}},
		{"passwd_file/blacklist_userids", ps("user_ids=0,7"), nil, []string{"Blacklisted uid '0' found in image's /etc/passwd: pentry=root:x:0:0:root:/root:/bin/bash", "Blacklisted uid '7' found in image's /etc/passwd: pentry=short:x:7"}},
		{"passwd_file/blacklist_userids", ps("useridblacklist=5"), nil, nil},
		{"passwd_file/blacklist_groupids", ps("group_ids=1"), nil, []string{"Blacklisted gid '1' found in image's /etc/passwd: pentry=daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin"}},
		{"passwd_file/blacklist_groupids", ps("group_ids=60"), nil, nil},
		{"passwd_file/blacklist_shells", ps("shells=/bin/bash"), nil, []string{"Blacklisted shell '/bin/bash' found in image's /etc/passwd: pentry=root:x:0:0:root:/root:/bin/bash"}},
		{"passwd_file/blacklist_shells", ps("shells=/bin/zsh"), nil, nil},
		{"passwd_file/blacklist_full_entry", ps("entry=short:x:7"), nil, []string{"Blacklisted pentry 'short:x:7' found in image's /etc/passwd: pentry=short:x:7"}},
		{"passwd_file/blacklist_full_entry", ps("entry=short"), nil, nil},

		{"retrieved_files/content_not_available", ps("path=/none"), nil, []string{"Cannot locate file in the image analysis"}},
		{"retrieved_files/content_not_available", ps("path=/etc/httpd.conf"), nil, nil},
		{"retrieved_files/content_regex", ps("path=/etc/httpd.conf", "regex=SSL.*", "check=match"), nil, []string{"rule1+file:///etc/httpd.conf\tContent regex 'SSL.*' check 'match' found in retrieved file '/etc/httpd.conf'"}},
		{"retrieved_files/content_regex", ps("path=/etc/httpd.conf", "regex=SSLEngine on", "check=match"), nil, nil},
		{"retrieved_files/content_regex", ps("path=/etc/httpd.conf", "regex=ServerName", "check=no_match"), nil, []string{"rule1+file:///etc/httpd.conf\tContent regex 'ServerName' check 'no_match' found in retrieved file '/etc/httpd.conf'"}},
		{"retrieved_files/content_regex", ps("path=/none", "regex=x", "check=no_match"), nil, nil},
		{"retrieved_files/content_regex", ps("path=/etc/shadow", "regex=x", "check=no_match"), nil, []string{"?the image has /etc/shadow, but it was not kept by the analysis"}},

		{"secret_scans/content_regex_checks", ps("content_regex_name=PRIV_KEY", "filename_regex=/(root|home)/.*"), nil, []string{"Secret content search analyzer found regexp match in container: file=/root/.ssh/id_rsa regexp=PRIV_KEY=(?i)-+BEGIN.*PRIVATE KEY-+"}},
		{"secret_scans/content_regex_checks", ps("content_regex_name=AWS_ACCESS_KEY,PRIV_KEY"), nil, []string{"Secret content search analyzer found regexp match in container: file=/root/.ssh/id_rsa regexp=PRIV_KEY=(?i)-+BEGIN.*PRIVATE KEY-+",
			"Secret content search analyzer found regexp match in container: file=/etc/aws regexp=AWS_ACCESS_KEY=(?i).*aws"}},
		{"secret_scans/content_regex_checks", ps("content_regex_name=API_KEY"), nil, nil},
		{"secret_scans/content_regex_checks", ps("content_regex_name=API_KEY", "match_type=notfound"), nil, []string{"Secret content search analyzer did not find regexp match in container: filename_regex=* content_regex_name=API_KEY"}},
		{"secret_scans/content_regex_checks", ps("match_type=notfound", "filename_regex=/x"), nil, []string{"Secret content search analyzer did not find regexp match in container: filename_regex=/x content_regex_name=all"}},
		{"secret_scans/content_regex_checks", ps("match_type=notfound"), nil, nil},
		{"secret_scans/content_regex_checks", nil, notLooked, []string{"?files were not searched for secrets"}},

		{"vulnerabilities/package", ps("package_type=all", "severity=medium"), nil, []string{cveOne, cveLog4j}},
		{"vulnerabilities/package", ps("package_type=all", "severity=high"), nil, []string{cveLog4j}},
		{"vulnerabilities/package", ps("package_type=os", "severity=high", "vendor_only=false"), nil, []string{cveZlib}},
		{"vulnerabilities/package", ps("package_type=all"), nil, []string{cveOne, cveLog4j, cveNPM}},
		{"vulnerabilities/package", ps("package_type=all", "severity_comparison==", "severity=unknown"), nil, []string{cveMal}},
		{"vulnerabilities/package", ps("package_type=os", "severity_comparison=<", "severity=high"), nil, nil},
		{"vulnerabilities/package", ps("package_type=os", "cvss_v3_base_score=7.5", "vendor_cvss_v3_base_score=6", "vendor_cvss_v3_base_score_comparison=<"), nil,
			[]string{strings.Replace(withScore(cveOne, "cvss_v3_base_score=7.5"), "=7.5)", "=7.5)(vendor_cvss_v3_base_score=5.5)", 1)}},
		{"vulnerabilities/package", ps("package_type=os", "cvss_v3_exploitability_score=3.9", "cvss_v3_exploitability_score_comparison==", "cvss_v3_impact_score=3.6"), nil,
			[]string{withScore(cveOne, "cvss_v3_exploitability_score=3.9 cvss_v3_impact_score=3.6")}},
		{"vulnerabilities/package", ps("package_type=non-os", "cvss_v3_base_score=5", "cvss_v3_base_score_comparison=<", "fix_available=true"), nil, []string{withScore(cveLog4j, "cvss_v3_base_score=-1.0")}},
		{"vulnerabilities/package", ps("package_type=all", "fix_available=false"), nil, []string{cveNPM}},
		{"vulnerabilities/package", ps("package_type=os", "fix_available=true", "max_days_since_fix=14"), nil, []string{withScore(cveOne, "max_days_since_fix=2026-02-09")}},
		{"vulnerabilities/package", ps("package_type=os", "fix_available=true", "max_days_since_fix=30"), nil, nil},
		{"vulnerabilities/package", ps("package_type=os", "max_days_since_fix=30"), nil, []string{cveOne}},
		{"vulnerabilities/package", ps("package_type=os", "max_days_since_creation=7"), nil, []string{withScore(cveOne, "max_days_since_creation=2026-01-30")}},
		{"vulnerabilities/package", ps("package_type=os", "max_days_since_creation=60"), nil, nil},
		{"vulnerabilities/package", ps("package_type=non-os", "severity=high", "max_days_since_creation=1"), nil, []string{"?it is not recorded when 1 findings were first seen"}},
		{"vulnerabilities/package", ps("package_type=all", "severity=high", "package_path_exclude=/app/.*"), nil, nil},
		{"vulnerabilities/package", ps("package_type=all", "epss_score=0.5"), nil, []string{cveOne}},
		{"vulnerabilities/package", ps("package_type=all"), noScan, []string{"?the image was not matched against vulnerability data"}},
		{"vulnerabilities/package", ps("package_type=os", "severity=critical"), func(s *policy.Subject) {
			s.Scan.States = []match.PackageState{{Package: 5, State: match.NoData}}
		}, []string{"?1 packages could not be judged: no-data (requests)"}},
		{"vulnerabilities/package", ps("package_type=os", "severity=critical"), unread, []string{"?1 parts of the image could not be read"}},
		{"vulnerabilities/stale_feed_data", ps("max_days_since_sync=3"), nil, []string{"The vulnerability feed for this image distro is older than MAXAGE (3) days"}},
		{"vulnerabilities/stale_feed_data", ps("max_days_since_sync=10"), nil, nil},
		{"vulnerabilities/stale_feed_data", ps("max_days_since_sync=10"), func(s *policy.Subject) { s.Streams = map[string]policy.StreamData{"debian:12": {}} }, []string{"The vulnerability feed for this image distro is older than MAXAGE (10) days"}},
		{"vulnerabilities/stale_feed_data", ps("max_days_since_sync=10"), func(s *policy.Subject) {
			s.Streams = map[string]policy.StreamData{"debian:12": {Error: "timeout"}}
		}, []string{"Cannot perform data feed up-to-date check - message from server: timeout"}},
		{"vulnerabilities/stale_feed_data", ps("max_days_since_sync=10"), noScan, []string{"?it is not recorded when the data of the image's distribution was brought up to date"}},
		{"vulnerabilities/vulnerability_data_unavailable", nil, func(s *policy.Subject) { s.Image.Distro.ID = "centos"; s.Scan.Distro.State = match.NoData }, []string{"Distro-specific feed data not found for distro namespace: rhel:12. Cannot perform CVE scan OS/distro packages"}},
		{"vulnerabilities/vulnerability_data_unavailable", nil, nil, nil},
		{"vulnerabilities/vulnerability_data_unavailable", nil, func(s *policy.Subject) {
			s.Image.Distro.Version = "12.5"
			s.Streams = map[string]policy.StreamData{"debian:12": {Records: 1}}
		}, nil},
		{"vulnerabilities/blacklist", ps("vulnerability_ids=CVE-1,GHSA-jfh8-c2jp-5v3q,CVE-2024-0001"), nil, []string{"Blacklisted vulnerabilities detected: ['GHSA-jfh8-c2jp-5v3q', 'CVE-2024-0001']"}},
		{"vulnerabilities/blacklist", ps("vulnerability_ids=CVE-2023-45853"), nil, nil},
		{"vulnerabilities/blacklist", ps("vulnerability_ids=CVE-2023-45853", "vendor_only=false"), nil, []string{"Blacklisted vulnerabilities detected: ['CVE-2023-45853']"}},
		{"vulnerabilities/kev_list", nil, nil, []string{"CVE-2024-0001+openssl\tCVE-2024-0001 in openssl is known to be exploited"}},
		{"vulnerabilities/kev_list", nil, noPackages, nil},
		{"vulnerabilities/epss", ps("score=0.5"), nil, []string{"CVE-2024-0001+openssl\tCVE-2024-0001 in openssl is likely to be exploited (EPSS score 0.90000, percentile 0.99000)"}},
		{"vulnerabilities/epss", ps("percentile=0.995"), nil, nil},

		{"ancestry/allowed_base_image_digest", ps("base_digest=sha256:x"), nil, []string{"Base image docker.io/library/debian:12 (sha256:base) is not among the allowed base images"}},
		{"ancestry/allowed_base_image_digest", ps("base_digest=sha256:x,sha256:base"), nil, nil},
		{"ancestry/allowed_base_image_digest", ps("base_digest=sha256:x"), func(s *policy.Subject) { s.Ancestors = nil }, []string{"?the base image is not known"}},
		{"ancestry/allowed_base_image_tag", ps("base_tag=alpine:3"), nil, []string{"Base image docker.io/library/debian:12 (sha256:base) is not among the allowed base images"}},
		{"ancestry/allowed_base_image_tag", ps("base_tag=debian:12"), nil, nil},
		{"ancestry/denylist_ancestor_image_digest", ps("ancestor_digest=sha256:base"), nil, []string{"Image is built on docker.io/library/debian:12 (sha256:base), which is denied"}},
		{"ancestry/denylist_ancestor_image_digest", ps("ancestor_digest=sha256:x"), nil, nil},
		{"ancestry/denylist_ancestor_image_tag", ps("ancestor_tag=docker.io/library/debian:12"), nil, []string{"Image is built on docker.io/library/debian:12 (sha256:base), which is denied"}},
		{"ancestry/denylist_ancestor_image_tag", ps("ancestor_tag=debian:11"), nil, nil},
		{"ancestry/no_ancestors_analyzed", nil, func(s *policy.Subject) { s.Ancestors = nil }, []string{"No ancestor of the image has been analyzed"}},
		{"ancestry/no_ancestors_analyzed", nil, nil, nil},

		{"distro/deny", ps("distro=debian", "version=13", "check=<"), nil, []string{"Distro debian version 12 is denied (< 13)"}},
		{"distro/deny", ps("distro=debian", "version=9", "check=<"), nil, nil},
		{"distro/deny", ps("distro=ubuntu", "version=99", "check=<"), nil, nil},
		{"distro/eol", ps("days_before=90"), nil, []string{"Support of distro debian version 12 ends on 2026-04-30"}},
		{"distro/eol", nil, nil, nil},
		{"distro/eol", nil, func(s *policy.Subject) { s.Now = s.Now.Add(days(60)) }, []string{"Support of distro debian version 12 ended on 2026-04-30"}},
		{"distro/eol", nil, func(s *policy.Subject) { s.Scan.Distro = match.DistroState{Ended: true} }, []string{"Support of distro debian version 12 has ended"}},
		{"distro/eol", nil, func(s *policy.Subject) { s.Scan.Distro = match.DistroState{} }, []string{"?it is not known how long debian 12 is supported"}},
		{"distro/unknown", nil, func(s *policy.Subject) { s.Image.Distro = nil }, []string{"The image has packages of an operating system, but does not say which"}},
		{"distro/unknown", nil, nil, nil},

		{"image_source_drift/package_downgraded", nil, nil, []string{"Package minimist (npm) was downgraded from 1.2.8 in source git to 1.2.5"}},
		{"image_source_drift/package_downgraded", ps("package_types=gem"), nil, nil},
		{"image_source_drift/package_removed", nil, nil, []string{"Package left-pad (npm) 1.3.0 of source git is missing"}},
		{"image_source_drift/package_removed", ps("package_types=python"), nil, nil},
		{"image_source_drift/no_related_sources", nil, func(s *policy.Subject) { s.Sources = nil }, []string{"No source is related to the image"}},
		{"image_source_drift/no_related_sources", nil, nil, nil},

		{"tag_drift/packages_added", ps("package_type=python"), nil, []string{"Package requests (python) 2.25.1 was added to the previous image of the tag"}},
		{"tag_drift/packages_added", nil, func(s *policy.Subject) { s.Previous = nil }, nil},
		{"tag_drift/packages_removed", nil, nil, []string{"Package tar (dpkg) 1.34 of the previous image of the tag is missing"}},
		{"tag_drift/packages_removed", ps("package_type=npm"), nil, nil},
		{"tag_drift/packages_modified", nil, nil, []string{"Package openssl (dpkg) changed from 3.0.9-1 in the previous image of the tag to 3.0.11-1~deb12u2"}},
		{"tag_drift/packages_modified", ps("package_type=gem"), nil, nil},

		{"accounts/weakness", nil, nil, []string{"uid-0+toor+/etc/passwd\tuid-0 in /etc/passwd: toor"}},
		{"accounts/weakness", ps("exclude_names=toor"), nil, nil},
		{"accounts/weakness", ps("kinds=empty-password"), nil, nil},
		{"accounts/weakness", nil, notLooked, []string{"?accounts were not looked at"}},
		{"base_image/package_added", ps("package_type=npm"), nil, []string{"minimist-PKGADD\tPackage minimist (npm) 1.2.5 was added to the base image"}},
		{"base_image/package_added", ps("package_type=rpm"), nil, nil},
		{"base_image/package_added", nil, func(s *policy.Subject) { s.Base = nil }, []string{"?the packages of the base image are not known"}},
		{"base_image/package_removed", nil, nil, []string{"tar-PKGDEL\tPackage tar (dpkg) 1.34 of the base image is missing"}},
		{"base_image/package_removed", ps("package_type=rpm"), nil, nil},
		{"base_image/package_version_changed", nil, nil, []string{"openssl-PKGVERSIONDIFF\tPackage openssl (dpkg) changed from 3.0.9-1 in the base image to 3.0.11-1~deb12u2"}},
		{"base_image/package_version_changed", ps("package_type=rpm"), nil, nil},
		{"base_image/packages_differ", nil, nil, []string{"PKGDIFF\tPackages differ from the base image: 5 added, 1 removed, 1 changed"}},
		{"base_image/packages_differ", nil, func(s *policy.Subject) { s.Base.Packages = s.Image.Packages }, nil},
		{"base_image/setuid_added", nil, func(s *policy.Subject) { s.Base.Files = table(inventory.File{Path: "x"}) }, []string{"/usr/bin/su-SUIDFILEADD\tSUID or SGID file /usr/bin/su with mode 0o4755 is not in the base image"}},
		{"base_image/setuid_added", nil, nil, nil},
		{"base_image/setuid_removed", nil, nil, []string{"/usr/bin/passwd-SUIDFILEDEL\tSUID or SGID file /usr/bin/passwd of the base image is missing, or has lost the bits"}},
		{"base_image/setuid_removed", nil, func(s *policy.Subject) { s.Base.Files = s.Image.Files }, nil},
		{"base_image/setuid_mode_changed", nil, nil, []string{"/usr/bin/su-SUIDMODEDIFF\tSUID or SGID file /usr/bin/su has mode 0o4755, in the base image 0o4711"}},
		{"base_image/setuid_mode_changed", nil, func(s *policy.Subject) { s.Base.Files = s.Image.Files }, nil},

		{"binaries/unidentified", nil, nil, []string{"unidentified+/usr/local/bin/tool\tExecutable /usr/local/bin/tool belongs to no package"}},
		{"binaries/unidentified", ps("min_size=8kb"), nil, nil},
		{"binaries/coverage", ps("min_percent=95"), nil, []string{"coverage\tPackages account for 90.0 percent of the executable bytes (9 of 10 files), less than 95"}},
		{"binaries/coverage", ps("min_percent=90"), nil, nil},
		{"data/stale", nil, nil, []string{"stale+nvd\tVulnerability data of nvd is stale"}},
		{"data/stale", ps("max_days=3", "sources=debian,kev"), nil, []string{"stale+debian\tVulnerability data of debian is stale", "stale+kev\tThere is no vulnerability data of kev"}},
		{"data/stale", ps("sources=debian"), nil, nil},
		{"data/missing", nil, func(s *policy.Subject) {
			s.Scan.States = []match.PackageState{{Package: 5, State: match.NoData}, {Package: 1, State: match.Stale}}
		}, []string{"no-data+requests-2.25.1\tPackage requests (python) could not be judged: no-data"}},
		{"data/missing", nil, nil, nil},
		{"data/not_scanned", nil, noScan, []string{"The image was not matched against vulnerability data"}},
		{"data/not_scanned", nil, nil, nil},
		{"data/unread_files", nil, unread, []string{"unread+java+/app/broken.jar\t/app/broken.jar could not be read wholly: not a zip file"}},
		{"data/unread_files", ps("analyzers=dpkg"), nil, nil},
		{"expression/image", ps(`expression=image.distro.id == "debian" && !("maintainer" in image.labels) && image.layers > 4`, "message=no maintainer"), nil, []string{"no maintainer"}},
		{"expression/image", ps(`expression=image.user == "app"`), nil, nil},
		{"expression/package", ps(`expression=pkg.type == "npm" && pkg.version.startsWith("1.")`), nil, []string{`Expression 'pkg.type == "npm" && pkg.version.startsWith("1.")' holds: package minimist 1.2.5 (npm)`}},
		{"expression/package", ps(`expression="GPL-3.0-only" in pkg.licenses`), nil, nil},
		{"expression/finding", ps(`expression=finding.exploited && finding.cvss >= 7.0 && pkg.os`, "message=act"), nil, []string{"CVE-2024-0001+openssl\tact: CVE-2024-0001 in openssl"}},
		{"expression/finding", ps(`expression=finding.published > now`), nil, nil},
		{"expression/finding", ps(`expression=true`), noScan, []string{"?the image was not matched against vulnerability data"}},
		{"expression/file", ps(`expression=file.uid == 1000 && file.type == "file"`, "message=m", "regex=/app/"), nil, []string{"m: file /app/app.jar"}},
		{"expression/file", ps(`expression="cap_net_raw" in file.capabilities`), nil, nil},
		{"expression/file", ps(`expression="cap_net_raw" in file.capabilities && file.type == "file" && !file.capability_text.contains("rootid")`, "message=m"), privileged, []string{"m: file /usr/bin/ping"}},
		{"expression/file", ps(`expression=file.capabilities == ["invalid"]`, "message=m"), privileged, []string{"m: file /opt/odd"}},
		{"expression/file", ps(`expression=file.capability_text == "cap_setuid=eip cap_setgid=ei"`, "message=m"), privileged, []string{"m: file /usr/bin/tool"}},
		{"expression/fact", ps("kind=malware", `expression=fact.data.signature.startsWith("Eicar")`, "message=found"), nil, []string{"found: malware of /tmp/eicar.com"}},
		{"expression/fact", ps("kind=malware", `expression=fact.data.scanner == "other"`), nil, nil},
		{"expression/fact", ps("kind=acme", `expression=true`), func(s *policy.Subject) { s.Collected = map[string]bool{} }, []string{"?nothing looked for facts of the kind acme"}},
		{"misconfiguration/check", ps("severity=high"), nil, []string{"TW-SSH-001+/etc/ssh/sshd_config\tTW-SSH-001 root may log in in /etc/ssh/sshd_config"}},
		{"misconfiguration/check", ps("severity=critical"), nil, nil},
		{"misconfiguration/check", nil, notLooked, []string{"?the image was not checked for misconfiguration"}},
		{"secrets/found", ps("min_confidence=0.8", "validity=valid"), nil, []string{"stripe-key+/app/.env\tSecret stripe-key found in /app/.env line 3"}},
		{"secrets/found", ps("min_confidence=0.95"), nil, nil},
		{"secrets/found", ps("max_confidence=0.9"), nil, nil},
		{"secrets/found", ps("categories=jwt"), nil, nil},
		{"secrets/found", nil, func(s *policy.Subject) {
			s.Image.Facts = []inventory.Fact{
				{Kind: policy.FactSecret, Data: []byte(`{"rule":"generic-password","where":"env","name":"DB_PASSWORD","confidence":0.8}`)},
				{Kind: policy.FactSecret, Data: []byte(`{"rule":"npm-token","where":"history","confidence":0.8}`)},
			}
		}, []string{"generic-password+env:DB_PASSWORD\tSecret generic-password found in environment variable DB_PASSWORD", "npm-token+history:\tSecret npm-token found in the image's history"}},
		{"stig/evaluation_passed", nil, nil, []string{"No STIG evaluation is attached to the image"}},
		{"stig/evaluation_passed", ps("profiles=a,b"), func(s *policy.Subject) {
			s.Image.Facts = []inventory.Fact{{Kind: policy.FactSTIG, Data: []byte(`{"profile":"a","passed":true}`)}}
		}, []string{"No STIG evaluation of profile b is attached to the image"}},
		{"stig/evaluation_passed", nil, func(s *policy.Subject) {
			s.Image.Facts = []inventory.Fact{{Kind: policy.FactSTIG, Data: []byte(`{"profile":"a","passed":true}`)}}
		}, nil},
	}
}

func unread(s *policy.Subject) {
	s.Image.Problems = []inventory.Problem{{Analyzer: "java", Path: "app/broken.jar", Layer: 1, Message: "not a zip file"}}
}

func addNPM(s *policy.Subject) {
	s.Image.Packages = append(s.Image.Packages, inventory.Package{Type: "npm", Namespace: "@corp", Name: "lib", Version: "1"})
}
