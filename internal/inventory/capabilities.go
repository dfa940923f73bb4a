package inventory

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Capabilities are what the attribute security.capability of a program gives
// to whoever runs it: the structures vfs_cap_data and vfs_ns_cap_data of
// linux/capability.h. Bit n of a set is capability n.
type Capabilities struct {
	Revision    int // 1 to 3
	Effective   bool
	Permitted   uint64
	Inheritable uint64
	// RootID is, in revision 3, the user that is root in the user namespaces
	// where they count. It is 0 in the others: they count where root is root.
	RootID uint32
}

// Bits of the first word, and the length in bytes of each revision.
const (
	capEffective = 1
	capLength1   = 4 + 8
	capLength2   = 4 + 16
	capLength3   = 4 + 16 + 4
)

// capabilityNames are those of Linux 5.9 and later, by number.
var capabilityNames = [...]string{
	"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill", "cap_setgid", "cap_setuid",
	"cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast", "cap_net_admin", "cap_net_raw", "cap_ipc_lock", "cap_ipc_owner",
	"cap_sys_module", "cap_sys_rawio", "cap_sys_chroot", "cap_sys_ptrace", "cap_sys_pacct", "cap_sys_admin", "cap_sys_boot", "cap_sys_nice",
	"cap_sys_resource", "cap_sys_time", "cap_sys_tty_config", "cap_mknod", "cap_lease", "cap_audit_write", "cap_audit_control", "cap_setfcap",
	"cap_mac_override", "cap_mac_admin", "cap_syslog", "cap_wake_alarm", "cap_block_suspend", "cap_audit_read", "cap_perfmon", "cap_bpf",
	"cap_checkpoint_restore",
}

// ParseCapabilities decodes [File.Caps]. It takes what a kernel takes that
// finds it on a file system: a known revision of exactly its length; other
// flags than effective do not matter. A kernel refuses to run a program with
// anything else.
func ParseCapabilities(raw string) (Capabilities, error) {
	if len(raw) < 4 {
		return Capabilities{}, fmt.Errorf("%d bytes are too few for a revision", len(raw))
	}
	word := func(i int) uint64 { return uint64(binary.LittleEndian.Uint32([]byte(raw[i : i+4]))) }
	c := Capabilities{Revision: int(raw[3]), Effective: word(0)&capEffective != 0}
	want := 0
	switch c.Revision {
	case 1:
		want = capLength1
	case 2:
		want = capLength2
	case 3:
		want = capLength3
	default:
		return Capabilities{}, fmt.Errorf("revision %d is none of 1 to 3", c.Revision)
	}
	if len(raw) != want {
		return Capabilities{}, fmt.Errorf("%d bytes, revision %d has %d", len(raw), c.Revision, want)
	}
	c.Permitted, c.Inheritable = word(4), word(8)
	if c.Revision > 1 {
		c.Permitted |= word(12) << 32
		c.Inheritable |= word(16) << 32
	}
	if c.Revision == 3 {
		c.RootID = uint32(word(20))
	}
	return c, nil
}

// Attribute is the attribute that [ParseCapabilities] decodes, in revision 3
// where they have a root of their own, otherwise in 2.
func (c Capabilities) Attribute() string {
	first := uint32(2 << 24)
	if c.RootID != 0 {
		first = 3 << 24
	}
	if c.Effective {
		first |= capEffective
	}
	b := make([]byte, 0, capLength3)
	for _, word := range [...]uint32{first, uint32(c.Permitted), uint32(c.Inheritable), uint32(c.Permitted >> 32), uint32(c.Inheritable >> 32)} {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	if c.RootID != 0 {
		b = binary.LittleEndian.AppendUint32(b, c.RootID)
	}
	return string(b)
}

// Any are the capabilities that are permitted or inheritable.
func (c Capabilities) Any() uint64 { return c.Permitted | c.Inheritable }

// Names are the names of those that are permitted or inheritable, by number.
func (c Capabilities) Names() []string { return capabilitySet(c.Any()) }

// String writes them as getcap -n does: "cap_net_raw=ep", with the letters e,
// i and p for effective, inheritable and permitted; "=" for none,
// "=ep" for all that have a name, "[rootid=1000]" at the end of revision 3.
func (c Capabilities) String() string {
	effective := ""
	if c.Effective {
		effective = "e"
	}
	var groups []string
	for _, g := range [...]struct {
		set   uint64
		flags string
	}{
		{c.Permitted & c.Inheritable, effective + "ip"}, {c.Permitted &^ c.Inheritable, effective + "p"}, {c.Inheritable &^ c.Permitted, effective + "i"},
	} {
		switch {
		case g.set == 0:
		case g.set == 1<<len(capabilityNames)-1:
			groups = append(groups, "="+g.flags)
		default:
			groups = append(groups, strings.Join(capabilitySet(g.set), ",")+"="+g.flags)
		}
	}
	if groups == nil {
		groups = []string{"="}
	}
	if c.RootID != 0 {
		groups = append(groups, fmt.Sprintf("[rootid=%d]", c.RootID))
	}
	return strings.Join(groups, " ")
}

func capabilitySet(set uint64) []string {
	out := make([]string, 0, bits.OnesCount64(set))
	for ; set != 0; set &= set - 1 {
		out = append(out, CapabilityName(bits.TrailingZeros64(set)))
	}
	return out
}

// CapabilityName is the name of a capability, "cap_chown" of 0; of one that
// has none the number.
func CapabilityName(n int) string {
	if n >= 0 && n < len(capabilityNames) {
		return capabilityNames[n]
	}
	return strconv.Itoa(n)
}

// CapabilityNumber is the number, 0 to 63, of a capability: of its name in
// any case, with or without "cap_" before it, or of its number.
func CapabilityNumber(name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 6); err == nil {
		return int(n), nil
	}
	short := strings.TrimPrefix(strings.ToLower(name), "cap_")
	for n, known := range capabilityNames {
		if known[len("cap_"):] == short {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%q is no capability: they are %s", name, strings.Join(capabilityNames[:], ", "))
}
