package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// Limits of private keys.
const (
	maxKey = 256 << 10 // bytes of the armour
	minKey = 40        // base64 characters
)

// findPEM finds a private key in textual armour (RFC 7468, RFC 1421, RFC 4716,
// RFC 9580 section 6.2) whose first line holds the keyword at at: PKCS#1,
// PKCS#8, SEC 1, DSA, OpenSSH, SSH2, OpenPGP, cosign. Its lines may be
// separated by escapes, as within JSON or source code.
func findPEM(sc *scanner, r *rule, at, n int) {
	from := bytes.LastIndex(sc.text[max(0, at-48):at], []byte("-- BEGIN "))
	if from < 0 {
		from = bytes.LastIndex(sc.text[max(0, at-48):at], []byte("--BEGIN "))
	}
	if from < 0 {
		return
	}
	start := max(0, at-48) + from
	label := strings.Trim(string(sc.text[start+2:at+n]), "- ")
	for start > 0 && sc.text[start-1] == '-' && at-start < 60 {
		start--
	}
	label = strings.TrimSpace(strings.TrimPrefix(label, "BEGIN"))
	if label != strings.ToUpper(label) {
		return
	}
	a := readArmour(sc.text[at+n : min(at+n+maxKey, len(sc.text))])
	if !sc.spend(a.length) || len(a.body) < minKey {
		return
	}
	c := candidate{rule: r, start: start, end: at + n + a.length, value: a.body}
	c.verdict = judgeKey(label, a, r.Confidence)
	if c.confidence > 0 && !sc.set.isPublished(a.body) {
		sc.add(c)
	}
}

// armour is what stands between the BEGIN and the END line.
type armour struct {
	body      []byte // base64 without blanks
	encrypted bool   // a header says so
	length    int    // up to the END line
}

// readArmour collects base64 and leaves out what holds lines together: line
// ends, their escapes, quotes, string operators, and headers.
func readArmour(text []byte) armour {
	var a armour
	i := 0
	for i < len(text) {
		c := text[i]
		switch {
		case 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '/' || c == '=':
			if name := headerName(text[i:]); name != "" {
				line := text[i:]
				if end := lineEnd(line); end >= 0 {
					line = line[:end]
				}
				if (name == "Proc-Type" || name == "DEK-Info" || name == "Comment") && bytes.Contains(line, []byte("ENCRYPTED")) || name == "DEK-Info" {
					a.encrypted = true
				}
				i += len(line)
				continue
			}
			a.body = append(a.body, c)
		case c == '+':
			// between strings it is an operator, and stands alone
			if !apart(text, i-1) || !apart(text, i+1) {
				a.body = append(a.body, c)
			}
		case c == '\\' && i+1 < len(text) && (text[i+1] == 'n' || text[i+1] == 'r' || text[i+1] == 't' || text[i+1] == '\\'):
			i++
			if text[i] == '\\' && i+1 < len(text) && (text[i+1] == 'n' || text[i+1] == 'r') {
				i++
			}
		case c <= ' ', c == '"', c == '\'', c == ',', c == '\\', c == '|', c == '>', c == '#', c == '*', c == ';':
		default: // "-----END", or no armour at all
			a.length = i
			return a
		}
		i++
	}
	a.length = i
	return a
}

// apart reports whether text[i] is a blank, a quote or nothing.
func apart(text []byte, i int) bool {
	return i < 0 || i >= len(text) || text[i] <= ' ' || text[i] == '"' || text[i] == '\''
}

// headerName returns the name of the header that text begins with, or "".
func headerName(text []byte) string {
	for i, c := range text {
		switch {
		case c == ':':
			if i > 2 && i+1 < len(text) && text[i+1] == ' ' {
				return string(text[:i])
			}
			return ""
		case !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-') || i > 20:
			return ""
		}
	}
	return ""
}

// lineEnd is the end of a line or of what an escape makes one.
func lineEnd(text []byte) int {
	for i, c := range text {
		if c == '\n' || c == '\r' || c == '\\' && i+1 < len(text) && (text[i+1] == 'n' || text[i+1] == 'r') || c == '"' {
			return i
		}
	}
	return -1
}

