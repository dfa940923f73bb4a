package feed

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidewaiter/tidewaiter/internal/advisory"
)

// listen takes at most n items and errors, each as text.
func listen(seq iter.Seq2[Item, error], n int) (got []string) {
	for it, err := range seq {
		if err != nil {
			got = append(got, "error "+err.Error())
		} else {
			got = append(got, it.Advisory.ID)
		}
		if len(got) == n {
			break
		}
	}
	return got
}

// lines reads the lines of files as identifiers; "!" breaks a file off.
func lines(members iter.Seq2[Member, error], out *Output) error {
	return out.Each(members, func(m Member) error {
		b, err := io.ReadAll(m)
		if err != nil {
			return err
		}
		for id := range strings.FieldsSeq(string(b)) {
			if id == "!" {
				return errors.New("broken")
			}
			out.Yield(Item{Advisory: &advisory.Advisory{ID: m.Name + ":" + id}}, nil)
		}
		return nil
	})
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAllOfAFolder(t *testing.T) {
	dir := folder(t, map[string]string{"a": "1 2", "b": "3", "c": "4 ! 5", "d": "6"})
	for n, want := range map[int][]string{
		1:  {"a:1"},
		3:  {"a:1", "a:2", "b:3"},
		99: {"a:1", "a:2", "b:3", "c:4", "error reading c: broken"},
	} {
		u, err := Input{From: dir}.All(t.Context(), "", State{}, lines)
		if err != nil || !u.Whole || u.State.Fetched.IsZero() {
			t.Fatalf("%+v %v", u, err)
		}
		if d := cmp.Diff(want, listen(u.Items, n)); d != "" {
			t.Errorf("%d items: %s", n, d)
		}
	}
}

func TestEachHandsBadMembersOn(t *testing.T) {
	members := func(yield func(Member, error) bool) {
		_ = yield(Member{}, &BadRecord{"x", errors.New("torn")}) && yield(Member{Name: "a", Reader: strings.NewReader("1")}, nil) &&
			yield(Member{}, errors.New("the archive ends here")) && yield(Member{Name: "b", Reader: strings.NewReader("2")}, nil)
	}
	got := listen(Items(func(out *Output) error { return lines(members, out) }), 99)
	if d := cmp.Diff([]string{"error x: torn", "a:1", "error the archive ends here"}, got); d != "" {
		t.Error(d)
	}
}

func TestRecords(t *testing.T) {
	dir := folder(t, map[string]string{"a.rec": "one", "b.rec": "no", "c.rec": "far too long", "d.rec": "two", "e.txt": "three"})
	files := 0
	read := func(out *Output) (err error) {
		accept := func(name string) bool { return strings.HasSuffix(name, ".rec") }
		files, err = out.Records(Members(t.Context(), dir, Limits{}), 5, accept, func(name string, raw []byte) error {
			if string(raw) == "no" {
				return errors.New("refused")
			}
			out.Yield(Item{Advisory: &advisory.Advisory{ID: name + ":" + string(raw)}}, nil)
			return nil
		})
		return err
	}
	want := []string{"a.rec:one", "error b.rec: refused", "error c.rec: c.rec exceeds the limit of 5 bytes of one record", "d.rec:two"}
	if d := cmp.Diff(want, listen(Items(read), 99)); d != "" || files != 4 {
		t.Errorf("%d files %s", files, d)
	}
	if d := cmp.Diff(want[:2], listen(Items(read), 2)); d != "" || files != 2 {
		t.Errorf("%d files %s", files, d)
	}
	// A limit of the archive is none of a record: it ends the update.
	members := Members(t.Context(), dir, Limits{Total: 4})
	got := listen(Items(func(out *Output) error {
		_, err := out.Records(members, 5, func(string) bool { return true }, func(string, []byte) error { return nil })
		return err
	}), 99)
	if len(got) != 1 || !strings.Contains(got[0], "unpacked bytes in all") {
		t.Errorf("%q", got)
	}
}

// publisher serves files with their length as the ETag and counts what it sent.
func publisher(t *testing.T, files map[string]string) (url string, sent map[string]int) {
	sent = map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		tag := fmt.Sprintf(`"%d"`, len(body))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sent[r.URL.Path]++
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL, sent
}

func TestAllOverTheNetwork(t *testing.T) {
	files := map[string]string{"/a": "1 2"}
	url, _ := publisher(t, files)
	in := Input{Client: &Client{Tries: 1}}
	u, err := in.All(t.Context(), url+"/a", State{}, lines)
	if err != nil || !u.Whole || u.State.ETag != `"3"` {
		t.Fatalf("%+v %v", u, err)
	}
	if d := cmp.Diff([]string{"a:1", "a:2"}, listen(u.Items, 99)); d != "" {
		t.Error(d)
	}
	known := u.State
	known.Revision, known.Published = "7", time.Unix(1, 0)
	in.URL = url + "/a" // instead of the default
	u, err = in.All(t.Context(), url+"/nothing", known, lines)
	if err != nil || !u.Unchanged || u.Whole || u.Items != nil || u.State.ETag != `"3"` || u.State.Revision != "7" || !u.State.Published.Equal(known.Published) {
		t.Errorf("%+v %v", u, err)
	}
	in.URL = ""
	if _, err = in.All(t.Context(), url+"/nothing", State{}, lines); err == nil {
		t.Error("what is not there was taken")
	}
}

func TestParts(t *testing.T) {
	files := map[string]string{"/a": "1", "/b": "2"}
	url, sent := publisher(t, files)
	in := Input{Client: &Client{Tries: 1}}
	parts := []Part{{Key: "A", Name: "x/a", URL: url + "/a"}, {Key: "B", Name: "b", URL: url + "/b"}, {Key: "C", Name: "c", URL: url + "/c", Optional: true}}
	check := func(state State, unchanged bool, tags map[string]string, want []string) State {
		t.Helper()
		u, err := in.Parts(t.Context(), parts, state, lines)
		if err != nil || u.Unchanged != unchanged || u.Whole == unchanged {
			t.Fatalf("%+v %v", u, err)
		}
		if d := cmp.Diff(tags, u.State.Parts); d != "" {
			t.Error(d)
		}
		if !unchanged {
			if d := cmp.Diff(want, listen(u.Items, 99)); d != "" {
				t.Error(d)
			}
		}
		return u.State
	}
	tags := map[string]string{"A": `"1"`, "B": `"1"`}
	state := check(State{}, false, tags, []string{"x/a:1", "b:2"})
	state = check(state, true, tags, nil)
	files["/b"] = "2 3"
	tags = map[string]string{"A": `"1"`, "B": `"3"`}
	state = check(state, false, tags, []string{"x/a:1", "b:2", "b:3"})
	if d := cmp.Diff(map[string]int{"/a": 2, "/b": 2}, sent); d != "" {
		t.Error(d)
	}
	files["/c"] = "4"
	state = check(state, false, map[string]string{"A": `"1"`, "B": `"3"`, "C": `"1"`}, []string{"x/a:1", "b:2", "b:3", "c:4"})
	state = check(state, true, map[string]string{"A": `"1"`, "B": `"3"`, "C": `"1"`}, nil)
	delete(files, "/c") // what an optional part had is taken back with it
	state = check(state, false, tags, []string{"x/a:1", "b:2", "b:3"})
	state = check(state, true, tags, nil)
	delete(files, "/a")
	if _, err := in.Parts(t.Context(), parts, state, lines); err == nil {
		t.Error("a part that is missing was overlooked")
	}
}
