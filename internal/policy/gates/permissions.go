package gates

import (
	"context"
	"fmt"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// Triggers of the gate files about what lets a process do more than its user may.

func capabilitiesTrigger() trigger {
	return trigger{policy.TriggerSpec{Name: "capabilities", Description: "A program has file capabilities (setcap), which give whoever runs it rights of root", Prepare: prepareCapabilities, Params: []policy.ParamSpec{
		{Name: "names", Type: policy.List, Example: "cap_sys_admin,cap_setuid", Description: "Capabilities that count, permitted or inheritable, by name or number; without it all count"},
		{Name: "exclude", Type: policy.Regexp, Example: "/usr/bin/ping$", Description: "Regular expression, matched at the start of the whole path, of what does not count"},
	}}, fileCapabilities}
}

func deviceNodesTrigger() trigger {
	return trigger{policy.TriggerSpec{Name: "device_nodes", Description: "There is a block or character device in the image", Params: []policy.ParamSpec{
		{Name: "exclude", Type: policy.Regexp, Example: "/dev/fuse$", Description: "Regular expression, matched at the start of the whole path, of what does not count"},
		{Name: "standard", Type: policy.Bool, Default: "true", Example: "false", Description: "Whether those count that a runtime gives every container: null, zero, full, random, urandom, tty, console and ptmx, known by their numbers, not by names"},
	}}, deviceNodes}
}

// prepareCapabilities makes a set of the names, of all where there are none.
func prepareCapabilities(p policy.Params) (any, error) {
	if !p.Has("names") {
		return ^uint64(0), nil
	}
	var set uint64
	for _, name := range p.List("names") {
		n, err := inventory.CapabilityNumber(name)
		if err != nil {
			return nil, fmt.Errorf("parameter names: %w", err)
		}
		set |= 1 << n
	}
	return set, nil
}

func fileCapabilities(ctx context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	set, ok := p.Prepared().(uint64)
	if !ok {
		return nil, fmt.Errorf("the names of capabilities were not read")
	}
	exclude := p.Regexp("exclude")
	var out []policy.Hit
	n := 0
	for f := range s.Image.Files.All() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f.Caps == "" || f.Type != inventory.Regular || exclude != nil && exclude.MatchString("/"+f.Path) {
			continue
		}
		caps, err := inventory.ParseCapabilities(f.Caps)
		switch {
		case err != nil:
			// Which ones it has nobody can tell.
			out = append(out, policy.Hit{Message: fmt.Sprintf("Capabilities of file /%s cannot be read: %v", f.Path, err), Unknown: p.Has("names"), Evidence: fileEvidence(s, &f)})
		case caps.Any()&set != 0:
			out = append(out, policy.Hit{Message: fmt.Sprintf("File /%s has capabilities %v", f.Path, caps), Evidence: fileEvidence(s, &f),
				Remedy: "Remove them in the step that brings the file: setcap -r /" + f.Path})
		}
	}
	return out, nil
}

// standardDevice reports whether a device is one of those that the runtime
// specification of OCI has in every container.
func standardDevice(f *inventory.File) bool {
	if f.Type != inventory.CharDevice {
		return false
	}
	switch f.Major {
	case 1: // null, zero, full, random, urandom
		return f.Minor == 3 || f.Minor == 5 || f.Minor == 7 || f.Minor == 8 || f.Minor == 9
	case 5: // tty, console, ptmx
		return f.Minor <= 2
	}
	return false
}

func deviceNodes(ctx context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	exclude, standard := p.Regexp("exclude"), p.Bool("standard")
	var out []policy.Hit
	n := 0
	for f := range s.Image.Files.All() {
		if n++; n%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		kind := ""
		switch f.Type {
		case inventory.BlockDevice:
			kind = "block"
		case inventory.CharDevice:
			kind = "character"
		}
		if kind == "" || !standard && standardDevice(&f) || exclude != nil && exclude.MatchString("/"+f.Path) {
			continue
		}
		out = append(out, policy.Hit{Message: fmt.Sprintf("There is a %s device %d:%d at /%s. Mode: %s", kind, f.Major, f.Minor, f.Path, octal(int64(f.Perm))), Evidence: fileEvidence(s, &f),
			Remedy: "Remove it: the runtime makes the devices that a container may have"})
	}
	return out, nil
}
