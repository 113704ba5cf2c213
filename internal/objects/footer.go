package objects

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A file is a body in chunks, each with its checksum, and then one footer or more: the metadata were updated. The last one
// counts. A file that does not end with a footer was never finished.
//
//	chunk 0 | crc | chunk 1 | crc | … | footer | footer
//
// A footer is a payload and a tail of fixed size: offset and length of the payload, the checksum of both, a magic number.
const (
	crcSize   = 4
	chunkSize = 16<<10 - crcSize
	tailSize  = 8 + 4 + 4 + 8
	magic     = "SPobjct1"
)

// maxFooter bounds what is read for one: key, host, tags and metadata at their limits.
const maxFooter = 2*MaxKey + MaxTags*(MaxTag+4) + MaxMeta + 256

var errFooter = errors.New("no footer")

// castagnoli is the polynomial that processors have an instruction for.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// checksum is that of chunk i. A chunk at the place of another does not have it.
func checksum(i int64, data []byte) uint32 { return crc32.Update(uint32(i), castagnoli(), data) }

// inFile returns how many bytes a body of n bytes takes in a file.
func inFile(n int64) int64 { return n + (n+chunkSize-1)/chunkSize*crcSize }

// A footer is what a file says of its object.
type footer struct {
	id, born  uint64
	size      int64 // of the body
	key, host string
	tags      []string
	meta      []byte // as the codec wrote it
}

// append appends the footer as it stands in a file at off.
func (f *footer) append(data []byte, off int64) []byte {
	begin := len(data)
	data = binary.AppendUvarint(data, f.id)
	data = binary.AppendUvarint(data, f.born)
	data = binary.AppendUvarint(data, uint64(f.size))
	data = appendText(data, f.key)
	data = appendText(data, f.host)
	data = binary.AppendUvarint(data, uint64(len(f.tags)))
	for _, tag := range f.tags {
		data = appendText(data, tag)
	}
	data = appendText(data, string(f.meta))
	n := len(data) - begin
	data = binary.LittleEndian.AppendUint64(data, uint64(off))
	data = binary.LittleEndian.AppendUint32(data, uint32(n))
	data = binary.LittleEndian.AppendUint32(data, crc32.Checksum(data[begin:], castagnoli()))
	return append(data, magic...)
}

func appendText(data []byte, text string) []byte {
	return append(binary.AppendUvarint(data, uint64(len(text))), text...)
}

// parseTail reads the tail, and returns where the payload is. The file has size bytes.
func parseTail(tail []byte, size int64) (off int64, n int, err error) {
	if len(tail) != tailSize || string(tail[16:]) != magic {
		return 0, 0, errFooter
	}
	off = int64(binary.LittleEndian.Uint64(tail))
	length := int64(binary.LittleEndian.Uint32(tail[8:]))
	if off < 0 || off > size || length > maxFooter || off+length+tailSize != size {
		return 0, 0, errFooter
	}
	return off, int(length), nil
}

// parseFooter reads a payload and its tail.
func parseFooter(data []byte) (f footer, err error) {
	if len(data) < tailSize {
		return f, errFooter
	}
	n := len(data) - tailSize
	tail := data[n:]
	if string(tail[16:]) != magic || int(binary.LittleEndian.Uint32(tail[8:])) != n ||
		binary.LittleEndian.Uint32(tail[12:]) != crc32.Checksum(data[:n+12], castagnoli()) {
		return f, errFooter
	}
	p := parser{data: data[:n]}
	f.id, f.born, f.size = p.number(), p.number(), int64(p.number())
	f.key, f.host = string(p.text(MaxKey)), string(p.text(MaxKey))
	tags := p.number()
	if tags > MaxTags {
		return f, errFooter
	}
	for range tags {
		f.tags = append(f.tags, string(p.text(MaxTag)))
	}
	f.meta = p.text(maxFooter)
	off := int64(binary.LittleEndian.Uint64(tail))
	if p.bad || len(p.data) > 0 || f.key == "" || f.size < 0 || off < 0 || f.size > off || inFile(f.size) > off {
		return f, errFooter
	}
	return f, nil
}

// A parser reads numbers and texts, until one is not there.
type parser struct {
	data []byte
	bad  bool
}

func (p *parser) number() uint64 {
	v, n := binary.Uvarint(p.data)
	if n <= 0 {
		p.bad, p.data = true, nil
		return 0
	}
	p.data = p.data[n:]
	return v
}

func (p *parser) text(most uint64) []byte {
	n := p.number()
	if n > most || n > uint64(len(p.data)) {
		p.bad, p.data = true, nil
		return nil
	}
	text := p.data[:n]
	p.data = p.data[n:]
	return text
}
