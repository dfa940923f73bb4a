package gates

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func dockerfile() policy.Gate {
	actualOnly := policy.ParamSpec{Name: "actual_dockerfile_only", Type: policy.Bool, Default: "false", Example: "true",
		Description: "Only look at a Dockerfile that was given with the image, not at one made from its history"}
	listType := policy.ParamSpec{Name: "type", Type: policy.Enum, Values: []string{"whitelist", "blacklist"}, Values2: []string{"allowlist", "denylist"}, Required: true, Example: "blacklist",
		Description: "Whether the list says what is allowed or what is denied"}
	return newGate("dockerfile", "What the Dockerfile says, or the image's history where none was given",
		trigger{policy.TriggerSpec{Name: "instruction", Description: "An instruction satisfies a check", Prepare: prepareInstruction, Params: []policy.ParamSpec{
			{Name: "instruction", Type: policy.Enum, Required: true, Example: "RUN", Description: "The instruction to look at", Values: []string{"ADD", "ARG", "COPY", "CMD", "ENTRYPOINT", "ENV",
				"EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "USER", "RUN", "SHELL", "STOPSIGNAL", "VOLUME", "WORKDIR"}},
			{Name: "check", Type: policy.Enum, Required: true, Example: "like", Description: "How to compare", Values: []string{"=", "!=", "exists", "not_exists", "like", "not_like", "in", "not_in"}},
			{Name: "value", Type: policy.String, Example: ".*sudo.*", Description: "What to compare with: text, a comma list for in and not_in, a regular expression for like and not_like"},
			actualOnly,
		}}, instruction},
		trigger{policy.TriggerSpec{Name: "effective_user", Description: "The user that the last USER instruction sets, root without one", Params: []policy.ParamSpec{
			{Name: "users", Type: policy.List, Required: true, Example: "root,docker", Description: "Users, as written in the instruction"}, listType,
		}}, effectiveUser},
		trigger{policy.TriggerSpec{Name: "exposed_ports", Description: "Ports that EXPOSE instructions name", Params: []policy.ParamSpec{
			{Name: "ports", Type: policy.NumberList, Required: true, Example: "22,23", Description: "Port numbers"}, listType, actualOnly,
		}}, exposedPorts},
		trigger{policy.TriggerSpec{Name: "no_dockerfile_provided", Description: "No Dockerfile was given with the image"}, noDockerfile},
	)
}

// instructions are the lines of a Dockerfile by directive, in order.
type instructions struct {
	usable bool
	actual bool
	lines  map[string][]string
}

func parsed(s *policy.Subject) instructions {
	return policy.Memo(s, "dockerfile", func() instructions {
		mode := strings.ToLower(string(s.Dockerfile.Mode))
		in := instructions{actual: mode == strings.ToLower(string(policy.ModeActual)), lines: map[string][]string{}}
		if mode == "" || mode == strings.ToLower(string(policy.ModeUnknown)) {
			return in
		}
		for _, line := range dockerfileLines(s.Dockerfile.Text) {
			directive := strings.ToUpper(strings.Fields(line)[0])
			in.lines[directive] = append(in.lines[directive], line)
		}
		in.usable = len(in.lines) > 0
		return in
	})
}

// dockerfileLines joins continued lines as the original does: trimmed, and
// without anything in between.
func dockerfileLines(text string) []string {
	var out []string
	pending := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if head, ok := strings.CutSuffix(line, `\`); ok {
			pending += head
			continue
		}
		if line = strings.TrimSpace(pending + line); line != "" {
			out = append(out, line)
		}
		pending = ""
	}
	if pending = strings.TrimSpace(pending); pending != "" {
		out = append(out, pending)
	}
	return out
}

func argument(line string) string {
	_, rest := cutWord(line)
	return rest
}

func cutWord(line string) (word, rest string) {
	i := strings.IndexAny(line, " \t\f\v")
	if i < 0 {
		return line, ""
	}
	return line[:i], strings.TrimSpace(line[i:])
}

type instructionCheck struct {
	re   *regexp.Regexp
	list []string
}

func prepareInstruction(p policy.Params) (any, error) {
	var c instructionCheck
	switch p.Text("check") {
	case "like", "not_like":
		re, err := policy.CompileStart(p.Text("value"))
		if err != nil {
			return nil, fmt.Errorf("parameter value: %w", err)
		}
		c.re = re
	case "in", "not_in":
		c.list = splitValue(p.Text("value"))
	}
	return c, nil
}

func instruction(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	in := parsed(s)
	if !in.usable || p.Bool("actual_dockerfile_only") && !in.actual {
		return nil, nil
	}
	directive, check, value := p.Text("instruction"), p.Text("check"), p.Text("value")
	lines := in.lines[directive]
	if check == "not_exists" {
		if len(lines) > 0 {
			return nil, nil
		}
		return hit(fmt.Sprintf("Dockerfile directive '%s' not found, matching condition 'not_exists' check", directive)), nil
	}
	if check != "exists" && value == "" {
		return nil, nil
	}
	c, _ := p.Prepared().(instructionCheck)
	var out []policy.Hit
	for _, line := range lines {
		text := argument(line)
		fires := false
		switch check {
		case "exists":
			fires = true
		case "=":
			fires = text == value
		case "!=":
			fires = text != value
		case "like":
			fires = c.re.MatchString(text)
		case "not_like":
			fires = !c.re.MatchString(text)
		case "in":
			fires = slices.Contains(c.list, text)
		case "not_in":
			fires = !slices.Contains(c.list, text)
		}
		if fires {
			out = append(out, policy.Hit{Message: fmt.Sprintf("Dockerfile directive '%s' check '%s' matched against '%s' for line '%s'", directive, check, value, text), Evidence: policy.Evidence{Detail: line}})
		}
	}
	return out, nil
}

func effectiveUser(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	in := parsed(s)
	if !in.usable {
		return nil, nil
	}
	user, line := "root", ""
	if lines := in.lines["USER"]; len(lines) > 0 {
		line = lines[len(lines)-1]
		word, rest := cutWord(line)
		if word != "USER" || rest == "" {
			return nil, nil // a lower-case instruction is not understood
		}
		user = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
	}
	listed := slices.Contains(p.List("users"), user)
	h := policy.Hit{Evidence: policy.Evidence{Detail: line}, Remedy: "Add a USER instruction that names another user"}
	switch {
	case p.Text("type") == "whitelist" && !listed:
		h.Message = fmt.Sprintf("User %s found as effective user, which is not on the allowed list", user)
	case p.Text("type") == "blacklist" && listed:
		h.Message = fmt.Sprintf("User %s found as effective user, which is explicity not allowed", user)
	default:
		return nil, nil
	}
	return []policy.Hit{h}, nil
}

func exposedPorts(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	in := parsed(s)
	if !in.usable || p.Bool("actual_dockerfile_only") && !in.actual {
		return nil, nil
	}
	var out []policy.Hit
	for _, line := range in.lines["EXPOSE"] {
		words := strings.Fields(line)[1:]
		for _, n := range p.Numbers("ports") {
			port := strconv.FormatInt(n, 10)
			names := []string{port, port + "/tcp", port + "/udp"}
			if p.Text("type") == "whitelist" {
				words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(names, w) })
				continue
			}
			for _, name := range names {
				if slices.Contains(words, name) {
					out = append(out, policy.Hit{Message: fmt.Sprintf("Dockerfile exposes port (%s) which is in policy file DENIEDPORTS list", name), Evidence: policy.Evidence{Detail: line}})
					break
				}
			}
		}
		if p.Text("type") == "whitelist" {
			for _, w := range words {
				out = append(out, policy.Hit{Message: fmt.Sprintf("Dockerfile exposes port (%s) which is not in policy file ALLOWEDPORTS list", w), Evidence: policy.Evidence{Detail: line}})
			}
		}
	}
	return out, nil
}

func noDockerfile(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	if strings.EqualFold(string(s.Dockerfile.Mode), string(policy.ModeActual)) {
		return nil, nil
	}
	return []policy.Hit{{Message: "Image was not analyzed with an actual Dockerfile", Remedy: "Give the Dockerfile when the image is submitted"}}, nil
}
