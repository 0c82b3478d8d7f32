package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"github.com/elastic/beats/v7/libbeat/cmd/instance"
	"github.com/elastic/elastic-agent-libs/paths"

	"github.com/txn2/rtbeat/beater"
	"github.com/txn2/rtbeat/internal/diskqueue"
)

// newQueueCmd is `rtbeat queue`. diskQueue is where the configuration has settings of libbeat's disk queue, which is known once
// it has been read.
func newQueueCmd(settings instance.Settings, diskQueue *string) *cobra.Command {
	o := queueOptions{settings: settings, diskQueue: diskQueue}
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Read the queue on disk of a stopped " + settings.Name,
		Long: `Queue reads the batches that durable mode (rtbeat.durable) keeps on disk:
undelivered batches with a 200. It changes nothing.

It reads the directory of the configuration or, without a configuration, of
--path. The directory may be read-only, such as a mounted backup.

Stop rtbeat first. A running rtbeat shows its queue on the status page and in
its metrics.`,
	}
	cmd.PersistentFlags().StringVar(&o.path, "path", "", "the directory of the queue; empty: the configuration's")
	cmd.AddCommand(o.statusCmd(), o.exportCmd())
	return cmd
}

type queueOptions struct {
	settings  instance.Settings
	diskQueue *string
	path      string
}

func (o *queueOptions) statusCmd() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print the size of the queue",
		Long: `Status prints the batches, messages and bytes in the queue on disk of a stopped
rtbeat, the age of the oldest batch, and the share of max_bytes in use.

It names damaged files, and the exit code is then 1.`,
		Example: `  rtbeat queue status -c rtbeat.yml
  rtbeat queue status --path /var/lib/rtbeat/queue --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			dir, maxBytes, err := o.where()
			if err != nil {
				return err
			}
			s := queueStatus{Path: dir, MaxBytes: maxBytes}
			files, err := read(dir, s.add)
			if err != nil {
				return err
			}
			s.end(files)
			if err := s.print(cmd.OutOrStdout(), asJSON); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			return damage(files, "")
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (o *queueOptions) exportCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Print the batches in the queue, to post them elsewhere",
		Long: `Export prints each batch in the queue on disk of a stopped rtbeat as one line of
JSON on standard output, the oldest first. Messages about the export go to
standard error. It deletes nothing.

A line is a batch of rxtx, {"uuid":…,"size":…,"messages":[…]}. Post each line by
itself to another rtbeat: the lines together are no NDJSON of messages. rtbeat
ignores the keys after the messages: received, client_ip, and headers.

Each message has its original bytes, so its event has the same id, and a store
keeps one copy. In a message with line breaks between its values they become
spaces, and the id changes. Export leaves out messages that are noted as
delivered, or that were stored before with another batch.

A line may be some hundred bytes longer than the original body. If a body was
almost as long as max_body_bytes, raise max_body_bytes of the other rtbeat.

Of a damaged file, export prints the intact batches. Batches may be missing, and
a few delivered ones may be among them. The exit code is then 1, at the end.`,
		Example: `  rtbeat queue export -c rtbeat.yml > batches.ndjson

  # post them; ends at the first answer other than 200
  while IFS= read -r batch; do
    printf %s "$batch" | curl -fsS --retry 5 -H 'Content-Type: application/json' --data-binary @- http://other:8081/in || break
  done < batches.ndjson

  # a backup
  rtbeat queue export --path /mnt/backup/rtbeat/queue | gzip > batches.ndjson.gz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			dir, _, err := o.where()
			if err != nil {
				return err
			}
			e := exporter{out: bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10), say: cmd.ErrOrStderr(), progress: rate.Sometimes{Interval: 10 * time.Second}}
			e.progress.Do(func() {}) // the first is due after that time
			files, err := read(dir, e.export)
			if err == nil {
				err = e.out.Flush()
			}
			if err != nil {
				return fmt.Errorf("exporting, %d batches printed: %w", e.batches, err)
			}
			_, _ = fmt.Fprintf(e.say, "%d batches with %d messages exported from %s\n", e.batches, e.messages, dir)
			return errors.Join(damage(files, "; the readable batches were printed, and some may be missing"), e.failed)
		},
	}
}

