package feed

import (
	"io"

	"github.com/tidewaiter/tidewaiter/internal/jsontext"
)

// JSONReader goes through a JSON text of any size; see [jsontext.Reader].
type JSONReader = jsontext.Reader

// NewJSONReader reads r; most is the size of the largest single value that is
// taken whole, in bytes.
func NewJSONReader(r io.Reader, most int) *JSONReader { return jsontext.New(r, most) }

// IsJSONError reports whether an error concerns one value only.
func IsJSONError(err error) bool { return jsontext.IsValueError(err) }
