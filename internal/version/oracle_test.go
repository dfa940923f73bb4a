package version

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// oracle asks an ecosystem's own tool. The program reads pairs of versions, one
// pair a line, separated by a tab, and answers each with <, = or >, or with x
// when it cannot read one of them.
type oracle struct {
	name   string // of the test, the scheme's if empty
	scheme Scheme
	pairs  int
	// command returns the program and its arguments, or "" if the tool is absent.
	command func(t *testing.T) []string
	// stricter: we refuse what the tool lets pass; looser: we read more than the
	// tool, always for a reason given at the parser.
	stricter, looser bool
	skip             func(pair) bool // pairs on which we differ on purpose
}

func oracles() []oracle {
	return []oracle{
		{name: "dpkg", scheme: Deb, pairs: 400, command: shellOracle("dpkg", dpkgScript), skip: beyondDpkg},
		{name: "dpkg-perl", scheme: Deb, pairs: 6000, command: dpkgPerlOracle, skip: withoutUpstream},
		{scheme: RPM, pairs: 4000, command: rpmOracle, stricter: true},
		{scheme: Pacman, pairs: 6000, command: alpmOracle, stricter: true},
		{scheme: PEP440, pairs: 6000, command: pythonOracle(pep440Script)},
		{scheme: NPM, pairs: 6000, command: npmOracle, stricter: true, looser: true, skip: beyondNPM},
		{scheme: SemVer, pairs: 4000, command: npmOracle, stricter: true, looser: true, skip: beyondNPM},
		{scheme: Gem, pairs: 6000, command: scriptOracle("ruby", "-e", gemScript), skip: withPlatform},
		{scheme: Maven, pairs: 6000, command: mavenOracle, stricter: true},
		{scheme: Composer, pairs: 6000, command: composerOracle(composerScript), skip: beyondPHP},
		{scheme: Hex, pairs: 4000, command: elixirOracle(hexScript), looser: true},
		{scheme: CRAN, pairs: 2000, command: scriptOracle("Rscript", "--vanilla", "-e", cranScript), skip: beyondR},
	}
}

func TestOracles(t *testing.T) {
	for _, o := range oracles() {
		t.Run(cmp.Or(o.name, string(o.scheme)), func(t *testing.T) {
			t.Parallel()
			command := o.command(t)
			pairs := randomPairs(t, o.scheme, o.pairs)
			if testing.Short() {
				pairs = pairs[:200]
			}
			if o.skip != nil {
				pairs = slices.DeleteFunc(pairs, o.skip)
			}
			var lines []string
			for _, p := range pairs {
				lines = append(lines, p.a+"\t"+p.b)
			}
			answers := ask(t, command, lines)
			agreed, refused := 0, 0
			for i, p := range pairs {
				c, err := Compare(o.scheme, p.a, p.b)
				switch {
				case answers[i] == "x" && err != nil:
					refused++
				case answers[i] == "x" && !o.looser:
					t.Errorf("%s %s: the tool refuses them, we compare them", p.a, p.b)
				case answers[i] == "x":
				case err != nil && !o.stricter:
					t.Errorf("%s %s: the tool says %s, we %v", p.a, p.b, answers[i], err)
				case err != nil:
				case symbol(c) != answers[i]:
					t.Errorf("%s %s %s, we say %s", p.a, answers[i], p.b, symbol(c))
				default:
					agreed++
				}
			}
			t.Logf("%d of %d pairs compared alike, %d refused by both", agreed, len(pairs), refused)
			if agreed < len(pairs)/4 {
				t.Errorf("only %d of %d pairs could be compared: the test says little", agreed, len(pairs))
			}
		})
	}
}

func symbol(c int) string { return string("<=>"[c+1]) }

// ask runs a command with lines on its standard input and returns as many lines.
func ask(t *testing.T, command, lines []string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", command[0], err, stderr.String())
	}
	answers := strings.Split(strings.TrimRight(stdout.String(), "\n"), "\n")
	if len(answers) != len(lines) {
		t.Fatalf("%s: %d answers to %d questions\n%s", command[0], len(answers), len(lines), stderr.String())
	}
	return answers
}

func need(t *testing.T, program string) string {
	t.Helper()
	p, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed: its order is only checked against our tables", program)
	}
	return p
}

func needFile(t *testing.T, what string, paths ...string) string {
	t.Helper()
	for _, p := range paths {
		if found, _ := filepath.Glob(p); len(found) > 0 {
			return found[0]
		}
	}
	t.Skipf("%s is not installed: its order is only checked against our tables", what)
	return ""
}

func scriptOracle(program string, arguments ...string) func(*testing.T) []string {
	return func(t *testing.T) []string { return append([]string{need(t, program)}, arguments...) }
}

