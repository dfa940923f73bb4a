package updateinfo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/feed"
)

// maxSmall bounds indexes and mirror lists, in bytes.
const maxSmall = 8 << 20

// network finds and downloads what a publisher has. Files are looked for first,
// and downloaded only if one of them has changed: advisories are put together
// out of all of them.
type network struct {
	ctx    context.Context
	client *feed.Client
	base   string
	known  map[string]string
	parts  map[string]string // file → digest or ETag
	wanted []wanted
	held   []*feed.Download
}

type wanted struct {
	url, name string
	digest    string
	download  *feed.Download // where it is there already
}

func (n *network) unchanged() bool {
	for _, tag := range n.parts {
		if tag == "" {
			return false // nothing tells
		}
	}
	return len(n.parts) > 0 && maps.Equal(n.parts, n.known)
}

func (n *network) close() {
	for _, d := range n.held {
		d.Close()
	}
	n.held = nil
}

// read downloads the files and takes them in.
func (n *network) read(c *collection) error {
	for _, w := range n.wanted {
		d := w.download
		if d == nil {
			var err error
			if d, err = n.client.Get(n.ctx, w.url, feed.Conditional{Digest: w.digest}); err != nil {
				return err
			}
		}
		err := n.one(c, w.name, d)
		d.Close()
		if err != nil {
			return fmt.Errorf("reading %s: %w", w.url, err)
		}
		if c.err != nil {
			return c.err
		}
	}
	return nil
}

func (n *network) one(c *collection, name string, d *feed.Download) error {
	r, err := d.Unpacked(feed.Limits{})
	if err != nil {
		return err
	}
	defer r.Close()
	return c.file(name, r)
}

// get downloads a small file; nil if there is none.
func (n *network) get(url string, html bool) (*feed.Download, error) {
	d, err := n.client.Get(n.ctx, url, feed.Conditional{MaxBytes: maxSmall, HTML: html})
	var status *feed.StatusError
	if errors.As(err, &status) && (status.Code == http.StatusNotFound || status.Code == http.StatusForbidden) {
		return nil, nil
	}
	return d, err
}

// repository wants the files of one repository. ok is false if it is not there.
func (n *network) repository(base string) (ok bool, err error) {
	base = strings.TrimSuffix(base, "/") + "/"
	d, err := n.get(base+"repodata/repomd.xml", false)
	if err != nil || d == nil {
		return false, err
	}
	defer d.Close()
	r, err := d.Unpacked(feed.Limits{Member: maxRepomd})
	if err != nil {
		return false, err
	}
	defer r.Close()
	meta, err := readRepomd(r)
	if err != nil {
		return false, fmt.Errorf("reading %srepodata/repomd.xml: %w", base, err)
	}
	for i, f := range []*repoFile{meta.Modules, meta.Updateinfo} {
		if f == nil {
			continue
		}
		name := []string{"modules.yaml", "updateinfo.xml"}[i]
		n.wanted = append(n.wanted, wanted{url: base + f.Href, name: name, digest: f.Digest})
		n.parts[base+f.Href] = f.Digest
	}
	return true, nil
}

// mirror wants the files of the first repository of a mirror list.
func (n *network) mirror(list, arch string) (ok bool, err error) {
	d, err := n.get(list, false)
	if err != nil || d == nil {
		return false, err
	}
	defer d.Close()
	lines := bufio.NewScanner(d)
	for lines.Scan() {
		if s := strings.TrimSpace(lines.Text()); strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
			return n.repository(strings.ReplaceAll(s, "$basearch", arch))
		}
	}
	return false, fmt.Errorf("%s names no mirror", list)
}

// direct takes the address as it is: a mirror list, a file, or a repository.
func (n *network) direct() error {
	name := unpackedName(strings.SplitN(n.base, "?", 2)[0])
	switch {
	case strings.HasSuffix(name, "mirror.list"):
		return found(n.base)(n.mirror(n.base, "x86_64"))
	case strings.HasSuffix(name, ".xml"):
		return n.file(n.base, "updateinfo.xml")
	case strings.HasSuffix(name, ".json"):
		return n.file(n.base, "errata.json")
	}
	return found(n.base)(n.repository(n.base))
}

func found(what string) func(bool, error) error {
	return func(ok bool, err error) error {
		if err == nil && !ok {
			err = fmt.Errorf("%s: there is no repository", what)
		}
		return err
	}
}

// file wants a file that no repomd.xml describes. It must be asked for to know
// whether it has changed.
func (n *network) file(url, name string) error {
	d, err := n.client.Get(n.ctx, url, feed.Conditional{ETag: n.known[url]})
	if err != nil {
		return err
	}
	w := wanted{url: url, name: name}
	if d.NotModified {
		d.Close()
	} else {
		n.held = append(n.held, d)
		w.download = d
	}
	n.wanted = append(n.wanted, w)
	n.parts[url] = d.ETag
	return nil
}

