package plugin

import _ "embed"

// PythonKit is tidewaiter.py, which a plugin in Python has beside it.
//
//go:embed tidewaiter.py
var PythonKit string

// BashKit is tidewaiter.sh, which a plugin in bash may have beside it.
//
//go:embed tidewaiter.sh
var BashKit string
