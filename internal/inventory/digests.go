package inventory

// KindPackageDigests is the kind of a fact with what a package database says
// of a package's files. Its Data is the JSON of [PackageDigests]. Such facts
// are collected only to verify packages and are not kept in the inventory.
const KindPackageDigests = "package-digests"

// PackageDigests are the files of a package as its database knows them.
type PackageDigests struct {
	Type      string       `json:"type"` // of the package; "diversion": each file's path stands for Link, but in package Name
	Name      string       `json:"name"`
	Algorithm string       `json:"algorithm,omitempty"` // md5, sha1 or sha256
	Files     []FileDigest `json:"files"`
}

// FileDigest is what a package database says of one file.
type FileDigest struct {
	Path   string `json:"p"`           // as listed
	Digest string `json:"d,omitempty"` // hexadecimal; "" where only the rest is known
	Link   string `json:"l,omitempty"` // target of a symbolic link
	Mode   *int64 `json:"m,omitempty"` // permission bits with setuid, setgid, sticky
	Config bool   `json:"c,omitempty"`
}
