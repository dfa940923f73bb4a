#!/usr/bin/env python3
"""Labels packages as affected or not by what publishers' raw files say, without
regard to this program: labels.py FEEDS > ../labelled-samples.tsv

For each fixed version a publisher names there are three packages: of that
version, of an earlier build of it and of a later one. That the three are in this
order is what rpm itself says (rpm.vercmp), for rpm; others are taken from the
publisher's own words (the version it calls affected, that it calls fixed).
"""
import bz2, collections, glob, gzip, json, re, subprocess, sys, urllib.parse, zipfile
import xml.etree.ElementTree as ET

F = sys.argv[1] + "/"
rows = []
spoken = collections.defaultdict(set)  # (ecosystem, distro, name, id): fixed versions


def emit(ecosystem, purl, vid, affected, why, record):
    rows.append((ecosystem, purl, vid, "yes" if affected else "no", why, record))


def vercmp(a, b):
    return int(subprocess.run(["rpm", "--eval", '%{lua: print(rpm.vercmp("' + a + '","' + b + '"))}'], capture_output=True, text=True, check=True).stdout)


def rpm(ecosystem, namespace, distro, name, evr, vid, record, arch=None, upstream=None):
    """One fixed version: three packages."""
    epoch, _, vr = evr.rpartition(":")
    version, _, release = vr.rpartition("-")
    if not version or not release or ".module" in release or "-debug" in name:
        return
    key = (ecosystem, distro, name, vid)
    spoken[key].add(evr)
    pending.append((key, namespace, name, epoch, version, release, arch, upstream, record))


pending = []


def flush(limit):
    count = collections.Counter()
    done = set()
    for key, namespace, name, epoch, version, release, arch, upstream, record in pending:
        ecosystem, distro, _, vid = key
        if len(spoken[key]) > 1 or key in done or count[ecosystem, distro] >= limit:
            continue
        done.add(key)
        tag = release.partition(".")[2]
        below, above = "0" + ("." + tag if tag else ""), release + ".1"
        if vercmp(below, release) >= 0 or vercmp(above, release) <= 0:
            continue
        count[ecosystem, distro] += 1
        for r, affected, why in ((below, True, "an earlier build"), (release, False, "the fixed build"), (above, False, "a later build")):
            q = {"distro": distro}
            if arch:
                q["arch"] = arch
            if epoch and epoch != "0":
                q["epoch"] = epoch
            purl = f"pkg:rpm/{namespace}/{urllib.parse.quote(name)}@{urllib.parse.quote(version + '-' + r)}?" + urllib.parse.urlencode(q)
            emit(ecosystem, purl, vid, affected, f"{why}: rpm orders {below} < {release} < {above}; mended in {version}-{release}", record)
    pending.clear()


def amazon():
    for number, file in (("2018.03", "1"), ("2", "2"), ("2022", "2022"), ("2023", "2023")):
        path = f"amazon/sample/vuls-data-update/root/updateinfo_{file}.xml.gz"
        for u in ET.parse(gzip.open(F + path)).getroot().iter("update"):
            for ref in u.iter("reference"):
                if ref.get("type") != "cve":
                    continue
                for p in u.iter("package"):
                    if p.get("arch") in ("x86_64", "noarch"):
                        rpm("Amazon", "amzn", "amzn-" + number, p.get("name"), f"{p.get('epoch')}:{p.get('version')}-{p.get('release')}", ref.get("id"), path + " " + u.findtext("id"), "x86_64")


def oracle():
    path = "oracle/sample/vuls-data-update/linux/com.oracle.elsa-all.xml.bz2"
    ns = {"o": "http://oval.mitre.org/XMLSchema/oval-definitions-5"}
    for d in ET.parse(bz2.open(F + path)).getroot().iter("{%s}definition" % ns["o"]):
        text = [c.get("comment") for c in d.iter("{%s}criterion" % ns["o"])]
        release = next((re.match(r"Oracle Linux (\d+) is installed", t)[1] for t in text if re.match(r"Oracle Linux \d+ is installed", t)), None)
        if not release or any("module" in t.lower() for t in text):
            continue
        for r in d.iter("{%s}reference" % ns["o"]):
            if r.get("source") != "CVE":
                continue
            for t in text:
                m = re.match(r"(\S+) is earlier than (\S+)$", t)
                if m and "ksplice" not in m[2] and "_fips" not in m[2]:
                    rpm("Oracle", "ol", "ol-" + release, m[1], m[2], r.get("ref_id"), path + " " + d.get("id"), "x86_64")


