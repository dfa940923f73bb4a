package gates

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// describe adds to the specs what only those who write policies need: the
// form of trigger ids, and which parameters can hardly be meant.
func (g gate) describe() {
	for i := range g.spec.Triggers {
		t := &g.spec.Triggers[i]
		t.IDs = idForms()[g.spec.Name+"/"+t.Name]
		t.Lint = lints()[g.spec.Name+"/"+t.Name]
	}
}

// idForms are the trigger ids that are no hashes.
func idForms() map[string]string {
	const found = "VULNERABILITY+PACKAGE"
	return map[string]string{
		"always/always":           "always",
		"vulnerabilities/package": found, "vulnerabilities/kev_list": found, "vulnerabilities/epss": found, "expression/finding": found,
		"malware/scans":                 "SCANNER+SIGNATURE+MD5-OF-PATH",
		"retrieved_files/content_regex": "RULE+file://PATH",
		"packages/malicious":            "ADVISORY+PACKAGE",
		"accounts/weakness":             "KIND+NAME+PATH",
		"binaries/unidentified":         "unidentified+PATH", "binaries/coverage": "coverage",
		"data/stale": "stale+SOURCE", "data/missing": "STATE+PACKAGE", "data/unread_files": "unread+ANALYZER+PATH",
		"misconfiguration/check": "CHECK+PATH", "secrets/found": "RULE+PATH",
		"base_image/package_added": "PACKAGE-PKGADD", "base_image/package_removed": "PACKAGE-PKGDEL", "base_image/package_version_changed": "PACKAGE-PKGVERSIONDIFF",
		"base_image/packages_differ": "PKGDIFF", "base_image/setuid_added": "PATH-SUIDFILEADD", "base_image/setuid_removed": "PATH-SUIDFILEDEL", "base_image/setuid_mode_changed": "PATH-SUIDMODEDIFF",
	}
}

func lints() map[string]func(policy.Params) []string {
	digests := func(param string) func(policy.Params) []string {
		return func(p policy.Params) []string {
			var out []string
			for _, d := range p.List(param) {
				if hex, ok := strings.CutPrefix(d, "sha256:"); !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
					out = append(out, fmt.Sprintf("%q is no digest (sha256: and 64 hexadecimal digits) and is equal to none", d))
				}
			}
			return out
		}
	}
	return map[string]func(policy.Params) []string{
		"dockerfile/instruction":                  lintInstruction,
		"dockerfile/exposed_ports":                lintPorts,
		"files/name_match":                        lintPath("regex"),
		"files/attribute_match":                   lintAttributes,
		"files/world_writable":                    lintPath("exclude"),
		"files/capabilities":                      lintPath("exclude"),
		"files/device_nodes":                      lintPath("exclude"),
		"metadata/attribute":                      lintMetadata,
		"retrieved_files/content_regex":           lintWords,
		"licenses/blacklist_exact_match":          lintLicenses,
		"licenses/blacklist_partial_match":        lintLicenses,
		"secret_scans/content_regex_checks":       lintPath("filename_regex"),
		"data/unread_files":                       lintPath("exclude"),
		"secrets/found":                           lintConfidence,
		"vulnerabilities/package":                 lintVulnerability,
		"vulnerabilities/epss":                    lintEPSS,
		"ancestry/allowed_base_image_digest":      digests("base_digest"),
		"ancestry/denylist_ancestor_image_digest": digests("ancestor_digest"),
	}
}

// lintPath tells of expressions on paths, which all begin with a slash, that
// begin with something else.
func lintPath(param string) func(policy.Params) []string {
	return func(p policy.Params) []string {
		re := p.Regexp(param)
		if re == nil {
			return nil
		}
		if literal := literalStart(p.Text(param)); literal != "" && literal[0] != '/' {
			return []string{fmt.Sprintf("%s is matched at the start of the path, which is a slash: %q matches none; begin it with .* or /", param, p.Text(param))}
		}
		return nil
	}
}

// literalStart is what every text that an expression matches begins with.
func literalStart(expr string) string {
	re, err := regexp.Compile(strings.TrimPrefix(expr, "^"))
	if err != nil {
		return ""
	}
	prefix, _ := re.LiteralPrefix()
	return prefix
}

func lintInstruction(p policy.Params) []string {
	check, value := p.Text("check"), p.Text("value")
	switch exists := check == "exists" || check == "not_exists"; {
	case exists && value != "":
		return []string{"check " + check + " does not look at the value"}
	case !exists && value == "":
		return []string{"check " + check + " without a value never fires"}
	}
	if (check == "=" || check == "in") && strings.Contains(value, "\n") {
		return []string{"an instruction is one line, and the value is not: it never fires"}
	}
	return nil
}

