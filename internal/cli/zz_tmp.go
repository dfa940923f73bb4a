package cli

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
	"github.com/tidewaiter/tidewaiter/internal/match"
)

func readVEX(name string) ([]advisory.Statement, error) {
	return nil, errors.New("VEX documents are not read yet")
}

func writeExplanationTemporarily(w io.Writer, e match.Explanation, asJSON bool) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(e)
}