// beyondDpkg: dpkg's epochs are 31 bits wide.
func beyondDpkg(p pair) bool { return longNumber(p.a+" "+p.b, 9) }

func shellOracle(program, script string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		need(t, program)
		return []string{need(t, "sh"), "-c", script}
	}
}

const dpkgScript = `export LC_ALL=C
while IFS='	' read -r a b; do
  if m=$(dpkg --compare-versions "$a" lt "$b" 2>&1); then c='<'
  elif dpkg --compare-versions "$a" eq "$b" 2>/dev/null; then c='='
  else c='>'; fi
  test -z "$m" || c=x
  echo "$c"
done`

// dpkgPerlOracle asks dpkg's own Perl module, which is quicker than dpkg by the
// process that each comparison costs.
func dpkgPerlOracle(t *testing.T) []string {
	p := need(t, "perl")
	if exec.Command(p, "-MDpkg::Version", "-e", "1").Run() != nil {
		t.Skip("Dpkg::Version (libdpkg-perl) is not installed: the order is only checked against dpkg and our tables")
	}
	return []string{p, "-MDpkg::Version", "-ne", `chomp; my ($a, $b) = split /\t/;
		my ($v, $w) = map { Dpkg::Version->new($_) } $a, $b;
		if (!version_check($v) || !version_check($w)) { print "x\n" }
		else { print substr("<=>", ($v <=> $w) + 1, 1), "\n" }`}
}

// withoutUpstream: the module, unlike dpkg, takes "1:" for a version.
func withoutUpstream(p pair) bool { return strings.HasSuffix(p.a, ":") || strings.HasSuffix(p.b, ":") }

// alpmOracle calls libalpm, the library below pacman's vercmp.
func alpmOracle(t *testing.T) []string {
	const load = `
import sys, ctypes
lib = next(l for n in range(12, 18) for l in [load(n)] if l)
`
	const find = `
import ctypes
def load(n):
    try: return ctypes.CDLL("libalpm.so.%d" % n)
    except OSError: return None
`
	python := need(t, "python3")
	if exec.Command(python, "-c", find+load).Run() != nil {
		t.Skip("libalpm is not installed: its order is only checked against our tables")
	}
	return []string{python, "-c", find + load + `
for line in sys.stdin:
    a, b = line.rstrip("\n").encode().split(b"\t")
    c = lib.alpm_pkg_vercmp(a, b)
    print("<" if c < 0 else ">" if c else "=")
`}
}

func rpmOracle(t *testing.T) []string {
	need(t, "rpm")
	if exec.Command("rpm", "--eval", `%{lua:print(rpm.vercmp("1-1", "1-2"))}`).Run() != nil {
		t.Skip("this rpm has no rpm.vercmp")
	}
	return []string{need(t, "rpm"), "--eval", `%{lua:for line in io.lines("/dev/stdin") do
		local a, b = string.match(line, "([^\t]*)\t(.*)")
		local ok, c = pcall(function() return rpm.vercmp(a, b) end)
		if not ok then print("x\n") elseif c < 0 then print("<\n") elseif c > 0 then print(">\n") else print("=\n") end
	end}`}
}

func pythonOracle(script string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		for _, python := range []string{"/usr/bin/python3", "python3"} {
			p, err := exec.LookPath(python)
			if err == nil && exec.Command(p, "-c", pythonImport).Run() == nil {
				return []string{p, "-c", pythonImport + script}
			}
		}
		t.Skip("no Python with packaging or pip is installed: its order is only checked against our tables")
		return nil
	}
}

const pythonImport = `
import sys
try:
    from packaging.version import Version, InvalidVersion
    from packaging.specifiers import SpecifierSet, InvalidSpecifier
except ImportError:
    from pip._vendor.packaging.version import Version, InvalidVersion
    from pip._vendor.packaging.specifiers import SpecifierSet, InvalidSpecifier
`

const pep440Script = `
for line in sys.stdin:
    a, b = line.rstrip("\n").split("\t")
    try:
        a, b = Version(a), Version(b)
        print("<" if a < b else ">" if a > b else "=")
    except InvalidVersion:
        print("x")
`

func npmOracle(t *testing.T) []string {
	return []string{need(t, "node"), "-e", npmImport(t) + npmScript}
}

func npmImport(t *testing.T) string {
	return fmt.Sprintf("const semver = require(%q);", needFile(t, "npm's semver",
		"/usr/lib/node_modules/npm/node_modules/semver", "/usr/local/lib/node_modules/npm/node_modules/semver",
		"/usr/share/nodejs/semver", "/usr/share/nodejs/npm/node_modules/semver"))
}

const npmScript = `
for (const line of require("fs").readFileSync(0, "utf8").trimEnd().split("\n")) {
  const [a, b] = line.split("\t");
  try { console.log("<=>"[semver.compare(a, b, {loose: true}) + 1]); } catch { console.log("x"); }
}`

