package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
	"github.com/tidewaiter/tidewaiter/internal/report"
)

func (a *app) sbomCommand() *cobra.Command {
	source := sourceFlags{licenses: true}
	var outputs []string
	cmd := &cobra.Command{
		Use:   "sbom IMAGE",
		Short: "Print everything inside an image",
		Long:  "Read an image, every layer once, and print everything inside.\n\n" + sourceHelp,
		Example: `  tidewaiter sbom alpine:3.20
  tidewaiter sbom -o cyclonedx-json=bom.json -o table ghcr.io/org/app:1.2
  tidewaiter sbom --platform linux/arm64 -o spdx-json registry.example.com/app
  tidewaiter sbom --scope all-layers docker-archive:app.tar
  tidewaiter sbom dir:/mnt/rootfs`,
		Args:              exactArgs(1, "one image"),
		ValidArgsFunction: completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			outs, err := parseOutputs(outputs, report.Formats())
			if err != nil {
				return err
			}
			source.noFiles = !slices.ContainsFunc(outs, output.ofFiles)
			img, err := source.inventory(cmd.Context(), a, args[0])
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.write(outs, img)
		},
	}
	source.add(cmd)
	addOutputs(cmd, &outputs, report.Formats())
	return cmd
}

// completeImages completes prefixes and file names.
func completeImages(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []string{"registry:", "oci-dir:", "oci-archive:", "docker-archive:", "docker:", "podman:", "containerd:", "dir:", "sbom:"},
		cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveDefault
}

// output is one -o: a format and a file, "" for standard output. The template
// format has the file of its template in arg.
type output struct{ format, arg, file string }

// ofFiles reports whether the format may show the file table.
func (o output) ofFiles() bool { return o.format == report.Files || o.format == report.Template }

func addOutputs(cmd *cobra.Command, outputs *[]string, formats []string) {
	cmd.Flags().StringArrayVarP(outputs, "output", "o", []string{"table"},
		"`FORMAT[=FILE]`, repeatable: "+strings.Join(formats, ", ")+", template:TEMPLATE-FILE")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoSpace))
}

func parseOutputs(specs, formats []string) ([]output, error) {
	var outs []output
	stdout := 0
	for _, s := range specs {
		var o output
		o.format, o.file, _ = strings.Cut(s, "=")
		if rest, ok := strings.CutPrefix(o.format, "template:"); ok {
			o.format, o.arg = report.Template, rest
		}
		if o.format != report.Template && !slices.Contains(formats, o.format) {
			return nil, fmt.Errorf("-o %s: no such format; there are %s, template:FILE", s, strings.Join(formats, ", "))
		}
		if o.format == report.Template && o.arg == "" {
			return nil, errors.New("-o template: name the file of the template, as in -o template:report.tmpl")
		}
		if o.file == "-" {
			o.file = ""
		}
		if o.file == "" {
			stdout++
		}
		outs = append(outs, o)
	}
	if stdout > 1 {
		return nil, errors.New("-o: only one format can go to standard output; give the others a file, as in -o spdx-json=FILE")
	}
	return outs, nil
}

func (o output) options() (report.Options, error) {
	opts := report.Options{Tool: "tidewaiter", ToolVersion: version()}
	if o.arg == "" {
		return opts, nil
	}
	text, err := os.ReadFile(o.arg)
	if err != nil {
		return opts, fmt.Errorf("-o template: %w", err)
	}
	opts.Template = string(text)
	return opts, nil
}

type writer = io.Writer

// writeOutputs renders in every format asked for. A file is there whole or
// not at all.
func (a *app) writeOutputs(outs []output, options func(output) (report.Options, error), render func(writer, output, report.Options) error) error {
	for _, o := range outs {
		opts, err := options(o)
		if err != nil {
			return err
		}
		if o.file != "" {
			if err := writeFile(o.file, func(w io.Writer) error { return render(w, o, opts) }); err != nil {
				return fmt.Errorf("writing %s to %s: %w", o.format, o.file, err)
			}
			continue
		}
		w := bufio.NewWriterSize(a.out, 64<<10)
		if err := render(w, o, opts); err != nil {
			return fmt.Errorf("writing %s: %w", o.format, err)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// write renders an inventory.
func (a *app) write(outs []output, img *inventory.Image) error {
	return a.writeOutputs(outs, output.options, func(w writer, o output, opts report.Options) error { return report.Write(w, o.format, img, opts) })
}

// writeFile writes a file beside its place and moves it there. A device or a
// pipe, such as /dev/null or /dev/stderr, is written to as it is.
func writeFile(path string, render func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		w := bufio.NewWriterSize(f, 64<<10)
		if err := render(w); err != nil {
			f.Close()
			return err
		}
		return errors.Join(w.Flush(), f.Close())
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	w := bufio.NewWriterSize(tmp, 64<<10)
	if err := render(w); err != nil {
		tmp.Close()
		return err
	}
	if err := errors.Join(w.Flush(), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
