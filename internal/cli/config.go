package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// configure fills the flags that were not given: from the environment, then
// from the configuration file, whose keys are the names of flags. A key that
// no command knows is an error: a mistyped setting must not pass for a default.
func (a *app) configure(cmd *cobra.Command) error {
	file := a.configFile
	if file == "" {
		file = os.Getenv("TIDEWAITER_CONFIG")
	}
	settings, err := readConfig(file)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	everyFlag(cmd.Root(), func(f *pflag.Flag) { known[f.Name] = true })
	for key := range settings {
		if !known[key] {
			return fmt.Errorf("configuration: %q is no setting; settings are named as the flags are, such as data-dir", key)
		}
	}
	var problems []error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Name == "version" || f.Name == "config" {
			return
		}
		env := "TIDEWAITER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := os.LookupEnv(env); ok {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				problems = append(problems, fmt.Errorf("environment %s: %w", env, err))
			}
			return
		}
		for _, v := range settings[f.Name] {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				problems = append(problems, fmt.Errorf("configuration: %s: %w", f.Name, err))
			}
		}
	})
	return errors.Join(problems...)
}

func everyFlag(c *cobra.Command, visit func(*pflag.Flag)) {
	c.Flags().VisitAll(visit)
	c.PersistentFlags().VisitAll(visit)
	for _, sub := range c.Commands() {
		everyFlag(sub, visit)
	}
}

// readConfig reads a YAML mapping of settings to values or lists of values.
// Without a name it reads the user's file, if there is one.
func readConfig(file string) (map[string][]string, error) {
	named := file != ""
	if !named {
		dir, err := os.UserConfigDir()
		if err != nil {
			return nil, nil
		}
		file = filepath.Join(dir, "tidewaiter", "config.yaml")
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(b, &raw); err != nil {
		return nil, fmt.Errorf("configuration %s: %w", file, err)
	}
	out := map[string][]string{}
	for k, v := range raw {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				out[k] = append(out[k], fmt.Sprint(e))
			}
		case map[string]any:
			for _, name := range slices.Sorted(mapKeys(v)) {
				out[k] = append(out[k], fmt.Sprintf("%s=%v", name, v[name]))
			}
		case nil:
		default:
			out[k] = []string{fmt.Sprint(v)}
		}
	}
	return out, nil
}

func mapKeys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
