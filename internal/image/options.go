package image

import (
	"os"
	"time"
)

// Options says how images are opened. The zero value reads public images and
// those for which this machine has credentials, over verified TLS.
type Options struct {
	// Platform, os/architecture[/variant], chooses from an image of several.
	// When empty: linux on this machine's architecture, or the only one there is.
	Platform string

	// Credentials of the registry. Without Username those of AuthFile are used;
	// without AuthFile those of the places where podman and docker keep theirs.
	Username, Password string
	AuthFile           string

	PlainHTTP             bool     // unencrypted HTTP may be used, with any host
	SkipTLSVerify         bool     // the registry's certificate is not checked
	CAFiles               []string // PEM files, trusted besides the system's authorities
	ClientCert, ClientKey string   // PEM files for mutual TLS

	Retries   int // how often a failed request is tried again; 0 means 4, negative never
	Timeouts  Timeouts
	UserAgent string

	// Sockets of the daemons; empty means the usual environment variables and places.
	DockerSocket, PodmanSocket, ContainerdSocket string
	ContainerdNamespace                          string // empty means CONTAINERD_NAMESPACE, else default, else k8s.io

	TempDir string // for what cannot be read in place; empty means the system's
	Limits  Limits

	// Fetched, when set, is told how many bytes of a layer's blob were just
	// read. It is called from several goroutines and must be quick.
	Fetched func(layer int, n int64)

	// anyAddress lets tests serve foreign layers from this machine.
	anyAddress bool
	// firstWait is how long to wait before the first retry; tests are in a hurry.
	firstWait time.Duration
}

// Timeouts bounds waiting. Zero fields have the values given.
type Timeouts struct {
	Connect    time.Duration // for a connection and again for its TLS handshake: 30 s
	Answer     time.Duration // for the first byte of an answer: 60 s
	Stall      time.Duration // without any byte in the middle of an answer: 60 s
	Manifest   time.Duration // for one manifest or configuration as a whole: 5 min
	RetryAfter time.Duration // longest wait that a registry may ask for: 60 s
}

// Limits bounds what hostile images can cost. Zero fields have the values given.
type Limits struct {
	ManifestBytes  int64 // of a manifest or index: 4 MiB
	ConfigBytes    int64 // of a configuration: 8 MiB
	Layers         int   // of an image: 1,000
	IndexDepth     int   // indexes within indexes: 4
	IndexManifests int   // manifests that an index lists, those of nested ones included: 10,000
	BlobBytes      int64 // of a layer's blob: 64 GiB
	LayerBytes     int64 // of a layer, uncompressed: 64 GiB
	Ratio          int64 // uncompressed to compressed, once a layer exceeds 64 MiB: 1,000
	ArchiveEntries int   // files in an archive: 100,000
	SpoolBytes     int64 // temporary file for daemons and compressed archives: 64 GiB
	DirDepth       int   // nested directories of a root filesystem: 1,000
}

// ratioStart is the size from which Limits.Ratio counts: small files of one
// repeated byte are no attack.
const ratioStart = 64 << 20

func (o Options) withDefaults() Options {
	if o.Retries == 0 {
		o.Retries = 4
	}
	o.Retries = max(o.Retries, 0)
	setDefault(&o.UserAgent, "tidewaiter")
	setDefault(&o.firstWait, 250*time.Millisecond)
	setDefault(&o.TempDir, os.TempDir())

	t := &o.Timeouts
	setDefault(&t.Connect, 30*time.Second)
	setDefault(&t.Answer, 60*time.Second)
	setDefault(&t.Stall, 60*time.Second)
	setDefault(&t.Manifest, 5*time.Minute)
	setDefault(&t.RetryAfter, 60*time.Second)

	l := &o.Limits
	setDefault(&l.ManifestBytes, 4<<20)
	setDefault(&l.ConfigBytes, 8<<20)
	setDefault(&l.Layers, 1000)
	setDefault(&l.IndexDepth, 4)
	setDefault(&l.IndexManifests, 10_000)
	setDefault(&l.BlobBytes, 64<<30)
	setDefault(&l.LayerBytes, 64<<30)
	setDefault(&l.Ratio, 1000)
	setDefault(&l.ArchiveEntries, 100_000)
	setDefault(&l.SpoolBytes, 64<<30)
	setDefault(&l.DirDepth, 1000)
	return o
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
