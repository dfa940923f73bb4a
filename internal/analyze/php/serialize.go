package php

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Limits of serialized data.
const (
	maxDepth    = 64      // nesting of arrays
	maxElements = 200_000 // elements in all
)

var errSerialized = errors.New("broken serialized data")

// unserialize reads what PHP's serialize() writes of scalars and arrays:
// strings, arrays (as map[string]any, integer keys in decimal), integers,
// floats, booleans and null (all as nil). Objects are an error.
func unserialize(data []byte) (any, error) {
	r := phpReader{data: data}
	return r.value(0)
}

type phpReader struct {
	data     []byte
	elements int
}

// until cuts the data at the next c.
func (r *phpReader) until(c byte) ([]byte, error) {
	i := bytes.IndexByte(r.data[:min(len(r.data), 64)], c)
	if i < 0 {
		return nil, errSerialized
	}
	s := r.data[:i]
	r.data = r.data[i+1:]
	return s, nil
}

// length reads "N:".
func (r *phpReader) length() (int, error) {
	s, err := r.until(':')
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(s))
	if err != nil || n < 0 || n > len(r.data) {
		return 0, errSerialized
	}
	return n, nil
}

func (r *phpReader) text() (string, error) {
	n, err := r.length()
	if err != nil {
		return "", err
	}
	// "…"; in quotes
	if len(r.data) < n+3 || r.data[0] != '"' || r.data[n+1] != '"' || r.data[n+2] != ';' {
		return "", errSerialized
	}
	s := string(r.data[1 : n+1])
	r.data = r.data[n+3:]
	return s, nil
}

func (r *phpReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than the limit of %d", maxDepth)
	}
	if r.elements++; r.elements > maxElements {
		return nil, fmt.Errorf("more than the limit of %d elements", maxElements)
	}
	if len(r.data) < 2 {
		return nil, errSerialized
	}
	kind := r.data[0]
	if kind == 'N' && r.data[1] == ';' {
		r.data = r.data[2:]
		return nil, nil
	}
	if r.data[1] != ':' {
		return nil, errSerialized
	}
	r.data = r.data[2:]
	switch kind {
	case 's':
		return r.text()
	case 'i', 'd', 'b':
		_, err := r.until(';')
		return nil, err
	case 'a':
		return r.array(depth)
	}
	return nil, fmt.Errorf("serialized data of kind %q", kind)
}

func (r *phpReader) array(depth int) (any, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	if len(r.data) == 0 || r.data[0] != '{' {
		return nil, errSerialized
	}
	r.data = r.data[1:]
	m := make(map[string]any, min(n, 64))
	for range n {
		if len(r.data) < 2 || r.data[1] != ':' {
			return nil, errSerialized
		}
		kind := r.data[0]
		r.data = r.data[2:]
		var key string
		switch kind {
		case 's':
			key, err = r.text()
		case 'i':
			var digits []byte
			digits, err = r.until(';')
			key = string(digits)
		default:
			err = errSerialized
		}
		if err != nil {
			return nil, err
		}
		if m[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	if len(r.data) == 0 || r.data[0] != '}' {
		return nil, errSerialized
	}
	r.data = r.data[1:]
	return m, nil
}
