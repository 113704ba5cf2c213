package accesslog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// A sink is where lines go: a file.
type sink interface {
	io.WriteCloser
	Stat() (os.FileInfo, error)
}

// An output is the open file behind a path, and follows the path when another file takes its place.
type output struct {
	sink
	path    string // "-" is standard output
	open    func(path string) (sink, error)
	checked time.Time
}

func openOutput(path string) (output, error) {
	o := output{path: path, open: openFile, checked: time.Now()}
	if path == "-" {
		o.sink = os.Stdout
		return o, nil
	}
	var err error
	o.sink, err = o.open(path)
	return o, err
}

// openFile opens a file to append to. The group may read it; its lines hold addresses of people. A named pipe is opened
// only if somebody reads it: otherwise whoever applies a configuration would wait for that, and so would the end.
func openFile(path string) (sink, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o640)
	switch {
	case errors.Is(err, syscall.ENXIO):
		return nil, fmt.Errorf("open %s: nobody reads the pipe", path)
	case err != nil:
		return nil, err
	}
	return f, nil
}

// follow opens the path anew if that is asked for, or if the file there is no longer the one that is open. It looks at
// most once a second. If the new file cannot be opened the old one stays.
func (o *output) follow(asked bool) (rotated bool, err error) {
	if o.path == "-" {
		return false, nil
	}
	if !asked {
		if time.Since(o.checked) < delay {
			return false, nil
		}
		o.checked = time.Now()
		if o.inPlace() {
			return false, nil
		}
	}
	next, err := o.open(o.path)
	if err != nil {
		return false, err
	}
	former := o.sink
	o.sink = next
	return true, former.Close()
}

// inPlace tells whether the path still leads to the open file.
func (o *output) inPlace() bool {
	now, err := os.Stat(o.path)
	if err != nil {
		return false
	}
	mine, err := o.Stat()
	return err == nil && os.SameFile(now, mine)
}

// close closes the file; standard output is not ours.
func (o *output) close() error {
	if o.path == "-" {
		return nil
	}
	return o.sink.Close()
}
