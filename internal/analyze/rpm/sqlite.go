package rpm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// SQLite databases (sqlite.org/fileformat2.html), as far as rpm needs them:
// the blob column of every row of the table Packages (hnum INTEGER PRIMARY
// KEY, blob BLOB), by a walk over the table's B-tree.
const (
	sqliteMagic    = "SQLite format 3\x00"
	sqliteInterior = 0x05
	sqliteLeaf     = 0x0d
	sqliteDepth    = 32 // of a B-tree; a page has two children or more
)

func isSQLite(head []byte) bool {
	return len(head) >= len(sqliteMagic) && string(head[:16]) == sqliteMagic
}

type sqlite struct {
	r        *reader
	pageSize int64
	usable   int64  // of a page, without the reserved bytes at its end
	pages    uint32 // in the file
	visited  uint32 // pages of B-trees read so far: more than there are means a loop
	total    int64  // bytes of rows read so far
	payload  []byte
}

func sqliteBlobs(r *reader, yield func([]byte) error) error {
	head, err := r.at(0, 100)
	if err != nil {
		return err
	}
	db := sqlite{r: r.fork(16 << 10), pageSize: int64(binary.BigEndian.Uint16(head[16:]))}
	if db.pageSize == 1 {
		db.pageSize = 64 << 10
	}
	if db.pageSize < 512 || db.pageSize&(db.pageSize-1) != 0 {
		return fmt.Errorf("SQLite: page size %d", db.pageSize)
	}
	if db.usable = db.pageSize - int64(head[20]); db.usable < 480 {
		return fmt.Errorf("SQLite: %d bytes of a page in use", db.usable)
	}
	if enc := binary.BigEndian.Uint32(head[56:]); enc > 1 {
		return fmt.Errorf("SQLite: text encoding %d is not supported", enc)
	}
	db.pages = uint32(min(r.size/db.pageSize, 1<<32-2))

	root := uint32(0)
	err = db.table(1, 0, func(record []byte) error {
		// type, name, tbl_name, rootpage, sql
		columns, err := sqliteColumns(record, 5)
		if err != nil {
			return err
		}
		if string(columns[0].bytes) == "table" && string(columns[1].bytes) == "Packages" {
			root = uint32(columns[3].int())
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("SQLite: reading the schema: %w", err)
	}
	if root == 0 {
		return errors.New("SQLite: no table Packages")
	}
	db.visited, db.total = 0, 0
	var bad badEntries
	err = db.table(root, 0, func(record []byte) error {
		columns, err := sqliteColumns(record, 2)
		if err != nil {
			return bad.add(err)
		}
		return yield(columns[1].bytes)
	})
	return errors.Join(err, bad.err())
}

// page returns a page, valid until the next call.
func (db *sqlite) page(no uint32) ([]byte, error) {
	if no == 0 || no > db.pages {
		return nil, fmt.Errorf("SQLite: page %d of %d", no, db.pages)
	}
	return db.r.at(int64(no-1)*db.pageSize, db.pageSize)
}

// table calls row with the record of every row below a page of a table.
func (db *sqlite) table(no uint32, depth int, row func(record []byte) error) error {
	if depth > sqliteDepth {
		return fmt.Errorf("SQLite: B-tree deeper than the limit of %d", sqliteDepth)
	}
	if db.visited++; db.visited > db.pages {
		return errors.New("SQLite: B-tree runs in a circle")
	}
	p, err := db.page(no)
	if err != nil {
		return err
	}
	page := p
	if db.r.data == nil {
		page = append([]byte(nil), p...) // following cells overwrites it
	}
	head := page
	if no == 1 {
		head = page[100:]
	}
	cells := int64(binary.BigEndian.Uint16(head[3:]))
	kind, headSize := head[0], int64(8)
	if kind == sqliteInterior {
		headSize = 12
	} else if kind != sqliteLeaf {
		return fmt.Errorf("SQLite: page %d is of type %d, not of a table", no, kind)
	}
	if headSize+2*cells > int64(len(head)) {
		return fmt.Errorf("SQLite: %d cells on page %d", cells, no)
	}
	for i := range cells {
		at := int64(binary.BigEndian.Uint16(head[headSize+2*i:]))
		if at+4 > db.usable {
			return fmt.Errorf("SQLite: cell outside of page %d", no)
		}
		cell := page[at:db.usable]
		if kind == sqliteInterior {
			if err := db.table(binary.BigEndian.Uint32(cell), depth+1, row); err != nil {
				return err
			}
			continue
		}
		record, err := db.record(cell)
		if err != nil {
			return err
		}
		if err := row(record); err != nil {
			return err
		}
	}
	if kind == sqliteInterior {
		return db.table(binary.BigEndian.Uint32(head[8:]), depth+1, row)
	}
	return nil
}

// record returns the payload of a leaf's cell, gathered from its overflow pages.
func (db *sqlite) record(cell []byte) ([]byte, error) {
	size, n := sqliteVarint(cell)
	_, m := sqliteVarint(cell[n:]) // rowid
	if n == 0 || m == 0 {
		return nil, errors.New("SQLite: cell cut short")
	}
	cell = cell[n+m:]
	if size > uint64(db.r.size-db.total) {
		return nil, fmt.Errorf("SQLite: rows hold more than the %d bytes of the file", db.r.size)
	}
	if size > maxBlob {
		return nil, fmt.Errorf("SQLite: row of %d bytes; the limit is %d", size, maxBlob)
	}
	db.total += int64(size)
	// "Cell payload overflow pages" of the format's description
	total, local := int64(size), int64(size)
	if most := db.usable - 35; local > most {
		least := (db.usable-12)*32/255 - 23
		if local = least + (total-least)%(db.usable-4); local > most {
			local = least
		}
	}
	if local > int64(len(cell)) || local < total && local+4 > int64(len(cell)) {
		return nil, errors.New("SQLite: cell cut short")
	}
	if local == total {
		return cell[:local], nil
	}
	db.payload = append(db.payload[:0], cell[:local]...)
	next := binary.BigEndian.Uint32(cell[local:])
	for left := total - local; left > 0; {
		page, err := db.page(next)
		if err != nil {
			return nil, fmt.Errorf("%w: overflow page of a row", err)
		}
		take := min(left, db.usable-4)
		db.payload = append(db.payload, page[4:4+take]...)
		left -= take
		next = binary.BigEndian.Uint32(page)
	}
	return db.payload, nil
}

// sqliteValue is one column: a number or bytes.
type sqliteValue struct {
	kind  uint64 // serial type
	bytes []byte
}

func (v sqliteValue) int() int64 {
	if v.kind == 9 {
		return 1
	}
	var n int64
	if v.kind >= 1 && v.kind <= 6 {
		for i, b := range v.bytes {
			if i == 0 {
				n = int64(int8(b))
			} else {
				n = n<<8 | int64(b)
			}
		}
	}
	return n
}

var errShortRow = errors.New("SQLite: row cut short")

// sqliteColumns splits a record into its first count columns.
func sqliteColumns(record []byte, count int) ([]sqliteValue, error) {
	headSize, n := sqliteVarint(record)
	if n == 0 || headSize > uint64(len(record)) || headSize < uint64(n) {
		return nil, errShortRow
	}
	head, body := record[n:headSize], record[headSize:]
	columns := make([]sqliteValue, 0, count)
	for len(columns) < count {
		kind, n := sqliteVarint(head)
		if n == 0 {
			return nil, errShortRow
		}
		head = head[n:]
		var size uint64
		switch {
		case kind >= 12:
			size = (kind - 12) / 2
		case kind <= 4:
			size = kind
		case kind == 5:
			size = 6
		case kind == 6 || kind == 7:
			size = 8
		}
		if size > uint64(len(body)) {
			return nil, errShortRow
		}
		columns = append(columns, sqliteValue{kind, body[:size]})
		body = body[size:]
	}
	return columns, nil
}

// sqliteVarint decodes a number of at most nine bytes; n is 0 if it is cut short.
func sqliteVarint(b []byte) (v uint64, n int) {
	for n < len(b) && n < 8 {
		v = v<<7 | uint64(b[n]&0x7f)
		n++
		if b[n-1] < 0x80 {
			return v, n
		}
	}
	if n == 8 && len(b) > 8 {
		return v<<8 | uint64(b[8]), 9
	}
	return 0, 0
}
