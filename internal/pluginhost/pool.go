package pluginhost

import (
	"context"
	"errors"
	"time"

	"github.com/tidewaiter/tidewaiter/plugin"
)

// acquire returns a running process of the plugin, waiting for one where too
// many run already.
func (p *Plugin) acquire(ctx context.Context) (*child, error) {
	select {
	case p.host.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	var dead []*child
	for n := len(p.idle); n > 0; n = len(p.idle) {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		if !c.unasked() {
			p.mu.Unlock()
			p.bury(dead)
			return c, nil
		}
		dead = append(dead, c)
	}
	p.mu.Unlock()
	p.bury(dead)
	c, err := p.launch([]string{"serve"}, nil, false, p.host.limits.Fetch)
	if err != nil {
		<-p.host.slots
	}
	return c, err
}

// bury notes what became of processes between two requests.
func (p *Plugin) bury(dead []*child) {
	for _, c := range dead {
		if err := c.failed(); err != nil && !errors.Is(err, errStopped) {
			p.host.log.Warn("plugin: killed between two requests", "plugin", p.Name(), "error", err)
		} else {
			p.host.log.Warn("plugin: ended between two requests", "plugin", p.Name())
		}
	}
}

// release keeps a process for the next request, or ends it.
func (p *Plugin) release(c *child, err error) {
	<-p.host.slots
	var own *refusal
	if err != nil && !errors.As(err, &own) || c.failed() != nil {
		c.stop()
		return
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.idle = append(p.idle, c)
		if p.timer == nil {
			p.timer = time.AfterFunc(p.host.limits.Idle, p.rest)
		} else {
			p.timer.Reset(p.host.limits.Idle)
		}
	}
	p.mu.Unlock()
	if closed {
		c.stop()
	}
}

// rest stops the processes that nobody needed for a while.
func (p *Plugin) rest() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.stop()
	}
}

// call asks a plugin that speaks JSON.
func (p *Plugin) call(ctx context.Context, r *plugin.Request, limit time.Duration, output int64, each func(*plugin.Answer) error) error {
	r.Settings = p.settings()
	var err error
	for range 3 {
		var c *child
		if c, err = p.acquire(ctx); err != nil {
			return p.error(err)
		}
		err = c.ask(ctx, r, limit, output, each)
		p.release(c, err)
		var old *late
		if !errors.As(err, &old) {
			break
		}
		p.host.log.Warn("plugin: killed", "plugin", p.Name(), "error", err)
	}
	if err != nil && ctx.Err() == nil {
		return p.error(err)
	}
	return err
}

// script runs a plugin of the plain mode.
func (p *Plugin) script(ctx context.Context, args, env []string, limit time.Duration, output int64) ([]byte, error) {
	select {
	case p.host.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.host.slots }()
	for name, value := range p.settings() {
		env = append(env, "TIDEWAITER_SETTING_"+envName(name)+"="+value)
	}
	out, err := p.output(ctx, args, env, limit, output)
	if err != nil && ctx.Err() == nil {
		return nil, p.error(err)
	}
	return out, err
}
