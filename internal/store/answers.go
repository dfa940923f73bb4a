package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Answers keeps what matching found out about packages, each under the
// fingerprint of all that it depends on besides the advisories, with a [Mark]
// of what was known of these. It is a cache in a file of its own: it may be
// deleted at any time, waits for nobody's feeds, and grows to a bound. It is
// safe for concurrent use, by several processes too.
type Answers struct {
	db    *sql.DB
	bound int64
}

// answersForm is the form of the file. Another one is thrown away.
const answersForm = 1

// answersBound is the size in bytes of the file beyond which it begins anew.
const answersBound = 256 << 20

// OpenAnswers opens the file, making it where it is not there or not readable.
func OpenAnswers(ctx context.Context, path string) (*Answers, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("opening the kept matches: %w", err)
	}
	var err error
	for range 50 {
		var a *Answers
		if a, err = openAnswers(ctx, path); err == nil {
			return a, nil
		}
		if raced(err) { // another process makes the file
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "malformed") && !strings.Contains(text, "not a database") {
			break
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("opening the kept matches: %w", err)
			}
		}
	}
	return nil, fmt.Errorf("opening the kept matches %s: %w", path, err)
}

func openAnswers(ctx context.Context, path string) (*Answers, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	a := &Answers{db: db, bound: answersBound}
	var form int
	if err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&form); err == nil && form != answersForm {
		err = a.begin(ctx)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return a, nil
}

