// Command kit is a gate written with the kit, for tests.
package main

import (
	"fmt"

	"github.com/tidewaiter/tidewaiter/plugin"
)

func main() {
	plugin.Main(plugin.Description{
		Name: "labels", Version: "1", Help: "Asks for labels", Kinds: []plugin.Kind{plugin.Gate},
		Gate: &plugin.GatePart{Needs: []plugin.Need{plugin.Packages}, Triggers: []plugin.Trigger{{Name: "label", Help: "a label has another value", Parameters: []plugin.Parameter{
			{Name: "name", Help: "of the label", Required: true}, {Name: "value", Help: "it must have", Required: true},
		}}}},
	}, plugin.Handler{Evaluate: func(in *plugin.Input) ([]plugin.Hit, error) {
		img, err := plugin.ReadImage(in.Image)
		if err != nil {
			return nil, err
		}
		value, ok := img.Config.Labels[in.Parameters["name"]]
		if !ok {
			return nil, fmt.Errorf("there is no label %s", in.Parameters["name"])
		}
		n := 0
		for _, err := range plugin.List[plugin.Package](in.Image, plugin.PackagesFile) {
			if err != nil {
				return nil, err
			}
			n++
		}
		if want := in.Parameters["value"]; value != want {
			return []plugin.Hit{{Message: fmt.Sprintf("label %s is %s, not %s", in.Parameters["name"], value, want), Detail: fmt.Sprintf("%d packages", n)}}, nil
		}
		return nil, nil
	}})
}
