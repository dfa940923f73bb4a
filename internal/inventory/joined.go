package inventory

import (
	"errors"

	"github.com/tidewaiter/tidewaiter/internal/compact"
)

// joinedForm is the form of the record of a joined image. It is raised with
// every change of the fields.
const joinedForm = 1

var errJoined = errors.New("inventory: broken record of a joined image")

// AppendJoined appends what the joins found out about an image: everything
// but its file table and what its source says of it (reference, tags, digests,
// annotations, configuration, the blobs of its layers). The same image gives
// the same bytes.
func (img *Image) AppendJoined(b []byte) []byte {
	c := joinedCoder{compact.NewWriter()}
	c.image(img)
	return c.Append(append(b, joinedForm))
}

// UnmarshalJoined reads what AppendJoined wrote and refuses anything else. It
// takes time and memory in proportion to b, and keeps parts of it.
func UnmarshalJoined(b []byte) (*Image, error) {
	if len(b) == 0 || b[0] != joinedForm {
		return nil, errJoined
	}
	c := joinedCoder{compact.NewReader(b[1:])}
	img := new(Image)
	c.image(img)
	if c.Bad() {
		return nil, errJoined
	}
	return img, nil
}

type joinedCoder struct{ *compact.Coder }

func (c joinedCoder) fileList(l *FileList) {
	n, data := uint64(l.n), l.data
	c.Raw(&n, &data)
	if !c.Reading() {
		return
	}
	if !validFileList(n, data) {
		c.Fail()
		return
	}
	*l = FileList{n: int(n), data: data}
}

func (c joinedCoder) image(img *Image) {
	compact.List(c.Coder, &img.Layers, 2, func(l *LayerInfo) {
		compact.Text(c.Coder, &l.DiffID)
		c.Int(&l.Files)
	})
	has := img.Distro != nil
	c.Bool(&has)
	if has {
		if c.Reading() {
			img.Distro = new(Distro)
		}
		c.distro(img.Distro)
	}
	compact.List(c.Coder, &img.Packages, 20, c.pkg)
	compact.List(c.Coder, &img.Declared, 20, c.pkg)
	compact.List(c.Coder, &img.Licenses, 5, func(l *LicenseFile) {
		c.String(&l.Path)
		c.String(&l.Inner)
		c.String(&l.PackageType)
		c.String(&l.Package)
		c.licenses(&l.Licenses)
		c.Int(&l.Layer)
	})
	compact.List(c.Coder, &img.Binaries, 11, c.binary)
	compact.List(c.Coder, &img.Facts, 5, func(f *Fact) {
		c.String(&f.Kind)
		c.String(&f.Path)
		c.Bytes((*[]byte)(&f.Data))
		c.Int(&f.Layer)
		c.Bool(&f.Hidden)
	})
	v := &img.Coverage
	c.Int(&v.Executables)
	c.Int64(&v.Bytes)
	c.Int(&v.AttributedFiles)
	c.Int64(&v.AttributedBytes)
	compact.List(c.Coder, &img.Problems, 5, func(p *Problem) {
		c.String(&p.Analyzer)
		c.String(&p.Path)
		c.Int(&p.Layer)
		c.String(&p.Limit)
		c.String(&p.Message)
	})
}

func (c joinedCoder) distro(d *Distro) {
	for _, s := range [...]*string{&d.Path, &d.ID, &d.Version, &d.Codename, &d.Name, &d.PrettyName, &d.Variant, &d.CPE, &d.Support, &d.Build} {
		c.String(s)
	}
	c.Strings(&d.IDLike)
}

func (c joinedCoder) licenses(ls *[]License) {
	compact.List(c.Coder, ls, 4, func(l *License) {
		c.String(&l.Expression)
		c.String(&l.Raw)
		c.String(&l.Source)
		c.Float(&l.Confidence)
	})
}

func (c joinedCoder) pkg(p *Package) {
	for _, s := range [...]*string{&p.Type, &p.Namespace, &p.Name, &p.Version, &p.Arch, &p.Source, &p.SourceVersion, &p.Module, &p.Scope, &p.Subpath,
		&p.Supplier, &p.Homepage, &p.Description, &p.Path, &p.Inner, &p.Technique, &p.Distro, &p.Owner} {
		c.String(s)
	}
	compact.Text(c.Coder, &p.State)
	c.Float(&p.Confidence)
	c.Int64(&p.Size)
	c.Int(&p.Layer)
	c.StringMap(&p.Qualifiers)
	c.StringMap(&p.Hashes)
	c.StringMap(&p.Meta)
	c.licenses(&p.Licenses)
	c.Strings(&p.Depends)
	c.Strings(&p.CPEs)
	c.fileList(&p.Files)
	compact.List(c.Coder, &p.Locations, 7, func(l *Location) {
		c.String(&l.Path)
		c.String(&l.Inner)
		c.Int(&l.Layer)
		c.String(&l.Analyzer)
		c.String(&l.Technique)
		c.String(&l.Owner)
		c.Bool(&l.Hidden)
	})
}

func (c joinedCoder) binary(b *Binary) {
	for _, s := range [...]*string{&b.Path, &b.Arch, &b.Type, &b.BuildID, &b.SOName, &b.Language} {
		c.String(s)
	}
	c.Strings(&b.Needed)
	c.Bool(&b.Static)
	c.Int(&b.Layer)
	c.Int64(&b.Size)
	compact.List(c.Coder, &b.Products, 20, c.pkg)
}
