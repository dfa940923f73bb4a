"""One file for plugins of Tidewaiter written in Python: copy it beside yours.

It speaks the protocol tidewaiter.plugin/1 (docs/plugins.md) and needs Python
3.6 and nothing else. What a plugin prints goes to standard error: standard
output belongs to the protocol.

    import tidewaiter
    plugin = tidewaiter.Plugin("acme", "1", "What it is for")

    @plugin.analyzer(wants=[{"paths": ["opt/acme/*.json"]}], facts=["acme"])
    def analyze(request):
        for f in request.files:
            request.package("pkg:generic/acme@1", f["path"], licenses=["MIT"])

    plugin.main()
"""
import json
import os
import sys

PROTOCOL = "tidewaiter.plugin/1"


class Image:
    """The folder of an image."""

    def __init__(self, folder):
        self.folder = folder
        self._info = None
        self._lists = {}

    @property
    def info(self):
        """What the image is: reference, digest, distro, config, layers, now."""
        if self._info is None:
            with open(os.path.join(self.folder, "image.json"), encoding="utf-8") as f:
                self._info = json.load(f)
        return self._info

    def _list(self, name):
        if name not in self._lists:
            with open(os.path.join(self.folder, name + ".jsonl"), encoding="utf-8") as f:
                self._lists[name] = [json.loads(line) for line in f]
        return self._lists[name]

    def packages(self):
        return self._list("packages")

    def findings(self):
        return self._list("findings")

    def files(self):
        return self._list("files")

    def facts(self, kind=None):
        return [f for f in self._list("facts") if kind is None or f["kind"] == kind]

    @property
    def verdict(self):
        """The verdict, None where there is none."""
        try:
            with open(os.path.join(self.folder, "verdict.json"), encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return None

    @property
    def base(self):
        """The image this one was built on, None where it is not known."""
        folder = os.path.join(self.folder, "base")
        return Image(folder) if os.path.isdir(folder) else None


class Request:
    """One request, and the answer as it grows."""

    def __init__(self, plugin, raw):
        self._plugin = plugin
        self.raw = raw
        self.id = raw["id"]
        self.settings = raw.get("settings", {})
        self.parameters = raw.get("parameters", {})
        self.files = raw.get("files", [])
        self.folder = raw.get("folder", "")
        self.state = raw.get("state", "")
        self.trigger = raw.get("trigger", "")
        self.image = plugin._image(raw["image"]) if "image" in raw else None
        self.images = [plugin._image(f) for f in raw.get("images", [])]
        self._answer = {"id": self.id}

    def path(self, path):
        """Where a file of the request lies."""
        return os.path.join(self.folder, "files", path)

    def read(self, path):
        with open(self.path(path), "rb") as f:
            return f.read()

    def text(self, path):
        return self.read(path).decode("utf-8", "replace")

    def _add(self, name, item):
        self._answer.setdefault(name, []).append(item)

    def package(self, purl, path="", **more):
        """A package; more: licenses, supplier, declared, depends, owns …"""
        self._add("packages", dict(more, purl=purl, path=path))

    def fact(self, kind, path, data):
        self._add("facts", {"kind": kind, "path": path, "data": data})

    def problem(self, path, message):
        self._add("problems", {"path": path, "message": message})

    def hit(self, message, **more):
        """A hit; more: id, remedy, package, version, path, line, finding, detail."""
        self._add("hits", dict(more, message=message))

    def unknown(self, message):
        """The record cannot answer what the trigger asks."""
        self._add("hits", {"message": message, "unknown": True})

    def advisory(self, osv):
        """An advisory in OSV; it is sent at once."""
        self._plugin._send({"id": self.id, "more": True, "advisories": [osv]})

    def remember(self, state):
        """What the next fetch is told; the advisories sent are all there are."""
        self._answer["state"] = state

    def changes(self, state="", removed=None):
        """The advisories are changes since the last state, not all there are."""
        self._answer.update(whole=False, state=state, removed=removed or [])

    def unchanged(self, state=""):
        self._answer.update(whole=False, unchanged=True, state=state)

    def columns(self, *names):
        self._answer["columns"] = list(names)

    def row(self, *cells):
        self._add("rows", ["" if c is None else str(c) for c in cells])

    def warn(self, text):
        self._add("warnings", text)


class Plugin:
    def __init__(self, name, version, help, parameters=None):
        self._description = {"protocol": PROTOCOL, "name": name, "version": version, "help": help, "kinds": []}
        if parameters:
            self._description["parameters"] = parameters
        self._handlers = {}
        self._images = {}

    def _part(self, kind, part):
        self._description["kinds"].append(kind)
        self._description[kind] = {k: v for k, v in part.items() if v}

    def analyzer(self, wants, facts=None, layer=False):
        self._part("analyzer", {"wants": wants, "facts": facts, "layer": layer})
        return lambda f: self._handlers.setdefault("analyze", f)

    def trigger(self, name, help, parameters=None, needs=None, gate=None):
        """A trigger of the plugin's gate; what one needs, all get."""
        if "gate" not in self._description:
            self._part("gate", {"triggers": [0]})
            self._description["gate"] = {"triggers": [], "needs": []}
        part = self._description["gate"]
        part["triggers"].append({"name": name, "help": help, "parameters": parameters or []})
        part["needs"] += [n for n in needs or [] if n not in part["needs"]]
        if gate:
            part["name"] = gate
        return lambda f: self._handlers.setdefault("trigger " + name, f)

    def source(self, ecosystems=None, url="", name="", publisher="", licence="", fresh=""):
        self._part("source", {"ecosystems": ecosystems, "url": url, "name": name, "publisher": publisher, "licence": licence, "fresh": fresh})
        return lambda f: self._handlers.setdefault("fetch", f)

    def query(self, images="one", parameters=None, needs=None, name=""):
        self._part("query", {"images": images, "parameters": parameters, "needs": needs, "name": name})
        return lambda f: self._handlers.setdefault("query", f)

    def _image(self, folder):
        if folder not in self._images:
            if len(self._images) > 4:
                self._images.clear()
            self._images[folder] = Image(folder)
        return self._images[folder]

    def _send(self, answer):
        self._out.write(json.dumps(answer) + "\n")
        self._out.flush()

    def main(self):
        self._out, sys.stdout = sys.stdout, sys.stderr
        if sys.argv[1:] == ["describe"]:
            self._send(self._description)
            return
        if sys.argv[1:] != ["serve"]:
            sys.exit("This is a plugin of Tidewaiter: it is called with describe or serve.\nTry: tidewaiter plugin info " + sys.argv[0])
        for line in sys.stdin:
            request = Request(self, json.loads(line))
            method = request.raw["method"]
            handler = self._handlers.get("trigger " + request.trigger if method == "evaluate" else method)
            if method == "fetch":
                request._answer["whole"] = True
            try:
                if handler is None:
                    raise ValueError("this plugin knows no method %s %s" % (method, request.trigger))
                handler(request)
                answer = request._answer
            except Exception as e:  # the request failed; the next may not
                import traceback
                traceback.print_exc()
                answer = {"id": request.id, "error": "%s: %s" % (type(e).__name__, e)}
            self._send(answer)
