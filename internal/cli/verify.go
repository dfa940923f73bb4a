package cli

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/policy"
	"github.com/tidewaiter/tidewaiter/internal/report"
)

// verdictRecord is the format of check that verify reads.
const verdictRecord = "verdict-record"

func checkFormats() []string { return append(report.VerdictFormats(), verdictRecord) }

// writeRecord writes a verdict with everything it was derived from, compressed
// where the file's name ends in .gz.
func writeRecord(w io.Writer, file string, s *policy.Subject, b *policy.Bundle, v *policy.Verdict, gates []policy.Gate) error {
	r, err := policy.NewRecord(s, b, v, gates, "tidewaiter "+version())
	if err != nil {
		return err
	}
	if !strings.HasSuffix(file, ".gz") {
		return r.Write(w)
	}
	z := gzip.NewWriter(w)
	if err := r.Write(z); err != nil {
		return err
	}
	return z.Close()
}

func (a *app) verifyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify RECORD",
		Short: "Derive a verdict again from its record, and say which step fails",
		Long: `Derive a verdict again from its record alone, which check -o verdict-record=FILE
wrote: without the image, the database or the network. RECORD is a file, or "-"
for standard input; it may be compressed by gzip.

Each step is compared with what is recorded: the digests of policy, inventory,
findings and context, the instant, the gates, the mapping, every row, what
allowlists silenced, what could not be told, and the action. Exit code 1 when a
step fails, 2 when the record cannot be read.

A record that somebody altered consistently, digests and all, is another record:
keep its SHA-256 or sign it where that matters.`,
		Example: "  tidewaiter check -o verdict-record=app.record.gz app.tar\n  tidewaiter verify app.record.gz\n  tidewaiter verify --json - < app.record",
		Args:    exactArgs(1, "one record"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := a.in
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				in = file
			}
			r, err := policy.ReadRecord(in)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			gates, err := a.gates(cmd.Context())
			if err != nil {
				return err
			}
			steps, err := policy.Verify(cmd.Context(), r, gates)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			failed := 0
			var out strings.Builder
			for _, s := range steps {
				mark := "ok  "
				if !s.OK {
					mark = "FAIL"
					failed++
				}
				fmt.Fprintf(&out, "%s %-13s %s\n", mark, s.Name, s.Message)
			}
			if failed > 0 {
				a.code = exitStop
				fmt.Fprintf(&out, "The verdict %s does not stand: %d of %d steps fail.\n", r.Verdict.Action, failed, len(steps))
			} else {
				fmt.Fprintf(&out, "The verdict %s of %s stands.\n", r.Verdict.Action, r.Verdict.At.Format("2006-01-02T15:04:05Z07:00"))
			}
			if asJSON {
				return a.printJSON(map[string]any{"stands": failed == 0, "action": r.Verdict.Action, "steps": steps})
			}
			_, err = io.WriteString(a.out, clean(out.String()))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