// begin makes the tables of the present form.
func (a *Answers) begin(ctx context.Context) error {
	return a.update(ctx, func(tx *sql.Tx) error {
		var form int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&form); err != nil || form == answersForm {
			return err // another process was faster
		}
		for _, q := range []string{
			"DROP TABLE IF EXISTS answers", "DROP TABLE IF EXISTS marks",
			// id: the first bytes of the fingerprint; data: a seal and the record
			"CREATE TABLE answers (id INTEGER PRIMARY KEY, mark INTEGER NOT NULL, data BLOB NOT NULL)",
			"CREATE INDEX answers_by_mark ON answers (mark)",
			"CREATE TABLE marks (id INTEGER PRIMARY KEY, generation INTEGER NOT NULL, at INTEGER NOT NULL, record INTEGER NOT NULL, scores INTEGER NOT NULL, day INTEGER NOT NULL, used INTEGER NOT NULL, UNIQUE (generation, at, record, scores, day))",
			fmt.Sprintf("PRAGMA user_version = %d", answersForm),
		} {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *Answers) update(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := a.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Close closes the file.
func (a *Answers) Close() error { return a.db.Close() }

// Kept is a kept answer.
type Kept struct {
	Mark   Mark
	Record []byte // as it was put in
}

// Fingerprint identifies what an answer depends on besides advisories.
type Fingerprint = [32]byte

func answerID(f *Fingerprint) int64 { return int64(binary.BigEndian.Uint64(f[:8]) >> 1) }

// sealLen is how many bytes of a digest of the record and of its whole
// fingerprint stand before a record, so that neither damage nor two fingerprints
// of one id go unnoticed.
const sealLen = 16

func seal(h hash.Hash, f *Fingerprint, record []byte) (sum [32]byte) {
	h.Reset()
	h.Write(f[:])
	h.Write(record)
	h.Sum(sum[:0])
	return sum
}

// Get returns the answers that are kept under the fingerprints. What is
// damaged is not there.
func (a *Answers) Get(ctx context.Context, fingerprints []Fingerprint) (map[Fingerprint]Kept, error) {
	out := make(map[Fingerprint]Kept, len(fingerprints))
	if len(fingerprints) == 0 {
		return out, nil
	}
	marked := map[int64]Mark{}
	today := time.Now().Unix() / 86400
	var unused []int64
	rows, err := a.db.QueryContext(ctx, "SELECT id, generation, at, record, scores, day, used FROM marks")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, used int64
		var m Mark
		if err := rows.Scan(&id, &m.Generation, &m.At, &m.Record, &m.Scores, &m.Day, &used); err != nil {
			return nil, err
		}
		marked[id] = m
		if used != today {
			unused = append(unused, id)
		}
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	byID := make(map[int64]int, len(fingerprints))
	ids := make([]int64, 0, len(fingerprints))
	for i := range fingerprints {
		id := answerID(&fingerprints[i])
		if _, ok := byID[id]; !ok {
			byID[id] = i
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	met := map[int64]bool{}
	h := sha256.New()
	for part := range slices.Chunk(ids, 10_000) {
		list := []byte{'['} // one parameter: a text with one for each is slow to parse
		for i, id := range part {
			if i > 0 {
				list = append(list, ',')
			}
			list = strconv.AppendInt(list, id, 10)
		}
		err := func() error {
			rows, err := a.db.QueryContext(ctx, "SELECT id, mark, data FROM answers WHERE id IN (SELECT value FROM json_each(?))", string(append(list, ']')))
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id, mark int64
				var data []byte
				if err := rows.Scan(&id, &mark, &data); err != nil {
					return err
				}
				f := &fingerprints[byID[id]]
				m, ok := marked[mark]
				if !ok || len(data) < sealLen {
					continue
				}
				if sum := seal(h, f, data[sealLen:]); !bytes.Equal(sum[:sealLen], data[:sealLen]) {
					continue
				}
				met[mark] = true
				out[*f] = Kept{m, data[sealLen:]}
			}
			return rows.Err()
		}()
		if err != nil {
			return nil, err
		}
	}
	unused = slices.DeleteFunc(unused, func(id int64) bool { return !met[id] })
	if len(unused) > 0 {
		err = a.update(ctx, func(tx *sql.Tx) error {
			for _, id := range unused {
				if _, err := tx.ExecContext(ctx, "UPDATE marks SET used = ? WHERE id = ?", today, id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return out, err
}

// Put keeps answers under a mark. Those whose record is nil are there already
// and were found to hold at this mark as well.
func (a *Answers) Put(ctx context.Context, m Mark, answers map[Fingerprint][]byte) error {
	if len(answers) == 0 {
		return nil
	}
	return a.update(ctx, func(tx *sql.Tx) error {
		var pages, size int64
		if err := tx.QueryRowContext(ctx, "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count), (SELECT page_size FROM pragma_page_size)").Scan(&pages, &size); err != nil {
			return err
		}
		if pages*size > a.bound {
			for _, q := range []string{"DELETE FROM answers", "DELETE FROM marks"} {
				if _, err := tx.ExecContext(ctx, q); err != nil {
					return err
				}
			}
		}
		var mark int64
		err := tx.QueryRowContext(ctx, `INSERT INTO marks (generation, at, record, scores, day, used) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (generation, at, record, scores, day) DO UPDATE SET used = excluded.used RETURNING id`,
			m.Generation, m.At, m.Record, m.Scores, m.Day, time.Now().Unix()/86400).Scan(&mark)
		if err != nil {
			return err
		}
		rows := newBatch(ctx, tx, "INSERT INTO answers (id, mark, data) VALUES ", 3, " ON CONFLICT (id) DO UPDATE SET mark = excluded.mark, data = excluded.data")
		var same []any
		h := sha256.New()
		for f, record := range answers {
			if record == nil {
				same = append(same, answerID(&f))
				continue
			}
			sum := seal(h, &f, record)
			if err := rows.add(answerID(&f), mark, slices.Concat(sum[:sealLen], record)); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(same, 800) {
			if _, err := tx.ExecContext(ctx, "UPDATE answers SET mark = ? WHERE id IN ("+marks(len(part))+")", append([]any{mark}, part...)...); err != nil {
				return err
			}
		}
		if err := rows.flush(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM marks WHERE id <> ? AND NOT EXISTS (SELECT 1 FROM answers WHERE answers.mark = marks.id)", mark)
		return err
	})
}

// AnswersStat is what is kept in all.
type AnswersStat struct {
	Packages int   `json:"matchedPackages"`
	Bytes    int64 `json:"bytes"` // of the file
}

// Stat says how much is kept.
func (a *Answers) Stat(ctx context.Context) (s AnswersStat, err error) {
	err = a.db.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM answers), (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)").Scan(&s.Packages, &s.Bytes)
	return s, err
}

// Prune forgets the answers of marks that were last used before a day, and
// returns how many. The zero time forgets all.
func (a *Answers) Prune(ctx context.Context, before time.Time) (n int64, err error) {
	err = a.update(ctx, func(tx *sql.Tx) error {
		day := before.Unix() / 86400
		if before.IsZero() {
			day = 1 << 40
		}
		r, err := tx.ExecContext(ctx, "DELETE FROM answers WHERE mark NOT IN (SELECT id FROM marks WHERE used >= ?)", day)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM marks WHERE used < ?", day)
		return err
	})
	if err == nil && n > 0 {
		_, err = a.db.ExecContext(ctx, "VACUUM")
	}
	return n, err
}
