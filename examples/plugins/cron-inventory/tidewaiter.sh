# One file for plugins of Tidewaiter written in bash: copy it beside yours and
# begin with
#
#	. "${0%/*}/tidewaiter.sh"
#
# It is a convenience over the plain mode of docs/plugins.md, which needs no
# helper.

# tw_files calls a function with every file that an analyzer was given: its path
# within the image, and where it lies.
tw_files() {
	local path
	tail -n +2 "$TIDEWAITER_INPUT/files.tsv" | while IFS=$'\t' read -r path _; do
		"$1" "$path" "$TIDEWAITER_FILES/$path"
	done
}

# tw_package PURL PATH [LICENCE] answers a package.
tw_package() { printf 'package\t%s\t%s\t%s\n' "$1" "$2" "${3:-}"; }

# tw_declared PURL PATH [LICENCE] answers a package that is only spoken of.
tw_declared() { printf 'declared\t%s\t%s\t%s\n' "$1" "$2" "${3:-}"; }

# tw_fact KIND PATH NAME=VALUE… answers a fact.
tw_fact() {
	local IFS=$'\t'
	printf 'fact\t%s\n' "$*"
}

# tw_problem PATH TEXT answers something that could not be read.
tw_problem() { printf 'problem\t%s\t%s\n' "$1" "$2"; }

# tw_hit TEXT [KEY VALUE]… answers a hit, with path, line, package, remedy …
tw_hit() {
	printf 'hit %s\n' "$1"
	shift
	while [ $# -ge 2 ]; do
		printf '%s %s\n' "$1" "$2"
		shift 2
	done
}

# tw_unknown TEXT answers that the record cannot tell.
tw_unknown() { printf 'unknown %s\n' "$1"; }

# tw_image KEY prints what image.txt says of the image under a key, a line each.
tw_image() { sed -n "s/^$1 //p" "$TIDEWAITER_IMAGE/image.txt"; }

# tw_param NAME prints a parameter, nothing where it is not given.
tw_param() {
	local name=${1^^}
	name=TIDEWAITER_PARAM_${name//[^A-Z0-9]/_}
	printf '%s' "${!name-}"
}

# tw_setting NAME prints a setting of the plugin.
tw_setting() {
	local name=${1^^}
	name=TIDEWAITER_SETTING_${name//[^A-Z0-9]/_}
	printf '%s' "${!name-}"
}

# tw_rows LIST COLUMN… prints columns of a list (packages, findings, facts,
# files) of the image, parted by tabs.
tw_rows() {
	local list=$1
	shift
	awk -F '\t' -v want="$*" '
		NR == 1 { n = split(want, w, " "); for (i = 1; i <= NF; i++) at[$i] = i; next }
		{ for (i = 1; i <= n; i++) printf "%s%s", $at[w[i]], i < n ? "\t" : "\n" }
	' "$TIDEWAITER_IMAGE/$list.tsv"
}
