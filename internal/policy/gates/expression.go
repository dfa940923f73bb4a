package gates

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/ext"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// Bounds on expressions. An expression that reaches one stops the image, with
// a problem that says so.
const (
	maxExpression     = 16 << 10  // bytes
	maxExpressionCost = 1_000_000 // CEL's units, for one package, finding or file
)

// expression asks what no other gate foresaw, in the Common Expression
// Language, in which "package" is a reserved word. Every trigger has the variables image and now besides its own.
func expression() policy.Gate {
	env := sync.OnceValues(func() (*cel.Env, error) {
		object := cel.MapType(cel.StringType, cel.DynType)
		return cel.NewEnv(cel.Variable("image", object), cel.Variable("pkg", object), cel.Variable("finding", object), cel.Variable("file", object), cel.Variable("fact", object), cel.Variable("now", cel.TimestampType),
			ext.Strings(), ext.Sets(), cel.ParserExpressionSizeLimit(maxExpression), cel.ParserRecursionLimit(64))
	})
	trig := func(name, description, example string, more []policy.ParamSpec, vars string, eval func(context.Context, *policy.Subject, policy.Params, cel.Program) ([]policy.Hit, error)) trigger {
		params := append([]policy.ParamSpec{
			{Name: "expression", Type: policy.String, Required: true, Example: example, Description: "CEL expression that gives true where the rule fires; variables: " + vars},
			{Name: "message", Type: policy.String, Example: "Images of this team must name a maintainer", Description: "What the row says; without it the expression"},
		}, more...)
		return trigger{policy.TriggerSpec{Name: name, Description: description, Params: params, Prepare: func(p policy.Params) (any, error) {
			e, err := env()
			if err != nil {
				return nil, fmt.Errorf("setting up expressions: %w", err)
			}
			return compileExpression(e, p.Text("expression"), vars)
		}}, func(ctx context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
			program, ok := p.Prepared().(cel.Program)
			if !ok {
				return nil, fmt.Errorf("the expression was not compiled")
			}
			return eval(ctx, s, p, program)
		}}
	}
	return newGate("expression", "Expressions in the Common Expression Language (CEL) over image, packages, findings, files and facts",
		trig("image", "The expression holds for the image", `!("maintainer" in image.labels)`, nil, "image, now", expressionImage),
		trig("package", "The expression holds for a package", `pkg.type == "npm" && pkg.name.startsWith("@internal/")`, nil, "pkg, image, now", expressionPackage),
		trig("finding", "The expression holds for a vulnerability that was found", `finding.severity == "high" && finding.epss > 0.1 && pkg.layer > 3`, nil, "finding, pkg, image, now", expressionFinding),
		trig("file", "The expression holds for a file", `file.size > 104857600 && file.uid == 0`, []policy.ParamSpec{
			{Name: "regex", Type: policy.Regexp, Example: "/opt/.*", Description: "Regular expression, matched at the start of the path: only such files are looked at, which is much faster"},
		}, "file, image, now", expressionFile),
		trig("fact", "The expression holds for a fact that an analyzer or a plugin learned", `fact.data.expires < "2027"`, []policy.ParamSpec{
			{Name: "kind", Type: policy.String, Required: true, Example: "acme-release", Description: "Kind of the facts to look at"},
		}, "fact, image, now", expressionFact),
	)
}

func compileExpression(env *cel.Env, text, vars string) (cel.Program, error) {
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("parameter expression: %s", strings.Join(strings.Fields(issues.Err().Error()), " "))
	}
	if out := ast.OutputType(); !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("parameter expression: gives %s, not true or false", out)
	}
	for _, name := range []string{"pkg", "finding", "file", "fact"} {
		if !strings.Contains(", "+vars+",", ", "+name+",") && mentions(ast, name) {
			return nil, fmt.Errorf("parameter expression: there is no %s here, only %s", name, vars)
		}
	}
	if err := unknownMember(ast); err != nil {
		return nil, fmt.Errorf("parameter expression: %w", err)
	}
	program, err := env.Program(ast, cel.CostLimit(maxExpressionCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, fmt.Errorf("parameter expression: %w", err)
	}
	return program, nil
}

// mentions reports whether a checked expression refers to a variable.
func mentions(ast *cel.Ast, name string) bool {
	for _, ref := range ast.NativeRep().ReferenceMap() {
		if ref.Name == name {
			return true
		}
	}
	return false
}

