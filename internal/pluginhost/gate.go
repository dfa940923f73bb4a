package pluginhost

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/plugin"
)

// gate makes a plugin a policy.Gate.
type gate struct{ p *Plugin }

var _ policy.Gate = (*gate)(nil)

func (g *gate) Spec() policy.GateSpec {
	d := g.p.desc.Gate
	s := policy.GateSpec{Name: d.Name, Description: d.Help}
	for i := range d.Triggers {
		t := &d.Triggers[i]
		spec := policy.TriggerSpec{Name: t.Name, Description: t.Help}
		for k := range t.Parameters {
			spec.Params = append(spec.Params, paramSpec(&t.Parameters[k]))
		}
		s.Triggers = append(s.Triggers, spec)
	}
	return s
}

// Evaluate asks the plugin. Whatever goes wrong is an error, so that no
// verdict counts the question as answered.
func (g *gate) Evaluate(ctx context.Context, trigger string, s *policy.Subject, params policy.Params) ([]policy.Hit, error) {
	in, err := g.p.subject(s)
	if err != nil {
		return nil, g.p.error(err)
	}
	defer g.p.leave(in)
	values := g.values(trigger, params)
	limits := &g.p.host.limits
	var hits []plugin.Hit
	if g.p.Plain {
		env := []string{"TIDEWAITER_IMAGE=" + in.dir, "TIDEWAITER_TRIGGER=" + trigger}
		for name, value := range values {
			env = append(env, "TIDEWAITER_PARAM_"+envName(name)+"="+value)
		}
		b, err := g.p.script(ctx, []string{"gate", trigger}, env, limits.Evaluate, limits.Output)
		if err != nil {
			return nil, err
		}
		if hits, err = plainHits(b, limits.Items); err != nil {
			return nil, g.p.error(fmt.Errorf("its answer is not of the plain mode: %w", err))
		}
	} else if err := g.p.call(ctx, &plugin.Request{Method: plugin.MethodEvaluate, Trigger: trigger, Parameters: values, Image: in.dir}, limits.Evaluate, limits.Output, func(a *plugin.Answer) error {
		if len(hits)+len(a.Hits) > limits.Items {
			return fmt.Errorf("it answered more than the limit \"plugin items\" of %d", limits.Items)
		}
		hits = append(hits, a.Hits...)
		return nil
	}); err != nil {
		return nil, err
	}
	out := make([]policy.Hit, len(hits))
	for i := range hits {
		h := &hits[i]
		if h.Message == "" {
			return nil, g.p.error(fmt.Errorf("its hit %d has no message", i+1))
		}
		if h.ID != clean(h.ID, 500) {
			return nil, g.p.error(fmt.Errorf("the id %s of its hit %d is longer than 500 bytes or no text", quote([]byte(h.ID)), i+1))
		}
		out[i] = policy.Hit{ID: h.ID, Message: clean(h.Message, 4000), Remedy: clean(h.Remedy, 2000), Unknown: h.Unknown,
			Evidence: policy.Evidence{Package: clean(h.Package, 1000), Version: clean(h.Version, 500), Path: policy.Absolute(clean(h.Path, 4096)), Line: max(h.Line, 0), Finding: clean(h.Finding, 200), Detail: clean(h.Detail, 2000)}}
		if f, ok := s.Image.Files.Lookup(strings.TrimPrefix(h.Path, "/")); ok && h.Path != "" {
			out[i].Evidence.Layer = s.LayerDigest(f.Layer)
		}
	}
	return out, nil
}

// values are a rule's parameters as text, with the defaults of what it does
// not give.
func (g *gate) values(trigger string, params policy.Params) map[string]string {
	given := params.Given()
	for _, t := range g.p.desc.Gate.Triggers {
		if t.Name != trigger {
			continue
		}
		for _, q := range t.Parameters {
			if _, ok := given[q.Name]; !ok && q.Default != "" {
				given[q.Name] = q.Default
			}
		}
	}
	return given
}

// imageInput is an image's folder, kept for further questions about it.
type imageInput struct {
	subject *policy.Subject
	dir     string
	users   int
	ready   chan struct{}
	err     error
}

// maxInputs is how many images a plugin keeps at once.
const maxInputs = 4

// subject writes a subject's folder, once for all questions about it.
func (p *Plugin) subject(s *policy.Subject) (*imageInput, error) {
	p.mu.Lock()
	for _, in := range p.inputs {
		if in.subject == s {
			in.users++
			p.mu.Unlock()
			<-in.ready
			if in.err != nil {
				p.leave(in)
			}
			return in, in.err
		}
	}
	in := &imageInput{subject: s, users: 1, ready: make(chan struct{})}
	p.inputs = append(p.inputs, in)
	p.mu.Unlock()
	in.dir, in.err = p.request()
	if in.err == nil {
		v := view{image: s.Image, scan: s.Scan, base: s.Base, tag: s.Tag, now: s.Now, annotations: s.Annotations, dockerfile: s.Dockerfile.Text}
		if s.Collected != nil {
			v.looked = []string{}
			for k, ok := range s.Collected {
				if ok {
					v.looked = append(v.looked, k)
				}
			}
			slices.Sort(v.looked)
		}
		if err := os.Chmod(in.dir, 0o755); err != nil {
			in.err = err
		} else {
			in.err = writeImage(in.dir, &v, p.desc.Gate.Needs, p.Plain)
		}
	}
	close(in.ready)
	if in.err != nil {
		p.leave(in)
		return nil, in.err
	}
	return in, nil
}

// leave gives a folder back; the oldest that nobody uses make room, and those
// that could not be written.
func (p *Plugin) leave(in *imageInput) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in.users--
	idle := 0
	for i := len(p.inputs) - 1; i >= 0; i-- {
		o := p.inputs[i]
		if o.users > 0 {
			continue
		}
		if idle++; idle > maxInputs || o.err != nil {
			os.RemoveAll(o.dir)
			p.inputs = slices.Delete(p.inputs, i, i+1)
		}
	}
}
