package spdx

import "strings"

// FromText recognises the texts of the few licences that packages paste into
// their metadata whole, by sentences that no other licence has. It is no
// licence detector: "" for everything else.
func FromText(s string) string {
	t := strings.ToLower(strings.Join(strings.Fields(s), " "))
	has := func(part string) bool { return strings.Contains(t, part) }
	switch {
	case has("permission is hereby granted, free of charge, to any person obtaining a copy") && has("without restriction"):
		if has("except as contained in this notice") {
			return "X11"
		}
		if !has("shall be included in all copies or substantial portions") && !has("shall be included in all copies") {
			return "MIT-0"
		}
		return "MIT"
	case has("redistribution and use in source and binary forms"):
		ads := has("all advertising materials mentioning features")
		switch {
		case ads:
			return "BSD-4-Clause"
		case has("neither the name") || has("be used to endorse or promote products"):
			return "BSD-3-Clause"
		}
		return "BSD-2-Clause"
	case has("permission to use, copy, modify, and/or distribute this software for any purpose with or without fee") && has("above copyright notice and this permission notice appear in all copies"):
		return "ISC"
	case has("permission to use, copy, modify, and distribute this software for any purpose with or without fee") && has("above copyright notice and this permission notice appear in all copies"):
		return "ISC"
	case has("permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted. the software is provided"):
		return "0BSD"
	case has("licensed under the apache license, version 2.0"), has("apache license version 2.0, january 2004"):
		return "Apache-2.0"
	case has("this is free and unencumbered software released into the public domain"):
		return "Unlicense"
	case has("mozilla public license") && (has("version 2.0") || has("v. 2.0")):
		return "MPL-2.0"
	case has("general public license"):
		later := "-only"
		// the text of the licence itself has the words, too, and says nothing
		if has("any later version") && !has("terms and conditions for copying") && !has("everyone is permitted to copy and distribute verbatim") {
			later = "-or-later"
		}
		family := "GPL-"
		if has("lesser general public") || has("library general public") {
			family = "LGPL-"
		} else if has("affero general public") {
			family = "AGPL-"
		}
		for _, v := range [...]string{"3", "2.1", "2"} {
			if has("version "+v+" of the license") || has("version "+v+",") || has("version "+v+" june") || has("version "+v+".0") {
				if len(v) == 1 {
					v += ".0"
				}
				if id, ok := Known(family + v + later); ok {
					return id
				}
			}
		}
	}
	return ""
}
