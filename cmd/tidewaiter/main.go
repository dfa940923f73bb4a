// Command tidewaiter reads container images, writes down everything inside
// and judges them. Package cli has the commands.
package main

import (
	"os"

	"github.com/tidewaiter/tidewaiter/internal/cli"
	"github.com/tidewaiter/tidewaiter/internal/pluginhost"
)

func main() {
	pluginhost.Launch() // returns but in the processes of plugins
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
