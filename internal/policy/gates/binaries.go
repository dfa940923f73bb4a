package gates

import (
	"context"
	"fmt"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func binaries() policy.Gate {
	return newGate("binaries", "Executables that no package accounts for",
		trigger{policy.TriggerSpec{Name: "unidentified", Description: "An executable belongs to no package, and nothing says what it is", Params: []policy.ParamSpec{
			{Name: "exclude", Type: policy.Regexp, Example: "/opt/vendor/.*", Description: "Regular expression, matched at the start of the path, of what does not count"},
			{Name: "min_size", Type: policy.Size, Default: "0", Example: "64kb", Description: "Least size"},
			{Name: "recognised", Type: policy.Bool, Default: "false", Example: "true", Description: "Also those that a signature recognises"},
		}}, unidentified},
		trigger{policy.TriggerSpec{Name: "coverage", Description: "Packages account for too small a share of the executable bytes", Params: []policy.ParamSpec{
			{Name: "min_percent", Type: policy.Float, Required: true, Example: "95", Description: "Least share in percent"},
		}}, coverage},
	)
}

func unidentified(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	exclude := p.Regexp("exclude")
	var out []policy.Hit
	for i := range s.Image.Binaries {
		b := &s.Image.Binaries[i]
		name := policy.Absolute(b.Path)
		if b.Size < p.Int("min_size") || len(b.Products) > 0 && !p.Bool("recognised") || exclude != nil && exclude.MatchString(name) {
			continue
		}
		out = append(out, policy.Hit{ID: "unidentified+" + name, Message: fmt.Sprintf("Executable %s belongs to no package", name),
			Evidence: policy.Evidence{Path: name, Layer: s.LayerDigest(b.Layer), Detail: b.BuildID}, Remedy: "Install it by a package manager, or describe it in an SBOM of the image"})
	}
	return out, nil
}

func coverage(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	c := &s.Image.Coverage
	if c.Bytes == 0 {
		return nil, nil
	}
	percent := 100 * float64(c.AttributedBytes) / float64(c.Bytes)
	if percent >= p.Float("min_percent") {
		return nil, nil
	}
	return []policy.Hit{{ID: "coverage", Message: fmt.Sprintf("Packages account for %.1f percent of the executable bytes (%d of %d files), less than %g", percent, c.AttributedFiles, c.Executables, p.Float("min_percent"))}}, nil
}
