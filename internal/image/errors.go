package image

import (
	"errors"
	"fmt"
)

var (
	// ErrSBOM says that the reference names an SBOM, which has no layers.
	ErrSBOM = errors.New("this is an SBOM, not an image")
	// ErrNotFound says that the source has no such image, or hides it.
	ErrNotFound = errors.New("no such image")
	// ErrDenied says that the source wants other credentials.
	ErrDenied = errors.New("access denied")
	// ErrHTML says that a web page came where the registry's answer should be.
	ErrHTML = errors.New("registry answered HTML")
)

// DigestError says that what was read is not what was promised.
type DigestError struct {
	What      string // such as "layer 3 blob" or "manifest"
	Want, Got string
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s: digest mismatch: expected %s, got %s", e.What, e.Want, e.Got)
}

// SizeError says that a blob is longer or shorter than promised.
type SizeError struct {
	What      string
	Want, Got int64 // Got is what was read or announced, at least
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s: size mismatch: expected %d bytes, got %d", e.What, e.Want, e.Got)
}

// LimitError says that an input exceeds a limit of [Limits].
type LimitError struct {
	What  string // what is too large
	Name  string // the field of Limits
	Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s exceeds the limit %s = %d", e.What, e.Name, e.Limit)
}