// unknownMember tells of a member that a variable does not have: it would
// only be found out when the expression is evaluated.
func unknownMember(ast *cel.Ast) error {
	members := map[string]map[string]any{
		"image": imageVars(&policy.Subject{Image: &inventory.Image{Files: &inventory.Table{}}}), "pkg": packageVars(&inventory.Package{}),
		"finding": findingVars(&vuln{f: &match.Finding{}}), "file": fileVars(&inventory.File{}),
	}
	var err error
	celast.PostOrderVisit(ast.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.Kind() != celast.SelectKind || e.AsSelect().Operand().Kind() != celast.IdentKind || e.AsSelect().IsTestOnly() {
			return
		}
		name, field := e.AsSelect().Operand().AsIdent(), e.AsSelect().FieldName()
		if known := members[name]; known != nil && err == nil {
			if _, ok := known[field]; !ok {
				err = fmt.Errorf("%s has no %s; it has %s", name, field, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			}
		}
	}))
	return err
}

// fires evaluates a program; anything but a boolean is an error.
func fires(ctx context.Context, program cel.Program, vars map[string]any) (bool, error) {
	out, _, err := program.ContextEval(ctx, vars)
	if err != nil {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		return false, fmt.Errorf("evaluating the expression (cost limit %d): %w", maxExpressionCost, err)
	}
	b, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the expression gives %s, not true or false", out.Type().TypeName())
	}
	return b, nil
}

// said is the message of a row.
func said(p policy.Params, about string) string {
	text := p.Text("message")
	if text == "" {
		text = "Expression '" + p.Text("expression") + "' holds"
	}
	if about == "" {
		return text
	}
	return text + ": " + about
}

