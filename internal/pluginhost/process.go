package pluginhost

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidewaiter/tidewaiter/plugin"
)

// child is a running plugin. It is killed with all that it started when
// anything is wrong with it, and when it is not needed any more.
type child struct {
	plugin *Plugin
	cmd    *exec.Cmd
	out    *os.File
	held   Held
	limits Limits
	plain  bool

	in   *os.File      // requests; nil for a run of the plain mode
	ids  int64         // of requests
	done chan struct{} // closed when it has ended and was waited for

	lines chan []byte   // from standard output; closed at its end
	abort chan struct{} // closed when nobody will read lines any more
	once  sync.Once
	ended atomic.Bool
	busy  atomic.Bool // a request is under way, or it is a run of the plain mode
	most  atomic.Int64
	used  atomic.Int64 // bytes of this request's answer

	mu    sync.Mutex
	cause error // why it was killed
	tail  []byte
	noise int64

	peak    atomic.Int64
	cleanup func()
}

// launch starts a plugin: with "serve" for a process that answers requests,
// with anything else for a run of the plain mode.
func (p *Plugin) launch(args, env []string, plain bool, time_ time.Duration) (*child, error) {
	h := p.host
	dir, err := p.folder()
	if err != nil {
		return nil, err
	}
	exe, err := p.install()
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp(dir, "scratch-")
	if err != nil {
		return nil, err
	}
	c := &child{plugin: p, limits: h.limits, plain: plain, done: make(chan struct{}), lines: make(chan []byte), abort: make(chan struct{}), cleanup: func() { os.RemoveAll(scratch) }}
	ok := false
	defer func() {
		if !ok {
			c.cleanup()
		}
	}()
	user := userOf()
	if user >= 0 {
		if err := os.Chown(scratch, user, user); err != nil {
			return nil, err
		}
	}
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, r := range h.config.Read {
		path = r + "/bin:" + path
	}
	j := jail{
		Exe: exe, Args: append([]string{exe}, args...),
		Env: append([]string{"PATH=" + path, "HOME=" + scratch, "TMPDIR=" + scratch, "LANG=C.UTF-8", "TZ=UTC", "PYTHONDONTWRITEBYTECODE=1",
			"TIDEWAITER_PROTOCOL=" + plugin.Protocol, "TIDEWAITER_SCRATCH=" + scratch}, env...),
		Read: append(append(systemFolders(), h.config.Read...), dir+"/exe", dir+"/in"), Scratch: scratch, Root: h.run + "/root", User: user,
		Memory: uint64(c.limits.Memory), ScratchSize: uint64(c.limits.Scratch), CPU: uint64(time_.Seconds()) + 1, OpenFiles: uint64(c.limits.OpenFiles), Processes: uint64(c.limits.Processes),
	}
	var ends [6]*os.File
	for i := 0; i < 6; i += 2 {
		if ends[i], ends[i+1], err = os.Pipe(); err != nil {
			closeAll(ends[:]...)
			return nil, err
		}
	}
	c.cmd, c.held, err = h.walls.start(j, ends[0], ends[3], ends[5], c.limits.Start)
	closeAll(ends[0], ends[3], ends[5])
	if err != nil {
		closeAll(ends[1], ends[2], ends[4])
		return nil, err
	}
	if err := h.judge(&c.held); err != nil {
		kill(c.cmd)
		_ = c.cmd.Wait()
		closeAll(ends[1], ends[2], ends[4])
		return nil, err
	}
	ok = true
	c.in, c.out = ends[1], ends[2]
	c.busy.Store(plain)
	c.most.Store(c.limits.Output)
	if plain {
		closeAll(c.in) // there is nothing to read
		c.in = nil
	}
	p.started.Add(1)
	var reading sync.WaitGroup
	reading.Go(c.read)
	reading.Go(func() { c.listen(ends[4]) })
	go func() {
		_ = c.cmd.Wait() // what it says is asked of ProcessState
		kill(c.cmd)      // what it left running without a namespace of its own
		c.ended.Store(true)
		read := make(chan struct{})
		go func() { reading.Wait(); close(read) }()
		for waiting := true; waiting; {
			select {
			case <-read:
				waiting = false
			case <-time.After(c.limits.Grace):
				if !c.busy.Load() || c.failed() != nil { // else there is somebody who reads, and has a time limit
					c.once.Do(func() { close(c.abort) })
					closeAll(c.out, ends[4])
				}
			}
		}
		closeAll(c.in, c.out, ends[4])
		p.note(c)
		c.cleanup()
		close(c.done)
	}()
	return c, nil
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close() // of a pipe, perhaps for the second time
		}
	}
}

