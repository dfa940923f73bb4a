package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// Limits of a file with keys and certificates.
const (
	maxBlocks = 20 // a file with more is a store of what others issued
	leastRSA  = 2048
	leastDH   = 2048
	soon      = 30 * 24 * time.Hour
)

// tlsKey is a private key, or a certificate authority's certificate, for
// [ImageAnalyzer] to see which belong together.
type tlsKey struct {
	Key     string `json:"key"` // digest of the public key
	Private bool   `json:"private,omitempty"`
	Subject string `json:"subject,omitempty"` // of a certificate
	Line    int    `json:"line"`
}

// readPEM looks at private keys, certificates and parameters in PEM. What
// cannot be parsed is left to others: much else is kept in this form.
func readPEM(f *file) error {
	if bytes.Count(f.text, []byte("-----BEGIN ")) > maxBlocks {
		return nil
	}
	rest := f.text
	// Of several groups the server takes the one that fits: the largest counts.
	largest, at := 0, 0
	for {
		block, after := pem.Decode(rest)
		if block == nil {
			if largest > 0 && largest < leastDH {
				f.report("TW-TLS-009", at, fmt.Sprintf("%d bits", largest))
			}
			return nil
		}
		// The block begins with the last of its marks before what follows it.
		begin := bytes.LastIndex(f.text[:len(f.text)-len(after)], []byte("-----BEGIN "))
		line := 1 + bytes.Count(f.text[:max(begin, 0)], []byte{'\n'})
		rest = after
		if bits := dhBits(block); bits > largest {
			largest, at = bits, line
		}
		f.pemBlock(block, line)
	}
}

// dhBits is the length of a group for key exchange, 0 where it is none.
func dhBits(block *pem.Block) int {
	if block.Type != "DH PARAMETERS" && block.Type != "X9.42 DH PARAMETERS" {
		return 0
	}
	var whole asn1.RawValue
	p := new(big.Int)
	if _, err := asn1.Unmarshal(block.Bytes, &whole); err != nil {
		return 0
	}
	if _, err := asn1.Unmarshal(whole.Bytes, &p); err != nil {
		return 0
	}
	return p.BitLen()
}

func (f *file) pemBlock(block *pem.Block, line int) {
	_, encrypted := block.Headers["DEK-Info"]
	switch block.Type {
	case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			f.certificate(c, line)
		}
	case "RSA PRIVATE KEY":
		if !encrypted {
			f.rsaKey(block.Bytes, line)
			f.openKey(line)
		}
	case "DSA PRIVATE KEY":
		f.report("TW-TLS-002", line, "DSA")
		if !encrypted {
			f.openKey(line)
		}
	case "EC PRIVATE KEY":
		if !encrypted {
			if k, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
				f.key(&k.PublicKey, line)
			}
			f.openKey(line)
		}
	case "PRIVATE KEY":
		f.pkcs8(block.Bytes, line)
		f.openKey(line)
	case "OPENSSH PRIVATE KEY":
		// The cipher follows the magic and a length of four bytes.
		if bytes.HasPrefix(block.Bytes, []byte("openssh-key-v1\x00\x00\x00\x00\x04none")) {
			f.openKey(line)
		}
	}
}

// openKey notes a key that everybody may read.
func (f *file) openKey(line int) {
	if f.mode&0o004 != 0 {
		f.report("TW-TLS-003", line, fmt.Sprintf("mode %04o", f.mode.Perm()))
	}
}

// rsaKey looks at a key in PKCS #1. Only its modulus is read: short keys are
// what the library may refuse.
func (f *file) rsaKey(der []byte, line int) {
	var k struct{ N, E *big.Int }
	var whole asn1.RawValue
	if _, err := asn1.Unmarshal(der, &whole); err != nil {
		return
	}
	var version int
	in := whole.Bytes
	for _, to := range [...]any{&version, &k.N, &k.E} {
		var err error
		if in, err = asn1.Unmarshal(in, to); err != nil {
			return
		}
	}
	if k.N == nil || k.N.Sign() <= 0 || k.E == nil || !k.E.IsInt64() {
		return
	}
	if n := k.N.BitLen(); n < leastRSA {
		f.report("TW-TLS-001", line, fmt.Sprintf("%d bits", n))
	}
	f.key(&rsa.PublicKey{N: k.N, E: int(k.E.Int64())}, line)
}

func (f *file) pkcs8(der []byte, line int) {
	var k struct {
		Version   int
		Algorithm struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		Key  []byte
		Rest asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(der, &k); err != nil {
		return
	}
	switch k.Algorithm.OID.String() {
	case "1.2.840.113549.1.1.1":
		f.rsaKey(k.Key, line)
	case "1.2.840.10040.4.1":
		f.report("TW-TLS-002", line, "DSA")
	default:
		switch key, _ := x509.ParsePKCS8PrivateKey(der); key := key.(type) {
		case *ecdsa.PrivateKey:
			f.key(&key.PublicKey, line)
		case ed25519.PrivateKey:
			f.key(key.Public(), line)
		}
	}
}

// key notes a private key by its public one.
func (f *file) key(public any, line int) {
	if id := publicID(public); id != "" {
		f.tls(tlsKey{Key: id, Private: true, Line: line})
	}
}

func (f *file) tls(k tlsKey) {
	if data, err := json.Marshal(k); err == nil {
		f.out.Facts = append(f.out.Facts, inventory.Fact{Kind: tlsKind, Path: f.path, Data: data})
	}
}

// publicID is the digest of a public key, "" for one of an unknown kind.
func publicID(public any) string {
	var raw []byte
	switch k := public.(type) {
	case *rsa.PublicKey:
		raw = k.N.Bytes()
	case *ecdsa.PublicKey:
		b, err := k.Bytes()
		if err != nil {
			return ""
		}
		raw = b
	case ed25519.PublicKey:
		raw = k
	default:
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}

// certificate looks at a certificate. Of those of authorities only the key is
// noted: they are trusted by being there, and their own signature says nothing.
func (f *file) certificate(c *x509.Certificate, line int) {
	name := c.Subject.String()
	if c.IsCA && c.BasicConstraintsValid {
		if id := publicID(c.PublicKey); id != "" {
			f.tls(tlsKey{Key: id, Subject: name, Line: line})
		}
		return
	}
	f.during("TW-TLS-004", line, name+", on "+c.NotAfter.UTC().Format(time.DateOnly), c.NotAfter.UTC(), time.Time{})
	f.during("TW-TLS-005", line, name+", on "+c.NotAfter.UTC().Format(time.DateOnly), c.NotAfter.Add(-soon).UTC(), c.NotAfter.UTC())
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		f.report("TW-TLS-006", line, name+", "+c.SignatureAlgorithm.String())
	}
	if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < leastRSA {
		f.report("TW-TLS-007", line, fmt.Sprintf("%s, %d bits", name, k.N.BitLen()))
	}
}
