package report

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Files is the format of the file table: one JSON object a line, in the order
// of the paths, so that an image of any size streams.
const Files = "files"

type fileLine struct {
	Path   string `json:"path"`
	Type   string `json:"type"`
	Mode   string `json:"mode"` // octal, with setuid, setgid and sticky
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
	Size   int64  `json:"size"`
	MTime  string `json:"mtime"`
	Link   string `json:"link,omitempty"`   // of a symbolic link; of a hard link the first name
	Device string `json:"device,omitempty"` // major:minor
	Kind   string `json:"kind,omitempty"`   // what the first bytes say
	SHA256 string `json:"sha256,omitempty"`
	Caps   string `json:"capabilities,omitempty"` // security.capability, hexadecimal
	// CapText has them as getcap writes them, CapProblem why they could not be decoded.
	CapText    string `json:"capability_text,omitempty"`
	CapProblem string `json:"capability_problem,omitempty"`
	Layer      int    `json:"layer"`
}

// writeFiles writes every visible entry of the image. Paths that are not
// valid UTF-8 have U+FFFD in place of what is not.
func writeFiles(w io.Writer, img *inventory.Image) error {
	b := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for f := range img.Files.All() {
		l := fileLine{
			Path: f.Path, Type: f.Type.String(), Mode: "0" + strconv.FormatUint(uint64(f.Perm), 8), UID: f.UID, GID: f.GID, Size: f.Size,
			MTime: time.Unix(f.MTime, 0).UTC().Format(time.RFC3339), Link: f.Link, Kind: f.Kind.String(), Layer: f.Layer,
			Caps: hex.EncodeToString([]byte(f.Caps)),
		}
		if f.Caps != "" {
			if caps, err := inventory.ParseCapabilities(f.Caps); err != nil {
				l.CapProblem = err.Error()
			} else {
				l.CapText = caps.String()
			}
		}
		switch f.Type {
		case inventory.Regular:
			l.SHA256 = hex.EncodeToString(f.SHA256[:])
		case inventory.CharDevice, inventory.BlockDevice:
			l.Device = strconv.FormatUint(uint64(f.Major), 10) + ":" + strconv.FormatUint(uint64(f.Minor), 10)
		}
		if err := enc.Encode(&l); err != nil {
			return err
		}
	}
	return b.Flush()
}
