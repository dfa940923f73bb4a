package config

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// layerFile is a file of a layer that a test makes.
type layerFile struct {
	path string
	mode fs.FileMode
	text string
}

// check analyzes the files as one layer, and the image of it.
func check(t testing.TB, config *inventory.Config, files ...layerFile) *inventory.Image {
	t.Helper()
	layer := inventory.Layer{Records: []inventory.Record{{Analyzer: "config", Version: 1}}}
	var b inventory.Builder
	for _, f := range files {
		if f.mode == 0 {
			f.mode = 0o644
		}
		e := analyze.Entry{Path: f.path, Mode: f.mode, Size: int64(len(f.text)), Kind: analyze.Sniff(f.path, []byte(f.text))}
		b.Add(inventory.File{Path: f.path, Perm: uint16(f.mode.Perm()), Size: e.Size, Kind: e.Kind})
		if (Analyzer{}).Wants(e) == analyze.Ignore {
			continue
		}
		if err := (Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(analyze.NewFile(e, []byte(f.text))), &layer.Records[0]); err != nil {
			t.Fatal(err)
		}
	}
	layer.Files = b.Table()
	img := inventory.Squash([]inventory.Layer{layer})
	if config == nil {
		config = &inventory.Config{}
	}
	if err := (ImageAnalyzer{}).AnalyzeImage(t.Context(), config, img); err != nil {
		t.Fatal(err)
	}
	return img
}

func findings(t testing.TB, img *inventory.Image) (ids []string, all []Finding) {
	t.Helper()
	for _, f := range img.Facts {
		if f.Kind != Kind {
			continue
		}
		var x Finding
		if err := json.Unmarshal(f.Data, &x); err != nil {
			t.Fatal(err)
		}
		ids, all = append(ids, x.ID), append(all, x)
	}
	return ids, all
}

