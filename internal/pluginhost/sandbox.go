package pluginhost

import (
	"slices"
	"strings"
)

// jail is what the launcher is told: which program to become, and within what.
type jail struct {
	Exe  string   `json:"exe"`
	Args []string `json:"args"`
	Env  []string `json:"env"`

	Read    []string `json:"read"`    // files and folders it may read and run
	Scratch string   `json:"scratch"` // the folder it may write to
	Root    string   `json:"root"`    // an empty folder: its root is made there
	User    int      `json:"user"`    // to become; -1: stay

	Mounts bool `json:"mounts"` // started in namespaces of mounts …
	PIDs   bool `json:"pids"`   // … and of processes
	Users  bool `json:"users"`
	Net    bool `json:"net"`

	Memory      uint64 `json:"memory"`      // bytes
	ScratchSize uint64 `json:"scratchSize"` // bytes
	CPU         uint64 `json:"cpu"`         // seconds
	OpenFiles   uint64 `json:"openFiles"`
	Processes   uint64 `json:"processes"`
}

// Held says which walls stand between a plugin and the machine, and why others
// do not.
type Held struct {
	Parts   []string `json:"parts"`
	Missing []Lack   `json:"missing,omitempty"`
}

// Lack is a wall that could not be put up.
type Lack struct {
	Part string `json:"part"`
	Why  string `json:"why"`
}

// The walls.
const (
	partRoot     = "private file system"
	partLandlock = "Landlock"
	partSeccomp  = "system call filter"
	partNet      = "no network"
	partPIDs     = "process namespace"
	partUser     = "user namespace"
	partNobody   = "no root"
	partPrivs    = "no new privileges"
	partLimits   = "resource limits"
)

func (h *Held) has(part string) bool {
	return slices.ContainsFunc(h.Parts, func(p string) bool { return p == part || strings.HasPrefix(p, part+" ") })
}

func (h *Held) lack(part string, err error) {
	h.Missing = append(h.Missing, Lack{part, err.Error()})
}

// Weak says what a plugin could do that it should not be able to, "" when
// everything that matters is shut.
func (h *Held) Weak() string {
	var out []string
	if !h.has(partRoot) && !h.has(partLandlock) {
		out = append(out, "read and write files of the user who runs tidewaiter")
	}
	if !h.has(partNet) && !h.has(partSeccomp) {
		out = append(out, "use the network")
	}
	if !h.has(partPIDs) && !h.has(partSeccomp) {
		out = append(out, "leave processes behind")
	}
	if !h.has(partPrivs) {
		out = append(out, "gain privileges by programs that have them")
	}
	if !h.has(partLimits) {
		out = append(out, "use memory, processors and files without limit")
	}
	return strings.Join(out, "; ")
}
