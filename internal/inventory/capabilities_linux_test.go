package inventory

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCapabilitiesOfLibcap has setcap and getcap do the same: capsh names every
// capability, setcap writes what String says, byte for byte.
func TestCapabilitiesOfLibcap(t *testing.T) {
	tool := func(name string) string {
		for _, path := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
			if found, err := exec.LookPath(path); err == nil {
				return found
			}
		}
		t.Skipf("%s (libcap2-bin) is not installed", name)
		return ""
	}
	setcap, getcap, capsh := tool("setcap"), tool("getcap"), tool("capsh")
	for n := range capabilityNames {
		out, err := exec.Command(capsh, "--decode="+fmt.Sprintf("%x", uint64(1)<<n)).Output()
		if err != nil {
			t.Fatal(err)
		}
		if _, name, _ := strings.Cut(strings.TrimSpace(string(out)), "="); name != CapabilityName(n) {
			t.Errorf("%d is %s to capsh, %s here", n, name, CapabilityName(n))
		}
	}
	file := filepath.Join(t.TempDir(), "program")
	for _, tt := range capCases() {
		raw := rawCaps(t, tt.raw)
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setxattr(file, "security.capability", []byte(raw), 0); err != nil {
			t.Skipf("capabilities of files cannot be set here: %v", err)
		}
		out, err := exec.Command(getcap, "-n", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(strings.TrimPrefix(string(out), file)); got != tt.getcap {
			t.Errorf("%s: getcap says %q, the table %q", tt.raw, got, tt.getcap)
		}
		c, err := ParseCapabilities(raw)
		if err != nil {
			t.Fatal(err)
		}
		if c.Any() == 0 {
			continue // setcap does not write effective without any
		}
		text, args := c.String(), []string{}
		if c.Revision == 3 {
			var id string
			text, id, _ = strings.Cut(text, " [rootid=")
			args = append(args, "-n", strings.TrimSuffix(id, "]"))
		}
		if c.Any()>>len(capabilityNames) != 0 {
			continue // setcap refuses what the kernel does not know
		}
		if err := os.WriteFile(file, []byte("#!/"), 0o755); err != nil { // a write removes them
			t.Fatal(err)
		}
		if out, err := exec.Command(setcap, append(args, text, file)...).CombinedOutput(); err != nil {
			t.Fatalf("setcap %q: %v %s", text, err, out)
		}
		var b [64]byte
		n, err := syscall.Getxattr(file, "security.capability", b[:])
		if err != nil || hex.EncodeToString(b[:n]) != tt.raw {
			t.Errorf("setcap %q writes %x (%v), want %s", text, b[:max(n, 0)], err, tt.raw)
		}
	}
}
