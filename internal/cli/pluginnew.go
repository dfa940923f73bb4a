package cli

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/plugin"
)

// skeletons are the beginnings of plugins: a folder for each language, each
// file a template of the kind.
//
//go:embed skeletons
var skeletons embed.FS

func pluginLanguages() []string { return []string{"bash", "python", "go", "perl", "c"} }
func pluginKinds() []string     { return []string{"analyzer", "gate", "source", "query"} }

func (a *app) pluginNewCommand() *cobra.Command {
	return &cobra.Command{
		Use: "new KIND LANGUAGE [NAME]", Short: "Write a working plugin to begin with, into a folder of its name",
		Long: "Write a plugin that works, to be changed. KIND is " + strings.Join(pluginKinds(), ", ") + ";\nLANGUAGE is " + strings.Join(pluginLanguages(), ", ") + ".",
		Example: `  tidewaiter plugin new analyzer bash acme-manifest
  tidewaiter plugin test acme-manifest dir:.`,
		Args: cobra.RangeArgs(2, 3),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return pluginKinds(), cobra.ShellCompDirectiveNoFileComp
			case 1:
				return pluginLanguages(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			kind, language := args[0], args[1]
			if !slices.Contains(pluginKinds(), kind) {
				return fmt.Errorf("there is no kind %s; use %s", kind, strings.Join(pluginKinds(), ", "))
			}
			if !slices.Contains(pluginLanguages(), language) {
				return fmt.Errorf("there is no skeleton in %s; use %s", language, strings.Join(pluginLanguages(), ", "))
			}
			name := "my-" + kind
			if len(args) == 3 {
				name = args[2]
			}
			if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || name[0] == '-' {
				return fmt.Errorf("%q is no name of a plugin: use lower case letters, digits and -", name)
			}
			if err := os.Mkdir(name, 0o755); err != nil {
				return fmt.Errorf("%w: give the plugin another name, or remove that", err)
			}
			files, err := writeSkeleton(kind, language, name, name)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out, "wrote %s\n", strings.Join(files, ", "))
			if language == "go" || language == "c" {
				fmt.Fprintf(a.out, "build it: make -C %s\n", name)
			}
			_, err = fmt.Fprintf(a.out, "try it:   tidewaiter plugin test %s IMAGE\nuse it:   move the folder to the plugin folder, or --plugin %s\n", name, name)
			return err
		},
	}
}

// writeSkeleton writes the files of a kind in a language to a folder.
func writeSkeleton(kind, language, name, dir string) ([]string, error) {
	at := "skeletons/" + language
	entries, err := fs.ReadDir(skeletons, at)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		text, err := fs.ReadFile(skeletons, path.Join(at, e.Name()))
		if err != nil {
			return out, err
		}
		t, err := template.New(e.Name()).Delims("[[", "]]").Parse(string(text))
		if err != nil {
			return out, err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, map[string]string{"Kind": kind, "Name": name}); err != nil {
			return out, err
		}
		file := filepath.Join(dir, strings.TrimSuffix(e.Name(), ".tmpl"))
		mode := fs.FileMode(0o644)
		if filepath.Base(file) == "plugin" {
			mode = 0o755
		}
		if err := os.WriteFile(file, b.Bytes(), mode); err != nil {
			return out, err
		}
		out = append(out, file)
	}
	if language == "python" {
		file := filepath.Join(dir, "tidewaiter.py")
		if err := os.WriteFile(file, []byte(plugin.PythonKit), 0o644); err != nil {
			return out, err
		}
		out = append(out, file)
	}
	return out, nil
}
