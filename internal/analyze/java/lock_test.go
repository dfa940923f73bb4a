package java

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/analyze/analyzetest"
)

const projectPom = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE project [ <!ENTITY x "y"> ]>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <!-- a <comment> -->
  <parent><groupId>org.example</groupId><artifactId>root</artifactId><version>1.0</version><relativePath/></parent>
  <artifactId>app</artifactId>
  <name>A &amp; B &#x41;</name>
  <properties><jackson.version>2.9.8</jackson.version></properties>
  <licenses><license><name><![CDATA[Apache-2.0]]></name></license><license><url>http://x/y</url></license></licenses>
  <dependencyManagement><dependencies>
    <dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.12</version><scope>test</scope></dependency>
  </dependencies></dependencyManagement>
  <dependencies>
    <dependency><groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>${jackson.version}</version>
      <exclusions><exclusion><groupId>a</groupId><artifactId>b</artifactId></exclusion></exclusions></dependency>
    <dependency><groupId>junit</groupId><artifactId>junit</artifactId></dependency>
    <dependency><groupId>${project.groupId}</groupId><artifactId>core</artifactId><version>${project.version}</version></dependency>
    <dependency><groupId>g</groupId><artifactId>range</artifactId><version>[1,2)</version><optional>true</optional></dependency>
    <dependency><groupId>g</groupId><artifactId>elsewhere</artifactId><version>${from.parent}</version></dependency>
    <dependency><groupId>g</groupId><artifactId>managed</artifactId></dependency>
  </dependencies>
  <build><plugins><plugin><artifactId>p</artifactId><dependencies><dependency><groupId>no</groupId><artifactId>no</artifactId><version>1</version></dependency></dependencies></plugin></plugins></build>
</project>`

func TestLockPom(t *testing.T) {
	got := analyzetest.RunFile(t, Lock{}, "app/pom.xml", []byte(projectPom))
	var b strings.Builder
	for _, p := range got.Packages {
		fmt.Fprintf(&b, "%s:%s:%s %s %s%s\n", p.Namespace, p.Name, p.Version, p.State, p.Scope, p.Meta["requirement"])
	}
	want := `com.fasterxml.jackson.core:jackson-databind:2.9.8 declared 
junit:junit:4.12 declared test
org.example:core:1.0 declared 
g:range: declared optional[1,2)
g:elsewhere: declared ${from.parent}
g:managed: declared 
`
	if d := cmp.Diff(want, b.String()); d != "" || len(got.Problems) > 0 {
		t.Errorf("(-want +got):\n%s%v", d, got.Problems)
	}
	p, err := parsePom([]byte(projectPom))
	if err != nil || p.name != "A & B A" || cmp.Diff([]string{"Apache-2.0", "http://x/y"}, p.licenses) != "" {
		t.Errorf("name %q, licences %q, %v", p.name, p.licenses, err)
	}
}

func TestLockGradle(t *testing.T) {
	text := `# This is a Gradle generated file for dependency locking.
com.google.guava:guava:31.1-jre=compileClasspath,runtimeClasspath,testRuntimeClasspath
org.junit.jupiter:junit-jupiter:5.9.0=testCompileClasspath,testRuntimeClasspath
org.projectlombok:lombok:1.18.24=annotationProcessor
this is nonsense
empty=developmentOnly
`
	got := analyzetest.RunFile(t, Lock{}, "app/gradle.lockfile", []byte(text))
	var b strings.Builder
	for _, p := range got.Packages {
		fmt.Fprintf(&b, "%s:%s:%s %s\n", p.Namespace, p.Name, p.Version, p.Scope)
	}
	want := "com.google.guava:guava:31.1-jre \norg.junit.jupiter:junit-jupiter:5.9.0 test\norg.projectlombok:lombok:1.18.24 build\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if len(got.Problems) != 1 {
		t.Errorf("problems: %v", got.Problems)
	}
	if got := analyzetest.RunFile(t, Lock{}, "app/buildscript-gradle.lockfile", []byte("g:a:1=classpath\n")); len(got.Packages) != 1 || got.Packages[0].Scope != "build" {
		t.Errorf("build script: %+v", got.Packages)
	}
}

// FuzzPom compares coordinates with those encoding/xml reads from documents
// that it accepts.
func FuzzPom(f *testing.F) {
	f.Add([]byte(projectPom))
	f.Add([]byte("<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version></project>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parsePom(b)
		got.self()
		var want struct {
			XMLName xml.Name `xml:"project"`
			Group   []string `xml:"groupId"`
			Version []string `xml:"version"`
		}
		if err != nil || xml.Unmarshal(b, &want) != nil || strings.ContainsAny(string(b), "&:!") || len(want.Group) != 1 {
			return
		}
		if w := cleanText([]byte(want.Group[0])); !strings.ContainsAny(w, "\ufffd") && got.group != w {
			t.Errorf("groupId = %q, want %q", got.group, w)
		}
	})
}

func FuzzProperties(f *testing.F) {
	f.Add([]byte("#x\ngroupId=a\\u0041b\nartifactId : c\nversion 1\\:2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		completeProperties(parseProperties(b), "META-INF/maven/g/a/pom.properties")
	})
}

func FuzzGradle(f *testing.F) {
	f.Add([]byte("a:b:1=testX\nempty=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		analyzetest.RunFile(t, Lock{}, "gradle.lockfile", b)
	})
}

func TestGradleLockIsBounded(t *testing.T) {
	var b strings.Builder
	for i := range maxLocked + 10 {
		fmt.Fprintf(&b, "g:a%d:1.0=x\n", i)
	}
	got := analyzetest.RunFile(t, Lock{}, "gradle.lockfile", []byte(b.String()))
	if len(got.Packages) != maxLocked || len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Message, "limit of 100000") {
		t.Errorf("%d packages, %v", len(got.Packages), got.Problems)
	}
	got = analyzetest.RunFile(t, Lock{}, "gradle.lockfile", []byte(strings.Repeat("a:", 1<<20)))
	if len(got.Packages) != 0 || len(got.Problems) != 1 {
		t.Errorf("%d packages, %v", len(got.Packages), got.Problems)
	}
}
