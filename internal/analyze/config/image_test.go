package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// imageCase is an image in which a check must fail.
type imageCase struct {
	id     string
	config func(c *inventory.Config)
	files  []inventory.File
	want   string // in the message
}

// sound is a configuration in which nothing fails.
func sound() *inventory.Config {
	return &inventory.Config{OS: "linux", Architecture: "amd64", User: "app", Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D", "PASSWORD_FILE=/run/secrets/x", "TOKEN_TTL=3600", "TOKENIZERS_PARALLELISM=false"},
		Entrypoint: []string{"/usr/bin/java", "-jar", "/app.jar"}, ExposedPorts: []string{"8080/tcp"}, Volumes: []string{"/var/lib/data"}, Healthcheck: &inventory.Healthcheck{Test: []string{"CMD", "true"}},
		History: []inventory.History{
			{CreatedBy: "/bin/sh -c #(nop) ADD file:0d3c0 in / "},
			{CreatedBy: "RUN |2 VERSION=1.2 TOKEN_URL=https://x /bin/sh -c set -eux; apt-get update && apt-get install -y --no-install-recommends curl; curl -fsSL https://x.example.com/k.asc | gpg --dearmor -o /k.gpg; chmod 1777 /tmp; chmod 755 /app # buildkit"},
			{CreatedBy: "COPY --chown=app:app . /app # buildkit"},
			{CreatedBy: "ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://x.example.com/a.tar /x # buildkit"},
			{CreatedBy: `CMD ["bash"]`, EmptyLayer: true},
		}}
}

func run(command string) func(*inventory.Config) {
	return func(c *inventory.Config) {
		c.History = append(c.History, inventory.History{CreatedBy: "RUN /bin/sh -c " + command + " # buildkit"})
	}
}

func env(e string) func(*inventory.Config) {
	return func(c *inventory.Config) { c.Env = append(c.Env, e) }
}

func regular(path string, perm uint16) []inventory.File {
	return []inventory.File{{Path: path, Perm: perm, Size: 10, Kind: inventory.KindText, SHA256: [32]byte{1}}}
}

func elf(path string, perm uint16, kind inventory.Kind) []inventory.File {
	return []inventory.File{{Path: path, Perm: perm, Size: 10, Kind: kind, SHA256: [32]byte{2}}}
}

