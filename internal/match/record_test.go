package match

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"

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
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n)*1e6, int64(*n)).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("a kind of field that the test does not know: " + v.Kind().String())
	}
}

func filledAnswer() Answer {
	var a Answer
	n := 0
	fill(reflect.ValueOf(&a).Elem(), &n)
	for i := range a.Findings {
		a.Findings[i].Package, a.Findings[i].Suppressed = 0, ""
	}
	a.Bad.Package = 0
	return a
}

func TestAnswerKeepsEveryField(t *testing.T) {
	for _, want := range []Answer{filledAnswer(), {}, {Findings: []Finding{}, Problems: []string{""}}} {
		b := want.AppendRecord(nil)
		got, err := UnmarshalAnswer(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		for i := range len(b) {
			if _, err := UnmarshalAnswer(b[:i]); err == nil {
				t.Fatalf("the first %d of %d bytes were taken", i, len(b))
			}
		}
		if _, err := UnmarshalAnswer(append(b, 0)); err == nil {
			t.Error("a byte more was taken")
		}
	}
}

func FuzzUnmarshalAnswer(f *testing.F) {
	a := filledAnswer()
	f.Add(a.AppendRecord(nil))
	f.Add((&Answer{}).AppendRecord(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := UnmarshalAnswer(b)
		if err != nil {
			return
		}
		again, err := UnmarshalAnswer(a.AppendRecord(nil))
		if err != nil {
			t.Fatal(err)
		}
		if x, y := a.AppendRecord(nil), again.AppendRecord(nil); !bytes.Equal(x, y) {
			t.Error("another record of what was read")
		}
	})
}
