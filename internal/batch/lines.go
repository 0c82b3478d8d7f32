package batch

import "bytes"

// lineByLine reads NDJSON, the whole body.
//
// It decodes each line alone: a message that was cut off does not take in the next one, and the error names the right
// line. A newline always ends a line, because no string of JSON holds one.
func (d *decoder) lineByLine() ([]Message, error) {
	var list []Message
	for from := int64(0); d.nextLine(from); from = d.end {
		d.index = len(list)
		m, err := d.message()
		if err == nil {
			err = d.endOfText()
		}
		if err != nil {
			return nil, err
		}
		list = append(list, m)
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
	d.buffer = *bytes.NewBuffer(d.body[d.start:d.end])
	d.text.Reset(&d.buffer, strict)
	return true
}
