package inventory

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

// capCase is an attribute as setcap of libcap 2.66 (or, from revision 1 and
// numbers without a name on, setxattr(2)) left it on a file, and what getcap -n
// says of it.
type capCase struct {
	raw, getcap string
	text        string // where String differs: the same in other words
}

func capCases() []capCase {
	return []capCase{
		{raw: "0100000200200000000000000000000000000000", getcap: "cap_net_raw=ep"},
		{raw: "0000000200300000000000000000000000000000", getcap: "cap_net_admin,cap_net_raw=p"},
		{raw: "0100000200000000010000000000000000000000", getcap: "cap_chown=ei"},
		{raw: "01000002ffffffff00000000ff01000000000000", getcap: "=ep"},
		{raw: "00000002ffffffff00000000ff01000000000000", getcap: "=p"},
		{raw: "0100000280000000c00000000000000000000000", getcap: "cap_setuid=eip cap_setgid+ei", text: "cap_setuid=eip cap_setgid=ei"},
		{raw: "010000020000000000000000c001000000000000", getcap: "cap_perfmon,cap_bpf,cap_checkpoint_restore=ep"},
		{raw: "0000000200000000000000000000000000000000", getcap: "="},
		{raw: "0100000200000000000000000000000000000000", getcap: "="},
		{raw: "0100000200200000000000000020000000000000", getcap: "cap_net_raw=ep 45+ep", text: "cap_net_raw,45=ep"},
		{raw: "0100000300200000000000000000000000000000e8030000", getcap: "cap_net_raw=ep [rootid=1000]"},
		{raw: "0100000300200000000000000000000000000000a0860100", getcap: "cap_net_raw=ep [rootid=100000]"},
	}
}

func rawCaps(t testing.TB, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCapabilities(t *testing.T) {
	for _, tt := range capCases() {
		want := tt.text
		if want == "" {
			want = tt.getcap
		}
		c, err := ParseCapabilities(rawCaps(t, tt.raw))
		if err != nil || c.String() != want {
			t.Errorf("%s: %q %v, want %q", tt.raw, c, err, want)
		}
		if got := hex.EncodeToString([]byte(c.Attribute())); got != tt.raw {
			t.Errorf("%s: written again it is %s", tt.raw, got)
		}
	}
	// Revision 1, which kernels read but no longer write: two words of 32 bits.
	c, err := ParseCapabilities(rawCaps(t, "010000010020000080000000"))
	if want := (Capabilities{Revision: 1, Effective: true, Permitted: 1 << 13, Inheritable: 1 << 7}); err != nil || c != want {
		t.Errorf("revision 1: %+v %v", c, err)
	}
	if got := c.Names(); !slices.Equal(got, []string{"cap_setuid", "cap_net_raw"}) {
		t.Errorf("names: %q", got)
	}
	for raw, want := range map[string]string{
		"":         "0 bytes",
		"010000":   "3 bytes are too few",
		"01000002": "4 bytes, revision 2 has 20",
		"0100000400200000000000000000000000000000":         "revision 4 is none of 1 to 3",
		"0100000000200000000000000000000000000000":         "revision 0 is none",
		"01000002002000000000000000000000000000":           "19 bytes, revision 2",
		"0100000200200000000000000000000000000000e8030000": "24 bytes, revision 2 has 20",
		"0100000300200000000000000000000000000000":         "20 bytes, revision 3 has 24",
		"0100000100200000000000000000000000000000":         "20 bytes, revision 1 has 12",
	} {
		if c, err := ParseCapabilities(rawCaps(t, raw)); err == nil || !strings.Contains(err.Error(), want) || c != (Capabilities{}) {
			t.Errorf("%s: %+v %v, want %q", raw, c, err, want)
		}
	}
}

func TestCapabilityNumber(t *testing.T) {
	for name, want := range map[string]int{"cap_chown": 0, "CAP_NET_RAW": 13, "net_admin": 12, "checkpoint_restore": 40, "21": 21, "63": 63} {
		if got, err := CapabilityNumber(name); got != want || err != nil {
			t.Errorf("%s: %d %v", name, got, err)
		}
	}
	for _, name := range []string{"", "cap_", "cap_root", "64", "-1", "cap_21"} {
		if got, err := CapabilityNumber(name); err == nil || !strings.Contains(err.Error(), "cap_checkpoint_restore") {
			t.Errorf("%q: %d %v", name, got, err)
		}
	}
}

func FuzzCapabilities(f *testing.F) {
	for _, tt := range capCases() {
		f.Add(rawCaps(f, tt.raw))
	}
	f.Add("\x01\x00\x00\x01\x00\x20\x00\x00\x80\x00\x00\x00")
	f.Fuzz(func(t *testing.T, raw string) {
		c, err := ParseCapabilities(raw)
		if err != nil {
			if c != (Capabilities{}) || len(err.Error()) > 100 {
				t.Errorf("%+v %v", c, err)
			}
			return
		}
		again, err := ParseCapabilities(c.Attribute())
		again.Revision = c.Revision
		if err != nil || again != c {
			t.Errorf("%x: written again %+v %v, was %+v", raw, again, err, c)
		}
		var set uint64
		for _, name := range c.Names() {
			n, err := CapabilityNumber(name)
			if err != nil {
				t.Fatal(err)
			}
			set |= 1 << n
		}
		if set != c.Permitted|c.Inheritable || len(c.String()) > 2000 {
			t.Errorf("%x has the names %q", raw, c.Names())
		}
	})
}
