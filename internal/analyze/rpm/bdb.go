package rpm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Berkeley DB hash files, as rpm up to 4.15 writes them. The layout is that
// of db_page.h (Berkeley DB 4 and 5): a meta page, then pages of one size
// that each tell their type. Headers are long, so nearly all values lie on
// chains of overflow pages.
const (
	bdbMagic      = 0x061561
	bdbMetaSize   = 72
	bdbPageHeader = 26

	bdbPageUnsorted = 2
	bdbPageOverflow = 7
	bdbPageHash     = 13

	bdbItemInline  = 1
	bdbItemOffPage = 3
)

func isBDB(head []byte) bool {
	return len(head) >= 16 && (binary.LittleEndian.Uint32(head[12:]) == bdbMagic || binary.BigEndian.Uint32(head[12:]) == bdbMagic)
}

type bdb struct {
	r        *reader // of chains: pieces of neighbouring pages here and there
	order    binary.ByteOrder
	pageSize int64
	last     uint32 // number of the last page
	blob     []byte
}

// bdbBlobs yields every value but that of key 0, rpm's counter. It reads the
// hash pages in the order of the file: buckets do not matter to who wants all.
func bdbBlobs(r *reader, yield func([]byte) error) error {
	meta, err := r.at(0, bdbMetaSize)
	if err != nil {
		return err
	}
	db := bdb{r: r.fork(16 << 10), order: binary.LittleEndian}
	if binary.BigEndian.Uint32(meta[12:]) == bdbMagic {
		db.order = binary.BigEndian
	}
	db.pageSize = int64(db.order.Uint32(meta[20:]))
	if db.pageSize < 512 || db.pageSize > 64<<10 || db.pageSize&(db.pageSize-1) != 0 {
		return fmt.Errorf("berkeley DB: page size %d", db.pageSize)
	}
	if meta[24] != 0 {
		return errors.New("berkeley DB: encrypted")
	}
	if meta[26]&1 != 0 {
		return errors.New("berkeley DB: pages with checksums are not supported")
	}
	// a file cut short still has pages worth reading
	db.last = db.order.Uint32(meta[32:])
	var short error
	if pages := r.size / db.pageSize; int64(db.last) >= pages {
		short = fmt.Errorf("berkeley DB: %d pages, of %d", pages, int64(db.last)+1)
		db.last = uint32(min(pages, 1<<32-1)) - 1
		if pages == 0 {
			return short
		}
	}
	scan := r.fork(256 << 10) // from front to back
	for n := uint32(1); n <= db.last && n != 0; n++ {
		page, err := scan.at(int64(n)*db.pageSize, db.pageSize)
		if err != nil {
			return err
		}
		if page[25] != bdbPageHash && page[25] != bdbPageUnsorted {
			continue
		}
		if err := db.hashPage(page, yield); err != nil {
			return err
		}
	}
	return short
}

// hashPage yields the values of one page: items come in pairs of key and
// value, their offsets after the page's header, their ends where the item
// before begins.
func (db *bdb) hashPage(page []byte, yield func([]byte) error) error {
	count := int(db.order.Uint16(page[20:]))
	if bdbPageHeader+2*count > len(page) {
		return fmt.Errorf("berkeley DB: %d items on a page", count)
	}
	offset := func(i int) int { return int(db.order.Uint16(page[bdbPageHeader+2*i:])) }
	item := func(i int) []byte {
		end := len(page)
		if i > 0 {
			end = offset(i - 1)
		}
		if start := offset(i); start >= bdbPageHeader+2*count && start < end && end <= len(page) {
			return page[start:end]
		}
		return nil
	}
	for i := 0; i+1 < count; i += 2 {
		key, value := item(i), item(i+1)
		if len(key) == 5 && key[0] == bdbItemInline && db.order.Uint32(key[1:]) == 0 {
			continue
		}
		if len(key) == 0 || len(value) == 0 {
			return errors.New("berkeley DB: item outside of its page")
		}
		blob := value[1:]
		switch value[0] {
		case bdbItemInline:
		case bdbItemOffPage:
			if len(value) < 12 {
				return errors.New("berkeley DB: short reference to overflow pages")
			}
			var err error
			if blob, err = db.overflow(db.order.Uint32(value[4:]), int64(db.order.Uint32(value[8:]))); err != nil {
				return err
			}
		default:
			return fmt.Errorf("berkeley DB: item of type %d", value[0])
		}
		if err := yield(blob); err != nil {
			return err
		}
	}
	return nil
}

// overflow gathers a value of n bytes from the chain that begins at page no.
func (db *bdb) overflow(no uint32, n int64) ([]byte, error) {
	if n > db.r.size || n > maxBlob {
		return nil, fmt.Errorf("berkeley DB: value of %d bytes in a file of %d; the limit is %d", n, db.r.size, maxBlob)
	}
	db.blob = db.blob[:0]
	for left := n; left > 0; {
		if no == 0 || no > db.last {
			return nil, fmt.Errorf("berkeley DB: chain of overflow pages leads to page %d of %d, %d bytes short", no, db.last, left)
		}
		page, err := db.r.at(int64(no)*db.pageSize, db.pageSize)
		if err != nil {
			return nil, err
		}
		used := int64(db.order.Uint16(page[22:]))
		if page[25] != bdbPageOverflow || used == 0 || used > db.pageSize-bdbPageHeader {
			return nil, fmt.Errorf("berkeley DB: page %d is no overflow page", no)
		}
		used = min(used, left)
		db.blob = append(db.blob, page[bdbPageHeader:bdbPageHeader+used]...)
		left -= used
		no = db.order.Uint32(page[16:])
	}
	return db.blob, nil
}