// fail kills the plugin for a reason, of which the first counts.
func (c *child) fail(err error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = err
	}
	c.mu.Unlock()
	c.once.Do(func() { close(c.abort) })
	if !c.ended.Load() {
		kill(c.cmd)
	}
	_ = c.out.SetReadDeadline(time.Now()) // wakes the reader, whoever else holds the pipe
}

func (c *child) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// stop ends a plugin that did nothing wrong.
func (c *child) stop() {
	c.fail(errStopped)
	<-c.done
}

var errStopped = errors.New("stopped")

// read passes the lines of standard output on.
func (c *child) read() {
	defer close(c.lines)
	r := bufio.NewReaderSize(c.out, 64<<10)
	for {
		line, err := c.line(r)
		if err != nil {
			if !errors.Is(err, io.EOF) && c.failed() == nil {
				c.fail(err)
			}
			return
		}
		if !c.plain && !c.busy.Load() {
			c.fail(fmt.Errorf("it spoke without being asked: %s", quote(line)))
			return
		}
		select {
		case c.lines <- line:
		case <-c.abort:
			return
		}
	}
}

// unasked reports whether a line waits that nobody asked for.
func (c *child) unasked() bool {
	select {
	case line, ok := <-c.lines:
		if ok {
			c.fail(fmt.Errorf("it spoke without being asked: %s", quote(line)))
		}
		return true
	default:
		return c.failed() != nil || c.ended.Load()
	}
}

// line reads one line without its end.
func (c *child) line(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if n := c.used.Add(int64(len(part))); c.busy.Load() && n > c.most.Load() {
			return nil, fmt.Errorf("it answered more than the limit \"plugin output\" of %d bytes", c.most.Load())
		}
		if len(line) > c.limits.Line {
			return nil, fmt.Errorf("it answered a line longer than the limit \"plugin line\" of %d bytes", c.limits.Line)
		}
		switch {
		case err == nil:
			return bytes.TrimRight(line, "\r\n"), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			if c.plain {
				return line, nil
			}
			return nil, fmt.Errorf("it ended in the middle of a line: %s", quote(line))
		case errors.Is(err, os.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			return nil, io.EOF
		default:
			return nil, err
		}
	}
}

