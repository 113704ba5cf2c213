package objects

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// scanners is how many goroutines read footers at start. More would only get into the way of those who serve.
const scanners = 4

// Run indexes the directory, removes files, and sweeps after purges, until the context ends. It returns nil.
func (d *Disk) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { d.purges.run(ctx) })
	d.serve(ctx)
	wg.Wait()
	return nil
}

// serve does what is the disk's own.
func (d *Disk) serve(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { d.remover(ctx) })
	d.scan(ctx)
	wg.Wait()
}

// scan indexes what an earlier process has left. What this one stores counts as newer.
func (d *Disk) scan(ctx context.Context) {
	dirs := make(chan int)
	var wg sync.WaitGroup
	for range scanners {
		wg.Go(func() {
			for i := range dirs {
				d.scanDir(ctx, filepath.Join(d.opts.Dir, fmt.Sprintf("%02x", i)))
			}
		})
	}
	for i := 0; i < fanOut && ctx.Err() == nil; i++ {
		dirs <- i
	}
	close(dirs)
	wg.Wait()
	if ctx.Err() == nil {
		d.scanned.Store(true)
		d.purges.again()
	}
}

func (d *Disk) scanDir(ctx context.Context, dir string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		d.diskErrors.Add(1)
		d.outage.begin(err)
		return
	}
	for _, x := range list {
		if ctx.Err() != nil {
			return
		}
		key, id, ok := parseName(x.Name())
		if !ok {
			continue // not ours
		}
		file := &stored{key: key, id: id}
		if d.ours(file) {
			continue
		}
		if err := d.admit(file); err != nil {
			d.evictions[EvictedCorrupt].Add(1)
			_ = os.Remove(file.path(d))
		}
	}
}

// ours tells whether this process has written a file. One from the future is of a process whose clock was wrong.
func (d *Disk) ours(file *stored) bool { return file.id > d.start && file.id <= d.purges.last.Load() }

// parseName reads the name of a file.
func parseName(name string) (key digest, id uint64, ok bool) {
	const n = 2 * len(digest{})
	if len(name) != n+1+16 || name[n] != '-' {
		return key, 0, false
	}
	if _, err := hex.Decode(key[:], []byte(name[:n])); err != nil {
		return key, 0, false
	}
	id, err := strconv.ParseUint(name[n+1:], 16, 64)
	return key, id, err == nil
}

var errUnwanted = errors.New("not wanted any more")

// admit reads the footer of a file and puts it into the index. An error means that the file is of no use.
func (d *Disk) admit(file *stored) error {
	f, err := os.Open(file.path(d))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	foot, off, err := readFooter(f, info.Size())
	if err != nil {
		return err
	}
	if digestOf(foot.key) != file.key {
		return errFooter
	}
	l := &label{
		key: foot.key, host: foot.host, tags: foot.tags, hash: d.purges.ofString(foot.key),
		id: min(foot.id, d.start), born: min(foot.born, d.start),
	}
	d.purges.records.hold(l)
	all := info.Size()
	file.size.Store(all)
	e := &entry{label: l, file: file, size: foot.size, foot: off, n: int(all - off), all: all}
	d.usage.force(all)
	if d.journal.judge(l) {
		err = errUnwanted
	} else {
		err = d.insert(e, "", func(old *entry) error {
			if old != nil && old.id >= l.id {
				return errUnwanted
			}
			return nil
		})
	}
	if err != nil {
		d.usage.give(all)
		d.purges.records.drop(l)
	}
	return err
}