func imageVars(s *policy.Subject) map[string]any {
	return policy.Memo(s, "expression image", func() map[string]any {
		img := s.Image
		_, size := attributeOf(s, "size")
		distro := map[string]any{"id": "", "version": "", "codename": "", "like": []string{}}
		if d := img.Distro; d != nil {
			distro = map[string]any{"id": d.ID, "version": d.Version, "codename": d.Codename, "like": orEmpty(d.IDLike)}
		}
		c := &img.Config
		labels, annotations, mine := c.Labels, img.Annotations, s.Annotations
		return map[string]any{
			"tag": s.Tag, "digest": string(img.Digest), "id": strings.TrimPrefix(string(img.ConfigDigest), "sha256:"), "size": size, "layers": len(img.Layers), "packages": len(img.Packages),
			"os": c.OS, "architecture": c.Architecture, "user": c.User, "env": orEmpty(c.Env), "entrypoint": orEmpty(c.Entrypoint), "cmd": orEmpty(c.Cmd), "ports": orEmpty(c.ExposedPorts),
			"volumes": orEmpty(c.Volumes), "created": c.Created, "labels": orEmptyMap(labels), "annotations": orEmptyMap(annotations), "notes": orEmptyMap(mine), "distro": distro,
			"healthcheck": c.Healthcheck != nil, "dockerfile": s.Dockerfile.Text,
		}
	})
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func orEmptyMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func packageVars(p *inventory.Package) map[string]any {
	var licences, detected []string
	for _, l := range p.StatedLicenses() {
		if l.Expression != "" {
			licences = append(licences, l.Expression)
		} else {
			licences = append(licences, l.Raw)
		}
	}
	for _, l := range p.DetectedLicenses() {
		detected = append(detected, cmp.Or(l.Expression, l.Raw))
	}
	return map[string]any{
		"type": p.Type, "name": p.Name, "namespace": p.Namespace, "full_name": match.EcosystemName(p), "version": p.Version, "arch": p.Arch, "source": p.Source, "purl": p.PURL(),
		"path": policy.Absolute(p.Path), "layer": p.Layer, "licenses": orEmpty(licences), "detected_licenses": orEmpty(detected), "supplier": p.Supplier, "owner": p.Owner, "os": p.OS(), "size": p.Size,
	}
}

func expressionImage(ctx context.Context, s *policy.Subject, p policy.Params, program cel.Program) ([]policy.Hit, error) {
	ok, err := fires(ctx, program, map[string]any{"image": imageVars(s), "now": s.Now})
	if !ok || err != nil {
		return nil, err
	}
	return hit(said(p, "")), nil
}

func expressionPackage(ctx context.Context, s *policy.Subject, p policy.Params, program cel.Program) ([]policy.Hit, error) {
	var out []policy.Hit
	vars := map[string]any{"image": imageVars(s), "now": s.Now}
	for i := range s.Image.Packages {
		pkg := &s.Image.Packages[i]
		vars["pkg"] = packageVars(pkg)
		ok, err := fires(ctx, program, vars)
		if err != nil {
			return out, fmt.Errorf("package %s: %w", pkg.Name, err)
		}
		if ok {
			out = append(out, policy.Hit{Message: said(p, "package "+pkg.Name+" "+pkg.Version+" ("+typeName(pkg)+")"), Evidence: evidence(s, pkg)})
		}
	}
	return out, nil
}

func findingVars(v *vuln) map[string]any {
	return map[string]any{
		"id": v.f.ID, "aliases": orEmpty(v.f.Aliases), "severity": v.f.Severity.String(), "rank": v.rank, "fixed": v.fixed, "fix_state": string(v.f.Fix.State), "fix_versions": orEmpty(v.f.Fix.Versions),
		"epss": v.score, "epss_percentile": v.percent, "exploited": v.f.Exploited != nil, "cvss": max(v.scores[base], v.scores[vendorBase]), "cwes": orEmpty(v.f.CWEs), "published": v.f.Published,
		"summary": v.f.Summary, "confidence": v.f.Confidence,
	}
}

func expressionFinding(ctx context.Context, s *policy.Subject, p policy.Params, program cel.Program) ([]policy.Hit, error) {
	if s.Scan == nil {
		return notMatched(s), nil
	}
	var out []policy.Hit
	vars := map[string]any{"image": imageVars(s), "now": s.Now}
	all := found(s)
	for i := range all {
		v := &all[i]
		vars["pkg"] = packageVars(v.pkg)
		vars["finding"] = findingVars(v)
		ok, err := fires(ctx, program, vars)
		if err != nil {
			return out, fmt.Errorf("finding %s: %w", v.f.ID, err)
		}
		if ok {
			out = append(out, policy.Hit{ID: v.f.ID + "+" + v.part, Message: said(p, v.f.ID+" in "+v.where), Evidence: v.evidence, Remedy: v.remedy})
		}
	}
	return append(out, gaps(s)...), nil
}

// fileVars has the capabilities of a file by name, and as getcap writes them;
// those that cannot be decoded have the name "invalid".
func fileVars(f *inventory.File) map[string]any {
	names, text := []string{}, ""
	if f.Caps != "" {
		if caps, err := inventory.ParseCapabilities(f.Caps); err != nil {
			names, text = []string{"invalid"}, "invalid: "+err.Error()
		} else {
			names, text = caps.Names(), caps.String()
		}
	}
	return map[string]any{"path": "/" + f.Path, "type": f.Type.String(), "mode": int(f.Perm), "uid": f.UID, "gid": f.GID, "size": f.Size, "link": f.Link, "kind": f.Kind.String(),
		"layer": f.Layer, "executable": f.Executable(), "capabilities": names, "capability_text": text, "sha256": sumOf(f)}
}

func expressionFile(ctx context.Context, s *policy.Subject, p policy.Params, program cel.Program) ([]policy.Hit, error) {
	var out []policy.Hit
	re := p.Regexp("regex")
	vars := map[string]any{"image": imageVars(s), "now": s.Now}
	for f := range s.Image.Files.All() {
		if f.Path == "" || re != nil && !re.MatchString("/"+f.Path) {
			continue
		}
		vars["file"] = fileVars(&f)
		ok, err := fires(ctx, program, vars)
		if err != nil {
			return out, fmt.Errorf("file /%s: %w", f.Path, err)
		}
		if ok {
			out = append(out, policy.Hit{Message: said(p, "file /"+f.Path), Evidence: fileEvidence(s, &f)})
		}
	}
	return out, nil
}

func expressionFact(ctx context.Context, s *policy.Subject, p policy.Params, program cel.Program) ([]policy.Hit, error) {
	kind := p.Text("kind")
	if !s.Looked(kind) {
		return []policy.Hit{{Unknown: true, Message: "nothing looked for facts of the kind " + kind}}, nil
	}
	var out []policy.Hit
	vars := map[string]any{"image": imageVars(s), "now": s.Now}
	for i := range s.Image.Facts {
		f := &s.Image.Facts[i]
		if f.Kind != kind || f.Hidden {
			continue
		}
		path := policy.Absolute(f.Path)
		var data map[string]any
		if err := json.Unmarshal(f.Data, &data); err != nil {
			return out, fmt.Errorf("reading the %s fact of %s: %w", kind, path, err)
		}
		vars["fact"] = map[string]any{"kind": kind, "path": path, "layer": f.Layer, "data": data}
		ok, err := fires(ctx, program, vars)
		if err != nil {
			return out, fmt.Errorf("fact %s of %s: %w", kind, path, err)
		}
		if ok {
			out = append(out, policy.Hit{Message: said(p, kind+" of "+path), Evidence: policy.Evidence{Path: path, Layer: s.LayerDigest(f.Layer), Detail: kind}})
		}
	}
	return out, nil
}

func sumOf(f *inventory.File) string {
	if f.Type != inventory.Regular {
		return ""
	}
	return hex.EncodeToString(f.SHA256[:])
}
