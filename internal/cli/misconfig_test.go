package cli

import (
	"encoding/json"
	"os"
	"testing"
)

func TestMisconfigurationPageIsCurrent(t *testing.T) {
	page, err := os.ReadFile("../../docs/misconfiguration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != checksPage(misconfigurations()) {
		t.Error("write docs/misconfiguration.md anew: tidewaiter misconfig list --markdown")
	}
}

func TestMisconfigList(t *testing.T) {
	c := newCommand(t)
	var list []check
	_, out, errs := c.run("misconfig", "list", "--json", "--severity", "high", "sudo")
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) == 0 {
		t.Fatal(err, errs)
	}
	for _, x := range list {
		if x.Group != "sudo" || x.Severity != "high" && x.Severity != "critical" || len(x.References) == 0 {
			t.Errorf("%+v", x)
		}
	}
	for _, args := range [][]string{{"nonsense"}, {"--severity", "bad"}} {
		if code, _, errs := c.run(append([]string{"misconfig", "list"}, args...)...); code != 2 || errs == "" {
			t.Errorf("%v: exit code %d, %q", args, code, errs)
		}
	}
}
