package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt trusts its pages: a damaged one makes it panic, read outside the file or run in circles. So the pages are walked
// before it opens the file, by plain reads. The layout is that of bbolt's file format 2, in the byte order of the
// machine.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHead   = 16
	metaSize   = 64
	elemSize   = 16
	bucketHead = 16

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	bucketElem = 0x01
	noFreelist = ^uint64(0)
)

var native = binary.NativeEndian

type boltMeta struct {
	pageSize             int64
	root, freelist, high uint64
	txid                 uint64
}

// parseMeta reads the meta page at the beginning of b.
func parseMeta(b []byte) (boltMeta, bool) {
	if len(b) < pageHead+metaSize {
		return boltMeta{}, false
	}
	b = b[pageHead:]
	sum := fnv.New64a()
	_, _ = sum.Write(b[:56])
	m := boltMeta{
		pageSize: int64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]),
		high:     native.Uint64(b[40:]),
		txid:     native.Uint64(b[48:]),
	}
	ok := native.Uint32(b) == boltMagic && native.Uint32(b[4:]) == boltVersion && native.Uint64(b[56:]) == sum.Sum64() &&
		m.pageSize >= 1<<10 && m.pageSize <= 1<<24 && m.pageSize&(m.pageSize-1) == 0
	return m, ok
}

// findMeta returns the meta page that bbolt will use: the valid one with the higher transaction.
func findMeta(r io.ReaderAt) (boltMeta, error) {
	var best boltMeta
	found := false
	buf := make([]byte, pageHead+metaSize)
	consider := func(off int64) {
		if _, err := r.ReadAt(buf, off); err != nil {
			return
		}
		if m, ok := parseMeta(buf); ok && (off == 0 || off == m.pageSize) && (!found || m.txid > best.txid) {
			best, found = m, true
		}
	}
	consider(0)
	for off := int64(1 << 10); off <= 1<<24; off <<= 1 {
		consider(off)
	}
	if !found {
		return best, errors.New("neither meta page is valid")
	}
	return best, nil
}

// unborn tells whether the file holds no more than the first bytes of an empty database: the process was killed while
// it made the file. Nothing was ever acknowledged in it. Bytes that were never written may read as zero.
func unborn(r io.ReaderAt, size, pageSize int64) bool {
	if size >= 4*pageSize {
		return false
	}
	data := make([]byte, size)
	if _, err := r.ReadAt(data, 0); err != nil {
		return false
	}
	return bytes.HasPrefix(newborn(int(pageSize)), bytes.TrimRight(data, "\x00"))
}

// newborn returns the four pages of an empty database: two of meta, the freelist, an empty leaf.
func newborn(pageSize int) []byte {
	pages := make([]byte, 4*pageSize)
	for i, flags := range []uint16{metaPage, metaPage, freelistPage, leafPage} {
		p := pages[i*pageSize:]
		native.PutUint64(p, uint64(i))
		native.PutUint16(p[8:], flags)
		if flags != metaPage {
			continue
		}
		m := p[pageHead:]
		native.PutUint32(m, boltMagic)
		native.PutUint32(m[4:], boltVersion)
		native.PutUint32(m[8:], uint32(pageSize))
		native.PutUint64(m[16:], 3) // root
		native.PutUint64(m[32:], 2) // freelist
		native.PutUint64(m[40:], 4) // pages
		native.PutUint64(m[48:], uint64(i))
		sum := fnv.New64a()
		_, _ = sum.Write(m[:56])
		native.PutUint64(m[56:], sum.Sum64())
	}
	return pages
}

// A walker visits every page that can be reached and keeps track of them.
type walker struct {
	r    io.ReaderAt
	meta boltMeta
	seen map[uint64]struct{}
}

// verify returns an error that says what is wrong with the pages of the file, or nil. It reads the file once, and
// holds one page for each level of the tree.
func verify(r io.ReaderAt, size int64) error {
	m, err := findMeta(r)
	if err != nil {
		return err
	}
	if m.high < 4 || m.high > uint64(size/m.pageSize) {
		return fmt.Errorf("the file has %d bytes, but ends at page %d of %d bytes", size, m.high, m.pageSize)
	}
	w := &walker{r: r, meta: m, seen: make(map[uint64]struct{})}
	if err := w.tree(m.root, nil); err != nil {
		return err
	}
	return w.freelist()
}

