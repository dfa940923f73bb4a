package image

import (
	"encoding/binary"
	"errors"
)

// The few messages that containerd's API needs, in protocol buffers' wire
// format: a message is a row of fields, each a number, a type and a value.

var errProto = errors.New("malformed answer of containerd")

// protoField is one field; text is set for type 2, number for type 0.
type protoField struct {
	num    uint64
	text   []byte
	number uint64
}

// protoFields splits a message. Fixed-size fields, which these messages do
// not have, are passed over.
func protoFields(b []byte) ([]protoField, error) {
	var fields []protoField
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errProto
		}
		b = b[n:]
		f := protoField{num: tag >> 3}
		switch tag & 7 {
		case 0:
			if f.number, n = binary.Uvarint(b); n <= 0 {
				return nil, errProto
			}
			b = b[n:]
		case 1, 5:
			size := 8
			if tag&7 == 5 {
				size = 4
			}
			if len(b) < size {
				return nil, errProto
			}
			b = b[size:]
			continue
		case 2:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return nil, errProto
			}
			f.text, b = b[n:n+int(size)], b[n+int(size):]
		default:
			return nil, errProto
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func protoText(b []byte, num uint64, s string) []byte {
	b = binary.AppendUvarint(b, num<<3|2)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func protoNumber(b []byte, num, v uint64) []byte {
	b = binary.AppendUvarint(b, num<<3)
	return binary.AppendUvarint(b, v)
}
