// Package cli is the command line: one file per command. A command decodes
// its flags, makes one call to the engine, and renders. Data goes to standard
// output, everything else to standard error. The exit code is 0 for go or
// done, 1 for stop, 2 when nothing could be told: errors and wrong usage.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tidewaiter/tidewaiter/internal/pluginhost"
)

// Exit codes.
const (
	exitGo      = 0
	exitStop    = 1
	exitUnknown = 2
)

// Version is set by the linker; see the Makefile. Without it the build
// information of the module speaks.
var Version = ""

// app is what every command has at hand.
type app struct {
	in       io.Reader
	out, err io.Writer
	log      *slog.Logger
	code     int // exit code of a command that ended without an error

	configFile string
	dataDir    string
	logLevel   string
	logFormat  string
	quiet      bool

	plugins pluginFlags
	host    *pluginhost.Host // nil until a command needs it
}

// Main runs the command line and returns the exit code.
func Main(args []string, in io.Reader, out, errw io.Writer) int {
	// A scan holds little; collecting less often than by default is worth a
	// few megabytes, and the limit keeps large images from growing the heap.
	debug.SetGCPercent(200)
	debug.SetMemoryLimit(160 << 20)
	a := &app{in: in, out: out, err: errw, log: slog.New(slog.DiscardHandler)}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	defer a.closePlugins()
	if err := root.ExecuteContext(ctx); err != nil {
		if errors.Is(err, syscall.EPIPE) {
			return exitUnknown // the reader of our output went away
		}
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(errw, "tidewaiter: %v\n", err)
		return exitUnknown
	}
	return a.code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "tidewaiter",
		Short: "Read container images, write down everything inside, and judge them",
		Long: `Tidewaiter reads container images once, writes down everything inside, and
judges them by your policy.

Every flag can also be set in the configuration file (its name as the key) and
in the environment (TIDEWAITER_ and its name in capitals, "-" as "_"); a flag
beats the environment, the environment beats the file.

Exit codes: 0 go or done, 1 stop, 2 could not tell (an error, wrong usage).`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.configure(cmd); err != nil {
				return err
			}
			return a.logTo()
		},
	}
	root.SetVersionTemplate("tidewaiter {{.Version}}\n")
	f := root.PersistentFlags()
	f.StringVar(&a.configFile, "config", "", "configuration `file` (default: config.yaml in the user's configuration folder, where there is one)")
	f.StringVar(&a.dataDir, "data-dir", "", "`folder` of everything that is remembered (default: tidewaiter in the user's cache folder)")
	f.StringVar(&a.logLevel, "log-level", "warn", "debug, info, warn or error")
	f.StringVar(&a.logFormat, "log-format", "text", "text or json")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no progress")
	a.plugins.add(f)
	root.AddCommand(a.pluginCommand(), a.sbomCommand(), a.scanCommand(), a.checkCommand(), a.verifyCommand(), a.explainCommand(), a.queryCommand(), a.secretCommand(), a.policyCommand(), a.cacheCommand(), a.feedCommand(), a.coverageCommand(), a.misconfigCommand(), a.versionCommand())
	return root
}

func (a *app) logTo() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return fmt.Errorf("--log-level %s: use debug, info, warn or error", a.logLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	switch a.logFormat {
	case "text":
		a.log = slog.New(slog.NewTextHandler(a.err, o))
	case "json":
		a.log = slog.New(slog.NewJSONHandler(a.err, o))
	default:
		return fmt.Errorf("--log-format %s: use text or json", a.logFormat)
	}
	return nil
}

// data returns the folder of what is remembered.
func (a *app) data() (string, error) {
	if a.dataDir != "" {
		return a.dataDir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: name a folder with --data-dir", err)
	}
	return filepath.Join(dir, "tidewaiter"), nil
}

func version() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" || v == "(devel)" {
		v = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v += "-" + s.Value[:min(12, len(s.Value))]
			}
			if s.Key == "vcs.modified" && s.Value == "true" {
				v += "-modified"
			}
		}
	}
	return v
}

// build identifies the program file: its version, and, because builds between
// versions have none, its size and time.
func build() string {
	id := version()
	if path, err := os.Executable(); err == nil {
		if info, err := os.Stat(path); err == nil {
			id += fmt.Sprintf(" %d %d", info.Size(), info.ModTime().UnixNano())
		}
	}
	return id
}

// exactArgs refuses a wrong number of arguments in a way that says what to do.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return fmt.Errorf("%s takes %s; see %s --help", cmd.CommandPath(), what, strings.TrimSpace(cmd.CommandPath()))
	}
}
