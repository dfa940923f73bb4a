package rpm

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
)

// NDB, rpm's own format (lib/backend/ndb/rpmpkg.c): pages of slots, each slot
// the place of one blob in blocks of 16 bytes; a blob has a head and a tail.
const (
	ndbMagic     = "RpmP"
	ndbSlotMagic = "Slot"
	ndbHeadMagic = "BlbS"
	ndbTailMagic = "BlbE"

	ndbPage     = 4096
	ndbBlock    = 16
	ndbSlot     = 16
	ndbHeader   = 32 // takes the place of two slots
	ndbBlobHead = 16
	ndbBlobTail = 12
)

func isNDB(head []byte) bool { return len(head) >= ndbHeader && string(head[:4]) == ndbMagic }

// ndbBlobs yields the blobs in the order of their slots. A blob that is
// broken is left out; the error names the first, after all others are read.
func ndbBlobs(r *reader, yield func([]byte) error) error {
	head, err := r.at(0, ndbHeader)
	if err != nil {
		return err
	}
	if v := binary.LittleEndian.Uint32(head[4:]); v != 0 {
		return fmt.Errorf("NDB: version %d", v)
	}
	slotBytes := int64(binary.LittleEndian.Uint32(head[12:])) * ndbPage
	var bad badEntries
	if slotBytes > r.size {
		_ = bad.add(fmt.Errorf("NDB: %d bytes of slots in a file of %d", slotBytes, r.size))
		slotBytes = r.size / ndbSlot * ndbSlot
	}
	var total int64
	slotPages := r.fork(ndbPage)
	for at := int64(0); at < slotBytes; at += ndbPage {
		slots, err := slotPages.at(at, min(ndbPage, slotBytes-at))
		if err != nil {
			return err
		}
		if at == 0 {
			slots = slots[min(ndbHeader, len(slots)):]
		}
		for ; len(slots) >= ndbSlot; slots = slots[ndbSlot:] {
			offset := int64(binary.LittleEndian.Uint32(slots[8:])) * ndbBlock
			if string(slots[:4]) != ndbSlotMagic {
				if err := bad.add(fmt.Errorf("NDB: slot without its mark in the page at %d", at)); err != nil {
					return err
				}
				continue
			}
			if offset == 0 {
				continue // free
			}
			length := int64(binary.LittleEndian.Uint32(slots[12:])) * ndbBlock
			if total += length; total > r.size {
				return fmt.Errorf("NDB: blobs hold more than the %d bytes of the file", r.size)
			}
			blob, err := ndbBlob(r, offset, length, binary.LittleEndian.Uint32(slots[4:]))
			if err != nil {
				if err := bad.add(err); err != nil {
					return err
				}
				continue
			}
			if err := yield(blob); err != nil {
				return err
			}
		}
	}
	return bad.err()
}

func ndbBlob(r *reader, offset, length int64, index uint32) ([]byte, error) {
	if length < ndbBlobHead+ndbBlobTail || length > maxBlob {
		return nil, fmt.Errorf("NDB: blob of %d bytes; the limit is %d", length, maxBlob)
	}
	b, err := r.at(offset, length)
	if err != nil {
		return nil, fmt.Errorf("NDB: %w", err)
	}
	tail := b[length-ndbBlobTail:]
	n := int64(binary.LittleEndian.Uint32(b[12:]))
	switch {
	case string(b[:4]) != ndbHeadMagic || string(tail[8:]) != ndbTailMagic:
		return nil, fmt.Errorf("NDB: blob at %d without its marks", offset)
	case binary.LittleEndian.Uint32(b[4:]) != index:
		return nil, fmt.Errorf("NDB: blob at %d is of another package", offset)
	case n > length-ndbBlobHead-ndbBlobTail || int64(binary.LittleEndian.Uint32(tail[4:])) != n:
		return nil, fmt.Errorf("NDB: blob at %d has a wrong length", offset)
	case adler32.Checksum(b[:length-ndbBlobTail]) != binary.LittleEndian.Uint32(tail):
		return nil, fmt.Errorf("NDB: blob at %d has a wrong checksum", offset)
	}
	return b[ndbBlobHead : ndbBlobHead+n], nil
}
