package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/inventory"
)

// TestChainIDs has the example of the OCI image specification's formula worked
// out with sha256sum.
func TestChainIDs(t *testing.T) {
	got := chainIDs([]inventory.Digest{"sha256:aa", "sha256:bb", "sha256:cc"})
	want := []string{"", "sha256:aa",
		"", ""}
	if len(got) != 4 || got[0] != want[0] || got[1] != want[1] {
		t.Fatal(got)
	}
	want[2], want[3] = chainOfTwo, chainOfThree
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// printf '%s' 'sha256:aa sha256:bb' | sha256sum, and the same with that and
// sha256:cc.
const (
	chainOfTwo   = "sha256:b68ad689d6d1ec110ea1c13617437ad6f3766d4b3b309f6a603a222e07a0164f"
	chainOfThree = "sha256:ced946a3b9b1c697ead0fa9bf9ad36e03198566077f3950076f64a4760acde1b"
)

func TestImagesAreRemembered(t *testing.T) {
	db := open(t)
	ctx := t.Context()
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	layers := func(names ...string) (out []inventory.Digest) {
		for _, n := range names {
			out = append(out, inventory.Digest("sha256:"+n))
		}
		return out
	}
	put := func(digest, tag string, n int, names ...string) {
		t.Helper()
		if err := db.PutImage(ctx, JudgedImage{Digest: inventory.Digest(digest), Layers: layers(names...), Inventory: "i"}, tag, day(n)); err != nil {
			t.Fatal(err)
		}
	}
	put("base", "h/base:1", 1, "a")
	put("middle", "", 2, "a", "b")
	put("app", "h/app:1", 3, "a", "b", "c")
	put("twin", "", 3, "a", "b", "c")
	put("other", "h/app:1", 4, "a", "x")
	put("app", "h/app:1", 5, "a", "b", "c") // the tag moves back
	put("app", "h/app:1", 6, "a", "b", "c")
	put("app", "h/app:two", 7, "a", "b", "c")

	list, err := db.Ancestors(ctx, layers("a", "b", "c"), day(9))
	if err != nil {
		t.Fatal(err)
	}
	want := []JudgedImage{{Digest: "middle", Layers: layers("a", "b"), Inventory: "i", First: day(2)}, {Digest: "base", Layers: layers("a"), Inventory: "i", First: day(1), Tags: []string{"h/base:1"}}}
	if d := cmp.Diff(want, list); d != "" {
		t.Error(d)
	}
	if list, _ := db.Ancestors(ctx, layers("a", "b", "c"), day(1)); len(list) != 1 {
		t.Errorf("ancestors as of the first day: %v", list)
	}
	if list, _ := db.Ancestors(ctx, layers("a"), day(9)); list != nil {
		t.Errorf("an image of one layer has ancestors: %v", list)
	}
	for _, tt := range []struct {
		digest string
		at     int
		want   inventory.Digest
	}{{"app", 3, ""}, {"other", 4, "app"}, {"app", 9, "other"}, {"new", 9, "app"}, {"new", 4, "other"}} {
		got, ok, err := db.PreviousImage(ctx, "h/app:1", inventory.Digest(tt.digest), day(tt.at))
		if err != nil || got.Digest != tt.want || ok != (tt.want != "") {
			t.Errorf("before %s on day %d: %v %v %v, want %q", tt.digest, tt.at, got.Digest, ok, err, tt.want)
		}
	}
	if got, _, _ := db.PreviousImage(ctx, "h/app:1", "other", day(9)); !cmp.Equal(got.Tags, []string{"h/app:two", "h/app:1"}) {
		t.Errorf("tags %v", got.Tags)
	}
	for digest, want := range map[string]time.Time{"app": day(3), "never": {}} {
		if got, err := db.ImageFirstJudged(ctx, inventory.Digest(digest), day(9)); err != nil || !got.Equal(want) {
			t.Errorf("first %s: %v %v", digest, got, err)
		}
	}
	if got, _ := db.ImageFirstJudged(ctx, "app", day(2)); !got.IsZero() {
		t.Errorf("first app, as of the day before: %v", got)
	}
}
