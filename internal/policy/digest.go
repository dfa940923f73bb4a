package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

// DigestInventory is the SHA-256 of an inventory's JSON followed by that of
// its file table.
func DigestInventory(img *inventory.Image) (string, error) {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(img); err != nil {
		return "", err
	}
	files, err := img.Files.MarshalBinary()
	if err != nil {
		return "", err
	}
	h.Write(files)
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// DigestFindings is the SHA-256 of the JSON of what matching found: findings,
// packages and advisories that could not be judged, and the state of the data.
func DigestFindings(scan *match.Scan) (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, v := range []any{scan.Findings, scan.States, scan.Problems, scan.Distro, scan.Feeds} {
		if err := enc.Encode(v); err != nil {
			return "", err
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// DigestContext is the SHA-256 of the JSON of what a subject holds besides
// inventory, findings, tag and instant: the Dockerfile, related images and
// sources, the state of data, what the owner noted.
func DigestContext(s *Subject) (string, error) {
	related := func(img *inventory.Image) (string, error) {
		if img == nil {
			return "", nil
		}
		return DigestInventory(img)
	}
	base, err := related(s.Base)
	if err != nil {
		return "", err
	}
	previous, err := related(s.Previous)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = json.NewEncoder(h).Encode(struct {
		Collected      map[string]bool
		Dockerfile     Dockerfile
		Base, Previous string
		Untold         map[string]string
		Ancestors      []Ancestor
		Sources        []Source
		Streams        map[string]StreamData
		Detected       map[FindingKey]time.Time
		PackageFeeds   map[string]*PackageFeed
		Cycles         map[int]Cycle
		Annotations    map[string]string
	}{s.Collected, s.Dockerfile, base, previous, s.Untold, s.Ancestors, s.Sources, s.Streams, s.Detected, s.PackageFeeds, s.Cycles, s.Annotations})
	if err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
