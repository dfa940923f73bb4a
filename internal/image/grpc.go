package image

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// gRPC over HTTP/2, as far as containerd needs it: one message is sent, some
// messages come back, and a status in the trailer. Each is framed by a byte
// that tells compression and four of its length.

// call sends a request and reads every message of the answer.
func (c *containerd) call(ctx context.Context, method string, request []byte, got func([]byte) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeouts.Manifest)
	defer cancel()
	s, err := c.start(ctx, method, request)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		m, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = got(m)
		}
		if err != nil {
			return err
		}
	}
}

// grpcStream is the answer to a call: messages, then a status.
type grpcStream struct {
	resp *http.Response
	body *stallReader
	buf  []byte
}

const maxMessage = 16 << 20

func (c *containerd) start(ctx context.Context, method string, request []byte) (*grpcStream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(request))), request...)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://containerd/containerd.services."+method, bytes.NewReader(frame))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	req.Header.Set("Containerd-Namespace", c.namespace)
	req.Header.Set("User-Agent", c.o.UserAgent)
	slow := time.AfterFunc(c.o.Timeouts.Answer, func() { cancel(errStalled) })
	resp, err := c.client.Do(req)
	slow.Stop()
	if err != nil {
		if context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		cancel(nil)
		return nil, fmt.Errorf("asking containerd: %w", err)
	}
	s := &grpcStream{resp: resp, body: &stallReader{r: resp.Body, ctx: ctx, cancel: cancel, after: c.o.Timeouts.Stall}}
	if resp.StatusCode != http.StatusOK {
		s.Close()
		return nil, fmt.Errorf("containerd answered %s", resp.Status)
	}
	if resp.Header.Get("Grpc-Status") != "" { // no message, only a status
		defer s.Close()
		if err := grpcError(resp.Header); err != io.EOF {
			return nil, err
		}
	}
	return s, nil
}

// next gives a message, valid until the next one; io.EOF when all went well.
func (s *grpcStream) next() ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(s.body, head[:]); err == io.EOF {
		return nil, grpcError(s.resp.Trailer)
	} else if err != nil {
		return nil, fmt.Errorf("reading containerd's answer: %w", err)
	}
	size := binary.BigEndian.Uint32(head[1:])
	switch {
	case head[0] != 0:
		return nil, errors.New("containerd compressed its answer, which was not asked for")
	case size > maxMessage:
		return nil, fmt.Errorf("containerd's answer has a message of %d bytes, more than %d", size, maxMessage)
	}
	if cap(s.buf) < int(size) {
		s.buf = make([]byte, size)
	}
	s.buf = s.buf[:size]
	if _, err := io.ReadFull(s.body, s.buf); err != nil {
		return nil, fmt.Errorf("reading containerd's answer: %w", err)
	}
	return s.buf, nil
}

func (s *grpcStream) Close() error { return s.body.Close() }

// grpcError reads the status at the end of an answer; io.EOF is success.
func grpcError(h http.Header) error {
	msg := shorten(h.Get("Grpc-Message"))
	switch code := h.Get("Grpc-Status"); code {
	case "0":
		return io.EOF
	case "5":
		return fmt.Errorf("%w: containerd says: %s", ErrNotFound, msg)
	case "7", "16":
		return fmt.Errorf("%w: containerd says: %s", ErrDenied, msg)
	case "":
		return fmt.Errorf("containerd's answer: %w", io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("containerd answered with code %s: %s", code, msg)
	}
}
