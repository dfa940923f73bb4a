package secret

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// random makes repeatable text: real secrets have no place in a repository.
func random(seed uint64, n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	rnd := rand.New(rand.NewPCG(seed, seed))
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rnd.IntN(len(letters))]
	}
	return string(b)
}

// tool runs a program in a folder of its own.
func tool(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("no ", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GNUPGHOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("%s: %v: %s", name, err, out)
	}
}

// TestKeys finds the keys that the real programs write, and says of each
// whether it is encrypted.
func TestKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		title     string
		encrypted bool
		commands  [][]string // the last file they write is "key"
	}{
		"openssh rsa":       {"OpenSSH private key", false, [][]string{{"ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "key"}}},
		"openssh ed25519":   {"OpenSSH private key", false, [][]string{{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "key"}}},
		"openssh encrypted": {"OpenSSH private key", true, [][]string{{"ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", "key"}}},
		"ssh pem":           {"RSA private key", false, [][]string{{"ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", "key"}}},
		"ssh pem encrypted": {"RSA private key", true, [][]string{{"ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "passphrase", "-f", "key"}}},
		"pkcs8":             {"Private key (PKCS #8)", false, [][]string{{"openssl", "genpkey", "-algorithm", "ed25519", "-out", "key"}}},
		"pkcs8 encrypted":   {"Encrypted private key (PKCS #8)", true, [][]string{{"openssl", "genpkey", "-algorithm", "RSA", "-aes256", "-pass", "pass:abcd", "-out", "key"}}},
		"ec":                {"EC private key", false, [][]string{{"openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", "key"}}},
		"dsa":               {"DSA private key", false, [][]string{{"openssl", "dsaparam", "-out", "p", "1024"}, {"openssl", "gendsa", "-out", "k", "p"}, {"openssl", "pkey", "-in", "k", "-out", "key", "-traditional"}}},
		"pgp": {"OpenPGP private key", false, [][]string{{"gpg", "--batch", "--passphrase", "", "--pinentry-mode", "loopback", "--quick-gen-key", "someone", "ed25519"},
			{"gpg", "--batch", "--passphrase", "", "--pinentry-mode", "loopback", "--armor", "--output", "key", "--export-secret-keys"}}},
		"pgp encrypted": {"OpenPGP private key", true, [][]string{{"gpg", "--batch", "--passphrase", "abcd", "--pinentry-mode", "loopback", "--quick-gen-key", "someone", "rsa2048"},
			{"gpg", "--batch", "--passphrase", "abcd", "--pinentry-mode", "loopback", "--armor", "--output", "key", "--export-secret-keys"}}},
		"putty":           {"PuTTY private key", false, [][]string{{"puttygen", "-t", "ed25519", "-O", "private", "--new-passphrase", "/dev/null", "-o", "key"}}},
		"putty encrypted": {"PuTTY private key", true, [][]string{{"sh", "-c", "echo abcd >p"}, {"puttygen", "-t", "rsa", "-b", "2048", "-O", "private", "--new-passphrase", "p", "-o", "key"}}},
		"age":             {"age secret key", false, [][]string{{"age-keygen", "-o", "key"}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, c := range tt.commands {
				tool(t, dir, c[0], c[1:]...)
			}
			data, err := os.ReadFile(filepath.Join(dir, "key"))
			if err != nil {
				t.Fatal(err)
			}
			found := Scan("srv/key.txt", data)
			if len(found) != 1 || found[0].Title != tt.title || found[0].Encrypted != tt.encrypted || found[0].Category != CategoryPrivateKey || found[0].Confidence < 0.7 {
				t.Fatalf("%+v", found)
			}
			// the same key in other clothes has the same fingerprint
			if bytes.Count(data, []byte("-----BEGIN")) == 0 {
				return
			}
			quoted, _ := json.Marshal(map[string]string{"k": string(data)})
			lines := "key = \"" + strings.Join(strings.Split(strings.TrimSpace(string(data)), "\n"), "\\n\" +\n      \"") + "\\n\";\n"
			for _, copy := range []string{string(quoted), lines, strings.ReplaceAll(string(data), "\n", "\r\n"), "  key: |\n    " + strings.ReplaceAll(string(data), "\n", "\n    ")} {
				again := Scan("srv/other.txt", []byte(copy))
				if len(again) != 1 || again[0].Fingerprint != found[0].Fingerprint {
					t.Errorf("%+v of %s", again, copy)
				}
			}
			b64 := Scan("srv/other.txt", []byte("KEY_B64="+base64.StdEncoding.EncodeToString(data)))
			if strings.Contains(string(data), "PGP") || tt.title == "age secret key" {
				return
			}
			if len(b64) != 1 || b64[0].Inside != "base64" || b64[0].Encrypted != tt.encrypted {
				t.Errorf("in base64: %+v", b64)
			}
		})
	}
}

// TestNotKeys: text about keys is none.
func TestNotKeys(t *testing.T) {
	for _, text := range []string{
		"if (s.startsWith('-----BEGIN RSA PRIVATE KEY-----')) {\n return parse(s, '-----END RSA PRIVATE KEY-----');\n}",
		"-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\nYOUR KEY HERE\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gun\n-----END PUBLIC KEY-----\n",
		"const PEM = /-----BEGIN ([A-Z ]+)PRIVATE KEY-----/",
	} {
		if found := Scan("srv/a.js", []byte(text)); len(found) > 0 {
			t.Errorf("%+v in %s", found, text)
		}
	}
}

func TestGeneric(t *testing.T) {
	pass, token := "Xk9#mP2vLq8w", random(1, 32)
	for _, tt := range []struct {
		path, text string
		want       bool
	}{
		{"srv/a.properties", "db.password=" + pass, true},
		{"srv/a.yml", "db:\n  password: " + pass + "\n", true},
		{"srv/a.yml", "- name: DB_PASSWORD\n  value: " + pass + "\n", true},
		{"srv/a.json", `{"dbPassword": "` + pass + `"}`, true},
		{"srv/a.json", `{"config":"{\"password\":\"` + pass + `\"}"}`, true},
		{"srv/a.ini", "[db]\nPassword = \"" + pass + "\"", true},
		{"srv/a.xml", "<password>" + pass + "</password>", true},
		{"srv/a.xml", `<property name="password" value="` + pass + `"/>`, true},
		{"srv/a.php", "define('API_SECRET', '" + token + "');", true},
		{"srv/a.rb", ":password => '" + pass + "',", true},
		{"srv/a.py", `PASSWORD = "` + pass + `"`, true},
		{"srv/a.js", "const apiKey = '" + token + "';", true},
		{"srv/run.sh", "export API_TOKEN=" + token, true},
		{"srv/run.sh", "tool --password " + pass + " --x", true},
		{"srv/Dockerfile", "ENV APP_SECRET " + token, true},
		{"srv/Makefile", "TOKEN ?= " + token, true},
		{"srv/a.py", "password = get_password()", false},
		{"srv/a.js", "const token = parser.nextToken2x;", false},
		{"srv/a.properties", "password=changeme", false},
		{"srv/a.properties", "password=${DB_PASSWORD}", false},
		{"srv/a.properties", "password=<your password>", false},
		{"srv/a.properties", "password=xxxxxxxxxxxx", false},
		{"srv/a.properties", "password_file=/run/secrets/x1y2z3", false},
		{"srv/a.properties", "token.url=https://host/a1b2c3d4e5f6", false},
		{"srv/a.yml", "password: !vault |", false},
		{"srv/a.yml", "next_token: " + token, false},
		{"srv/a.yml", "password: {{ lookup('x') }}", false},
		{"srv/a.properties", "sha=" + hex.EncodeToString(bytes.Repeat([]byte{1, 0xf3}, 10)), false},
		{"srv/a.py", `password: str = "x"`, false},
		{"srv/a.js", `{ password: "Enter your password", token: "token" }`, false},
		{"app/node_modules/x/a.js", "const apiKey = '" + token + "';", false},
		{"srv/a.min.js", "const apiKey='" + token + "'", false},
	} {
		found := Scan(tt.path, []byte("# first line\n"+tt.text+"\n"))
		if (len(found) > 0) != tt.want {
			t.Errorf("%s: %q: %+v", tt.path, tt.text, found)
		}
		for _, f := range found {
			if f.Category != CategoryGeneric || f.Line < 2 || f.Confidence > 0.7 {
				t.Errorf("%s: %q: %+v", tt.path, tt.text, f)
			}
		}
	}
}

func TestURLs(t *testing.T) {
	for text, want := range map[string]bool{
		"postgres://app:hT5xQ9zLw2@db.internal:5432/app":     true,
		"mongodb+srv://u:hT5xQ9zLw2@c.mongodb.net/x":         true,
		"redis://:hT5xQ9zLw2@cache:6379/0":                   true,
		"amqp://guest:guest@rabbit/":                         true, // weak, and so less sure
		"https://" + random(7, 24) + "@git.internal/a.git":   true,
		"https://user:password@host/":                        false,
		"https://user:hT5xQ9zLw2@example.com/":               false,
		"https://user:${PASSWORD}@db/":                       false,
		"https://user:<password>@db/":                        false,
		"https://host:8080/a@b":                              false,
		"see http://host/ and mail a:b@c":                    false,
		"https://0123456789abcdef0123456789abcde1@sentry.io": false,
	} {
		if found := Scan("srv/a.conf", []byte(text)); (len(found) > 0) != want {
			t.Errorf("%s: %+v", text, found)
		}
	}
}

// TestConnections: passwords in connection strings and on command lines.
func TestConnections(t *testing.T) {
	const p = "hT5xQ9zLw2"
	for text, rule := range map[string]string{
		"Server=tcp:x.database.windows.net;User ID=app;Password=" + p + ";Encrypt=true": "odbc-password",
		"host=db dbname=app user=app password=" + p + " sslmode=require":                "libpq-password",
		"jdbc:postgresql://db:5432/app?user=app&password=" + p:                          "jdbc-password",
		"jdbc:oracle:thin:app/" + p + "@db:1521:x":                                      "oracle-connection",
		"curl -s -u app:" + p + " https://internal/":                                    "curl-user",
		"sshpass -p " + p + " ssh x":                                                    "sshpass",
		"docker login -u me -p " + p + " registry":                                      "docker-login",
		"mysql -uroot -p" + p + " app":                                                  "mysql-command",
		"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("app:"+p)):   "basic-auth-header",
		"Authorization: Bearer " + random(9, 40):                                        "bearer-header",
	} {
		found := Scan("srv/run", []byte("first\n"+text+"\nlast\n"))
		if !slices.ContainsFunc(found, func(f Found) bool { return f.Rule == rule && f.Line == 2 }) {
			t.Errorf("%s: %+v", text, found)
		}
	}
}

func jwt(claims string) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + e([]byte(claims)) + "." + e([]byte(random(3, 32)))
}

func TestJWT(t *testing.T) {
	if found := Scan("srv/a.txt", []byte("t = "+jwt(`{"sub":"svc-7","iss":"https://id.internal"}`)+"\n")); len(found) != 1 || found[0].Rule != "jwt" || !found[0].Verified {
		t.Errorf("%+v", found)
	}
	for _, text := range []string{jwt(`{"sub":"1234567890","name":"John Doe","iat":1516239022}`), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0." + random(4, 30), "eyJ" + random(5, 30) + ".eyJ" + random(6, 30) + "." + random(7, 30)} {
		if found := Scan("srv/a.txt", []byte(text)); len(found) != 0 {
			t.Errorf("%+v in %s", found, text)
		}
	}
}

// TestPublished: the examples of every manual.
func TestPublished(t *testing.T) {
	for _, text := range []string{"aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
		"AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==", "STRIPE=sk_test_4eC39HqLyjWDarjtT1zdp7dc"} {
		if found := Scan("root/.aws/credentials", []byte(text)); len(found) > 0 {
			t.Errorf("%+v", found)
		}
	}
}

func TestContext(t *testing.T) {
	text := []byte("x = ghp_" + random(1, 36))
	for path, want := range map[string]string{
		"srv/a.conf": "", "srv/tests/a.conf": ContextTest, "srv/docs/a.conf": ContextDocumentation, "srv/README.md": ContextDocumentation, "srv/examples/a": ContextExample,
		"srv/.env.example": ContextExample, "app/node_modules/x/a.js": ContextLibrary, "app/node_modules/x/test/a.js": ContextTest, "srv/test_a.py": ContextTest,
	} {
		found := Scan(path, text)
		if len(found) != 1 || found[0].Context != want || (want != "") != (found[0].Confidence < 0.9) {
			t.Errorf("%s: %+v", path, found)
		}
	}
}

// TestNoValue: no part of a value is in a fact.
func TestNoValue(t *testing.T) {
	value := "ghp_" + random(11, 36)
	pass := random(12, 16)
	text := "GITHUB_TOKEN=" + value + "\nURL=postgres://u:" + pass + "@db/x\nPASSWORD=" + pass + "9!\n"
	var rec inventory.Record
	if err := (&Analyzer{}).Analyze(t.Context(), analyze.NewFileSet(analyze.NewFile(analyze.Entry{Path: "srv/.env"}, []byte(text))), &rec); err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(rec)
	if len(rec.Facts) != 3 {
		t.Errorf("%s", data)
	}
	for _, v := range []string{value, pass} {
		for i := 0; i+6 <= len(v); i++ {
			if bytes.Contains(data, []byte(v[i:i+6])) {
				t.Fatalf("%q of %q in %s", v[i:i+6], v, data)
			}
		}
		sum := sha256.Sum256([]byte(v))
		if bytes.Contains(data, []byte(hex.EncodeToString(sum[:8]))) {
			t.Error("the fingerprint is a plain hash")
		}
	}
	if other := (&Analyzer{FingerprintKey: []byte("k")}); other.ConfigDigest() == (&Analyzer{}).ConfigDigest() {
		t.Error("the key is not part of the configuration")
	} else if found, err := other.Scan("srv/.env", []byte(text)); err != nil || found[0].Fingerprint == Scan("srv/.env", []byte(text))[0].Fingerprint {
		t.Error("the key does not matter")
	}
}

func TestUserRules(t *testing.T) {
	rules, err := ParseRules("[corp]\ntitle Corporate token\nkeyword corp_\ntoken corp_[a-z0-9]{20}\nentropy 2\npath *.conf\nallow ^corp_0\n\n[github-token]\ntitle Ours\nkeyword ghx_\ntoken ghx_[a-z]{4}\nentropy -1\n")
	if err != nil {
		t.Fatal(err)
	}
	a := &Analyzer{Rules: rules}
	for path, want := range map[string]int{"srv/a.conf": 2, "srv/a.txt": 1} {
		found, err := a.Scan(path, []byte("corp_k3v9x2m7q1z8w4r6t5yb ghx_abcd ghp_"+random(1, 36)))
		if err != nil || len(found) != want {
			t.Errorf("%s: %+v %v", path, found, err)
		}
	}
	if a.ConfigDigest() == (&Analyzer{}).ConfigDigest() {
		t.Error("the rules are not part of the configuration")
	}
	for _, bad := range []string{"[x]\n", "[x]\ntitle t\nkeyword ab\ntoken a\n", "[x]\ntitle t\nkeyword abc\ntoken (\n", "[x]\ntitle t\nkeyword abc\ntoken a*\n", "[x]\ntitle t\nfile a\n",
		"[x]\ntitle t\nkeyword ABCD\ntoken a\n", "[x]\ntitle t\nkeyword abcd\nbuilt-in pem\n", "[x]\nnonsense 1\n", "title t\n", "[x]\ntitle t\nkeyword abcd\ntoken a\ngroup 3\n", "[x]\ntitle t\nkeyword abcd\ntoken a\nconfidence 3\n"} {
		if _, err := ParseRules(bad); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
	if err := (&Analyzer{Rules: []Rule{{ID: "x"}}}).Analyze(t.Context(), analyze.NewFileSet(), &inventory.Record{}); err == nil {
		t.Error("bad rules are taken")
	}
}

// TestImage uses what ../shared/corpus/images.sh gives the image "secrets",
// and the forms of history that builders write.
func TestImage(t *testing.T) {
	config := &inventory.Config{
		Env:    []string{"PATH=/usr/bin", "DB_PASSWORD=" + random(20, 18), "AWS_SECRET_ACCESS_KEY=" + random(21, 40), "GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D", "PYTHON_SHA256=" + strings.Repeat("ab12", 16)},
		Labels: map[string]string{"token": "ghp_" + random(22, 36), "org.opencontainers.image.revision": strings.Repeat("a1b2", 10)},
		History: []inventory.History{
			{CreatedBy: "/bin/sh -c #(nop) ADD file:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef in / "},
			{CreatedBy: "ENV API_TOKEN=" + random(23, 32), EmptyLayer: true},
			{CreatedBy: "|1 NPM_TOKEN=npm_" + random(24, 36) + " /bin/sh -c npm ci"},
			{CreatedBy: "ARG PASSWORD=" + random(25, 14), EmptyLayer: true},
			{CreatedBy: "RUN /bin/sh -c curl -u bot:" + random(26, 12) + " https://internal/x # buildkit"},
		},
	}
	img := &inventory.Image{}
	if err := (ImageAnalyzer{}).AnalyzeImage(t.Context(), config, img); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, f := range img.Facts {
		var s Secret
		if err := json.Unmarshal(f.Data, &s); err != nil || f.Kind != FactKind || f.Path != "" {
			t.Fatal(f, err)
		}
		if s.Confidence < 0.5 {
			t.Errorf("%+v", s)
		}
		got[s.Where+":"+s.Name+" "+s.Rule] = f.Layer
	}
	want := map[string]int{"env:DB_PASSWORD generic-password": -1, "env:AWS_SECRET_ACCESS_KEY aws-secret-access-key": -1, "label:token github-token": -1,
		"history:api_token generic-token": -1, "argument:NPM_TOKEN npm-token": 1, "argument:PASSWORD generic-password": -1, "history: curl-user": 2}
	for k, layer := range want {
		if l, ok := got[k]; !ok || l != layer {
			t.Errorf("no %s in layer %d: %v", k, layer, got)
		}
		delete(got, k)
	}
	if len(got) > 0 {
		t.Errorf("not secrets: %v", got)
	}
}

// TestSlow: texts made to be slow end soon, and say so where they do.
func TestSlow(t *testing.T) {
	for _, unit := range []string{"ghp_", "t3blbkfj", "eyJ.", "eyJa.eyJa.", "password", "password=", "://", "a://b:", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nAAAA", "PuTTY-User-Key-File-2: ",
		`"kty"`, "token=a1B2c3D4e5F6g7H8i9 ", ";password=", "sk_live_a", "curl -u ", "AccountKey=", "npm_", "\"auth\":\"", "x" + strings.Repeat("A", 50), "{\"password\":\"", "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS"} {
		text := bytes.Repeat([]byte(unit), 1<<19/len(unit))
		start := cpu()
		Scan("srv/config.json", text)
		if used := cpu() - start; used.Seconds() > 2*slowdown {
			t.Errorf("%q: %v", unit, used)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add("srv/a.conf", []byte("password=Xk9#mP2vLq8w\nurl=a://b:c@d\n"))
	f.Add("srv/a.json", []byte(`{"k":"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\nMIIE`+strings.Repeat("abcd", 20)+`\n-----END"}`))
	f.Add(".npmrc", []byte("//a/:_authToken=npm_0123456789abcdefghij"))
	f.Add("k.ppk", []byte("PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPrivate-Lines: 2\nAAAA\nBBBB\nPrivate-MAC: 0\n"))
	f.Add("a", []byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQHYBF"+strings.Repeat("AAAA", 20)))
	f.Add("a", []byte("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA"+strings.Repeat("AAAA", 20)))
	f.Fuzz(func(t *testing.T, name string, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		last := 0
		for _, s := range Scan(name, text) {
			if s.Start < last || s.End < s.Start || s.End > len(text) || s.Confidence < 0 || s.Confidence > 1 || len(s.Fingerprint) != 32 {
				t.Fatalf("%+v", s)
			}
			last = s.End
			if _, err := json.Marshal(s); err != nil {
				t.Fatal(err)
			}
		}
	})
}