// beyondNPM: node-semver counts in floating point, we exactly.
func beyondNPM(p pair) bool { return longNumber(p.a+" "+p.b, 15) }

func longNumber(s string, most int) bool {
	for i := 0; i < len(s); i++ {
		e := digits(s, i)
		if e-i > most {
			return true
		}
		i = max(i, e)
	}
	return false
}

const gemScript = `
STDIN.each_line(chomp: true) do |line|
  a, b = line.split("\t", -1)
  begin
    puts "<=>"[(Gem::Version.new(a) <=> Gem::Version.new(b)) + 1]
  rescue ArgumentError
    puts "x"
  end
end`

func withPlatform(p pair) bool {
	for _, s := range []string{p.a, p.b} {
		if _, rest, ok := strings.Cut(s, "-"); ok && isGemPlatform(rest) {
			return true
		}
	}
	return false
}

func mavenOracle(t *testing.T) []string {
	need(t, "javac")
	jar := needFile(t, "maven-artifact", "/usr/share/maven/lib/maven-artifact-3*.jar", "/usr/share/java/maven3-artifact.jar", "/opt/maven/lib/maven-artifact-3*.jar")
	lang := needFile(t, "commons-lang3", "/usr/share/java/commons-lang3.jar", "/usr/share/maven/lib/commons-lang3*.jar", "/opt/maven/lib/commons-lang3*.jar")
	file := filepath.Join(t.TempDir(), "Oracle.java")
	if err := os.WriteFile(file, []byte(mavenProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{need(t, "java"), "-XX:TieredStopAtLevel=1", "-cp", jar + ":" + lang, file}
}

const mavenProgram = `
import java.io.*;
import org.apache.maven.artifact.versioning.*;
class Oracle {
  public static void main(String[] args) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in));
    var out = new StringBuilder();
    for (String line; (line = in.readLine()) != null;) {
      String[] p = line.split("\t", -1);
      if (p[0].startsWith("range:")) {
        try {
          var range = VersionRange.createFromVersionSpec(p[0].substring(6));
          out.append(range.containsVersion(new DefaultArtifactVersion(p[1])) ? "+\n" : "-\n");
        } catch (InvalidVersionSpecificationException e) { out.append("x\n"); }
        continue;
      }
      int c = new ComparableVersion(p[0]).compareTo(new ComparableVersion(p[1]));
      out.append(c < 0 ? "<\n" : c > 0 ? ">\n" : "=\n");
    }
    System.out.print(out);
  }
}`

func composerOracle(script string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		file := needFile(t, "composer/semver", "/usr/share/php/Composer/Semver/autoload.php")
		return []string{need(t, "php"), "-r", fmt.Sprintf("require %q;", file) + script}
	}
}

const composerScript = `
$parser = new Composer\Semver\VersionParser;
while (($line = fgets(STDIN)) !== false) {
  [$a, $b] = explode("\t", rtrim($line, "\n"));
  try {
    $c = version_compare($parser->normalize($a), $parser->normalize($b));
    echo "<=>"[$c + 1], "\n";
  } catch (UnexpectedValueException $e) { echo "x\n"; }
}`

// beyondPHP: PHP's numbers end at 64 bits, and branches have no order in Composer.
func beyondPHP(p pair) bool {
	branch := func(s string) bool { return strings.HasPrefix(strings.ToLower(s), "dev-") }
	return longNumber(p.a+" "+p.b, 18) || branch(p.a) && branch(p.b)
}

func elixirOracle(script string) func(*testing.T) []string {
	return func(t *testing.T) []string { return []string{need(t, "elixir"), "-e", script} }
}

const hexScript = `
IO.stream(:stdio, :line) |> Enum.map(fn line ->
  [a, b] = line |> String.trim_trailing("\n") |> String.split("\t")
  with {:ok, a} <- Version.parse(a), {:ok, b} <- Version.parse(b) do
    case Version.compare(a, b) do :lt -> "<\n"; :gt -> ">\n"; :eq -> "=\n" end
  else :error -> "x\n" end
end) |> IO.write`

// R has two orders: compareVersion, which we follow, and the operators of
// package_version, which before R 4.4 take 1.6 and 1.6.0 for equal.
const cranScript = `
for (line in readLines("stdin")) {
  p <- strsplit(line, "\t")[[1]]
  v <- try(lapply(p, package_version), silent = TRUE)
  cat(if (inherits(v, "try-error")) "x" else c("<", "=", ">")[compareVersion(p[1], p[2]) + 2], "\n", sep = "")
}`

// beyondR: R's numbers are 32 bits wide, and a package version has at least two.
func beyondR(p pair) bool {
	return longNumber(p.a+" "+p.b, 9) || !strings.ContainsAny(p.a, ".-") || !strings.ContainsAny(p.b, ".-")
}