def suse():
    ns = "{http://oval.mitre.org/XMLSchema/oval-definitions-5}"
    lx = "{http://oval.mitre.org/XMLSchema/oval-definitions-5#linux}"
    for file, namespace, distro in (("opensuse.leap.15.2", "opensuse", "opensuse-leap-15.2"), ("opensuse.tumbleweed", "opensuse", "opensuse-tumbleweed-20250101"), ("suse.linux.enterprise.server.10", "suse", "sles-10")):
        path = f"suse/sample/vuls-data-update/oval/happy/{file}.xml.gz"
        root = ET.parse(gzip.open(F + path)).getroot()
        states = {s.get("id"): s.find(lx + "evr") for s in root.iter(lx + "rpminfo_state")}
        objects = {o.get("id"): o.findtext(lx + "name") for o in root.iter(lx + "rpminfo_object")}
        tests = {t.get("id"): (objects.get(t.find(lx + "object").get("object_ref")), states.get((t.find(lx + "state").get("state_ref") if t.find(lx + "state") is not None else None))) for t in root.iter(lx + "rpminfo_test")}
        for d in root.iter(ns + "definition"):
            cve = d.findtext(ns + "metadata/" + ns + "title")
            for c in d.iter(ns + "criterion"):
                name, evr = tests.get(c.get("test_ref"), (None, None))
                if name and evr is not None and evr.get("operation") == "less than":
                    rpm("SUSE", namespace, distro, name, evr.text, cve, path + " " + d.get("id"))


def photon():
    for release in ("4.0", "5.0"):
        path = f"photon/sample/vuls-data-update/cve/happy/cve_data_photon{release}.json"
        for r in json.load(open(F + path)):
            if r["status"] == "Fixed" and r["aff_ver"] == f"all versions before {r['res_ver']} are vulnerable" and re.match(r"CVE-\d", r["cve_id"]):
                rpm("Photon", "photon", "photon-" + release, r["pkg"], r["res_ver"], r["cve_id"], path + " " + r["cve_id"])


def rocky():
    path = "rocky/sample/vuls-data-update/osv/all.zip"
    z = zipfile.ZipFile(F + path)
    for n in z.namelist():
        d = json.loads(z.read(n))
        d = d if isinstance(d, list) else [d]
        for r in d:
            for a in r.get("affected", []):
                for x in a.get("ranges", []):
                    for e in x["events"]:
                        if "fixed" in e:
                            for cve in set(r.get("upstream", []) + r.get("related", []) + r.get("aliases", [])):
                                if cve.startswith("CVE-"):
                                    rpm("Rocky", "rocky", "rocky-" + a["package"]["ecosystem"].split(":")[1], a["package"]["name"], e["fixed"], cve, path + " " + r["id"])


def fedora():
    for path in sorted(glob.glob(F + "fedora/sample/vunnel/input/*.json")):
        d = json.load(open(path))
        if d["type"] != "security" or d["release"]["id_prefix"] != "FEDORA":
            continue
        cves = set(re.findall(r"CVE-\d{4}-\d{4,}", " ".join(b["title"] for b in d["bugs"])))
        for b in d["builds"]:
            name, version, release = b["nvr"].rsplit("-", 2)
            for cve in sorted(cves):
                rpm("Fedora", "fedora", "fedora-" + d["release"]["version"], name, f"{b.get('epoch') or 0}:{version}-{release}", cve, path.removeprefix(F) + " " + d["alias"], upstream=name)


def openeuler():
    for path in sorted(glob.glob(F + "openeuler/sample/vuls-data-update/csaf/happy/cve/*/*.json")):
        try:
            d = json.load(open(path))
        except json.JSONDecodeError:
            continue  # one of the samples is broken
        for v in d["vulnerabilities"]:
            for p in v["product_status"].get("fixed", []):
                distro, _, nevra = p.partition(":")
                m = re.match(r"(.+)-([^-]+)-([^-]+)\.(x86_64|noarch)(\.rpm)?$", nevra)
                if m and distro.startswith("openEuler-"):
                    rpm("openEuler", "openeuler", distro.replace("openEuler", "openeuler"), m[1], f"0:{m[2]}-{m[3]}", v["cve"], path.removeprefix(F) + " " + v["cve"], m[4] if m[4] != "noarch" else None)


