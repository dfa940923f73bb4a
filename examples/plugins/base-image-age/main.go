// base-image-age (Go, with the kit): a gate "image_age" about time. An image
// whose lowest layer is months old misses months of corrections of its base,
// however new the layers above are. Time is the instant that the verdict takes
// as now, so that judging again gives the same answer.
//
// Build:   make -C base-image-age
// Install: cp -r base-image-age ~/.config/tidewaiter/plugins/
// Try:     tidewaiter plugin test base-image-age --trigger base_too_old --param max_days=90 IMAGE
// Rule:    {"gate": "image_age", "trigger": "base_too_old", "action": "STOP",
//
//	"params": [{"name": "max_days", "value": "90"}]}
package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/tidewaiter/tidewaiter/plugin"
)

func main() {
	days := []plugin.Parameter{{Name: "max_days", Type: "days", Help: "how old it may be", Example: "90", Required: true}}
	plugin.Main(plugin.Description{
		Name: "base-image-age", Version: "1", Help: "How old an image and its base are", Kinds: []plugin.Kind{plugin.Gate},
		Gate: &plugin.GatePart{Name: "image_age", Triggers: []plugin.Trigger{
			{Name: "base_too_old", Help: "The lowest layer was made too long ago", Parameters: days},
			{Name: "image_too_old", Help: "The image was made too long ago", Parameters: days},
		}},
	}, plugin.Handler{Evaluate: evaluate})
}

func evaluate(in *plugin.Input) ([]plugin.Hit, error) {
	img, err := plugin.ReadImage(in.Image)
	if err != nil {
		return nil, err
	}
	now, err := time.Parse(time.RFC3339, img.Now)
	if err != nil {
		return nil, err
	}
	most, err := strconv.Atoi(in.Parameters["max_days"])
	if err != nil {
		return nil, err
	}
	what, made := "the image", img.Config.Created
	if in.Trigger == "base_too_old" {
		what, made = "the lowest layer", lowest(&img)
	}
	at, err := time.Parse(time.RFC3339, made)
	// Builds that can be repeated often give the year 1970: that is no age.
	if err != nil || at.Year() < 2013 {
		return []plugin.Hit{{Unknown: true, Message: "the image does not say when " + what + " was made"}}, nil
	}
	age := int(now.Sub(at).Hours() / 24)
	if age <= most {
		return nil, nil
	}
	return []plugin.Hit{{
		ID: in.Trigger, Message: fmt.Sprintf("%s was made %d days ago, on %s; at most %d are allowed", what, age, at.Format(time.DateOnly), most),
		Remedy: "build the image again on the present base", Detail: made,
	}}, nil
}

// lowest is when the first step of the history that made a layer was done.
func lowest(img *plugin.Image) string {
	for _, h := range img.Config.History {
		if !h.EmptyLayer {
			return h.Created
		}
	}
	return ""
}