// listen logs standard error, as far as anybody wants to read it.
func (c *child) listen(f *os.File) {
	buf := make([]byte, 32<<10)
	var line []byte
	logged := 0
	for {
		n, err := f.Read(buf)
		if n > 0 {
			c.mu.Lock()
			c.noise += int64(n)
			c.tail = append(c.tail, buf[:n]...)
			if more := len(c.tail) - 2048; more > 0 {
				c.tail = append(c.tail[:0], c.tail[more:]...)
			}
			noise := c.noise
			c.mu.Unlock()
			if noise > c.limits.Output {
				c.fail(fmt.Errorf("it wrote more than the limit \"plugin output\" of %d bytes to standard error", c.limits.Output))
				return
			}
			for part := range bytes.Lines(buf[:n]) {
				if len(line) < 1000 {
					line = append(line, part...)
				}
				if part[len(part)-1] == '\n' {
					if logged++; logged <= 100 {
						c.plugin.host.log.Info("plugin", "plugin", c.plugin.Name(), "says", clean(string(bytes.TrimSpace(line)), 1000))
					}
					line = line[:0]
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// guard watches the memory of the plugin until the function that it returns is
// called. Requests that are answered at once cost no look.
func (c *child) guard() (unwatch func()) {
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Add(1)
	t := time.AfterFunc(c.limits.Watch/16, func() {
		defer watching.Done()
		c.watch(over)
	})
	return func() {
		close(over)
		if t.Stop() {
			watching.Done()
		}
		watching.Wait()
		if c.peak.Load() == 0 && !c.ended.Load() {
			_, peak := usage(c.cmd.Process.Pid)
			c.peak.Store(peak)
		}
	}
}

// watch kills the plugin when its processes together take too much memory,
// until the request is over.
func (c *child) watch(over <-chan struct{}) {
	pause := c.limits.Watch / 16 // often at first: many plugins are done soon
	for {
		now, peak := usage(c.cmd.Process.Pid)
		if peak > c.peak.Load() {
			c.peak.Store(peak)
		}
		if now > c.limits.Memory {
			c.fail(fmt.Errorf("it took more than the limit \"plugin memory\" of %d bytes", c.limits.Memory))
			return
		}
		select {
		case <-over:
			if _, peak := usage(c.cmd.Process.Pid); peak > c.peak.Load() {
				c.peak.Store(peak)
			}
			return
		case <-c.done:
			return
		case <-time.After(pause):
			pause = min(2*pause, c.limits.Watch)
		}
	}
}

// ask sends a request and hands its answers on, the last one too. After an
// error the process is of no use any more.
func (c *child) ask(ctx context.Context, r *plugin.Request, time_ time.Duration, output int64, each func(*plugin.Answer) error) (err error) {
	c.ids++
	r.ID = c.ids
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	c.used.Store(0)
	c.most.Store(output)
	c.busy.Store(true)
	unwatch := c.guard()
	defer func() {
		unwatch()
		c.busy.Store(false)
	}()
	timer := time.NewTimer(time_)
	defer timer.Stop()
	_ = c.in.SetWriteDeadline(time.Now().Add(time_)) // pipes have deadlines
	send := func() {
		if _, err := c.in.Write(append(b, '\n')); errors.Is(err, os.ErrDeadlineExceeded) {
			c.fail(fmt.Errorf("it did not read its request within the limit \"plugin time\" of %v", time_))
		}
	}
	if len(b) < 32<<10 { // it fits into the pipe, from which the last request was read
		send()
	} else {
		var sending sync.WaitGroup
		sending.Go(send)
		defer sending.Wait()
	}
	for first := true; ; {
		select {
		case <-ctx.Done():
			c.fail(ctx.Err())
			return ctx.Err()
		case <-timer.C:
			c.fail(fmt.Errorf("it did not answer within the limit \"plugin time\" of %v", time_))
			return c.ending()
		case line, ok := <-c.lines:
			if !ok {
				return c.ending()
			}
			var a plugin.Answer
			if err := decode(line, &a); err != nil {
				err = fmt.Errorf("its answer is not of the protocol: %w: %s", err, quote(line))
				c.fail(err)
				return c.ending()
			}
			if first && r.ID > 1 && a.ID < r.ID {
				c.fail(&late{a.ID})
				return c.ending()
			}
			first = false
			if a.ID != r.ID {
				c.fail(fmt.Errorf("it answered request %d; asked was %d", a.ID, r.ID))
				return c.ending()
			}
			if a.Error != "" {
				return &refusal{clean(a.Error, 1000)}
			}
			if err := each(&a); err != nil {
				c.fail(err)
				return err
			}
			if !a.More {
				return nil
			}
		}
	}
}

// late says that a plugin had more to say to an earlier request: the one under
// way has no part in it, and may be asked of another process.
type late struct{ id int64 }

func (e *late) Error() string {
	return fmt.Sprintf("it answered request %d after that had ended", e.id)
}

// refusal is the plugin's own word that it cannot answer.
type refusal struct{ message string }

func (e *refusal) Error() string { return e.message }

// decode reads one JSON object strictly: a misspelt member must not be lost.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("more than one value on the line")
	}
	return nil
}

// ending says why there will be no answer.
func (c *child) ending() error {
	select {
	case <-c.done:
	case <-time.After(2 * c.limits.Grace):
		kill(c.cmd)
		<-c.done
	}
	err := c.failed()
	if err == nil || errors.Is(err, errStopped) {
		err = fmt.Errorf("it ended without an answer: %v", c.cmd.ProcessState)
	}
	return c.with(err)
}

// with adds what the plugin last said to an error.
func (c *child) with(err error) error {
	c.mu.Lock()
	said := strings.TrimSpace(string(c.tail))
	c.mu.Unlock()
	if said == "" {
		return err
	}
	if len(said) > 500 {
		said = said[len(said)-500:]
	}
	return fmt.Errorf("%w; it said: %s", err, clean(said, 500))
}

// output runs a plugin of the plain mode and returns what it printed.
func (p *Plugin) output(ctx context.Context, args, env []string, time_ time.Duration, most int64) ([]byte, error) {
	c, err := p.launch(args, env, true, time_)
	if err != nil {
		return nil, err
	}
	c.most.Store(most)
	defer c.guard()()
	timer := time.NewTimer(time_)
	defer timer.Stop()
	var out bytes.Buffer
	for {
		select {
		case <-ctx.Done():
			c.fail(ctx.Err())
			<-c.done
			return nil, ctx.Err()
		case <-timer.C:
			c.fail(fmt.Errorf("it did not end within the limit \"plugin time\" of %v", time_))
			return nil, c.ending()
		case line, ok := <-c.lines:
			if ok {
				out.Write(line)
				out.WriteByte('\n')
				continue
			}
			select { // it may have closed its output and go on
			case <-c.done:
			case <-ctx.Done():
				c.fail(ctx.Err())
			case <-timer.C:
				c.fail(fmt.Errorf("it did not end within the limit \"plugin time\" of %v", time_))
			}
			<-c.done
			if err := c.failed(); err != nil {
				return nil, c.with(err)
			}
			if !c.cmd.ProcessState.Success() {
				return nil, c.with(fmt.Errorf("it failed: %v", c.cmd.ProcessState))
			}
			return out.Bytes(), nil
		}
	}
}