def bottlerocket():
    path = "bottlerocket/sample/vuls-data-update/root/happy/updateinfo.xml.gz"
    for u in ET.parse(gzip.open(F + path)).getroot().iter("update"):
        for ref in u.iter("reference"):
            if ref.get("type") == "cve":
                for p in u.iter("package"):
                    rpm("Bottlerocket", "bottlerocket", "bottlerocket", p.get("name"), f"{p.get('epoch') or 0}:{p.get('version')}-{p.get('release')}", ref.get("id"), path + " " + u.findtext("id"), p.get("arch"))


def arch():
    path = "arch/sample/vunnel/input/arch-advisories/all.json"
    for a in json.load(open(F + path)):
        for p in a["packages"]:
            for cve in a["issues"]:
                for version, affected in ((a["affected"], True), (a["fixed"], False)):
                    if version and (affected or a["status"] == "Fixed"):
                        emit("Arch", f"pkg:alpm/arch/{p}@{urllib.parse.quote(version, safe='')}?distro=arch", cve, affected, "the version that the publisher calls " + ("affected" if affected else "fixed"), path + " " + a["name"])


def gentoo():
    path = "gentoo/sample/vuls-data-update/root/glsa/data/glsa-202305-28.xml"
    r = ET.parse(F + path).getroot()
    p = r.find("affected/package")
    bound = p.findtext("unaffected")
    cves = sorted(set(re.findall(r"CVE-\d{4}-\d+", ET.tostring(r, encoding="unicode"))))
    for cve in cves[:3]:
        for version, affected in (("1.32", True), ("1.33_rc1", True), (bound, False), ("1.33-r1", False)):
            emit("Gentoo", f"pkg:ebuild/{p.get('name')}@{version}?distro=gentoo", cve, affected, f"unaffected from {bound} on; _rc is before, -r1 after it", path + " GLSA-202305-28")


def osv(ecosystem, kind, path, limit, order):
    z = zipfile.ZipFile(F + path)
    names = sorted(z.namelist())
    for n in names:
        d = json.loads(z.read(n))
        if d.get("withdrawn") or limit <= 0:
            continue
        for a in d["affected"][:1]:
            events = [e for r in a.get("ranges", []) if r["type"] != "GIT" for e in r["events"]]
            fixed = [e["fixed"] for e in events if "fixed" in e]
            if len(fixed) != 1 or sum("introduced" in e for e in events) != 1:
                continue
            start = next(e["introduced"] for e in events if "introduced" in e)
            name = urllib.parse.quote(a["package"]["name"])
            limit -= 1
            for version, affected, why in order(start, fixed[0], a.get("versions", [])):
                emit(ecosystem, f"pkg:{kind}/{name}@{urllib.parse.quote(version, safe='')}", d["id"], affected, why, path + " " + d["id"])


def semver(start, fixed, _):
    # SemVer: a pre-release is before its release, the next patch after it
    out = [(fixed, False, "the fixed version"), (fixed + "-alpha", True, "a pre-release of the fixed version")]
    if start != "0":
        out.append((start, True, "the first affected version"))
    return out


def listed(start, fixed, versions):
    return [(fixed, False, "the fixed version")] + [(v, True, "the publisher lists the version") for v in (versions[:1] + versions[-1:])]


for f in (amazon, oracle, suse, photon, rocky, fedora, openeuler, bottlerocket):
    f()
    flush(4)
arch()
gentoo()
osv("Kubernetes", "kubernetes", "osv/Kubernetes/all.zip", 6, semver)
osv("opam", "opam", "osv/opam/all.zip", 8, listed)
print("# ecosystem\tpackage URL\tvulnerability\taffected\twhy\tfeed and record")
print("# made by truth/labels.py from publishers' raw files")
seen = set()
for r in rows:
    if r[:4] not in seen:
        seen.add(r[:4])
        print("\t".join(r))