// judgeKey looks at the first bytes of a key.
func judgeKey(label string, a armour, sure float64) verdict {
	v := verdict{confidence: sure, encrypted: a.encrypted || strings.Contains(label, "ENCRYPTED"), title: "Private key (" + strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(label, " BLOCK"), "PRIVATE KEY")) + ")"}
	switch {
	case strings.HasPrefix(label, "RSA"), strings.HasPrefix(label, "DSA"), strings.HasPrefix(label, "EC "):
		v.title = label[:strings.IndexByte(label, ' ')] + " private key"
	case label == "PRIVATE KEY":
		v.title = "Private key (PKCS #8)"
	case label == "ENCRYPTED PRIVATE KEY":
		v.title = "Encrypted private key (PKCS #8)"
	case strings.HasPrefix(label, "OPENSSH"):
		v.title = "OpenSSH private key"
	case strings.HasPrefix(label, "PGP"):
		v.title = "OpenPGP private key"
	case label == "ENCRYPTED COSIGN PRIVATE KEY", label == "ENCRYPTED SIGSTORE PRIVATE KEY":
		v.title = "Sigstore signing key"
	}
	head := make([]byte, 0, 4096)
	body := a.body
	if i := bytes.IndexByte(body, '='); i >= 0 {
		body = body[:i]
	}
	body = body[:min(len(body), 4096)/4*4]
	head, err := base64.StdEncoding.AppendDecode(head, body)
	if err != nil || len(head) < 24 {
		v.confidence = 0
		return v
	}
	plausible := true
	switch {
	case strings.HasPrefix(label, "OPENSSH"):
		const magic = "openssh-key-v1\x00"
		if plausible = bytes.HasPrefix(head, []byte(magic)); plausible && len(head) > len(magic)+4 {
			rest := head[len(magic):]
			n := int(binary.BigEndian.Uint32(rest))
			v.encrypted = n < 64 && len(rest) >= 4+n && string(rest[4:4+n]) != "none"
		}
	case strings.HasPrefix(label, "PGP"):
		plausible, v.encrypted = judgePGP(head)
	case strings.HasPrefix(label, "SSH2"):
		plausible = bytes.HasPrefix(head, []byte{0x3f, 0x6f, 0xf9, 0xeb})
	case strings.Contains(label, "COSIGN"), strings.Contains(label, "SIGSTORE"):
		plausible = head[0] == '{'
	case !a.encrypted:
		plausible = head[0] == 0x30 // a DER sequence
	}
	v.verified = plausible && (!a.encrypted || head[0] != 0x30)
	if !plausible {
		v.confidence = min(v.confidence, 0.3)
	} else if entropy(a.body) < 4.5 && len(a.body) > 200 {
		v.confidence = min(v.confidence, 0.3) // written to look like a key
	}
	if v.encrypted {
		v.confidence *= 0.8
	}
	return v
}

// judgePGP reads the first packet of an OpenPGP secret key (RFC 9580 section
// 5.5.3): whether it is one, and whether a passphrase protects it.
func judgePGP(b []byte) (plausible, encrypted bool) {
	tag, n := 0, 0
	switch {
	case b[0]&0xc0 == 0xc0: // new format
		tag, n = int(b[0]&0x3f), 2
		if b[1] >= 192 && b[1] < 224 {
			n = 3
		} else if b[1] == 255 {
			n = 6
		}
	case b[0]&0x80 != 0:
		tag = int(b[0] >> 2 & 0xf)
		n = 1 + []int{1, 2, 4, 0}[b[0]&3]
	}
	if tag != 5 && tag != 7 || len(b) < n+7 || b[n] != 4 && b[n] != 6 {
		return false, false
	}
	if b[n] == 6 {
		return true, len(b) > n+10 && len(b) > n+10+int(binary.BigEndian.Uint32(b[n+6:])&0xffff) && b[n+10+int(binary.BigEndian.Uint32(b[n+6:])&0xffff)] != 0
	}
	algorithm := b[n+5]
	rest := b[n+6:]
	mpi := func() bool {
		if len(rest) < 2 {
			return false
		}
		size := (int(binary.BigEndian.Uint16(rest)) + 7) / 8
		if len(rest) < 2+size {
			return false
		}
		rest = rest[2+size:]
		return true
	}
	numbers := map[byte]int{1: 2, 2: 2, 3: 2, 16: 3, 17: 4, 18: 1, 19: 1, 22: 1}[algorithm]
	if algorithm == 18 || algorithm == 19 || algorithm == 22 { // the curve
		if len(rest) < 1 || len(rest) < 1+int(rest[0]) {
			return true, false
		}
		rest = rest[1+int(rest[0]):]
	}
	for range numbers {
		if !mpi() {
			return true, false
		}
	}
	if algorithm == 18 { // parameters of the key derivation
		if len(rest) < 1 || len(rest) < 1+int(rest[0]) {
			return true, false
		}
		rest = rest[1+int(rest[0]):]
	}
	return true, len(rest) > 0 && rest[0] != 0
}

// findPuTTY finds a private key of PuTTY, whose first line the keyword begins.
func findPuTTY(sc *scanner, r *rule, at, _ int) {
	text := sc.text[at:min(at+maxKey, len(sc.text))]
	if !sc.spend(min(len(text), 8192)) {
		return
	}
	i := bytes.Index(text, []byte("Private-Lines:"))
	if i < 0 || i > 8192 {
		return
	}
	end := i
	var value []byte
	for lines, rest := 0, text[i:]; lines < 400; lines++ {
		line, more, found := bytes.Cut(rest, []byte("\n"))
		if lines > 0 && (bytes.HasPrefix(line, []byte("Private-")) || len(bytes.TrimSpace(line)) == 0) {
			break
		}
		if lines > 0 {
			value = append(value, bytes.TrimSpace(line)...)
		}
		end += len(line) + 1
		if rest = more; !found {
			break
		}
	}
	if _, err := base64.StdEncoding.DecodeString(string(value)); err != nil || len(value) < minKey {
		return
	}
	header := text[:i]
	c := candidate{rule: r, start: at, end: at + min(end, len(text)), value: value, verdict: verdict{confidence: r.Confidence, verified: true}}
	if j := bytes.Index(header, []byte("Encryption: ")); j >= 0 && !bytes.HasPrefix(header[j+12:], []byte("none")) {
		c.encrypted = true
		c.confidence *= 0.8
	}
	sc.add(c)
}
