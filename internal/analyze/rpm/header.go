package rpm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A header is what rpm knows of a package: an index of entries, each with
// tag, type, place and count, and a store that they point into (rpm's
// documentation, "Header format"; a database keeps it without the leading
// magic). All numbers are big-endian.

const (
	maxEntries   = 0xffff // limit of rpm itself
	entrySize    = 16
	headerPrefix = 8
)

// Types of entries.
const (
	typeChar        = 1
	typeInt16       = 3
	typeInt32       = 4
	typeInt64       = 5
	typeString      = 6
	typeBin         = 7
	typeStringArray = 8
	typeI18NString  = 9
)

// tag is one of those that are read, as an index into header.entries.
type tag uint8

const (
	tagName tag = iota
	tagVersion
	tagRelease
	tagEpoch
	tagSummary
	tagInstallTime
	tagSize
	tagLongSize
	tagVendor
	tagLicense
	tagPackager
	tagURL
	tagArch
	tagSourceRPM
	tagFileModes
	tagFileDigests
	tagFileLinkTos
	tagFileFlags
	tagFileStates
	tagFileVerify
	tagDigestAlgo
	tagOldFileNames
	tagProvideName
	tagRequireName
	tagDirIndexes
	tagBaseNames
	tagDirNames
	tagModularityLabel
	tagRSAHeader
	tagDSAHeader
	tagSigPGP
	tagSigGPG
	tagCount
)

// tagOf maps the numbers of rpmtag.h.
func tagOf(number uint32) (tag, bool) {
	switch number {
	case 259:
		return tagSigPGP, true
	case 262:
		return tagSigGPG, true
	case 267:
		return tagDSAHeader, true
	case 268:
		return tagRSAHeader, true
	case 1000:
		return tagName, true
	case 1001:
		return tagVersion, true
	case 1002:
		return tagRelease, true
	case 1003:
		return tagEpoch, true
	case 1004:
		return tagSummary, true
	case 1008:
		return tagInstallTime, true
	case 1009:
		return tagSize, true
	case 1011:
		return tagVendor, true
	case 1014:
		return tagLicense, true
	case 1015:
		return tagPackager, true
	case 1020:
		return tagURL, true
	case 1022:
		return tagArch, true
	case 1027:
		return tagOldFileNames, true
	case 1029:
		return tagFileStates, true
	case 1030:
		return tagFileModes, true
	case 1035:
		return tagFileDigests, true
	case 1036:
		return tagFileLinkTos, true
	case 1037:
		return tagFileFlags, true
	case 1045:
		return tagFileVerify, true
	case 1044:
		return tagSourceRPM, true
	case 1047:
		return tagProvideName, true
	case 1049:
		return tagRequireName, true
	case 1116:
		return tagDirIndexes, true
	case 1117:
		return tagBaseNames, true
	case 1118:
		return tagDirNames, true
	case 5009:
		return tagLongSize, true
	case 5011:
		return tagDigestAlgo, true
	case 5096:
		return tagModularityLabel, true
	}
	return 0, false
}

// entry says where a value lies; count 0 means that there is none.
type entry struct {
	kind   uint32
	offset uint32
	count  uint32
}

// header gives access to a blob's entries. It keeps the blob.
type header struct {
	store   []byte
	entries [tagCount]entry
}

var errHeader = errors.New("not a package header")

// parse reads the index. Of two entries of one tag the later counts: what
// installing added stands after what the package brought.
func (h *header) parse(blob []byte) error {
	if len(blob) < headerPrefix {
		return errHeader
	}
	entries := int(binary.BigEndian.Uint32(blob))
	store := int(binary.BigEndian.Uint32(blob[4:]))
	if entries < 1 || entries > maxEntries || store > maxBlob || headerPrefix+entries*entrySize+store > len(blob) {
		return fmt.Errorf("%w: %d entries and %d bytes in %d", errHeader, entries, store, len(blob))
	}
	index := blob[headerPrefix : headerPrefix+entries*entrySize]
	h.store = blob[headerPrefix+entries*entrySize:][:store]
	h.entries = [tagCount]entry{}
	for ; len(index) > 0; index = index[entrySize:] {
		t, ok := tagOf(binary.BigEndian.Uint32(index))
		if !ok {
			continue
		}
		e := entry{binary.BigEndian.Uint32(index[4:]), binary.BigEndian.Uint32(index[8:]), binary.BigEndian.Uint32(index[12:])}
		if uint64(e.offset) < uint64(store) && uint64(e.count) <= uint64(store) {
			h.entries[t] = e
		}
	}
	return nil
}

// text returns a string, the first of several; nil if there is none.
func (h *header) text(t tag) []byte {
	e := h.entries[t]
	if e.count == 0 || e.kind != typeString && e.kind != typeI18NString && e.kind != typeStringArray {
		return nil
	}
	s := h.store[e.offset:]
	n := bytes.IndexByte(s, 0)
	if n < 0 {
		return nil
	}
	return s[:n]
}

// number returns an integer, the first of several.
func (h *header) number(t tag) (uint64, bool) {
	e := h.entries[t]
	if e.count == 0 {
		return 0, false
	}
	s := h.store[e.offset:]
	switch {
	case e.kind == typeInt32 && len(s) >= 4:
		return uint64(binary.BigEndian.Uint32(s)), true
	case e.kind == typeInt64 && len(s) >= 8 && binary.BigEndian.Uint64(s) <= math.MaxInt64:
		return binary.BigEndian.Uint64(s), true
	}
	return 0, false
}

// binary returns a value of bytes.
func (h *header) binary(t tag) []byte {
	e := h.entries[t]
	if e.kind != typeBin || uint64(e.offset)+uint64(e.count) > uint64(len(h.store)) {
		return nil
	}
	return h.store[e.offset:][:e.count]
}

// array returns count values of size bytes each, nil if they are not all there.
func (h *header) array(t tag, kind, size uint32) []byte {
	e := h.entries[t]
	n := uint64(e.count) * uint64(size)
	if e.kind != kind || uint64(e.offset)+n > uint64(len(h.store)) {
		return nil
	}
	return h.store[e.offset:][:n]
}

// texts calls yield with every string of an array, until it returns false.
// It reports whether all strings were there.
func (h *header) texts(t tag, yield func([]byte) bool) bool {
	e := h.entries[t]
	if e.count == 0 {
		return true
	}
	if e.kind != typeStringArray && !(e.kind == typeString && e.count == 1) {
		return false
	}
	s := h.store[e.offset:]
	for range e.count {
		n := bytes.IndexByte(s, 0)
		if n < 0 {
			return false
		}
		if !yield(s[:n]) {
			return true
		}
		s = s[n+1:]
	}
	return true
}
