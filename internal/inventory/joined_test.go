package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fill gives every field of a value something of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * 1001)
	case reflect.Float64:
		v.SetFloat(float64(*n) / 7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{fmt.Sprintf("k%d", *n): "v", "": fmt.Sprint(*n)}))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(fmt.Sprintf("{%d}", *n)))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[FileList]() {
			v.Set(reflect.ValueOf(NewFileList([]string{"usr/bin/a", fmt.Sprintf("usr/bin/%d", *n)})))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("a kind of field that the test does not know: " + v.Kind().String())
	}
}

// filledImage has something in every field that the joins make.
func filledImage(t testing.TB) *Image {
	img := new(Image)
	n := 0
	v := reflect.ValueOf(img).Elem()
	source := map[string]bool{"Reference": true, "Tags": true, "Digest": true, "IndexDigest": true, "ConfigDigest": true, "Annotations": true, "Config": true, "Files": true}
	for i := range v.NumField() {
		if !source[v.Type().Field(i).Name] {
			fill(v.Field(i), &n)
		}
	}
	for i := range img.Layers {
		img.Layers[i] = LayerInfo{DiffID: img.Layers[i].DiffID, Files: img.Layers[i].Files}
	}
	return img
}

func TestJoinedKeepsEveryField(t *testing.T) {
	lists := cmp.Comparer(func(a, b FileList) bool { return a.n == b.n && bytes.Equal(a.data, b.data) })
	for _, want := range []*Image{filledImage(t), {}, {Packages: []Package{}, Facts: []Fact{{Data: json.RawMessage{}}}, Problems: []Problem{{Layer: -1}}}} {
		b := want.AppendJoined(nil)
		if again := want.AppendJoined(nil); !bytes.Equal(b, again) {
			t.Error("the same image gives other bytes")
		}
		got, err := UnmarshalJoined(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, lists); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		for i := range len(b) {
			if _, err := UnmarshalJoined(b[:i]); err == nil {
				t.Fatalf("the first %d of %d bytes were taken", i, len(b))
			}
		}
		if _, err := UnmarshalJoined(append(b, 0)); err == nil {
			t.Error("a byte more was taken")
		}
	}
}

func FuzzUnmarshalJoined(f *testing.F) {
	f.Add(filledImage(f).AppendJoined(nil))
	f.Add((&Image{}).AppendJoined(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := UnmarshalJoined(b)
		if err != nil {
			return
		}
		for i := range img.Packages {
			img.Packages[i].Files.Strings() // must not panic
		}
		again, err := UnmarshalJoined(img.AppendJoined(nil))
		if err != nil {
			t.Fatal(err)
		}
		if x, y := img.AppendJoined(nil), again.AppendJoined(nil); !bytes.Equal(x, y) {
			t.Error("another record of what was read")
		}
	})
}
