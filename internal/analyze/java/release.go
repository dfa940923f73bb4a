package java

import (
	"bytes"
	"path"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/analyze"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// analyzeRelease reads the file "release" at the root of a Java runtime, lines
// of KEY="value". Other files of that name say nothing to us.
func analyzeRelease(f *analyze.File, out *inventory.Record) error {
	data, err := f.ReadAll(maxRelease)
	if err != nil {
		return err
	}
	keys := map[string]string{}
	for line := range bytes.Lines(data) {
		k, v, ok := bytes.Cut(bytes.TrimSpace(line), []byte("="))
		if ok && len(keys) < 100 {
			keys[string(k)] = cleanText(bytes.Trim(v, `"`))
		}
	}
	version := cleanVersion(keys["JAVA_VERSION"])
	if version == "" {
		return nil
	}
	p := runtimePackage(version, keys["IMPLEMENTOR"], keys)
	p.Path, p.Technique = f.Path, inventory.TechMetadata
	if dir := path.Dir(f.Path); dir != "." {
		p.Files = inventory.NewFileList([]string{dir + "/"})
	}
	p.Meta = map[string]string{}
	for _, k := range [...]string{"IMPLEMENTOR", "IMPLEMENTOR_VERSION", "JAVA_RUNTIME_VERSION", "IMAGE_TYPE", "JVM_VARIANT", "GRAALVM_VERSION", "BUILD_TYPE"} {
		if v := keys[k]; v != "" && len(v) <= maxValue {
			p.Meta[k] = v
		}
	}
	out.Packages = append(out.Packages, p)
	return nil
}

const maxRelease = 64 << 10

// runtimePackage is the package of a Java runtime. Builds of OpenJDK go by
// that name whoever built them: so does the dictionary of CPE names.
func runtimePackage(version, vendor string, keys map[string]string) inventory.Package {
	p := inventory.Package{Type: "generic", Name: "openjdk", Version: version, Supplier: vendor}
	cpeVendor, cpeProduct := "oracle", "openjdk"
	switch {
	case strings.Contains(vendor, "GraalVM") || keys["GRAALVM_VERSION"] != "":
		p.Name, cpeProduct = "graalvm", "graalvm"
		if v := cleanVersion(keys["GRAALVM_VERSION"]); v != "" {
			p.Version, version = v, v
		}
	case vendor == "Oracle Corporation" && keys["BUILD_TYPE"] == "commercial":
		p.Name, cpeProduct = "jdk", "jdk"
	}
	p.CPEs = []string{"cpe:2.3:a:" + cpeVendor + ":" + cpeProduct + ":" + cpeVersion(version) + ":*:*:*:*:*:*"}
	return p
}

// cpeVersion writes version and update of a CPE: 1.8.0_392 is 1.8.0:update392.
func cpeVersion(v string) string {
	v, update, ok := strings.Cut(v, "_")
	if i := strings.IndexAny(update, "-+"); i >= 0 {
		update = update[:i]
	}
	v, _, _ = strings.Cut(v, "+")
	if ok && allDigits(update) {
		return cpeEscape(v) + ":update" + update
	}
	return cpeEscape(v) + ":*"
}

// cpeEscape quotes what the formatted string of CPE 2.3 reserves.
func cpeEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if !isDigit(c) && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '-' && c != '_' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}
