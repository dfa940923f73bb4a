#!/usr/bin/env python3
"""Which vulnerabilities do the packages of an image have, by the publisher's raw
files alone? Written without regard to this program: it reads the package
database out of the image's layers, and the publisher's file, and compares
versions with dpkg itself or, of apk, by the rules of apk-tools.

affected.py IMAGE.tar FEEDS [VERSION] prints a line "NAME<TAB>VERSION<TAB>ID" for
each. IMAGE.tar is an OCI layout or docker archive, FEEDS the folder of feeds.
With VERSION every package is taken to have that version.
"""
import functools, gzip, io, json, re, subprocess, sys, tarfile


def layers(image):
    t = tarfile.open(image)
    names = {m.name.removeprefix("./"): m for m in t}
    read = lambda n: t.extractfile(names[n]).read()
    blob = lambda d: read("blobs/" + d.replace(":", "/"))
    if "index.json" in names:
        m = json.loads(read("index.json"))
        while "manifests" in m:
            m = json.loads(blob(m["manifests"][0]["digest"]))
        paths = ["blobs/" + l["digest"].replace(":", "/") for l in m["layers"]]
    else:
        paths = json.loads(read("manifest.json"))[0]["Layers"]
    for p in paths:
        b = read(p)
        if b[:2] == b"\x1f\x8b":
            b = gzip.decompress(b)
        yield tarfile.open(fileobj=io.BytesIO(b))


def files(image):
    wanted = re.compile(r"(var/lib/dpkg/status|var/lib/dpkg/status\.d/[^/]+|(usr/)?lib/apk/db/installed|(etc|usr/lib)/os-release)$")
    out = {}
    for layer in layers(image):
        for m in layer:
            n = m.name.removeprefix("./").lstrip("/")
            folder, _, base = n.rpartition("/")
            if base == ".wh..wh..opq":
                out = {k: v for k, v in out.items() if not k.startswith(folder + "/")}
            elif base.startswith(".wh."):
                gone = (folder + "/" if folder else "") + base[4:]
                out = {k: v for k, v in out.items() if k != gone and not k.startswith(gone + "/")}
            elif m.isfile() and wanted.match(n):
                out[n] = layer.extractfile(m).read().decode("utf-8", "replace")
    return out


def paragraphs(text):
    for p in re.split(r"\n\s*\n", text):
        d = {}
        for line in p.split("\n"):
            k, sep, v = line.partition(":")
            if sep and line[:1] not in " \t":
                d.setdefault(k, v.strip())
        if d:
            yield d


def debian(fs):
    for n, text in fs.items():
        if "dpkg" not in n or n.endswith(".md5sums"):
            continue
        for d in paragraphs(text):
            if "Package" not in d or "Version" not in d:
                continue
            if "status.d" not in n and d.get("Status", "").split()[-1:] not in (["installed"], ["half-configured"], ["unpacked"], ["triggers-pending"], ["triggers-awaited"]):
                continue
            m = re.match(r"(\S+)(?: \((.*)\))?$", d.get("Source", d["Package"]))
            yield d["Package"], d["Version"], m[1], m[2] or d["Version"]


@functools.cache
def dpkg_less(a, b):
    return subprocess.run(["dpkg", "--compare-versions", a, "lt", b]).returncode == 0


def apk(fs):
    for n, text in fs.items():
        if n.endswith("apk/db/installed"):
            for d in paragraphs(text):
                yield d["P"], d["V"], d.get("o", d["P"]), d["V"]


SUFFIXES = ["alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"]


def apk_key(v):
    m = re.match(r"(\d+(?:\.\d+)*)([a-z]?)((?:_[a-z]+\d*)*)(?:-r(\d+))?$", v)
    if not m:
        raise ValueError(v)
    numbers = m[1].split(".")
    # after the first, numbers with a leading zero are compared as fractions
    parts = [(1, int(numbers[0]), "")] + [(0, 0, x.rstrip("0")) if x[0] == "0" and len(x) > 1 else (1, int(x), "") for x in numbers[1:]]
    suffixes = [(SUFFIXES.index(re.match(r"[a-z]+", s)[0]), int(re.search(r"\d*$", s)[0] or 0)) for s in m[3].split("_")[1:]]
    return parts, m[2], suffixes + [(SUFFIXES.index(""), 0)], int(m[4] or 0)


def apk_less(a, b):
    return apk_key(a) < apk_key(b)


MAINTENANCE = re.compile(r"regression|end.of.(life|support)|new (timezone database|upstream version|package)|bugfix update|database update|version number correction|crash fix", re.I)


def main(image, feeds, pretend=None):
    fs = files(image)
    release = dict(l.split("=", 1) for l in next(v for k, v in fs.items() if k.endswith("os-release")).split("\n") if "=" in l)
    release = {k: v.strip().strip('"') for k, v in release.items()}
    out = set()
    if release["ID"] == "debian":
        code = {"9": "stretch", "10": "buster", "11": "bullseye", "12": "bookworm"}[release["VERSION_ID"]]
        tracker = json.load(gzip.open(feeds + "/debian/security-tracker.json.gz"))
        bulletins = {}
        for which in ("DSA", "DLA"):
            cur = None
            for line in gzip.open(f"{feeds}/debian/tracker-lists/{which}-list.gz", "rt", errors="replace"):
                if line.startswith("["):
                    m = re.match(r"\[[^]]*\] (\S+) (.*)", line)
                    cur = [m[1], m[2], False]
                elif "{" in line and "CVE-" in line:
                    cur[2] = True
                elif (m := re.match(r"\s+\[" + code + r"\] - (\S+) ([^<\s]\S*)", line)) and not cur[2] and not MAINTENANCE.search(cur[1]):
                    bulletins.setdefault(m[1], []).append((cur[0], m[2]))
        for name, version, source, source_version in debian(fs):
            source_version = pretend or source_version
            for cve, record in tracker.get(source, {}).items():
                r = record["releases"].get(code)
                if r and (r["status"] == "open" or r["status"] == "resolved" and r["fixed_version"] != "0" and dpkg_less(source_version, r["fixed_version"])):
                    out.add((name, pretend or version, cve))
            for bulletin, fixed in bulletins.get(source, []):
                if dpkg_less(source_version, fixed):
                    out.add((name, pretend or version, bulletin))
    else:
        if release["ID"] == "alpine":
            v = ".".join(release["VERSION_ID"].split(".")[:2])
            databases = [f"{feeds}/alpine-secdb/v{v}/{r}.json" for r in ("main", "community")]
        else:
            databases = [f"{feeds}/{release['ID']}/security.json"]
        fixes = {}
        for d in databases:
            for p in json.load(open(d))["packages"]:
                for fixed, ids in p["pkg"]["secfixes"].items():
                    for i in ids:
                        fixes.setdefault(p["pkg"]["name"], []).append((i.split()[0].replace("CVE_", "CVE-"), fixed))
        for name, version, origin, _ in apk(fs):
            version = pretend or version
            for i, fixed in fixes.get(origin, []):
                if fixed != "0" and apk_less(version, fixed):
                    out.add((name, version, i))
    for line in sorted(out):
        print("\t".join(line))


main(*sys.argv[1:4])
