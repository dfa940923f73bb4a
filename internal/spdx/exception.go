package spdx

import "strings"

// with reads a licence with an exception: "GPL-2+ with Autoconf exception",
// "GPL-3+-WITH-BISON-EXCEPTION", "GPL-2+-libtool-exception".
func (l *loose) with(s string) *node {
	base, exc := cutWith(s)
	if exc == "" {
		return nil
	}
	e := lookup(base)
	if e == "" {
		return nil
	}
	n := leafExpr(e)
	if n.op != opLeaf || n.exception != "" {
		return nil
	}
	if id := exceptionFor(n.id, exc); id != "" {
		n.exception = id
		return n
	}
	return combine(opAnd, []*node{n, l.fail(s)})
}

// cutWith finds where the exception begins.
func cutWith(s string) (base, exception string) {
	t := strings.ToLower(s)
	for _, w := range [...]string{" with ", "-with-", "_with_", " w/", "with", " plus ", "+ce"} {
		if i := strings.Index(t, w); i > 0 && len(t) == len(s) {
			return s[:i], s[i+len(w):]
		}
	}
	if !strings.Contains(t, "exception") || len(t) != len(s) {
		return "", ""
	}
	// no "with": the licence is what can be read before a hyphen or blank
	for i := len(s) - 1; i > 0; i-- {
		if (s[i] == '-' || s[i] == ' ') && lookup(s[:i]) != "" {
			return s[:i], s[i+1:]
		}
	}
	return "", ""
}

// exceptionFor finds the exception that a package means: an identifier, or
// the words for it. The licence decides where one name has several texts.
func exceptionFor(license, words string) string {
	words = strings.Trim(words, " \t.,;:\"'")
	if id, ok := KnownException(words); ok {
		return id
	}
	k := key(words)
	for _, noise := range [...]string{"exceptions", "exception", "special", "runtime", "linking", "clause"} {
		k = strings.ReplaceAll(k, noise, "")
	}
	three := strings.Contains(license, "-3.0")
	switch k {
	case "classpath", "classpath2", "cpe", "ce", "gnuclasspath", "":
		if k == "" {
			if strings.Contains(strings.ToLower(words), "linking") && strings.HasPrefix(license, "LGPL-3.0") {
				return "LGPL-3.0-linking-exception"
			}
			return ""
		}
		return "Classpath-exception-2.0"
	case "autoconf", "autoconfdata", "configure", "automake", "aclocal", "ac":
		if three {
			return "Autoconf-exception-generic-3.0"
		}
		return "Autoconf-exception-generic"
	case "autoconf2":
		return "Autoconf-exception-2.0"
	case "autoconf3":
		return "Autoconf-exception-3.0"
	case "libtool":
		return "Libtool-exception"
	case "bison", "bison2.2", "bisonparser":
		return "Bison-exception-2.2"
	case "bison1.24":
		return "Bison-exception-1.24"
	case "texinfo", "texinfotex":
		return "Texinfo-exception"
	case "font", "fontembedding", "fonts":
		return "Font-exception-2.0"
	case "gcc", "libgcc", "gcc3.1", "gcclibrary", "gccrle":
		if three {
			return "GCC-exception-3.1"
		}
		return "GCC-exception-2.0"
	case "openssl", "libressl", "ssl":
		// the permission that Debian's and GNOME's packages give word for word
		return "cryptsetup-OpenSSL-exception"
	case "llvm", "llvms", "gpl2lgpl2":
		return "LLVM-exception"
	case "linuxsyscallnote", "linuxsyscall", "syscallnote", "syscall":
		return "Linux-syscall-note"
	case "ocaml", "ocamllgpl", "ocamllgpl2.1":
		return "OCaml-LGPL-linking-exception"
	case "wxwindows", "wxwidgets", "wxwindowslibrary":
		return "WxWindows-exception-3.1"
	case "foss", "universalfoss", "universalfoss1":
		return "Universal-FOSS-exception-1.0"
	case "uboot":
		return "u-boot-exception-2.0"
	case "qt", "qtlgpl", "qtlgpl1.1":
		if strings.HasPrefix(license, "LGPL") {
			return "Qt-LGPL-exception-1.1"
		}
		return "Qt-GPL-exception-1.0"
	case "swift":
		return "Swift-exception"
	case "fltk":
		return "FLTK-exception"
	case "ecos", "ecos2":
		return "eCos-exception-2.0"
	case "gnat":
		return "GNAT-exception"
	case "gpl3", "gpl3interface":
		return "GPL-3.0-linking-exception"
	case "swi", "swiprolog":
		return "SWI-exception"
	}
	return ""
}
