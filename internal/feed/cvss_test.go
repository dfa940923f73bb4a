package feed

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestCVSSOracle compares with what the calculator ae-cvss-calculator 1.x (npm)
// says: of every base vector of versions 2.0, 3.0 and 3.1, and of 6000 random
// ones of 4.0, half of them with threat and environmental metrics.
// TIDEWAITER_CVSS names a longer list of the same form.
func TestCVSSOracle(t *testing.T) {
	f, err := os.Open("testdata/cvss.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if n := compareCVSS(t, z); n != 729+2*2592+6000 {
		t.Errorf("%d vectors were compared", n)
	}
	if name := os.Getenv("TIDEWAITER_CVSS"); name != "" {
		more, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer more.Close()
		t.Logf("%d more vectors", compareCVSS(t, more))
	}
}

func compareCVSS(t *testing.T, r io.Reader) (n int) {
	t.Helper()
	for sc := bufio.NewScanner(r); sc.Scan(); n++ {
		f := strings.Fields(sc.Text())
		want, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		_, got, err := CVSSScore(f[0])
		if err != nil || got != want {
			t.Errorf("CVSSScore(%s) = %v, %v, want %v", f[0], got, err, want)
		}
		if len(f) < 4 {
			continue
		}
		e, i, err := CVSS3Subscores(f[0])
		if s := fmt.Sprint(e, i); err != nil || s != f[2]+" "+f[3] {
			t.Errorf("CVSS3Subscores(%s) = %s, %v, want %s %s", f[0], s, err, f[2], f[3])
		}
	}
	return n
}

// TestCVSSPublished holds scores that FIRST and NVD publish.
func TestCVSSPublished(t *testing.T) {
	tests := []struct {
		vector, typ string
		score       float64
	}{
		// A Complete Guide to CVSS 2.0, section 3.3
		{"AV:N/AC:L/Au:N/C:N/I:N/A:C", "CVSS_V2", 7.8},                       // CVE-2002-0392
		{"AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C", "CVSS_V2", 10},         // CVE-2003-0818
		{"(AV:L/AC:H/Au:N/C:C/I:C/A:C)", "CVSS_V2", 6.2},                     // CVE-2003-0062
		{"CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", "CVSS_V3", 6.4},     // CVE-2013-0375
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "CVSS_V3", 10},      // CVE-2021-44228
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N/E:F", "CVSS_V3", 7.5}, // CVE-2014-0160, base score though it has temporal metrics
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "CVSS_V3", 0},
		// Examples of CVSS 4.0
		{"CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "CVSS_V4", 7.3},     // CVE-2022-41741
		{"CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "CVSS_V4", 7.7},     // CVE-2020-3549
		{"CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", "CVSS_V4", 5.2}, // the same with threat metrics
		{"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", "CVSS_V4", 10},
		{"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N/U:Amber", "CVSS_V4", 0},
	}
	for _, tt := range tests {
		typ, score, err := CVSSScore(tt.vector)
		if err != nil || typ != tt.typ || score != tt.score {
			t.Errorf("CVSSScore(%s) = %s, %v, %v, want %s, %v", tt.vector, typ, score, err, tt.typ, tt.score)
		}
	}
}

func TestCVSSRefused(t *testing.T) {
	for _, s := range []string{
		"", "7.5", "CVSS:3.1", "CVSS:3.1/", "CVSS:5.0/AV:N", "CVSS:2.0/AV:N/AC:L/Au:N/C:N/I:N/A:C", "AV:N/AC:L/Au:N/C:N/I:N",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H/A:H", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:X",
		"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:", "CVSS:3.1/av:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H",
		"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:S/VI:H/VA:H/SC:H/SI:H/SA:H", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:S/SA:H",
		strings.Repeat("AV:N/", 1000),
	} {
		if typ, score, err := CVSSScore(s); err == nil {
			t.Errorf("CVSSScore(%q) = %s, %v, want an error", s, typ, score)
		}
	}
}

func FuzzCVSS(f *testing.F) {
	f.Add("AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C")
	f.Add("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H")
	f.Add("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U/MSI:S/CR:L")
	f.Fuzz(func(t *testing.T, s string) {
		typ, score, err := CVSSScore(s)
		if err == nil && (typ == "" || score < 0 || score > 10) {
			t.Errorf("CVSSScore(%q) = %q, %v", s, typ, score)
		}
		CVSS3Subscores(s)
	})
}
