//go:build !linux

package analyze

import (
	"errors"
	"os"
)

func namelessTemp(string) (*os.File, error) { return nil, errors.ErrUnsupported }
