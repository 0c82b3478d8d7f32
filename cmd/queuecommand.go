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

	"github.com/txn2/rtbeat/internal/diskqueue"
)

// newQueueCmd is `rtbeat queue`. For diskKey see loadConfig.
func newQueueCmd(settings instance.Settings, diskKey *string) *cobra.Command {
	o := queueOptions{settings: settings, diskKey: diskKey}
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
	settings instance.Settings
	diskKey  *string
	path     string
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
			damaged, err := s.read()
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(&s)
			} else {
				err = s.print(cmd.OutOrStdout())
			}
			if err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			return damaged
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
ignores the uuid, which says when, from where and by which source the batch was
received. Post it to the path of that source.

Each message has its original bytes, so its event has the same id, and a store
keeps one copy. In a message with line breaks between its values they become
spaces, and the id changes, as that of a message that is known by a header of
its request. Export leaves out messages that are noted as
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
			return export(dir, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

// where returns the directory of the queue, and max_bytes, or 0 where no configuration says it.
func (o *queueOptions) where() (dir string, maxBytes int64, err error) {
	if o.path != "" {
		return o.path, 0, nil
	}
	c, err := loadConfig(o.settings, o.diskKey)
	if err != nil {
		return "", 0, fmt.Errorf("%w; name the directory with --path to read it without a configuration", err)
	}
	dir = paths.Resolve(paths.Data, c.Durable.Path)
	if !c.Durable.Enabled { // a queue from before may be there
		if _, err := os.Stat(dir); err != nil {
			return "", 0, fmt.Errorf("durable mode is off in this configuration, and there is no queue in %s; name its directory with --path", dir)
		}
	}
	return dir, int64(c.Durable.MaxBytes), nil
}

// read reads the queue. Its error has the action to take.
func read(dir string, each func(diskqueue.ExportedBatch) error) (diskqueue.Files, error) {
	files, err := diskqueue.Read(dir, each)
	switch {
	case errors.Is(err, diskqueue.ErrLocked):
		err = fmt.Errorf("the queue in %s is in use: stop rtbeat first; while it runs, its status page and /metrics show the queue", dir)
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("there is no queue in %s; name its directory with --path", dir)
	}
	return files, err
}

// damage returns an error that names the damaged files.
func damage(files diskqueue.Files, more string) error {
	var all error
	for _, d := range files.Damaged {
		all = errors.Join(all, fmt.Errorf("%w%s", d, more))
	}
	return all
}

// queueStatus is the output of status.
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

// read fills in everything but the path and MaxBytes. Its error names the damaged files too.
func (s *queueStatus) read() (damaged, err error) {
	files, err := read(s.Path, func(b diskqueue.ExportedBatch) error {
		s.Batches++
		s.Messages += b.Messages - len(b.Skip)
		s.Bytes += b.Bytes
		if s.Oldest == nil || b.Origin.Received.Before(*s.Oldest) {
			s.Oldest = &b.Origin.Received
		}
		return nil
	})
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
	return damage(files, ""), err
}

func (s *queueStatus) print(out io.Writer) error {
	size := func(n int64) string { return humanize.IBytes(uint64(n)) } //nolint:gosec // not negative
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "path\t%s\nbatches\t%d\nmessages\t%d\nbytes\t%d (%s)\n", s.Path, s.Batches, s.Messages, s.Bytes, size(s.Bytes)) // Flush returns the error
	if s.Oldest != nil {
		_, _ = fmt.Fprintf(w, "oldest\t%s (%s ago)\n", s.Oldest.Format(time.RFC3339), time.Duration(s.OldestAge*float64(time.Second)))
	}
	_, _ = fmt.Fprintf(w, "files\t%d, %d bytes (%s)\n", s.Files, s.FileBytes, size(s.FileBytes))
	if s.MaxBytes > 0 {
		_, _ = fmt.Fprintf(w, "max_bytes\t%d (%s), %.1f %% of it are taken\n", s.MaxBytes, size(s.MaxBytes), 100*s.Share)
	}
	return w.Flush()
}

// progressInterval is the time between two lines about the progress of an export.
const progressInterval = 10 * time.Second

// export prints the batches of a queue, each as one line.
func export(dir string, stdout, stderr io.Writer) error {
	out := bufio.NewWriterSize(stdout, 64<<10)
	progress := rate.Sometimes{Interval: progressInterval}
	progress.Do(func() {}) // the first line is due after the interval
	var batches, messages int
	var buffer []byte
	var unprinted error
	files, err := read(dir, func(b diskqueue.ExportedBatch) error {
		line, n, err := b.AppendLine(buffer[:0])
		if err != nil { // the intake has decoded the batch, and its checksum is right
			unprinted = errors.Join(unprinted, fmt.Errorf("batch %d is not printed: %w", b.Number, err))
			return nil
		}
		buffer, batches, messages = line, batches+1, messages+n
		progress.Do(func() { _, _ = fmt.Fprintf(stderr, "%d batches\n", batches) })
		_, err = out.Write(line)
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("exporting, %d batches printed: %w", batches, err)
	}
	_, _ = fmt.Fprintf(stderr, "%d batches with %d messages exported from %s\n", batches, messages, dir)
	return errors.Join(damage(files, "; the readable batches were printed, and some may be missing"), unprinted)
}
