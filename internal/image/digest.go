package image

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

const defaultAlgorithm = "sha256"

// checkDigest tells whether s is a digest of the OCI image specification
// (descriptor.md, "Digests") in an algorithm that can be verified here. What
// passes is safe to be part of a path.
func checkDigest(s string) error {
	alg, hexa, _ := strings.Cut(s, ":")
	h := newHash(alg)
	if h == nil {
		return fmt.Errorf("%q is not a digest: want sha256:…, sha384:… or sha512:…", shorten(s))
	}
	if len(hexa) != 2*h.Size() || strings.Trim(hexa, "0123456789abcdef") != "" {
		return fmt.Errorf("%q is not a digest: want %s: and %d lower-case hexadecimal digits", shorten(s), alg, 2*h.Size())
	}
	return nil
}

func algorithm(digest string) string {
	alg, _, ok := strings.Cut(digest, ":")
	if !ok {
		return defaultAlgorithm
	}
	return alg
}

// newHash is nil for unknown algorithms.
func newHash(alg string) hash.Hash {
	switch alg {
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return nil
}

func formatDigest(alg string, h hash.Hash) string {
	return alg + ":" + hex.EncodeToString(h.Sum(nil))
}

// digestOf digests b with the algorithm of like, or sha256 when like is empty.
func digestOf(b []byte, like string) string {
	alg := algorithm(like)
	h := newHash(alg)
	h.Write(b)
	return formatDigest(alg, h)
}

// verify compares b with what a descriptor promises; a size of 0 or less is no promise.
func verify(what string, b []byte, digest string, size int64) error {
	if size > 0 && int64(len(b)) != size {
		return &SizeError{What: what, Want: size, Got: int64(len(b))}
	}
	if got := digestOf(b, digest); got != digest {
		return &DigestError{What: what, Want: digest, Got: got}
	}
	return nil
}

// shorten keeps hostile text out of error messages, beyond a glimpse.
func shorten(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
