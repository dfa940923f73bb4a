package plugin

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
)

// Handler answers requests; nil for kinds that the plugin is not.
type Handler struct {
	// Analyze reads the files of a request and learns from them.
	Analyze func(in *Input) (Answer, error)
	// Evaluate asks one trigger about one image.
	Evaluate func(in *Input) ([]Hit, error)
	// Fetch yields advisories: call send for every one, as OSV.
	Fetch func(in *Input, send func(osv any) error) (Answer, error)
	// Query answers a table.
	Query func(in *Input) (columns []string, rows [][]string, err error)
}

// Input is a request with its files at hand.
type Input struct{ Request }

// Open opens a file of an analyze or fetch request by its path.
func (in *Input) Open(path string) (*os.File, error) {
	return os.Open(filepath.Join(in.Folder, "files", filepath.FromSlash(path)))
}

// ReadFile reads a file of an analyze or fetch request by its path.
func (in *Input) ReadFile(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(in.Folder, "files", filepath.FromSlash(path)))
}

// ReadImage reads the description of an image from its folder.
func ReadImage(folder string) (Image, error) {
	var out Image
	b, err := os.ReadFile(filepath.Join(folder, ImageFile))
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}

// ReadVerdict reads the verdict over an image from its folder.
func ReadVerdict(folder string) (Judgement, error) {
	var out Judgement
	b, err := os.ReadFile(filepath.Join(folder, VerdictFile))
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}

// List reads a list of an image's folder, such as [PackagesFile].
func List[T any](folder, file string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		f, err := os.Open(filepath.Join(folder, file))
		if err != nil {
			yield(none, err)
			return
		}
		defer f.Close()
		d := json.NewDecoder(bufio.NewReader(f))
		for {
			var v T
			err := d.Decode(&v)
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Main is the main function of a plugin written in Go. It does not return.
func Main(d Description, h Handler) {
	err := run(os.Args[1:], os.Stdin, os.Stdout, d, h)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(args []string, in io.Reader, out io.Writer, d Description, h Handler) error {
	d.Protocol = Protocol
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	send := func(v any) error {
		if err := enc.Encode(v); err != nil {
			return err
		}
		return w.Flush()
	}
	switch {
	case len(args) == 1 && args[0] == "describe":
		return send(d)
	case len(args) == 1 && args[0] == "serve":
	default:
		return fmt.Errorf("%s %s: %s\n\nThis is a plugin of Tidewaiter (%s): it is called with describe or serve.\nTry: tidewaiter plugin info %s", d.Name, d.Version, d.Help, Protocol, os.Args[0])
	}
	requests := json.NewDecoder(bufio.NewReader(in))
	for {
		var r Input
		if err := requests.Decode(&r.Request); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		a, err := h.answer(&r, send)
		if err != nil {
			a = Answer{Error: err.Error()}
		}
		a.ID = r.ID
		if err := send(a); err != nil {
			return err
		}
	}
}

func (h *Handler) answer(in *Input, send func(any) error) (Answer, error) {
	var a Answer
	var err error
	switch {
	case in.Method == MethodAnalyze && h.Analyze != nil:
		return h.Analyze(in)
	case in.Method == MethodEvaluate && h.Evaluate != nil:
		a.Hits, err = h.Evaluate(in)
	case in.Method == MethodFetch && h.Fetch != nil:
		return h.Fetch(in, func(osv any) error {
			b, err := json.Marshal(osv)
			if err != nil {
				return err
			}
			return send(Answer{ID: in.ID, More: true, Advisories: []json.RawMessage{b}})
		})
	case in.Method == MethodQuery && h.Query != nil:
		a.Columns, a.Rows, err = h.Query(in)
	default:
		err = fmt.Errorf("this plugin knows no method %q", in.Method)
	}
	return a, err
}
