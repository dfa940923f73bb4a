package inventory

// Bytes of the values themselves, on a machine of 64 bits.
const (
	packageBytes   = 480
	ownershipBytes = 96
	diversionBytes = 64
	distroBytes    = 184
	licensesBytes  = 96
	licenseBytes   = 56
	binaryBytes    = 168
	factBytes      = 72
	problemBytes   = 72
	stringBytes    = 16
)

// Weight is about how many bytes of memory the facts and problems of a layer
// take, its file table left out.
func (l *Layer) Weight() (n int64) {
	for i := range l.Records {
		n += l.Records[i].Weight()
	}
	return n
}

// Weight is about how many bytes of memory a record takes.
func (r *Record) Weight() (n int64) {
	for i := range r.Packages {
		n += r.Packages[i].weight()
	}
	for i := range r.Owned {
		o := &r.Owned[i]
		n += ownershipBytes + length(o.Path, o.Type, o.Name, o.Arch) + int64(len(o.Files.data))
	}
	for i := range r.Diverted {
		d := &r.Diverted[i]
		n += diversionBytes + length(d.Path, d.From, d.To, d.By)
	}
	for i := range r.Distros {
		d := &r.Distros[i]
		n += distroBytes + length(d.Path, d.ID, d.Version, d.Name, d.PrettyName, d.CPE)
	}
	for i := range r.Licenses {
		f := &r.Licenses[i]
		n += licensesBytes + length(f.Path, f.Package) + licensesWeight(f.Licenses)
	}
	for i := range r.Binaries {
		b := &r.Binaries[i]
		n += binaryBytes + length(b.Path, b.BuildID, b.SOName, b.Language) + textsWeight(b.Needed)
		for k := range b.Products {
			n += b.Products[k].weight()
		}
	}
	for i := range r.Facts {
		f := &r.Facts[i]
		n += factBytes + length(f.Kind, f.Path) + int64(len(f.Data))
	}
	for i := range r.Problems {
		p := &r.Problems[i]
		n += problemBytes + length(p.Path, p.Limit, p.Message)
	}
	return n
}

func (p *Package) weight() int64 {
	return packageBytes +
		length(p.Namespace, p.Name, p.Version, p.Source, p.SourceVersion, p.Module, p.Supplier, p.Homepage, p.Description, p.Inner) +
		table(p.Qualifiers) + table(p.Hashes) + table(p.Meta) + textsWeight(p.Depends) + textsWeight(p.CPEs) + licensesWeight(p.Licenses) + int64(len(p.Files.data))
}

func length(texts ...string) (n int64) {
	for _, s := range texts {
		n += int64(len(s))
	}
	return n
}

func textsWeight(texts []string) int64 { return int64(len(texts))*stringBytes + length(texts...) }

// table weighs a map: its first eight elements are there at once.
func table(m map[string]string) (n int64) {
	if m == nil {
		return 0
	}
	n = 48 + max(8, int64(len(m))*2)*33
	for k, v := range m {
		n += int64(len(k) + len(v))
	}
	return n
}

func licensesWeight(licenses []License) (n int64) {
	for i := range licenses {
		l := &licenses[i]
		n += licenseBytes + length(l.Raw, l.Expression)
	}
	return n
}
