package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tidewaiter/tidewaiter/internal/pluginhost"
)

// TestMain lets scripts run the real main as a process of its own.
func TestMain(m *testing.M) {
	pluginhost.Launch()
	testscript.Main(m, map[string]func(){
		"tidewaiter": func() {
			code := Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
			tellPeak()
			os.Exit(code)
		},
	})
}

// TestScripts runs testdata/script/*.txtar. $ALPINE is the image that the
// repository carries, $EXAMPLES the folder of its plugins; home, configuration and
// cache are the script's own.
func TestScripts(t *testing.T) {
	alpine, err := filepath.Abs("../../examples/images/alpine-3.10.tar")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("HOME", home)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(home, ".cache"))
			env.Setenv("ALPINE", alpine)
			env.Setenv("EXAMPLES", filepath.Dir(filepath.Dir(alpine))+"/plugins")
			return os.MkdirAll(home, 0o700)
		},
	})
}
