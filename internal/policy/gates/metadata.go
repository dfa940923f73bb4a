package gates

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidewaiter/tidewaiter/internal/policy"
)

func metadata() policy.Gate {
	return newGate("metadata", "What the image says of itself",
		trigger{policy.TriggerSpec{Name: "attribute", Description: "An attribute of the image satisfies a check", Prepare: prepareAttribute, Params: []policy.ParamSpec{
			{Name: "attribute", Type: policy.Enum, Required: true, Example: "size", Description: "The attribute", Values: []string{"size", "architecture", "os_type", "distro", "distro_version", "like_distro", "layer_count"}},
			{Name: "check", Type: policy.Enum, Required: true, Example: ">", Description: "How to compare", Values: []string{"=", "!=", ">", "<", ">=", "<=", "exists", "not_exists", "like", "not_like", "in", "not_in"}},
			{Name: "value", Type: policy.String, Example: "1073741824", Description: "What to compare with; sizes may end in kb, mb, gb or tb"},
		}}, attribute},
	)
}

type attributeCheck struct {
	number  int64
	numbers []int64
	list    []string
	re      *regexp.Regexp
}

func numericAttribute(name string) bool { return name == "size" || name == "layer_count" }

func prepareAttribute(p policy.Params) (any, error) {
	var c attributeCheck
	attr, check, value := p.Text("attribute"), p.Text("check"), p.Text("value")
	number := policy.ParseSize
	if attr == "layer_count" {
		number = func(s string) (int64, error) {
			n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%q is no whole number", s)
			}
			return n, nil
		}
	}
	var err error
	switch {
	case check == "exists" || check == "not_exists" || value == "":
	case check == "like" || check == "not_like":
		if c.re, err = policy.CompileStart(value); err != nil {
			err = fmt.Errorf("parameter value: %w", err)
		}
	case check == "in" || check == "not_in":
		c.list = splitValue(value)
		if numericAttribute(attr) {
			for _, item := range c.list {
				n, nerr := number(item)
				if nerr != nil {
					return nil, fmt.Errorf("parameter value: %w", nerr)
				}
				c.numbers = append(c.numbers, n)
			}
		}
	case numericAttribute(attr):
		if c.number, err = number(value); err != nil {
			err = fmt.Errorf("parameter value: %w", err)
		}
	}
	return c, err
}

// attributeOf is an attribute's value as text; numeric ones also as number.
func attributeOf(s *policy.Subject, name string) (text string, n int64) {
	img := s.Image
	switch name {
	case "size":
		for i := range img.Layers {
			n += img.Layers[i].Size
		}
		return strconv.FormatInt(n, 10), n
	case "layer_count":
		n = int64(len(img.Layers))
		return strconv.FormatInt(n, 10), n
	case "architecture":
		return img.Config.Architecture, 0
	case "os_type":
		return img.Config.OS, 0
	}
	if img.Distro == nil {
		return "", 0
	}
	switch name {
	case "distro":
		return img.Distro.ID, 0
	case "distro_version":
		return img.Distro.Version, 0
	case "like_distro":
		return strings.Join(img.Distro.IDLike, ","), 0
	}
	return "", 0
}

func attribute(_ context.Context, s *policy.Subject, p policy.Params) ([]policy.Hit, error) {
	attr, check, value := p.Text("attribute"), p.Text("check"), p.Text("value")
	c, _ := p.Prepared().(attributeCheck)
	text, n := attributeOf(s, attr)
	truthy := text != "" && text != "0"
	numeric := numericAttribute(attr)
	shown := value
	fires := false
	switch check {
	case "exists":
		fires = truthy
	case "not_exists":
		fires = !truthy
	default:
		if value == "" {
			return nil, nil
		}
		switch check {
		case "like", "not_like":
			if text == "" {
				return nil, nil // there is nothing to compare
			}
			fires = c.re.MatchString(text) == (check == "like")
		case "in", "not_in":
			found := slices.Contains(c.list, text)
			if numeric {
				found = slices.Contains(c.numbers, n)
			}
			fires = found == (check == "in")
		default:
			order := cmp.Compare(text, value)
			if numeric {
				order = cmp.Compare(n, c.number)
				shown = strconv.FormatInt(c.number, 10)
			} else if text == "" && check != "=" && check != "!=" {
				return nil, nil
			}
			fires = holds(check, order)
		}
	}
	if !fires {
		return nil, nil
	}
	return hit(fmt.Sprintf("Attribute check for attribute: '%s' check: '%s' check_value: '%s' matched image value: '%s'", attr, check, shown, text)), nil
}
