package cli

import (
	"errors"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

func readVEX(name string) ([]advisory.Statement, error) {
	return nil, errors.New("VEX documents are not read yet")
}