// page reads a page with its overflow, and refuses one that was seen before.
func (w *walker) page(id uint64) ([]byte, error) {
	if id < 2 || id >= w.meta.high {
		return nil, fmt.Errorf("page %d is out of range", id)
	}
	head := make([]byte, w.meta.pageSize)
	if _, err := w.r.ReadAt(head, int64(id)*w.meta.pageSize); err != nil {
		return nil, err
	}
	n := uint64(native.Uint32(head[12:])) + 1
	if native.Uint64(head) != id || n > w.meta.high-id {
		return nil, fmt.Errorf("page %d has a damaged head", id)
	}
	for i := range n {
		if _, again := w.seen[id+i]; again {
			return nil, fmt.Errorf("page %d is used twice", id+i)
		}
		w.seen[id+i] = struct{}{}
	}
	if n == 1 {
		return head, nil
	}
	whole := make([]byte, int64(n)*w.meta.pageSize)
	_, err := w.r.ReadAt(whole, int64(id)*w.meta.pageSize)
	return whole, err
}

// tree walks the pages of one bucket. Last is the last key seen in it: keys ascend over all pages.
func (w *walker) tree(id uint64, last *[]byte) error {
	if last == nil {
		last = new([]byte)
	}
	p, err := w.page(id)
	if err != nil {
		return err
	}
	switch native.Uint16(p[8:]) {
	case leafPage:
		err = w.leaf(p, last)
	case branchPage:
		err = w.branch(p, last)
	default:
		err = errors.New("neither leaf nor branch")
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

func (w *walker) branch(p []byte, last *[]byte) error {
	n := int(native.Uint16(p[10:]))
	if n == 0 || pageHead+n*elemSize > len(p) {
		return fmt.Errorf("a branch with %d elements", n)
	}
	for i := range n {
		at := pageHead + i*elemSize
		if _, err := slice(p, at, native.Uint32(p[at:]), native.Uint32(p[at+4:])); err != nil {
			return err
		}
		if err := w.tree(native.Uint64(p[at+8:]), last); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) leaf(p []byte, last *[]byte) error {
	n := int(native.Uint16(p[10:]))
	if pageHead+n*elemSize > len(p) {
		return fmt.Errorf("a leaf with %d elements", n)
	}
	for i := range n {
		at := pageHead + i*elemSize
		flags, pos, ksize, vsize := native.Uint32(p[at:]), native.Uint32(p[at+4:]), native.Uint32(p[at+8:]), native.Uint32(p[at+12:])
		key, err := slice(p, at, pos, ksize)
		if err != nil {
			return err
		}
		value, err := slice(p, at+len(key), pos, vsize)
		if err != nil {
			return err
		}
		if len(key) == 0 || bytes.Compare(key, *last) <= 0 {
			return errors.New("keys are out of order")
		}
		*last = append((*last)[:0], key...)
		if flags&bucketElem != 0 {
			if err := w.bucket(value); err != nil {
				return fmt.Errorf("bucket %q: %w", key, err)
			}
		}
	}
	return nil
}

// bucket walks a bucket inside another: its own tree, or a leaf that stands inline.
func (w *walker) bucket(b []byte) error {
	if len(b) < bucketHead {
		return errors.New("cut short")
	}
	if root := native.Uint64(b); root != 0 {
		return w.tree(root, nil)
	}
	b = b[bucketHead:]
	if len(b) < pageHead || native.Uint16(b[8:]) != leafPage {
		return errors.New("its inline page is damaged")
	}
	return w.leaf(b, new([]byte))
}

// freelist checks that no page is both free and in use: bbolt would write over it.
func (w *walker) freelist() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	p, err := w.page(w.meta.freelist)
	if err != nil {
		return err
	}
	if native.Uint16(p[8:]) != freelistPage {
		return errors.New("the freelist is not where it should be")
	}
	n, ids := uint64(native.Uint16(p[10:])), p[pageHead:]
	if n == 0xFFFF {
		n, ids = native.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids)/8) {
		return fmt.Errorf("a freelist of %d pages", n)
	}
	for i := range n {
		id := native.Uint64(ids[8*i:])
		if _, used := w.seen[id]; used || id < 2 || id >= w.meta.high {
			return fmt.Errorf("page %d is free and in use, or out of range", id)
		}
		w.seen[id] = struct{}{}
	}
	return nil
}

// slice returns size bytes of p that begin pos bytes after at.
func slice(p []byte, at int, pos, size uint32) ([]byte, error) {
	from := uint64(at) + uint64(pos)
	if to := from + uint64(size); to <= uint64(len(p)) {
		return p[from:to], nil
	}
	return nil, errors.New("an element points outside the page")
}