// where returns the directory of the queue, and max_bytes, or 0 where no configuration says it.
func (o *queueOptions) where() (dir string, maxBytes int64, err error) {
	if o.path != "" {
		return o.path, 0, nil
	}
	b, err := instance.NewInitializedBeat(o.settings)
	if err != nil {
		return "", 0, fmt.Errorf("initializing: %w; name the directory with --path to read it without a configuration", err)
	}
	section, err := b.BeatConfig()
	if err != nil {
		return "", 0, fmt.Errorf("reading the rtbeat section: %w", err)
	}
	c, _, err := beater.LoadConfig(section, b.RawConfig, *o.diskQueue)
	if err != nil {
		return "", 0, fmt.Errorf("checking the configuration: %w", err)
	}
	dir = paths.Resolve(paths.Data, c.Durable.Path)
	if !c.Durable.Enabled { // what it left when it was on is there
		if _, err := os.Stat(dir); err != nil {
			return "", 0, fmt.Errorf("durable mode is off in this configuration, and there is no queue in %s; name its directory with --path", dir)
		}
	}
	return dir, int64(c.Durable.MaxBytes), nil
}

// read reads the queue, and says what to do where that is not possible.
func read(dir string, each func(diskqueue.Stored) error) (diskqueue.Files, error) {
	files, err := diskqueue.Read(dir, each)
	switch {
	case errors.Is(err, diskqueue.ErrLocked):
		err = fmt.Errorf("the queue in %s is in use: stop rtbeat first; while it runs, its status page and /metrics show the queue", dir)
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("there is no queue in %s; name its directory with --path", dir)
	}
	return files, err
}

// damage is an error that names the files that are damaged, nil where none is.
func damage(files diskqueue.Files, more string) error {
	var all error
	for _, d := range files.Damaged {
		all = errors.Join(all, fmt.Errorf("%w%s", d, more))
	}
	return all
}

// queueStatus is what status prints.
type queueStatus struct {
	Path      string     `json:"path"`
	Batches   int        `json:"batches"`
	Messages  int        `json:"messages"`
	Bytes     int64      `json:"bytes"`
	Oldest    *time.Time `json:"oldest,omitempty"`
	OldestAge float64    `json:"oldest_age_seconds"`
	Files     int        `json:"files"`
	FileBytes int64      `json:"file_bytes"`
	MaxBytes  int64      `json:"max_bytes,omitempty"`
	Share     float64    `json:"share,omitempty"` // of MaxBytes
	Damaged   []string   `json:"damaged,omitempty"`
}

func (s *queueStatus) add(b diskqueue.Stored) error {
	s.Batches++
	s.Messages += b.Messages - len(b.Known)
	s.Bytes += b.Bytes
	if s.Oldest == nil || b.Origin.Received.Before(*s.Oldest) {
		s.Oldest = &b.Origin.Received
	}
	return nil
}

func (s *queueStatus) end(files diskqueue.Files) {
	s.Files, s.FileBytes = files.Count, files.Bytes
	if s.Oldest != nil {
		s.OldestAge = max(time.Since(*s.Oldest), 0).Round(time.Second).Seconds()
	}
	if s.MaxBytes > 0 {
		s.Share = float64(s.FileBytes) / float64(s.MaxBytes)
	}
	for _, d := range files.Damaged {
		s.Damaged = append(s.Damaged, d.Error())
	}
}

func (s *queueStatus) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(s)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "path\t%s\n", s.Path) // Flush returns the error
	_, _ = fmt.Fprintf(w, "batches\t%d\n", s.Batches)
	_, _ = fmt.Fprintf(w, "messages\t%d\n", s.Messages)
	_, _ = fmt.Fprintf(w, "bytes\t%d (%s)\n", s.Bytes, humanize.IBytes(uint64(s.Bytes))) //nolint:gosec // not negative
	if s.Oldest != nil {
		age := time.Duration(s.OldestAge * float64(time.Second))
		_, _ = fmt.Fprintf(w, "oldest\t%s (%s ago)\n", s.Oldest.Format(time.RFC3339), age)
	}
	_, _ = fmt.Fprintf(w, "files\t%d, %d bytes (%s)\n", s.Files, s.FileBytes, humanize.IBytes(uint64(s.FileBytes))) //nolint:gosec // not negative
	if s.MaxBytes > 0 {
		_, _ = fmt.Fprintf(w, "max_bytes\t%d (%s), %.1f %% of it are taken\n", s.MaxBytes, humanize.IBytes(uint64(s.MaxBytes)), 100*s.Share)
	}
	return w.Flush()
}

// exporter prints batches, one a line.
type exporter struct {
	out      *bufio.Writer
	say      io.Writer
	progress rate.Sometimes
	line     []byte
	batches  int
	messages int
	failed   error
}

func (e *exporter) export(b diskqueue.Stored) error {
	line, n, err := b.AppendLine(e.line[:0])
	if err != nil { // the intake has decoded it, and the checksum is right
		e.failed = errors.Join(e.failed, fmt.Errorf("batch %d is not printed: %w", b.Number, err))
		return nil
	}
	e.line = line
	e.batches++
	e.messages += n
	e.progress.Do(func() { _, _ = fmt.Fprintf(e.say, "%d batches\n", e.batches) })
	_, err = e.out.Write(line)
	return err
}
