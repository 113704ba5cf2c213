package objects

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// A journal keeps purges on disk until no file is left that they are about. A purge is acknowledged when it is in there,
// so that a restart finds it whatever the process came to do of it. Purges that come together share a flush.
type journal struct {
	path string
	// needs tells whether a purge is about anything on disk.
	needs func(p *Purge) bool

	mu      sync.Mutex
	known   map[purgeName]*known
	prefix  map[string]*known // those of known that are prefixes
	pending []byte
	written uint64 // purges that are in pending, or were
	records int    // in the file

	flush   sync.Mutex // of the file; taken before mu
	f       *os.File
	flushed uint64
	broken  bool // the end of the file is not to be trusted
	closed  bool
}

type purgeName struct {
	scope Scope
	text  string
}

// known is what a journal says of one key, tag, host or prefix.
type known struct {
	hard    uint64
	soft    stamp
	applied bool
}

// openJournal reads the journal in dir, and returns the greatest place in the order that it knows. What follows the first
// record that is not whole was never acknowledged.
func openJournal(dir string) (j *journal, last uint64, err error) {
	j = &journal{path: filepath.Join(dir, "purges"), known: make(map[purgeName]*known), prefix: make(map[string]*known)}
	data, err := os.ReadFile(j.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, 0, err
	}
	for len(data) > 0 {
		p, rest, ok := parsePurge(data)
		if !ok {
			break
		}
		data = rest
		last = max(last, p.seq)
		j.learn(p).applied = true
	}
	if err := j.rewrite(); err != nil {
		return nil, 0, err
	}
	return j, last, nil
}

// learn notes a purge.
func (j *journal) learn(p pastPurge) *known {
	name := purgeName{p.Scope, p.Text}
	k := j.known[name]
	if k == nil {
		k = &known{}
		j.known[name] = k
		if p.Scope == ByPrefix {
			j.prefix[p.Text] = k
		}
	}
	if p.Soft && p.seq > k.soft.seq {
		k.soft = p.stamp
	} else if !p.Soft {
		k.hard = max(k.hard, p.seq)
	}
	k.applied = false
	return k
}

// keep makes a purge durable. The error is ErrDisk.
func (j *journal) keep(p pastPurge) error {
	if !j.needs(&p.Purge) {
		return nil
	}
	j.mu.Lock()
	j.learn(p)
	j.pending = appendPurge(j.pending, p)
	j.written++
	j.records++
	mine := j.written
	j.mu.Unlock()

	j.flush.Lock()
	defer j.flush.Unlock()
	if j.closed {
		return ErrClosed
	}
	if j.flushed >= mine && !j.broken {
		return nil
	}
	if err := j.write(); err != nil {
		return fmt.Errorf("%w: %w", ErrDisk, err)
	}
	return nil
}

// write brings to the disk what is pending.
func (j *journal) write() error {
	if j.broken || j.f == nil {
		return j.rewrite()
	}
	j.mu.Lock()
	data, upTo := j.pending, j.written
	j.pending = nil
	j.mu.Unlock()
	_, err := j.f.Write(data)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		j.broken = true
		return err
	}
	j.flushed = upTo
	return nil
}

// rewrite writes all that is known into a new file, which takes the place of the old one.
func (j *journal) rewrite() error {
	j.broken = true
	j.mu.Lock()
	var data []byte
	records := 0
	for name, k := range j.known {
		p := Purge{Scope: name.scope, Text: name.text}
		if k.hard > 0 {
			data = appendPurge(data, pastPurge{p, stamp{k.hard, 0}})
			records++
		}
		if p.Soft = true; k.soft.seq > 0 {
			data = appendPurge(data, pastPurge{p, k.soft})
			records++
		}
	}
	upTo := j.written
	j.pending, j.records = nil, records
	j.mu.Unlock()
	f, err := replaceFile(j.path, data)
	if err != nil {
		return err
	}
	if j.f != nil {
		_ = j.f.Close()
	}
	j.f, j.flushed, j.broken = f, upTo, false
	return nil
}