func lintPorts(p policy.Params) []string {
	var out []string
	for _, n := range p.Numbers("ports") {
		if n < 1 || n > 65535 {
			out = append(out, fmt.Sprintf("there is no port %d", n))
		}
	}
	return out
}

func lintAttributes(p policy.Params) []string {
	var out []string
	if !p.Has("checksum") && !p.Has("mode") && p.Bool("skip_missing") {
		out = append(out, "without checksum and mode a file that is there never fires, and one that is missing is skipped: the rule never fires")
	}
	if p.Has("checksum_match") && !p.Has("checksum") {
		out = append(out, "checksum_match has no effect without checksum")
	}
	if p.Has("mode_op") && !p.Has("mode") {
		out = append(out, "mode_op has no effect without mode")
	}
	return out
}

func lintMetadata(p policy.Params) []string {
	switch check := p.Text("check"); {
	case check == "exists" || check == "not_exists":
		if p.Text("value") != "" {
			return []string{"check " + check + " does not look at the value"}
		}
	case p.Text("value") == "":
		return []string{"check " + check + " without a value never fires"}
	case p.Text("attribute") == "distro_version" && strings.ContainsAny(check, "<>"):
		return []string{"distro_version is compared as text, so that 9 is above 10; distro/deny compares versions"}
	}
	return nil
}

func lintWords(p policy.Params) []string {
	if literal := literalStart(p.Text("regex")); strings.ContainsAny(literal, " \t\n") && p.Text("check") == "match" {
		return []string{"the expression is tried on words, and none has blanks in it: the rule never fires"}
	}
	return nil
}

func lintLicenses(p policy.Params) []string {
	var out []string
	for _, l := range p.List("licenses") {
		if strings.ContainsAny(l, " \t\n") {
			out = append(out, fmt.Sprintf("licences are compared word by word, and %q is several: it is equal to none", l))
		}
	}
	return out
}

func lintVulnerability(p policy.Params) []string {
	var out []string
	q, ok := p.Prepared().(*vulnQuery)
	if !ok {
		return nil
	}
	if q.ranks == [6]bool{} {
		out = append(out, fmt.Sprintf("no severity is %s %s: the rule never fires", p.Text("severity_comparison"), p.Text("severity")))
	}
	for i, name := range scoreNames() {
		out = append(out, lintBound(name, q.scores[i], 10)...)
		if p.Has(name+"_comparison") && !p.Has(name) {
			out = append(out, name+"_comparison has no effect without "+name)
		}
	}
	for name, b := range map[string]bound{"epss_score": q.epss, "epss_percentile": q.perc} {
		out = append(out, lintBound(name, b, 1)...)
	}
	if p.Has("max_days_since_fix") && q.sinceFix < 0 {
		out = append(out, "max_days_since_fix has no effect without fix_available=true")
	}
	if p.Has("package_path_exclude") {
		if !q.nonOS {
			out = append(out, "package_path_exclude has no effect on packages of the operating system")
		}
		out = append(out, lintPath("package_path_exclude")(p)...)
	}
	return out
}

// lintBound compares with the values there are: -1 for none, and 0 to most.
func lintBound(name string, b bound, most float64) []string {
	if !b.used {
		return nil
	}
	some, all := false, true
	for _, v := range []float64{-1, 0, b.n, b.n - 0.05, b.n + 0.05, most / 2, most} {
		if v < 0 && v != -1 || v > most {
			continue
		}
		holds := b.holds(v)
		some, all = some || holds, all && holds
	}
	switch {
	case !some:
		return []string{fmt.Sprintf("no %s is %s %g: the rule never fires", name, b.op, b.n)}
	case all:
		return []string{fmt.Sprintf("every %s is %s %g: the test has no effect", name, b.op, b.n)}
	}
	return nil
}

func lintEPSS(p policy.Params) []string {
	var out []string
	for _, name := range []string{"score", "percentile"} {
		if p.Has(name) {
			out = append(out, lintBound("EPSS "+name, bound{true, ">=", p.Float(name)}, 1)...)
		}
	}
	return out
}

func lintConfidence(p policy.Params) []string {
	if p.Has("max_confidence") && p.Float("max_confidence") <= p.Float("min_confidence") {
		return []string{"no confidence is at least min_confidence and less than max_confidence: the rule never fires"}
	}
	if p.Float("min_confidence") > 1 {
		return []string{"no confidence is above 1: the rule never fires"}
	}
	return nil
}
