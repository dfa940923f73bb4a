package config

import (
	"strings"
)

// readAPT reads apt.conf(5): names with "::" between, nested blocks or whole.
func readAPT(f *file) error {
	p := nginxParser{text: aptComments(string(f.text)), line: 1}
	list, err := p.block(0)
	var flat []setting
	flattenAPT(list, "", &flat)
	judge("apt", flat, f.report)
	return err
}

// aptComments makes comments of "//" look like those of "#".
func aptComments(text string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case inside || strings.HasPrefix(trimmed, "/*"):
			inside = !strings.Contains(line, "*/")
			b.WriteByte('\n')
		case strings.HasPrefix(trimmed, "//"), strings.HasPrefix(trimmed, "#"):
			b.WriteByte('\n')
		default:
			if i := strings.Index(line, " //"); i >= 0 && !strings.Contains(line[i:], `"`) {
				line = line[:i] + "\n"
			}
			b.WriteString(line)
		}
	}
	return b.String()
}

// flattenAPT writes names as others do: "::" is a dot, "-" is nothing. That
// peers are not verified is a setting of its own, which is on.
func flattenAPT(list []directive, around string, to *[]setting) {
	for _, d := range list {
		key := around + strings.ReplaceAll(strings.ReplaceAll(strings.Trim(d.name, ":"), "::", "."), "-", "")
		if value := d.arg(0); value != "" {
			s := setting{Key: key, Value: value, Line: d.line}
			if strings.HasSuffix(key, "https.verifypeer") || strings.HasSuffix(key, "https.verifyhost") {
				if isOn(strings.ToLower(value)) {
					continue
				}
				s.Key, s.Value = key+"off", "true"
			}
			*to = append(*to, s)
		}
		flattenAPT(d.blocks, key+".", to)
	}
}

// readSources reads sources.list(5).
func readSources(f *file) error {
	n := 0
	for line := range strings.Lines(string(f.text)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		rest, ok := strings.CutPrefix(line, "deb")
		if !ok {
			continue
		}
		rest = strings.TrimSpace(strings.TrimPrefix(rest, "-src"))
		if !strings.HasPrefix(rest, "[") {
			continue
		}
		options, _, _ := strings.Cut(rest[1:], "]")
		for o := range strings.FieldsSeq(options) {
			if key, value, _ := strings.Cut(strings.ToLower(o), "="); (key == "trusted" || key == "allow-insecure") && isOn(value) {
				f.report("TW-PKG-002", n, o)
			}
		}
	}
	return nil
}

// readSources822 reads *.sources.
func readSources822(f *file) error {
	n := 0
	for line := range strings.Lines(string(f.text)) {
		n++
		key, value, _ := strings.Cut(strings.ToLower(line), ":")
		if (key == "trusted" || key == "allow-insecure") && isOn(strings.TrimSpace(value)) {
			f.report("TW-PKG-002", n, strings.TrimSpace(line))
		}
	}
	return nil
}
