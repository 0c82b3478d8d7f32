package batch

import "bytes"

// lineByLine reads NDJSON, the whole body.
//
// It decodes each line alone: a value that was cut off does not take in the next one, and the error names the right
// line. A newline always ends a line, because no string of JSON holds one.
func (d *decoder) lineByLine(from int64) (list []Message, err error) {
	for d.nextLine(from) {
		if list, err = d.sequence(list); err != nil {
			return nil, err
		}
		from = d.end
	}
	return list, nil
}

// nextLine goes to the first line at or after from that is not blank, and reports whether there is one.
func (d *decoder) nextLine(from int64) bool {
	d.end = int64(len(d.body))
	d.start = d.end - int64(len(bytes.TrimLeft(d.body[from:], whitespace)))
	if d.start == d.end {
		return false
	}
	if n := bytes.IndexByte(d.body[d.start:], '\n'); n >= 0 {
		d.end = d.start + int64(n)
	}
	d.seek(d.start)
	return true
}
