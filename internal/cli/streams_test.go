package cli

import (
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/tidewaiter/tidewaiter/internal/analyze/distro"
	"github.com/tidewaiter/tidewaiter/internal/feed"
	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// releases are the lines of os-release that say which release it is, as the
// distributions ship them, and the source that speaks of it in the folder
// named. A release is one that the folder has records of.
var releases = []struct{ osRelease, source, folder string }{
	{"NAME=\"Amazon Linux AMI\"\nVERSION=\"2018.03\"\nID=\"amzn\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"2018.03\"\nPRETTY_NAME=\"Amazon Linux AMI 2018.03\"", "amazon", "amazon/sample"},
	{"NAME=\"Amazon Linux\"\nVERSION=\"2\"\nID=\"amzn\"\nVERSION_ID=\"2\"\nPRETTY_NAME=\"Amazon Linux 2\"", "amazon", "amazon/sample"},
	{"NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nVERSION_ID=\"2023\"\nPRETTY_NAME=\"Amazon Linux 2023.6.20241212\"", "amazon", "amazon/sample"},
	{"NAME=\"Oracle Linux Server\"\nVERSION=\"7.9\"\nID=\"ol\"\nVERSION_ID=\"7.9\"", "oracle", "oracle/sample"},
	{"NAME=\"Oracle Linux Server\"\nVERSION=\"8.10\"\nID=\"ol\"\nVERSION_ID=\"8.10\"", "oracle", "oracle/sample"},
	{"NAME=\"Rocky Linux\"\nID=\"rocky\"\nVERSION_ID=\"8.9\"\nPRETTY_NAME=\"Rocky Linux 8.9 (Green Obsidian)\"", "rocky-errata", "rocky/sample"},
	{"NAME=\"Rocky Linux\"\nID=\"rocky\"\nVERSION_ID=\"9.3\"\nPRETTY_NAME=\"Rocky Linux 9.3 (Blue Onyx)\"", "rocky-errata", "rocky/sample"},
	{"NAME=\"AlmaLinux\"\nID=\"almalinux\"\nVERSION_ID=\"8.9\"", "almalinux-errata", "almalinux/sample"},
	{"NAME=\"AlmaLinux\"\nID=\"almalinux\"\nVERSION_ID=\"9.4\"", "almalinux-oval", "almalinux/sample"},
	{"NAME=\"AlmaLinux\"\nID=\"almalinux\"\nVERSION_ID=\"10.0\"", "osv-almalinux", "osv/AlmaLinux/all.zip"},
	{"NAME=\"CentOS Linux\"\nID=\"centos\"\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"", "redhat-vex", "redhat/sample"},
	{"NAME=\"CentOS Stream\"\nID=\"centos\"\nVERSION_ID=\"9\"", "redhat-vex", "redhat/sample"},
	{"NAME=\"Red Hat Enterprise Linux Server\"\nID=\"rhel\"\nVERSION_ID=\"7.9\"", "redhat-oval", "redhat/sample"},
	{"NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nVERSION_ID=\"8.10\"", "redhat-vex", "redhat/sample"},
	{"NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nVERSION_ID=\"9.4\"", "redhat-csaf", "redhat/sample"},
	{"NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nVERSION_ID=\"10.0\"", "redhat-vex", "redhat/sample"},
	{"NAME=\"Fedora Linux\"\nID=fedora\nVERSION_ID=40\nPLATFORM_ID=\"platform:f40\"", "fedora", "fedora/sample"},
	{"NAME=\"SLES\"\nVERSION=\"12-SP5\"\nVERSION_ID=\"12.5\"\nID=\"sles\"", "suse-oval", "suse/sample"},
	{"NAME=\"SLES\"\nVERSION=\"15-SP4\"\nVERSION_ID=\"15.4\"\nID=\"sles\"", "suse-oval", "suse/sample"},
	{"NAME=\"SLES\"\nVERSION=\"15\"\nVERSION_ID=\"15\"\nID=\"sles\"", "suse-csaf-vex", "suse/sample"},
	{"NAME=\"SLES\"\nVERSION=\"15-SP3\"\nVERSION_ID=\"15.3\"\nID=\"sles_sap\"", "suse-csaf-vex", "suse/sample"},
	{"NAME=\"SLE Micro\"\nVERSION=\"5.5\"\nVERSION_ID=\"5.5\"\nID=\"sle-micro\"", "suse-oval", "suse/sample"},
	{"NAME=\"SL-Micro\"\nVERSION=\"6.0\"\nVERSION_ID=\"6.0\"\nID=\"sl-micro\"", "suse-oval", "suse/sample"},
	{"NAME=\"openSUSE Leap\"\nVERSION=\"15.2\"\nID=\"opensuse-leap\"\nVERSION_ID=\"15.2\"", "suse-oval", "suse/sample"},
	{"NAME=\"openSUSE Leap Micro\"\nVERSION=\"5.2\"\nID=\"opensuse-leap-micro\"\nVERSION_ID=\"5.2\"", "suse-oval", "suse/sample"},
	{"NAME=\"openSUSE Tumbleweed\"\nID=\"opensuse-tumbleweed\"\nVERSION_ID=\"20250101\"", "suse-oval", "suse/sample"},
	{"NAME=\"openSUSE MicroOS\"\nID=\"opensuse-microos\"\nVERSION_ID=\"20250101\"", "suse-oval", "suse/sample"},
	{"NAME=\"VMware Photon OS\"\nVERSION=\"3.0\"\nID=photon\nVERSION_ID=3.0", "photon-oval", "photon/sample"},
	{"NAME=\"VMware Photon OS\"\nVERSION=\"4.0\"\nID=photon\nVERSION_ID=4.0", "photon", "photon/sample"},
	{"NAME=\"VMware Photon OS\"\nVERSION=\"5.0\"\nID=photon\nVERSION_ID=5.0", "photon", "photon/sample"},
	{"NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\nVERSION_ID=20240101.0.204074", "arch", "arch/sample"},
	{"NAME=Gentoo\nID=gentoo\nVERSION_ID=\"2.14\"", "gentoo", "gentoo/sample"},
	{"NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.11.13", "alpine", "alpine-secdb"},
	{"NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.21_alpha20240923", "alpine", "alpine-secdb/sample"},
	{"ID=wolfi\nNAME=\"Wolfi\"\nVERSION_ID=\"20230201\"", "wolfi", "wolfi/security.json"},
	{"ID=chainguard\nNAME=\"chainguard\"\nVERSION_ID=\"20230214\"", "chainguard", "chainguard/sample"},
	{"ID=minimos\nNAME=\"MinimOS\"\nVERSION_ID=\"20241031\"", "minimos", "minimos/sample"},
	{"ID=echo\nNAME=\"Echo\"\nVERSION_ID=\"1\"", "echo", "echo/sample"},
	{"ID=cleanstart\nNAME=\"CleanStart\"", "osv-cleanstart", "osv/CleanStart/all.zip"},
	{"PRETTY_NAME=\"Debian GNU/Linux 11 (bullseye)\"\nVERSION_ID=\"11\"\nVERSION_CODENAME=bullseye\nID=debian", "debian", "debian/security-tracker.json.gz"},
	{"PRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\nVERSION_CODENAME=trixie\nID=debian", "debian", "debian/sample"},
	{"NAME=\"Ubuntu\"\nID=ubuntu\nVERSION_ID=\"18.04\"\nVERSION_CODENAME=bionic", "ubuntu", "ubuntu/sample"},
	{"NAME=\"Ubuntu\"\nID=ubuntu\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy", "osv-ubuntu", "ubuntu/sample"},
	{"NAME=\"openEuler\"\nVERSION=\"22.03 (LTS-SP3)\"\nID=\"openEuler\"\nVERSION_ID=\"22.03\"\nPRETTY_NAME=\"openEuler 22.03 (LTS-SP3)\"", "openeuler", "openeuler/sample"},
	{"NAME=\"openEuler\"\nVERSION=\"24.03 (LTS)\"\nID=\"openEuler\"\nVERSION_ID=\"24.03\"\nPRETTY_NAME=\"openEuler 24.03 (LTS)\"", "openeuler", "openeuler/sample"},
	{"NAME=\"openEuler\"\nVERSION=\"24.03 (LTS-SP1)\"\nID=\"openEuler\"\nVERSION_ID=\"24.03\"\nPRETTY_NAME=\"openEuler 24.03 (LTS-SP1)\"", "openeuler", "openeuler/sample"},
	{"NAME=\"openEuler\"\nVERSION=\"20.03 (LTS-SP1)\"\nID=\"openEuler\"\nVERSION_ID=\"20.03\"\nPRETTY_NAME=\"openEuler 20.03 (LTS-SP1)\"", "osv-openeuler", "openeuler/sample"},
	{"NAME=Bottlerocket\nID=bottlerocket\nVERSION_ID=1.20.0\nVARIANT_ID=aws-k8s-1.29", "bottlerocket", "bottlerocket/sample"},
	{"NAME=\"Microsoft Azure Linux\"\nID=azurelinux\nVERSION_ID=\"3.0\"\nPRETTY_NAME=\"Microsoft Azure Linux 3.0\"", "azurelinux", "azurelinux/azurelinux-3.0-oval.xml.gz"},
	{"NAME=\"Common Base Linux Mariner\"\nID=mariner\nVERSION_ID=\"2.0\"\nPRETTY_NAME=\"CBL-Mariner/Linux\"", "mariner", "azurelinux/cbl-mariner-2.0-oval.xml.gz"},
	{"NAME=\"Common Base Linux Mariner\"\nID=mariner\nVERSION_ID=\"1.0\"\nPRETTY_NAME=\"CBL-Mariner/Linux\"", "mariner", "azurelinux/cbl-mariner-1.0-oval.xml.gz"},
	{"NAME=\"Mageia\"\nID=mageia\nVERSION_ID=9", "osv-mageia", "mageia/sample"},
}

// TestReleasesReachTheirData: what an image says of itself has to lead to the
// stream that its publisher's records are in. The folder is read file by file,
// so that files that are wrong on purpose, or another source's, do no harm.
func TestReleasesReachTheirData(t *testing.T) {
	folder := feedFolder(t)
	byName := map[string]feed.Source{}
	for _, s := range sources() {
		byName[s.Info().Name] = s
	}
	known := map[string]map[string]bool{}
	for _, r := range releases {
		var rec inventory.Record
		if err := (distro.Analyzer{}).Analyze(t.Context(), fstest.MapFS{"etc/os-release": {Data: []byte(r.osRelease + "\n")}}, &rec); err != nil || len(rec.Distros) != 1 {
			t.Fatalf("%q: %v, %v", r.osRelease, rec.Distros, err)
		}
		stream, ok := match.Stream(&rec.Distros[0])
		if !ok {
			t.Errorf("%s: no stream for %q", r.source, r.osRelease)
			continue
		}
		at := r.source + " " + r.folder
		if known[at] == nil {
			known[at] = streamsIn(t, byName[r.source], filepath.Join(folder, r.folder))
		}
		if !known[at][stream] {
			t.Errorf("%s has nothing in %q; it has %q", r.source, stream, slices.Sorted(maps.Keys(known[at])))
		}
	}
}

func streamsIn(t *testing.T, s feed.Source, folder string) map[string]bool {
	out := map[string]bool{}
	err := filepath.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		u, err := s.Fetch(t.Context(), feed.Input{From: p}, feed.State{})
		if err != nil || u.Items == nil {
			return nil
		}
		for it, err := range u.Items {
			if err != nil || it.Advisory == nil {
				continue
			}
			for i := range it.Advisory.Affected {
				out[it.Advisory.Affected[i].Stream] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