// amazon: Amazon Linux 1, 2, its extras, 2023 and its extra repositories. The
// lists of x86_64 name the packages of every architecture.
func (n *network) amazon() error {
	core := []string{
		"http://repo.us-west-2.amazonaws.com/2018.03/updates/x86_64/mirror.list", // it has no https
		n.base + "2/core/latest/x86_64/mirror.list",
		n.base + "al2023/core/mirrors/latest/x86_64/mirror.list",
	}
	for i, list := range core {
		ok, err := n.mirror(list, "x86_64")
		if err != nil {
			return err
		}
		if !ok && i > 0 {
			return fmt.Errorf("%s: there is no such list", list)
		}
	}
	for _, extra := range []string{"kernel-livepatch", "nvidia"} {
		if _, err := n.mirror(n.base+"al2023/"+extra+"/mirrors/latest/x86_64/mirror.list", "x86_64"); err != nil {
			return err
		}
	}
	d, err := n.get(n.base+"2/extras-catalog.json", false)
	if err != nil || d == nil {
		return err
	}
	defer d.Close()
	topics, err := readExtras(d)
	if err != nil {
		return fmt.Errorf("reading the catalogue of extras: %w", err)
	}
	for _, topic := range topics {
		if _, err := n.mirror(n.base+"2/extras/"+topic+"/latest/x86_64/mirror.list", "x86_64"); err != nil {
			return err
		}
	}
	return nil
}

// readExtras reads the names of the topics of Amazon Linux 2's extras.
func readExtras(r io.Reader) ([]string, error) {
	in := feed.NewJSONReader(r, feed.MaxRecord)
	var out []string
	known := false
	for key, err := range in.Object() {
		if err != nil {
			return nil, err
		}
		if key != "topics" {
			continue
		}
		known = true
		for _, err := range in.Array() {
			if err != nil {
				return nil, err
			}
			var t struct {
				Name string `json:"n"`
			}
			if err := in.Decode(&t); err != nil {
				return nil, err
			}
			if t.Name == "" || strings.ContainsAny(t.Name, "/?#%\\ ") {
				return nil, fmt.Errorf("%q is no name of a topic", shorten(t.Name))
			}
			if out = append(out, t.Name); len(out) > 1000 {
				return nil, &feed.LimitError{What: "the catalogue", Limit: "topics", Most: 1000}
			}
		}
	}
	if !known {
		return nil, errors.New("it has no topics")
	}
	return out, in.End()
}

// almalinux: the JSON of every release.
func (n *network) almalinux() error {
	for _, release := range []string{"8", "9", "10"} {
		if err := n.file(n.base+release+"/errata.full.json", "errata.full.json"); err != nil {
			return err
		}
	}
	return nil
}

// rocky: the repositories of every release and architecture, each with its own
// packages.
func (n *network) rocky() error {
	for _, release := range []string{"8", "9", "10"} {
		some := false
		for _, repo := range []string{"BaseOS", "AppStream", "CRB", "PowerTools", "extras", "HighAvailability", "ResilientStorage", "NFV", "RT", "SAP", "SAPHANA"} {
			for _, arch := range []string{"x86_64", "aarch64", "ppc64le", "s390x"} {
				ok, err := n.repository(n.base + release + "/" + repo + "/" + arch + "/os/")
				if err != nil {
					return err
				}
				some = some || ok
				if !ok && arch == "x86_64" {
					break // the release has no such repository
				}
			}
		}
		if !some {
			return fmt.Errorf("%s%s: there is no repository", n.base, release)
		}
	}
	return nil
}

// fedora: the updates of every release that the index lists.
func (n *network) fedora() error { return n.numbered() }

// epel: the same for EPEL.
func (n *network) epel() error { return n.numbered() }

func (n *network) numbered() error {
	d, err := n.client.Get(n.ctx, n.base, feed.Conditional{MaxBytes: maxSmall, HTML: true})
	if err != nil {
		return err
	}
	defer d.Close()
	page, err := io.ReadAll(d)
	if err != nil {
		return err
	}
	some := false
	for _, release := range numbersIn(string(page)) {
		for _, repo := range []string{"Everything/x86_64/", "Modular/x86_64/"} {
			ok, err := n.repository(n.base + release + "/" + repo)
			if err != nil {
				return err
			}
			some = some || ok
		}
	}
	if !some {
		return fmt.Errorf("%s lists no release", n.base)
	}
	return nil
}

// numbersIn finds the folders in an index page that are numbers.
func numbersIn(page string) []string {
	var out []string
	for len(out) < 1000 {
		_, after, ok := strings.Cut(page, `href="`)
		if !ok {
			break
		}
		link, rest, _ := strings.Cut(after, `"`)
		page = rest
		if name, ok := strings.CutSuffix(strings.TrimPrefix(link, "./"), "/"); ok && name != "" && digits(name) == name {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
