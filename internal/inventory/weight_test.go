package inventory

import (
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"testing"
)

func TestSizesOfValues(t *testing.T) {
	if strconv.IntSize != 64 {
		t.Skip("the sizes are those of a machine of 64 bits")
	}
	for _, v := range []struct {
		value any
		bytes uintptr
	}{
		{Package{}, packageBytes}, {Ownership{}, ownershipBytes}, {Diversion{}, diversionBytes}, {Distro{}, distroBytes}, {LicenseFile{}, licensesBytes}, {License{}, licenseBytes},
		{Binary{}, binaryBytes}, {Fact{}, factBytes}, {Problem{}, problemBytes}, {"", stringBytes},
	} {
		if got := reflect.TypeOf(v.value).Size(); got != v.bytes {
			t.Errorf("%T takes %d bytes, not %d", v.value, got, v.bytes)
		}
	}
}

// What Weight says is near what the memory says.
func TestWeight(t *testing.T) {
	make := func(n int) Record {
		r := Record{Packages: make([]Package, 0, n)}
		for i := range n {
			s := fmt.Sprintf("%020d", i)
			p := Package{Type: "npm", Name: s, Version: s[1:], Description: s + s + s, Licenses: []License{{Raw: "MIT"}}, Hashes: map[string]string{"sha1": s + s}}
			for k := range 10 {
				p.Depends = append(p.Depends, fmt.Sprintf("%020d", i+k))
			}
			r.Packages = append(r.Packages, p)
		}
		return r
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := make(20_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	taken := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if w := r.Weight(); w < taken*7/10 || w > taken*14/10 {
		t.Errorf("weight %d, memory %d", w, taken)
	}
	runtime.KeepAlive(r)
}
