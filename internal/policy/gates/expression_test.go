package gates

import (
	"context"
	"strings"
	"testing"
)

func TestExpressionRefused(t *testing.T) {
	tests := []struct{ trigger, expression, want string }{
		{"image", "image.", "Syntax error"},
		{"image", "1 + 1", "not true or false"},
		{"image", `pkg.name == "x"`, "no pkg here"},
		{"image", `nothing == "x"`, "undeclared reference"},
		{"package", `finding.id == "x"`, "no finding here"},
		{"image", strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100), "recursion"},
		{"image", `"` + strings.Repeat("x", maxExpression) + `" == image.tag`, "size"},
	}
	for _, tt := range tests {
		_, spec := findTrigger(t, "expression", tt.trigger)
		_, err := spec.With("r", map[string]string{"expression": tt.expression})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: %v, want a word on %q", tt.expression, err, tt.want)
		}
	}
}

func TestExpressionLimits(t *testing.T) {
	g, spec := findTrigger(t, "expression", "image")
	list := "[" + strings.TrimSuffix(strings.Repeat("1,", 100), ",") + "]"
	p, err := spec.With("r", map[string]string{"expression": list + ".all(a, " + list + ".all(b, " + list + ".all(c, " + list + ".all(d, a == b && c == d || true))))"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Evaluate(t.Context(), "image", subject(t), p); err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("cost: %v", err)
	}
	p, err = spec.With("r", map[string]string{"expression": `image["nothing"] == "x"`})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Evaluate(t.Context(), "image", subject(t), p); err == nil || !strings.Contains(err.Error(), "no such key") {
		t.Errorf("missing key: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err = spec.With("r", map[string]string{"expression": list + ".all(a, " + list + ".all(b, a == b))"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Evaluate(ctx, "image", subject(t), p); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// TestExpressionMembers: what a variable does not have is found when the
// policy is read, not when an image is judged.
func TestExpressionMembers(t *testing.T) {
	for expr, want := range map[string]string{
		`image.exposed_ports.size() > 0`: "image has no exposed_ports; it has annotations, ",
		`pkg.nmae == "x"`:                "pkg has no nmae",
		`has(image.nothing)`:             "",
		`image.labels.team == "x"`:       "",
		`image.distro.id == "debian"`:    "",
	} {
		trigger := "image"
		if strings.HasPrefix(expr, "pkg") {
			trigger = "package"
		}
		_, spec := findTrigger(t, "expression", trigger)
		_, err := spec.With("", map[string]string{"expression": expr})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}
