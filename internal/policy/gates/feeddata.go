package gates

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/match"
	"github.com/tidewaiter/tidewaiter/internal/policy"
)

// namespace is the image's distribution as the vulnerability data names it.
func namespace(s *policy.Subject) string {
	d := s.Image.Distro
	if d == nil || d.ID == "" {
		return ""
	}
	id := strings.ToLower(d.ID)
	switch id {
	case "rhel", "redhat", "centos", "fedora", "rocky":
		id = "rhel"
	}
	return id + ":" + d.Version
}

// streamData finds what is known of the data of the image's distribution: by
// what the subject says, else by what matching saw.
func streamData(s *policy.Subject) (d policy.StreamData, ok bool) {
	names := []string{namespace(s)}
	if s.Scan != nil {
		names = append(names, s.Scan.Distro.Stream)
	}
	if dist := s.Image.Distro; dist != nil {
		names = append(names, dist.ID+":"+dist.Version, dist.ID)
	}
	for _, name := range names {
		// If the exact version has no data, that of its line counts.
		for name != "" {
			if d, ok := s.Streams[name]; ok {
				return d, true
			}
			i := strings.LastIndexByte(name, '.')
			if i < 0 || i < strings.IndexByte(name, ':') {
				break
			}
			name = name[:i]
		}
	}
	if s.Scan == nil {
		return d, false
	}
	if s.Image.Distro == nil {
		// Nobody speaks of no distribution: the data as a whole counts, as with
		// a database that is built in one piece.
		for i := range s.Scan.Feeds {
			f := &s.Scan.Feeds[i]
			switch f.Source {
			case "kev", "epss", "eol", "vex":
				continue // they name no packages
			}
			d.Records += f.Records
			if f.Records > 0 && f.Checked.After(d.Synced) {
				d.Synced = f.Checked
			}
		}
		return d, true
	}
	source := feedOf(s.Image.Distro.ID)
	for i := range s.Scan.Feeds {
		f := &s.Scan.Feeds[i]
		if f.Source != source {
			continue
		}
		d = policy.StreamData{Records: f.Records, Synced: f.Checked, Error: f.Error}
		if s.Scan.Distro.State == match.NoData || s.Scan.Distro.State == match.UnknownDistro {
			d.Records = 0
		}
		return d, true
	}
	switch s.Scan.Distro.State {
	case match.NoData, match.UnknownDistro:
		return d, true
	}
	return d, false
}

// feedOf is the feed that speaks of a distribution, where that has another name.
func feedOf(id string) string {
	switch id {
	case "rhel", "centos", "redhat":
		return "redhat"
	case "amzn":
		return "amazon"
	case "ol":
		return "oracle"
	case "sles", "opensuse-leap", "opensuse-tumbleweed", "sled":
		return "suse"
	}
	return id
}

func staleFeed(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	d, ok := streamData(s)
	if !ok {
		return unknown("it is not recorded when the data of the image's distribution was brought up to date"), nil
	}
	if d.Error != "" && d.Synced.IsZero() {
		return hit("Cannot perform data feed up-to-date check - message from server: " + d.Error), nil
	}
	days := p.Int("max_days_since_sync")
	if !d.Synced.IsZero() && !d.Synced.Before(s.Now.Add(-daysOf(days))) {
		return nil, nil
	}
	return []policy.Hit{{Message: fmt.Sprintf("The vulnerability feed for this image distro is older than MAXAGE (%d) days", days), Remedy: "Bring the vulnerability data up to date"}}, nil
}

func noFeed(_ context.Context, s *policy.Subject, _ policy.Params) ([]policy.Hit, error) {
	ns := namespace(s)
	d, ok := streamData(s)
	switch {
	case ns == "" && len(s.Image.Packages) == 0:
		return nil, nil // nothing there that data would be needed for
	case ns == "":
		ns = "unknown:"
	case !ok:
		return unknown("it is not recorded whether there is data of the image's distribution"), nil
	case d.Records > 0:
		return nil, nil
	}
	return hit(fmt.Sprintf("Distro-specific feed data not found for distro namespace: %s. Cannot perform CVE scan OS/distro packages", ns)), nil
}