func testFile(t testing.TB, name string) string {
	t.Helper()
	if name == "" {
		return ""
	}
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// settingCase is a check that must fail on the default file of a package with
// one thing changed, and must not on the file as it is.
type settingCase struct {
	id, path, base string // base is a file of testdata, "" for none
	change         string // "old → new", or what is put at the end
	line           int    // 0: not compared
}

// The files are those that Debian 12 installs: openssh-server, sudo,
// nginx-common, apache2, php8.2, redis-server, mariadb-server, postgresql-15,
// tomcat10, vsftpd, samba-common, supervisor and openssl; redis.conf, php.ini
// and web.xml without their comments. The others are written after the manuals
// of their programs.
func settingCases() []settingCase {
	const (
		sshd, sudoers, nginx, site = "etc/ssh/sshd_config", "etc/sudoers", "etc/nginx/nginx.conf", "etc/nginx/sites-available/default"
		apache, php, pool, redis   = "etc/apache2/apache2.conf", "etc/php/8.2/fpm/php.ini", "etc/php/8.2/fpm/pool.d/www.conf", "etc/redis/redis.conf"
		mysql, pg, hba             = "etc/mysql/mariadb.conf.d/50-server.cnf", "etc/postgresql/15/main/postgresql.conf", "etc/postgresql/15/main/pg_hba.conf"
		users, server, web         = "etc/tomcat10/tomcat-users.xml", "etc/tomcat10/server.xml", "etc/tomcat10/web.xml"
		mongo, elastic, rabbit     = "etc/mongod.conf", "etc/elasticsearch/elasticsearch.yml", "etc/rabbitmq/rabbitmq.conf"
		daemon, kubelet            = "etc/docker/daemon.json", "var/lib/kubelet/config.yaml"
	)
	return []settingCase{
		{"TW-SSH-001", sshd, "sshd_config", "#PermitRootLogin prohibit-password → PermitRootLogin yes", 33},
		{"TW-SSH-001", sshd, "sshd_config", "Match Address 10.0.0.0/8\n  PermitRootLogin=yes", 0},
		{"TW-SSH-002", sshd, "sshd_config", "#PasswordAuthentication yes → PasswordAuthentication yes", 57},
		{"TW-SSH-003", sshd, "sshd_config", "#PermitEmptyPasswords no → PermitEmptyPasswords \"yes\"", 58},
		{"TW-SSH-004", sshd, "sshd_config", "Ciphers aes256-ctr,aes256-cbc", 0},
		{"TW-SSH-005", sshd, "sshd_config", "MACs +hmac-md5", 0},
		{"TW-SSH-006", sshd, "sshd_config", "KexAlgorithms diffie-hellman-group1-sha1,curve25519-sha256", 0},
		{"TW-SSH-007", sshd, "sshd_config", "Protocol 2,1", 0},
		{"TW-SSH-008", sshd, "sshd_config", "#X11UseLocalhost yes → X11UseLocalhost no", 90},
		{"TW-SSH-009", sshd, "sshd_config", "#HostbasedAuthentication no → HostbasedAuthentication yes", 0},
		{"TW-SSH-010", sshd, "sshd_config", "#IgnoreRhosts yes → IgnoreRhosts no", 0},
		{"TW-SSH-011", sshd, "sshd_config", "#StrictModes yes → StrictModes no", 0},
		{"TW-SSH-012", sshd, "sshd_config", "#MaxAuthTries 6 → MaxAuthTries 100", 0},
		{"TW-SSH-013", sshd, "sshd_config", "#LoginGraceTime 2m → LoginGraceTime 0", 0},
		{"TW-SSH-014", sshd, "sshd_config", "#PermitUserEnvironment no → PermitUserEnvironment yes", 0},
		{"TW-SSH-015", sshd, "sshd_config", "PubkeyAcceptedKeyTypes +ssh-rsa", 0},

		{"TW-SUD-001", sudoers, "sudoers", "app ALL=(ALL) NOPASSWD: ALL", 0},
		{"TW-SUD-001", "etc/sudoers.d/app", "", "%app\tALL = (ALL:ALL) \\\n  NOPASSWD:SETENV: /bin/ls, ALL\n", 1},
		{"TW-SUD-002", sudoers, "sudoers", "Defaults:app !authenticate", 0},
		{"TW-SUD-003", sudoers, "sudoers", "ALL ALL=(ALL) ALL", 0},
		{"TW-SUD-004", sudoers, "sudoers", "app ALL=(root) NOPASSWD: /usr/bin/vim", 0},
		{"TW-SUD-004", sudoers, "sudoers", "Cmnd_Alias SHELLS = /bin/sh, \\\n  /bin/bash\napp ALL=NOPASSWD: SHELLS", 0},
		{"TW-SUD-005", sudoers, "sudoers", "app ALL=(root) /bin/cat /var/log/*", 0},
		{"TW-SUD-006", sudoers, "sudoers", "Defaults\tenv_reset → Defaults\t!env_reset", 9},
		{"TW-SUD-006", sudoers, "sudoers", `Defaults env_keep += "LANG LD_PRELOAD"`, 0},
		{"TW-SUD-007", sudoers, "sudoers", "app ALL=(ALL) ALL, !/bin/su", 0},

		{"TW-PGS-001", hba, "pg_hba.conf", "host all all 0.0.0.0/0 trust", 0},
		{"TW-PGS-001", hba, "pg_hba.conf", "hostssl all all 10.0.0.0 255.0.0.0 trust", 0},
		{"TW-PGS-002", hba, "pg_hba.conf", "local   all             all                                     peer → local all all trust", 0},
		{"TW-PGS-003", hba, "pg_hba.conf", "host all all 10.0.0.0/8 password", 0},
		{"TW-PGS-004", hba, "pg_hba.conf", "host all all samenet ident", 0},
		{"TW-PGS-005", pg, "postgresql.conf", "#password_encryption = → password_encryption = md5 #", 0},
		{"TW-PGS-005", hba, "pg_hba.conf", "host all all all md5", 0},
		{"TW-PGS-006", pg, "postgresql.conf", "#listen_addresses = 'localhost' → listen_addresses = '*'", 0},
		{"TW-PGS-007", pg, "postgresql.conf", "#ssl_min_protocol_version = 'TLSv1.2' → ssl_min_protocol_version = 'TLSv1'", 0},
		{"TW-PGS-008", pg, "postgresql.conf", "ssl = off", 0},

		{"TW-NGX-001", site, "nginx-site", "try_files $uri $uri/ =404; → autoindex on;", 0},
		{"TW-NGX-002", nginx, "nginx.conf", "ssl_protocols TLSv1 → ssl_protocols SSLv3 TLSv1", 0},
		{"TW-NGX-003", nginx, "nginx.conf", "include /etc/nginx/conf.d/*.conf; → server { listen 443 ssl; ssl_protocols TLSv1 TLSv1.2; }", 0},
		{"TW-NGX-004", nginx, "nginx.conf", "gzip on; → ssl_ciphers \"HIGH:RC4-SHA:!aNULL\";", 0},
		{"TW-NGX-005", nginx, "nginx.conf", "user www-data; → user root;", 1},
		{"TW-NGX-006", site, "nginx-site", "try_files $uri $uri/ =404; → } location /static { alias /srv/static/;", 0},
		{"TW-NGX-007", site, "nginx-site", "root /var/www/html; → root /etc;", 0},
		{"TW-NGX-008", site, "nginx-site", "try_files $uri $uri/ =404; → } location /status { stub_status;", 0},
		{"TW-NGX-009", site, "nginx-site", "try_files $uri $uri/ =404; → proxy_pass http://$arg_host/;", 0},
		{"TW-NGX-010", site, "nginx-site", "try_files $uri $uri/ =404; → dav_methods PUT DELETE;", 0},

		{"TW-APA-001", apache, "apache2.conf", "\tAllowOverride None\n\tRequire all denied → \tRequire all granted", 0},
		{"TW-APA-002", "etc/apache2/conf-available/security.conf", "apache-security.conf", "TraceEnable Off → TraceEnable On", 0},
		{"TW-APA-003", "etc/apache2/mods-available/ssl.conf", "apache-ssl.conf", "SSLProtocol all -SSLv3 → SSLProtocol all +SSLv3", 0},
		{"TW-APA-004", "etc/apache2/mods-available/ssl.conf", "apache-ssl.conf", "SSLCipherSuite HIGH:!aNULL → SSLCipherSuite HIGH:MEDIUM:EXP:!aNULL", 0},
		{"TW-APA-005", apache, "apache2.conf", "User ${APACHE_RUN_USER} → User root", 0},
		{"TW-APA-006", "etc/apache2/mods-available/status.conf", "apache-status.conf", "Require local → Require all granted", 0},
		{"TW-APA-007", apache, "apache2.conf", "ProxyRequests On", 0},
		{"TW-APA-008", apache, "apache2.conf", "<Directory /srv/dav>\n  Dav On\n  Require all granted\n</Directory>", 0},
		{"TW-APA-009", "etc/apache2/conf-available/security.conf", "apache-security.conf", "ServerTokens OS → ServerTokens Full", 0},

		{"TW-PHP-001", php, "php.ini", "allow_url_include = Off → allow_url_include = On ; needed", 0},
		{"TW-PHP-002", php, "php.ini", "display_errors = Off → display_errors = stdout", 0},
		{"TW-PHP-003", php, "php.ini", "expose_php = Off → expose_php = On", 0},
		{"TW-PHP-004", php, "php.ini", "register_globals = 1", 0},
		{"TW-PHP-005", php, "php.ini", "enable_dl = Off → enable_dl = On", 0},
		{"TW-PHP-006", php, "php.ini", "session.use_trans_sid = 0 → session.use_trans_sid = 1", 0},
		{"TW-PHP-007", "usr/local/etc/php/conf.d/xdebug.ini", "", "zend_extension=xdebug\nxdebug.mode=debug,develop\nxdebug.discover_client_host=true\n", 2},
		{"TW-PHP-008", pool, "www.conf", "security.limit_extensions =", 0},
		{"TW-PHP-009", pool, "www.conf", "user = www-data → user = root", 0},
		{"TW-PHP-010", pool, "www.conf", "listen = /run/php/php8.2-fpm.sock → listen = 0.0.0.0:9000", 0},

		{"TW-TOM-001", users, "tomcat-users.xml", "</tomcat-users> → <user username=\"deploy\" password=\"s3cret\" roles=\"x\"/></tomcat-users>", 0},
		{"TW-TOM-002", users, "tomcat-users.xml", "</tomcat-users> → <user name=\"ops\" password=\"Jk3nN29sLq\" roles=\"a,manager-script\"/></tomcat-users>", 0},
		{"TW-TOM-003", server, "server.xml", `<Server port="-1" → <Server port="8005"`, 0},
		{"TW-TOM-004", server, "server.xml", `<Engine name="Catalina" defaultHost="localhost"> → <Connector protocol="AJP/1.3" address="0.0.0.0" port="8009"/><Engine name="Catalina" defaultHost="localhost">`, 0},
		{"TW-TOM-005", web, "web.xml", "<param-name>listings</param-name>\n            <param-value>false → <param-name>listings</param-name><param-value>true", 0},
		{"TW-TOM-006", web, "web.xml", "<param-name>listings</param-name> → <param-name>readonly</param-name>", 0},
		{"TW-TOM-007", "usr/share/tomcat10-admin/manager/META-INF/context.xml", "context.xml", `allow="127.0.0.0/8, ::1/128" → allow="0.0.0.0/0"`, 0},
		{"TW-TOM-008", server, "server.xml", `<Connector port="8080" → <Connector allowTrace="true" port="8080"`, 0},

		{"TW-RED-001", redis, "redis.conf", "protected-mode yes → protected-mode no", 0},
		{"TW-RED-002", redis, "redis.conf", "requirepass foobared", 0},
		{"TW-RED-003", redis, "redis.conf", "enable-debug-command yes", 0},
		{"TW-RED-004", redis, "redis.conf", "unixsocketperm 777", 0},
		{"TW-RED-005", redis, "redis.conf", "user default on nopass ~* &* +@all", 0},

		{"TW-MYS-001", mysql, "50-server.cnf", "[mysqld] → [mysqld]\nskip-grant-tables", 0},
		{"TW-MYS-002", mysql, "50-server.cnf", "[mysqld] → [mysqld]\nlocal-infile = 1", 0},
		{"TW-MYS-003", mysql, "50-server.cnf", "[mysqld] → [mysqld]\nsecure-file-priv = \"\"", 0},
		{"TW-MYS-004", mysql, "50-server.cnf", "[mysqld] → [mysqld]\nold_passwords=1", 0},
		{"TW-MYS-005", mysql, "50-server.cnf", "[mysqld] → [mysqld]\nuser = root", 0},
		{"TW-MYS-006", mysql, "50-server.cnf", "[mysqld] → [mysqld]\ntls_version = TLSv1,TLSv1.2", 0},
		{"TW-MYS-007", mysql, "50-server.cnf", "[mysqld] → [mysqld]\nallow-suspicious-udfs", 0},

		{"TW-MON-001", mongo, "mongod.conf", "#security: → security: {authorization: disabled}", 11},
		{"TW-MON-001", "etc/mongodb.conf", "", "dbpath=/var/lib/mongodb\nnoauth = true\n", 2},
		{"TW-MON-002", mongo, "mongod.conf", "bindIp: 127.0.0.1 → bindIpAll: true", 10},
		{"TW-MON-003", mongo, "mongod.conf", "bindIp: 127.0.0.1 → tls: {allowInvalidCertificates: true}", 10},
		{"TW-ELA-001", elastic, "elasticsearch.yml", "xpack.security.enabled: true → xpack.security.enabled: false", 4},
		{"TW-ELA-002", "usr/share/opensearch/config/opensearch.yml", "", "", 0},
		{"TW-ELA-003", elastic, "elasticsearch.yml", "http.cors:\n  enabled: true\n  allow-origin: \"*\"", 0},
		{"TW-ELA-004", elastic, "elasticsearch.yml", "      enabled: true →       enabled: false", 8},
		{"TW-RAB-001", rabbit, "rabbitmq.conf", "loopback_users.guest = true → loopback_users.guest = false", 2},
		{"TW-RAB-002", rabbit, "rabbitmq.conf", "loopback_users.guest = true\n# default_pass → default_user = app\ndefault_pass", 3},
		{"TW-RAB-003", rabbit, "rabbitmq.conf", "ssl_options.verify = verify_none", 0},

		{"TW-SRV-001", "etc/vsftpd.conf", "vsftpd.conf", "anonymous_enable=NO → anonymous_enable=YES", 0},
		{"TW-SRV-002", "etc/vsftpd.conf", "vsftpd.conf", "#anon_upload_enable=YES → anon_upload_enable=YES", 0},
		{"TW-SRV-003", "etc/exports", "", "/srv 10.0.0.0/8(rw,\\\nno_root_squash)\n", 1},
		{"TW-SRV-004", "etc/supervisor/supervisord.conf", "supervisord.conf", "[inet_http_server]\nport = *:9001", 0},
		{"TW-SRV-005", "root/.jupyter/jupyter_server_config.py", "", "c.ServerApp.ip = '0.0.0.0'\nc.ServerApp.token = ''\n", 2},
		{"TW-SRV-006", "etc/samba/smb.conf", "smb.conf", "[open]\npath = /srv\nguest ok = yes\nread only = no", 0},
		{"TW-SRV-007", "etc/grafana/grafana.ini", "", "[security]\nadmin_password = admin\n", 2},
		{"TW-SRV-008", "etc/grafana/grafana.ini", "", "[auth.anonymous]\nenabled = true\norg_role = Editor\n", 2},

		{"TW-DOC-001", daemon, "daemon.json", `"unix:///var/run/docker.sock" → "unix:///x", "tcp://0.0.0.0:2375"`, 3},
		{"TW-DOC-002", daemon, "daemon.json", `"live-restore": true → "insecure-registries": ["r:5000"]`, 5},
		{"TW-DOC-003", daemon, "daemon.json", `"live-restore": true → "seccomp-profile": "unconfined"`, 5},
		{"TW-DOC-004", daemon, "daemon.json", `"live-restore": true → "debug": true`, 5},
		{"TW-K8S-001", kubelet, "kubelet.yaml", "anonymous:\n    enabled: false → anonymous:\n    enabled: true", 5},
		{"TW-K8S-002", kubelet, "kubelet.yaml", "mode: Webhook → mode: AlwaysAllow", 9},
		{"TW-K8S-003", kubelet, "kubelet.yaml", "readOnlyPort: 0 → readOnlyPort: 10255", 10},
		{"TW-K8S-004", kubelet, "kubelet.yaml", "VersionTLS12 → VersionTLS10", 11},

		{"TW-PKG-001", "etc/apt/apt.conf.d/99x", "", "// x\nAPT::Get::AllowUnauthenticated \"true\";\n", 2},
		{"TW-PKG-001", "etc/apt/apt.conf.d/98x", "", "APT {\n Get { AllowUnauthenticated \"1\"; };\n};\n", 2},
		{"TW-PKG-001", "etc/apt/apt.conf.d/97x", "", "Acquire::https::Verify-Peer \"false\";\n", 1},
		{"TW-PKG-002", "etc/apt/sources.list.d/x.list", "", "deb [arch=amd64 trusted=yes] http://r.example.com/ stable main\n", 1},
		{"TW-PKG-002", "etc/apt/sources.list.d/x.sources", "", "Types: deb\nTrusted: yes\n", 2},
		{"TW-PKG-003", "etc/yum.repos.d/x.repo", "", "[x]\nname=x\nenabled=1\ngpgcheck=0\n", 4},
		{"TW-PKG-004", "etc/pip.conf", "", "[global]\ntrusted-host = pypi.example.com\n", 2},
		{"TW-PKG-005", "root/.npmrc", "", "strict-ssl=false\n", 1},
		{"TW-PKG-006", "etc/gitconfig", "", "[http]\n\tsslVerify = false\n", 2},
		{"TW-PKG-006", "root/.gitconfig", "", "[http \"https://git.example.com\"]\n\tsslVerify = false\n", 2},
		{"TW-PKG-007", "root/.curlrc", "", "--insecure\n", 1},
		{"TW-PKG-007", "etc/wgetrc", "", "check_certificate = off\n", 1},
		{"TW-TLS-010", "etc/ssl/openssl.cnf", "openssl.cnf", "[system_default_sect]\nMinProtocol = TLSv1", 0},
	}
}

func TestSettings(t *testing.T) {
	for _, x := range settingCases() {
		if x.id == "TW-ELA-002" {
			x.path, x.change = "etc/opensearch/opensearch.yml", "plugins.security.disabled: true"
		}
		t.Run(x.id, func(t *testing.T) {
			base := testFile(t, x.base)
			if x.base != "" {
				ids, all := findings(t, check(t, nil, layerFile{path: x.path, text: base}))
				if len(ids) > 0 {
					t.Errorf("the default file fails: %+v", all)
				}
			}
			text := base + "\n" + x.change + "\n"
			if x.base == "" {
				text = x.change
			}
			if old, change, ok := strings.Cut(x.change, " → "); ok {
				if !strings.Contains(base, old) {
					t.Fatalf("%s does not have %q", x.base, old)
				}
				text = strings.Replace(base, old, change, 1)
			}
			img := check(t, nil, layerFile{path: x.path, text: text})
			ids, all := findings(t, img)
			i := slices.Index(ids, x.id)
			if i < 0 || len(img.Problems) > 0 {
				t.Fatalf("%v, problems %v", ids, img.Problems)
			}
			if x.line > 0 && all[i].Line != x.line || all[i].Line == 0 {
				t.Errorf("line %d, want %d", all[i].Line, x.line)
			}
			for _, id := range ids {
				if id != x.id {
					t.Errorf("%s fails, too", id)
				}
			}
			for _, f := range img.Facts {
				if f.Kind == Kind && f.Path != x.path {
					t.Errorf("reported for %s", f.Path)
				}
			}
		})
	}
}

func TestRules(t *testing.T) {
	if n := len(Rules()); n < 60 {
		t.Errorf("only %d checks", n)
	}
	tested := map[string]bool{}
	for _, x := range settingCases() {
		tested[x.id] = true
	}
	for _, x := range imageCases() {
		tested[x.id] = true
	}
	for id := range tlsCases() {
		tested[id] = true
	}
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.ID] || !strings.HasPrefix(r.ID, "TW-") || r.Group == "" || r.Title == "" || r.Why == "" || r.Remedy == "" || len(r.Refs) == 0 || !slices.Contains([]string{"low", "medium", "high", "critical"}, r.Severity) {
			t.Errorf("%+v is not whole, or occurs twice", r)
		}
		seen[r.ID] = true
		if !tested[r.ID] {
			t.Errorf("no test makes %s fail", r.ID)
		}
	}
	for _, bad := range []string{"severity low", "id A\ntitle", "id A\nwords x", "id A\nmatch php x", "id A\nrefs none", "id A\nmatch php x is"} {
		if _, err := readRules(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// tlsCases are files that make a check fail.
func tlsCases() map[string][]layerFile {
	return map[string][]layerFile{
		"TW-TLS-001": {{"etc/app/server.key", 0o600, "rsa1024.pem"}},
		"TW-TLS-002": {{"etc/app/server.key", 0o600, "dsa.pem"}},
		"TW-TLS-003": {{"etc/app/server.key", 0o644, "rsa2048.pem"}},
		"TW-TLS-004": {{"etc/app/server.crt", 0, "good.crt"}},
		"TW-TLS-005": {{"etc/app/server.crt", 0, "good.crt"}},
		"TW-TLS-006": {{"etc/app/server.crt", 0, "old.crt"}},
		"TW-TLS-007": {{"etc/app/server.crt", 0, "old.crt"}},
		"TW-TLS-008": {{"root/ca.key", 0o600, "ec.pem"}, {"etc/ssl/certs/ca.crt", 0, "ca.crt"}},
		"TW-TLS-009": {{"etc/nginx/dhparam.pem", 0, "dh1024.pem"}},
	}
}

func TestKeysAndCertificates(t *testing.T) {
	load := func(files []layerFile) []layerFile {
		var out []layerFile
		for _, f := range files {
			f.text = testFile(t, "tls/"+f.text)
			out = append(out, f)
		}
		return out
	}
	for id, files := range tlsCases() {
		if ids, _ := findings(t, check(t, nil, load(files)...)); !slices.Contains(ids, id) {
			t.Errorf("%s does not fail: %v", id, ids)
		}
	}
	good := load([]layerFile{{"etc/app/a.key", 0o600, "rsa2048.pem"}, {"etc/app/b.key", 0o640, "ec.pem"}, {"etc/app/c.key", 0o644, "encrypted.pem"}, {"etc/app/dh.pem", 0, "dh2048.pem"}, {"etc/app/ca.pem", 0, "ca.crt"}})
	good[4].text = strings.Replace(good[4].text, "-----BEGIN", "text before\n-----BEGIN", 1)
	ids, _ := findings(t, check(t, nil, good[0], good[2], good[3], good[4]))
	if len(ids) > 0 {
		t.Errorf("%v fail", ids)
	}
	if ids, _ := findings(t, check(t, nil, good[1])); len(ids) > 0 {
		t.Errorf("%v fail", ids)
	}
	// A group that is too short does not count beside one that is not.
	both := layerFile{"etc/x/dh.pem", 0o644, testFile(t, "tls/dh1024.pem") + testFile(t, "tls/dh2048.pem")}
	if ids, _ := findings(t, check(t, nil, both)); len(ids) > 0 {
		t.Errorf("%v fail", ids)
	}
	// openssl x509 -enddate: Nov 19 00:54:29 2036 GMT, or near it.
	_, all := findings(t, check(t, nil, load([]layerFile{{"srv/server.crt", 0, "good.crt"}})...))
	if len(all) != 2 || all[0].ID != "TW-TLS-004" || all[0].From.Year() != 2036 || !all[0].Until.IsZero() || all[1].Until != all[0].From || all[0].From.Sub(all[1].From) != 30*24*time.Hour {
		t.Errorf("%+v", all)
	}
	for _, path := range []string{"usr/share/x/test.key", "usr/lib/python3.11/test/k.pem", "app/node_modules/x/test/key.pem", "srv/testdata/key.pem"} {
		if ids, _ := findings(t, check(t, nil, layerFile{path, 0o644, testFile(t, "tls/rsa1024.pem")})); len(ids) > 0 {
			t.Errorf("%s: %v", path, ids)
		}
	}
}

// What a file includes comes in the place of the inclusion, and the first of
// several settings counts: also across layers.
func TestSSHDIncludes(t *testing.T) {
	main := testFile(t, "sshd_config")
	main = strings.Replace(main, "#PermitRootLogin prohibit-password", "PermitRootLogin yes", 1)
	ids, _ := findings(t, check(t, nil, layerFile{path: "etc/ssh/sshd_config", text: main}, layerFile{path: "etc/ssh/sshd_config.d/10.conf", text: "PermitRootLogin no\nPasswordAuthentication yes\n"}, layerFile{path: "etc/ssh/sshd_config.d/20.conf", text: "passwordauthentication no\n"}))
	if len(ids) != 1 || ids[0] != "TW-SSH-002" {
		t.Errorf("%v", ids)
	}
	img := check(t, nil, layerFile{path: "etc/ssh/sshd_config", text: "Include sshd_config.d/*.conf\nMatch all\nPermitEmptyPasswords yes\nMatch User x\nInclude /etc/ssh/extra\n"}, layerFile{path: "etc/ssh/sshd_config.d/a.conf", text: "Match User y\nPasswordAuthentication yes\nX11Forwarding yes\n"})
	ids, all := findings(t, img)
	if len(ids) != 2 || ids[0] != "TW-SSH-003" || all[0].Line != 3 || ids[1] != "TW-SSH-002" || all[1].Line != 2 {
		t.Errorf("%v", all)
	}
	// A loop of inclusions ends.
	check(t, nil, layerFile{path: "etc/ssh/sshd_config", text: strings.Repeat("Include /etc/ssh/sshd_config.d/*.conf /etc/ssh/sshd_config\n", 100)},
		layerFile{path: "etc/ssh/sshd_config.d/a.conf", text: strings.Repeat("Include /etc/ssh/sshd_config.d/*\n", 100)}, layerFile{path: "etc/ssh/sshd_config.d/b.conf", text: strings.Repeat("Include /etc/ssh/*\n", 100)})
	// A file nobody includes does not count.
	if ids, _ := findings(t, check(t, nil, layerFile{path: "etc/ssh/sshd_config", text: "UsePAM yes\n"}, layerFile{path: "etc/ssh/sshd_config.d/a.conf", text: "PermitEmptyPasswords yes\n"})); len(ids) > 0 {
		t.Errorf("%v", ids)
	}
}

// What is hostile ends at a limit, or is a Problem; nothing panics.
func TestHostileFiles(t *testing.T) {
	many := strings.Repeat("x y\n", maxSettings+1)
	for path, text := range map[string]string{
		"etc/ssh/sshd_config":              many,
		"etc/php/php.ini":                  strings.ReplaceAll(many, "x y", "%\nx = y") + strings.Repeat("\nk=v", 3),
		"etc/nginx/nginx.conf":             strings.Repeat("a{", maxDepth+5),
		"etc/apache2/apache2.conf":         strings.Repeat("<a>\n", maxDepth+5),
		"etc/docker/daemon.json":           strings.Repeat("[", 10000),
		"etc/mongod.conf":                  strings.Repeat("{a: ", 200),
		"etc/tomcat/server.xml":            strings.Repeat("<a>", maxDepth+5),
		"etc/sudoers":                      strings.Repeat("u ALL=NOPASSWD: ALL\n", 1000),
		"etc/elasticsearch.d/x/redis.conf": strings.Repeat("user default on nopass +@all\n", 1000),
	} {
		img := check(t, nil, layerFile{path: path, text: text})
		if path != "etc/php/php.ini" && len(img.Problems) == 0 {
			t.Errorf("%s: no problem is told", path)
		}
		if ids, _ := findings(t, img); len(ids) > maxFindings {
			t.Errorf("%s: %d findings", path, len(ids))
		}
	}
	img := check(t, nil, layerFile{path: "etc/redis/redis.conf", text: strings.Repeat("# x\n", maxSize/4+1)})
	if len(img.Problems) != 1 || img.Problems[0].Limit != "file size" {
		t.Errorf("%v", img.Problems)
	}
}

func FuzzReaders(f *testing.F) {
	for _, x := range settingCases() {
		if x.base != "" {
			if b, err := os.ReadFile(filepath.Join("testdata", x.base)); err == nil && len(b) < 8<<10 {
				f.Add(x.path, b)
			}
		}
		_, change, ok := strings.Cut(x.change, " → ")
		if !ok {
			change = x.change
		}
		f.Add(x.path, []byte(change))
	}
	for _, name := range []string{"rsa1024.pem", "dh1024.pem", "old.crt", "ec.pem"} {
		b, err := os.ReadFile(filepath.Join("testdata", "tls", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add("etc/x.pem", b)
	}
	f.Fuzz(func(t *testing.T, path string, text []byte) {
		if !fs.ValidPath(path) || path == "." {
			return
		}
		for _, fact := range check(t, nil, layerFile{path: path, text: string(text)}).Facts {
			if !json.Valid(fact.Data) {
				t.Errorf("%s: %q", fact.Kind, fact.Data)
			}
		}
	})
}

func FuzzHistory(f *testing.F) {
	for _, x := range imageCases() {
		if x.config != nil {
			c := sound()
			x.config(c)
			f.Add(c.History[len(c.History)-1].CreatedBy)
		}
	}
	f.Fuzz(func(t *testing.T, step string) {
		img := &inventory.Image{}
		if err := (ImageAnalyzer{}).AnalyzeImage(t.Context(), &inventory.Config{History: []inventory.History{{CreatedBy: step}}, Env: []string{step}, Entrypoint: []string{step}}, img); err != nil {
			t.Error(err)
		}
	})
}

// Files of the largest size in their worst forms are read in about a second;
// with the square of their size, or with every path through their aliases and
// inclusions, this test would not end.
func TestWorstFilesAreLinear(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, (maxSize-1000)/len(s)) }
	alias := "Cmnd_Alias A0 = /bin/sh\n"
	for _, d := range "12345678" {
		alias += "Cmnd_Alias A" + string(d) + " = " + strings.Repeat("A"+string(d-1)+", ", 500) + "A0\n"
	}
	for path, text := range map[string]string{
		"etc/sudoers":              fill("\\\n"),
		"etc/sudoers.d/a":          alias + "u ALL = A8\n",
		"etc/samba/smb.conf":       fill("\\\n"),
		"etc/apache2/apache2.conf": fill("ProxyRequests On\n"),
		"etc/apache2/a.conf":       fill("Dav On\n"),
		"etc/nginx/nginx.conf":     "http{" + fill("a{b;}") + "}",
		"etc/ssh/sshd_config":      fill("Include /etc/ssh/*\n"),
		"etc/php/php.ini":          fill("a=\n"),
		"etc/docker/daemon.json":   "[" + fill("1,\n") + "1]",
		"etc/mongod.conf":          fill("a: &a [*a]\n"),
		"etc/tomcat/server.xml":    "<a>" + fill("<b/>") + "</a>",
		"srv/x.pem":                fill("-----BEGIN X\n"),
	} {
		check(t, nil, layerFile{path: path, text: text})
	}
}