// replaceFile writes a file aside, and gives it its name when it is on the disk. It returns it open for appending.
func replaceFile(path string, data []byte) (*os.File, error) {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// judge tells whether a label that comes from the disk is purged, and marks it stale if it was softly.
func (j *journal) judge(l *label) (gone bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	names := []purgeName{{ByKey, l.key}, {ByHost, l.host}, {All, ""}}
	for _, tag := range l.tags {
		names = append(names, purgeName{ByTag, tag})
	}
	for _, name := range names {
		if k := j.known[name]; k != nil && k.judge(l) {
			return true
		}
	}
	for prefix, k := range j.prefix {
		if strings.HasPrefix(l.key, prefix) && k.judge(l) {
			return true
		}
	}
	return false
}

func (k *known) judge(l *label) (gone bool) {
	if k.hard > l.born {
		return true
	}
	if k.soft.seq > l.born {
		l.markStale(k.soft.at)
	}
	return false
}

// applied notes that a purge holds in memory.
func (j *journal) applied(p *Purge) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if k := j.known[purgeName{p.Scope, p.Text}]; k != nil {
		k.applied = true
	}
}

// settled returns the purges that hold by now. Once every object was compared with them, and the files of those that are
// gone are gone, too, forget takes them.
func (j *journal) settled() map[purgeName]known {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make(map[purgeName]known)
	for name, k := range j.known {
		if k.applied {
			list[name] = *k
		}
	}
	return list
}

// forget takes out hard purges that are settled, and soft ones if no file is as old as them: born is when the oldest was
// born.
// Sync makes durable that the files are gone.
func (j *journal) forget(settled map[purgeName]known, born uint64, sync func() error) error {
	j.mu.Lock()
	for name, then := range settled {
		k := j.known[name]
		if k == nil || *k != then {
			continue // it was purged again
		}
		k.hard = 0
		if k.soft.seq <= born {
			delete(j.known, name)
			if name.scope == ByPrefix {
				delete(j.prefix, name.text)
			}
		}
	}
	worth := j.records > 2*len(j.known)+256
	j.mu.Unlock()
	if !worth {
		return nil
	}
	if err := sync(); err != nil {
		return err
	}
	j.flush.Lock()
	defer j.flush.Unlock()
	if j.closed {
		return nil
	}
	return j.rewrite()
}

// maxSoft is how many soft purges a journal keeps while files are left that they are about. Beyond, they become hard.
const maxSoft = 16 << 10

// excess returns, as hard purges, the soft ones that are too many.
func (j *journal) excess() (list []pastPurge) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for name, k := range j.known {
		if len(j.known)-len(list) <= maxSoft {
			break
		}
		if k.soft.seq > 0 {
			list = append(list, pastPurge{Purge{Scope: name.scope, Text: name.text}, k.soft})
		}
	}
	return list
}

// close lets go of the file. What comes afterwards is ErrClosed.
func (j *journal) close() error {
	j.flush.Lock()
	defer j.flush.Unlock()
	j.closed = true
	return j.f.Close()
}

// appendPurge appends a record: its length, its checksum, and the purge.
func appendPurge(data []byte, p pastPurge) []byte {
	soft := byte(0)
	if p.Soft {
		soft = 1
	}
	body := binary.LittleEndian.AppendUint64(nil, p.seq)
	body = binary.LittleEndian.AppendUint64(body, uint64(p.at))
	body = append(body, byte(p.Scope), soft)
	body = append(body, p.Text...)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(body)))
	data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(body, castagnoli()))
	return append(data, body...)
}

// parsePurge reads a record.
func parsePurge(data []byte) (p pastPurge, rest []byte, ok bool) {
	const head, fixed = 8, 18
	if len(data) < head {
		return p, nil, false
	}
	n := int64(binary.LittleEndian.Uint32(data))
	if n < fixed || n > fixed+MaxKey || n > int64(len(data)-head) {
		return p, nil, false
	}
	body := data[head : head+n]
	if binary.LittleEndian.Uint32(data[4:]) != crc32.Checksum(body, castagnoli()) {
		return p, nil, false
	}
	p.seq = binary.LittleEndian.Uint64(body)
	p.at = int64(binary.LittleEndian.Uint64(body[8:]))
	p.Scope, p.Soft, p.Text = Scope(body[16]), body[17] == 1, string(body[fixed:])
	return p, data[head+n:], p.check() == nil
}
