package engine

import (
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// GuessDockerfile is the Dockerfile that an image's history tells of.
func GuessDockerfile(img *inventory.Image) policy.Dockerfile { return guessDockerfile(&img.Config) }

// guessDockerfile makes a Dockerfile of an image's history: an instruction a
// line, beginning with FROM scratch. What the configuration says of ports,
// user and health check counts where the history does not say it, as in images
// that were made without a Dockerfile or squashed. An image of which neither
// is known gives the mode Unknown.
func guessDockerfile(c *inventory.Config) policy.Dockerfile {
	var lines []string
	for i := range c.History {
		if line := historyLine(c.History[i].CreatedBy); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 && c.OS == "" && c.Architecture == "" {
		return policy.Dockerfile{Mode: policy.ModeUnknown}
	}
	lines = append(lines, missingLines(c, lines)...)
	return policy.Dockerfile{Mode: policy.ModeGuessed, Text: "FROM scratch\n" + strings.Join(lines, "\n") + "\n"}
}

// historyLine is the instruction that a step of the history was made from.
func historyLine(createdBy string) string {
	// One step is one line, whatever is in it: a line of a script must not pass
	// for an instruction.
	s := strings.Join(strings.Fields(createdBy), " ")
	s = strings.TrimRight(strings.TrimSuffix(s, "# buildkit"), ` \`)
	if rest, ok := strings.CutPrefix(s, "/bin/sh -c #(nop)"); ok {
		s = strings.TrimSpace(rest)
	} else if rest, ok := strings.CutPrefix(s, "/bin/sh -c "); ok {
		return "RUN " + rest
	} else if rest, ok := strings.CutPrefix(s, "RUN /bin/sh -c "); ok {
		return "RUN " + rest
	}
	word, rest, _ := strings.Cut(s, " ")
	switch word {
	case "":
		return ""
	case "EXPOSE":
		return word + " " + exposedPorts(rest)
	case "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR":
		return s
	}
	return "RUN " + s
}

// exposedPorts reads the ports as builders write them into the history:
// "map[22/tcp:{} 80/tcp:{}]", "[22/tcp]", "22 80".
func exposedPorts(s string) string {
	s = strings.TrimPrefix(s, "map")
	s = strings.NewReplacer("[", " ", "]", " ", ":{}", " ").Replace(s)
	return strings.Join(strings.Fields(s), " ")
}

// missingLines are instructions for what the configuration has and the
// history does not.
func missingLines(c *inventory.Config, lines []string) []string {
	var out []string
	named := map[string]bool{}
	user, health := "", false
	for _, l := range lines {
		word, rest, _ := strings.Cut(l, " ")
		switch word {
		case "EXPOSE":
			for _, p := range strings.Fields(rest) {
				named[p], named[p+"/tcp"] = true, true
			}
		case "USER":
			user = strings.Trim(rest, "[]")
		case "HEALTHCHECK":
			health = true
		}
	}
	for _, p := range c.ExposedPorts {
		if !named[p] {
			out = append(out, "EXPOSE "+p)
		}
	}
	if u := strings.Join(strings.Fields(c.User), " "); u != "" && u != user {
		out = append(out, "USER "+u)
	}
	if h := c.Healthcheck; h != nil && !health && len(h.Test) > 0 {
		out = append(out, "HEALTHCHECK "+strings.Join(strings.Fields(strings.Join(h.Test, " ")), " "))
	}
	return out
}