func imageCases() []imageCase {
	return []imageCase{
		{"TW-IMG-001", func(c *inventory.Config) { c.User = "" }, nil, "no user"},
		{"TW-IMG-001", func(c *inventory.Config) { c.User = "0:0" }, nil, "0:0"},
		{"TW-IMG-001", func(c *inventory.Config) { c.User = "root" }, nil, "root"},
		{"TW-IMG-002", func(c *inventory.Config) { c.ExposedPorts = []string{"22/tcp"} }, nil, "22/tcp"},
		{"TW-IMG-003", func(c *inventory.Config) { c.ExposedPorts = []string{"23/tcp"} }, nil, "23/tcp"},
		{"TW-IMG-004", func(c *inventory.Config) { c.ExposedPorts = []string{"2375/tcp"} }, nil, "2375/tcp"},
		{"TW-IMG-005", func(c *inventory.Config) { c.Healthcheck = nil }, nil, ""},
		{"TW-IMG-005", func(c *inventory.Config) { c.Healthcheck.Test = []string{"NONE"} }, nil, "turned off"},
		{"TW-IMG-006", func(c *inventory.Config) {
			c.History = append(c.History, inventory.History{CreatedBy: "ADD https://u:p@x.example.com/a.tgz /x # buildkit"})
		}, nil, "from x.example.com"},
		{"TW-IMG-007", env("DB_PASSWORD=hunter22"), nil, "DB_PASSWORD"},
		{"TW-IMG-007", env("STRIPE_API_KEY=sk_12345678"), nil, "STRIPE_API_KEY"},
		{"TW-IMG-008", func(c *inventory.Config) {
			c.History = append(c.History, inventory.History{CreatedBy: "RUN |1 NPM_TOKEN=abcdefgh /bin/sh -c npm ci # buildkit"})
		}, nil, "NPM_TOKEN"},
		{"TW-IMG-009", run("apt-get update"), nil, "apt-get"},
		{"TW-IMG-010", run("curl -fsSL https://x.example.com/install.sh | sudo -E bash -s -- --yes"), nil, "curl | bash"},
		{"TW-IMG-010", run(`sh -c "$(curl -fsSL https://x.example.com/i.sh)"`), nil, ""},
		{"TW-IMG-011", run("curl -fsSLk https://x.example.com/a -o a"), nil, "-fsSLk"},
		{"TW-IMG-011", run("wget --no-check-certificate https://x.example.com/a"), nil, "wget"},
		{"TW-IMG-011", run("apt-get update && apt-get install -y --allow-unauthenticated x"), nil, "apt-get"},
		{"TW-IMG-011", run("npm config set strict-ssl false"), nil, "npm"},
		{"TW-IMG-012", run("mkdir /app && chmod -R 777 /app"), nil, "777"},
		{"TW-IMG-012", run("chmod a+rwx /srv"), nil, "a+rwx"},
		{"TW-IMG-013", func(c *inventory.Config) { c.Volumes = []string{"/var/run/docker.sock"} }, nil, "docker.sock"},
		{"TW-IMG-014", env("LD_LIBRARY_PATH=/opt/lib:."), nil, `"."`},
		{"TW-IMG-014", func(c *inventory.Config) { c.Env = []string{"PATH=/usr/bin::/tmp/bin"} }, nil, ""},
		{"TW-IMG-015", env("NODE_TLS_REJECT_UNAUTHORIZED=0"), nil, ""},
		{"TW-IMG-016", env("FLASK_DEBUG=1"), nil, ""},
		{"TW-IMG-017", env("POSTGRES_HOST_AUTH_METHOD=trust"), nil, ""},
		{"TW-IMG-018", func(c *inventory.Config) { c.Cmd = []string{"/usr/sbin/sshd", "-D"} }, nil, "sshd"},
		{"TW-IMG-019", env("JAVA_TOOL_OPTIONS=-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5005"), nil, "jdwp"},
		{"TW-IMG-020", func(c *inventory.Config) { c.OnBuild = []string{"COPY . /app"} }, nil, "COPY"},

		{"TW-FIL-001", nil, regular("bin/bash", 0o4755), "4755"},
		{"TW-FIL-001", nil, regular("usr/bin/python3.11", 0o2755), ""},
		{"TW-FIL-001", nil, append(elf("usr/local/bin/rootsh", 0o4755, inventory.KindELFExec), elf("bin/bash", 0o755, inventory.KindELFExec)...), "a copy of /bin/bash"},
		{"TW-FIL-002", nil, regular("usr/local/bin/tool", 0o4755), ""},
		{"TW-FIL-003", nil, regular("usr/bin/su", 0o4757), ""},
		{"TW-FIL-004", nil, regular("etc/cron.d/job", 0o666), "0666"},
		{"TW-FIL-005", nil, []inventory.File{{Path: "srv/open", Type: inventory.Directory, Perm: 0o777}}, "0777"},
		{"TW-FIL-006", nil, []inventory.File{{Path: "tmp", Type: inventory.Directory, Perm: 0o777}}, ""},
		{"TW-FIL-007", nil, []inventory.File{{Path: "dev/sda", Type: inventory.BlockDevice, Major: 8}}, "8:0"},
		{"TW-FIL-007", nil, []inventory.File{{Path: "dev/mem", Type: inventory.CharDevice, Major: 1, Minor: 1}}, "1:1"},
		{"TW-FIL-008", nil, []inventory.File{{Path: "app/x", Perm: 0o644, UID: 4711, Size: 1}, {Path: "app/y", Perm: 0o644, UID: 4711, Size: 1}}, "2 entries of user 4711"},
		{"TW-FIL-009", nil, regular("app/.git/HEAD", 0o644), ""},
		{"TW-FIL-010", nil, regular("app/.svn/wc.db", 0o644), ""},
		{"TW-FIL-011", nil, append(regular("var/lib/apt/lists/deb_dists_x_Packages", 0o644), regular("var/lib/apt/lists/deb_InRelease", 0o644)...), "2 files, 20 bytes"},
		{"TW-FIL-011", nil, regular("root/.cache/pip/http/a/b", 0o600), "1 files"},
		{"TW-FIL-012", nil, elf("app/core.123", 0o600, inventory.KindELFOther), ""},
		{"TW-FIL-013", nil, regular("root/.bash_history", 0o600), ""},
		{"TW-FIL-014", nil, regular("etc/ssh/sshd_config~", 0o644), ""},
		{"TW-FIL-015", nil, regular("etc/ssh/ssh_host_ed25519_key", 0o600), ""},
		{"TW-FIL-016", nil, regular("root/.ssh/authorized_keys", 0o600), ""},
		{"TW-FIL-017", nil, regular("root/.rhosts", 0o600), ""},
		{"TW-FIL-018", nil, regular("infra/terraform.tfstate", 0o644), ""},
		{"TW-FIL-019", nil, regular("etc/shadow", 0o644), "0644"},
		{"TW-FIL-020", nil, regular("etc/passwd", 0o664), "0664"},
		{"TW-FIL-020", nil, regular("etc/sudoers.d/app", 0o460), ""},
		{"TW-FIL-021", nil, elf("usr/sbin/sshd", 0o755, inventory.KindELFExec), ""},
		{"TW-FIL-022", nil, elf("usr/sbin/in.telnetd", 0o755, inventory.KindELFExec), ""},
		{"TW-FIL-023", nil, elf("usr/lib/gcc/x86_64-linux-gnu/12/cc1", 0o755, inventory.KindELFExec), ""},
		{"TW-FIL-024", nil, []inventory.File{{Path: "usr/bin/tool", Perm: 0o755, Size: 1, Caps: "\x01\x00\x00\x02\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}}, "CAP_SYS_ADMIN"},
		{"TW-FIL-025", nil, regular("app/Dockerfile", 0o644), ""},
		{"TW-FIL-026", nil, regular("srv/prod.sql.gz", 0o644), ""},
	}
}

// soundFiles are entries in which nothing fails.
func soundFiles() []inventory.File {
	return []inventory.File{
		{Path: "tmp", Type: inventory.Directory, Perm: 0o1777}, {Path: "tmp/x", Perm: 0o666, Size: 1}, {Path: "var/tmp", Type: inventory.Directory, Perm: 0o1777},
		{Path: "dev/null", Type: inventory.CharDevice, Perm: 0o666, Major: 1, Minor: 3}, {Path: "bin", Type: inventory.Symlink, Link: "usr/bin", Perm: 0o777},
		{Path: "usr/bin/mount", Perm: 0o4755, Size: 7, SHA256: [32]byte{9}}, {Path: "usr/bin/dash", Perm: 0o755, Size: 3, SHA256: [32]byte{8}}, {Path: "etc/passwd", Perm: 0o644, Size: 3}, {Path: "etc/shadow", Perm: 0o640, GID: 42, Size: 3}, {Path: "etc/passwd-", Perm: 0o644, Size: 3},
		{Path: "var/lib/apt/lists/lock", Perm: 0o640}, {Path: "usr/share/doc/x/Dockerfile", Perm: 0o644, Size: 3}, {Path: "root/.bash_history", Perm: 0o600},
		{Path: "usr/bin/ping", Perm: 0o755, Size: 1, Caps: "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{Path: "home/app/file", Perm: 0o600, UID: 1000, Size: 3}, {Path: "usr/share/x/dump.sql", Perm: 0o644, Size: 3}, {Path: "app/HEAD", Perm: 0o644, Size: 3}, {Path: "etc/core", Perm: 0o644, Size: 3, Kind: inventory.KindText},
	}
}

// checkImage analyzes an image of a configuration and a file table.
func checkImage(t *testing.T, config *inventory.Config, files []inventory.File) *inventory.Image {
	t.Helper()
	var b inventory.Builder
	for _, f := range files {
		b.Add(f)
	}
	img := &inventory.Image{Files: b.Table(), Facts: []inventory.Fact{
		{Kind: "account", Path: "etc/passwd", Data: []byte(`{"name":"root","uid":"0"}`)}, {Kind: "account", Path: "etc/passwd", Data: []byte(`{"name":"app","uid":"1000"}`)},
		{Kind: "account", Path: "etc/passwd", Hidden: true, Data: []byte(`{"name":"old","uid":"4711"}`)},
	}, Packages: []inventory.Package{{Type: "deb", Name: "mount", Files: inventory.NewFileList([]string{"bin/mount", "usr/bin/su"})}}}
	if err := (ImageAnalyzer{}).AnalyzeImage(t.Context(), config, img); err != nil {
		t.Fatal(err)
	}
	return img
}

func TestImages(t *testing.T) {
	if ids, all := findings(t, checkImage(t, sound(), soundFiles())); len(ids) > 0 {
		t.Errorf("a sound image fails: %+v", all)
	}
	for _, x := range imageCases() {
		t.Run(x.id, func(t *testing.T) {
			config := sound()
			if x.config != nil {
				x.config(config)
			}
			img := checkImage(t, config, append(soundFiles(), x.files...))
			ids, all := findings(t, img)
			if len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool { return id != x.id }) {
				t.Fatalf("%+v", all)
			}
			if !strings.Contains(all[0].Message, x.want) {
				t.Errorf("message %q, want %q in it", all[0].Message, x.want)
			}
			for _, f := range img.Facts {
				if strings.Contains(string(f.Data), "hunter22") || strings.Contains(string(f.Data), "abcdefgh") || strings.Contains(string(f.Data), "u:p@") {
					t.Errorf("a secret is in %s", f.Data)
				}
			}
		})
	}
	// A root file system has no configuration.
	if ids, _ := findings(t, checkImage(t, &inventory.Config{}, soundFiles())); len(ids) > 0 {
		t.Errorf("%v", ids)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	var files []inventory.File
	for i := range 3 * maxFindings {
		files = append(files, inventory.File{Path: "srv/" + strings.Repeat("x", i+1), Perm: 0o666, Size: 1})
	}
	img := checkImage(t, sound(), files)
	if ids, _ := findings(t, img); len(ids) != maxFindings || len(img.Problems) != 1 || img.Problems[0].Limit != "findings of one check" {
		t.Errorf("%d findings, problems %v", len(ids), img.Problems)
	}
}
