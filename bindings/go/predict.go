// SPDX-License-Identifier: MIT

package attractivenet

/*
#include <stdlib.h>
#include <attractivenet/attractivenet.h>
*/
import "C"

import (
	"context"
	"image"
	"io"
	"io/fs"
	"sync"
	"unsafe"
)

// Pixel layouts of frames.
const (
	FormatRGB  = C.AN_FORMAT_RGB
	FormatBGR  = C.AN_FORMAT_BGR
	FormatRGBA = C.AN_FORMAT_RGBA
	FormatBGRA = C.AN_FORMAT_BGRA
	FormatGrey = C.AN_FORMAT_GREY
	FormatNV12 = C.AN_FORMAT_NV12
	FormatYUYV = C.AN_FORMAT_YUYV
)

// Predictor scores images of any size. Any number of goroutines may use one at the same time: it has up to
// Backend.Threads predictors of C, which share the model's packed weights.
type Predictor struct {
	model *Model
	limit *ImageLimits

	mu     sync.Mutex
	idle   []*worker
	closed bool
}

// A predictor of C, with what cancels its calls.
type worker struct {
	o      *object
	cancel *C.an_cancel
}

func predictorPtr(p unsafe.Pointer) *C.an_predictor { return (*C.an_predictor)(p) }

// NewPredictor makes a predictor. limits apply to encoded images and files; nil = the defaults.
func NewPredictor(model *Model, limits *ImageLimits) (*Predictor, error) {
	if model == nil {
		return nil, wrong("the model is nil")
	}
	p := &Predictor{model: model, limit: limits}
	first, err := p.worker()
	if err != nil {
		return nil, err
	}
	p.idle = append(p.idle, first)
	return p, nil
}

func (p *Predictor) worker() (w *worker, err error) {
	err = with(func(m []unsafe.Pointer) error {
		cancel, err := newCancel()
		if err != nil {
			return err
		}
		var out *C.an_predictor
		err = check(func(e *C.an_error) C.an_status { return C.an_predictor_create(&out, modelPtr(m[0]), e) })
		if err == nil {
			err = check(func(e *C.an_error) C.an_status { return C.an_predictor_set_cancel(out, cancel, e) })
		}
		if err != nil {
			C.an_predictor_destroy(out)
			C.an_cancel_destroy(cancel)
			return err
		}
		w = &worker{newObject("predictor", unsafe.Pointer(out), func(p unsafe.Pointer) {
			C.an_predictor_destroy(predictorPtr(p))
			C.an_cancel_destroy(cancel)
		}), cancel}
		return nil
	}, p.model.o)
	return w, err
}

// Close frees the predictor's buffers, those in use when their calls end.
func (p *Predictor) Close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, w := range idle {
		w.o.close()
	}
	return nil
}

// run makes a call on a predictor of C that nobody else uses.
func (p *Predictor) run(ctx context.Context, fn func(c *C.an_predictor, e *C.an_error) C.an_status) error {
	if err := turn(ctx, p.model.backend.slots); err != nil {
		return err
	}
	defer func() { <-p.model.backend.slots }()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return &Error{Status: ErrArgument, Message: "the predictor is closed", cause: fs.ErrClosed}
	}
	var w *worker
	if last := len(p.idle) - 1; last >= 0 {
		w, p.idle = p.idle[last], p.idle[:last]
	}
	p.mu.Unlock()
	if w == nil {
		var err error
		if w, err = p.worker(); err != nil {
			return err
		}
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.closed {
			w.o.close()
		} else {
			p.idle = append(p.idle, w)
		}
	}()
	return with(func(ptr []unsafe.Pointer) error {
		defer watch(ctx, w.cancel)()
		return fromContext(ctx, check(func(e *C.an_error) C.an_status { return fn(predictorPtr(ptr[0]), e) }))
	}, w.o)
}

// Frames are images of one size. Strides are in bytes; 0 = no gap.
type Frames struct {
	Pix                    []uint8
	Count, Height, Width   int
	FrameStride, RowStride int
	Format                 int             // FormatRGB, ...
	Region                 image.Rectangle // what to score of each frame; empty = all
}

// check computes the bytes that the frames must have.
func (f *Frames) check() error {
	if f.Count < 1 || f.Height < 1 || f.Height > 65535 || f.Width < 1 || f.Width > 65535 || f.FrameStride < 0 || f.RowStride < 0 {
		return wrong("%d frames of %dx%d, strides %d and %d: count and sizes must be at least 1, sizes at most 65535",
			f.Count, f.Width, f.Height, f.FrameStride, f.RowStride)
	}
	row, rows := 3*f.Width, f.Height
	switch f.Format {
	case FormatRGBA, FormatBGRA:
		row = 4 * f.Width
	case FormatGrey:
		row = f.Width
	case FormatNV12:
		row, rows = f.Width, f.Height+f.Height/2
	case FormatYUYV:
		row = 2 * f.Width
	}
	rowStride, frameStride := f.RowStride, f.FrameStride
	if rowStride == 0 {
		rowStride = row
	}
	if frameStride == 0 {
		frameStride = rows * rowStride
	}
	const most = 1 << 46
	if rowStride > most/rows || f.Count > most/(frameStride+1) {
		return wrong("strides %d and %d are too large", f.FrameStride, f.RowStride)
	}
	if need := (f.Count-1)*frameStride + (rows-1)*rowStride + row; len(f.Pix) < need {
		return wrong("the frames have %d bytes; %d of %dx%d need %d", len(f.Pix), f.Count, f.Width, f.Height, need)
	}
	return nil
}

func (p *Predictor) frames(ctx context.Context, f *Frames, width int,
	fn func(c *C.an_predictor, out *C.float, e *C.an_error) C.an_status) ([]float32, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	out := make([]float32, f.Count*width)
	err := p.run(ctx, func(c *C.an_predictor, e *C.an_error) C.an_status {
		if st := C.an_predictor_set_format(c, C.int32_t(f.Format), e); st != 0 {
			return st
		}
		r := f.Region
		if st := C.an_predictor_set_region(c, C.int64_t(r.Min.X), C.int64_t(r.Min.Y), C.int64_t(r.Dx()),
			C.int64_t(r.Dy()), e); st != 0 {
			return st
		}
		return fn(c, floatPtr(out), e)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ScoreFrames scores frames, all with the same state of the weights: [Count,outputs].
func (p *Predictor) ScoreFrames(ctx context.Context, f Frames) ([]float32, error) {
	return p.frames(ctx, &f, p.model.outputs, func(c *C.an_predictor, out *C.float, e *C.an_error) C.an_status {
		return C.an_predictor_score_frames(c, bytePtr(f.Pix), C.int64_t(f.Count), C.int64_t(f.FrameStride),
			C.int64_t(f.Height), C.int64_t(f.Width), C.int64_t(f.RowStride), out, e)
	})
}

// Features computes the features of frames, the input of the model's head: [Count,Features].
func (p *Predictor) Features(ctx context.Context, f Frames) ([]float32, error) {
	return p.frames(ctx, &f, p.model.features, func(c *C.an_predictor, out *C.float, e *C.an_error) C.an_status {
		return C.an_predictor_compute_features(c, bytePtr(f.Pix), C.int64_t(f.Count), C.int64_t(f.FrameStride),
			C.int64_t(f.Height), C.int64_t(f.Width), C.int64_t(f.RowStride), out, e)
	})
}

// Score scores an image: [outputs].
func (p *Predictor) Score(ctx context.Context, img image.Image) ([]float32, error) {
	m := ToRGB(img)
	return p.ScoreFrames(ctx, Frames{Pix: m.Pix, Count: 1, Height: m.Rect.Dy(), Width: m.Rect.Dx(), RowStride: m.Stride})
}

// ScoreBytes scores an encoded image, JPEG or PNG; name is for messages.
func (p *Predictor) ScoreBytes(ctx context.Context, encoded []byte, name string) ([]float32, error) {
	if err := turn(ctx, p.model.backend.slots); err != nil {
		return nil, err
	}
	m, err := DecodeImage(encoded, name, p.limit)
	<-p.model.backend.slots
	if err != nil {
		return nil, err
	}
	return p.Score(ctx, m)
}

// ScoreReader reads an encoded image to its end and scores it.
func (p *Predictor) ScoreReader(ctx context.Context, r io.Reader, name string) ([]float32, error) {
	encoded, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return p.ScoreBytes(ctx, encoded, name)
}

// ScoreFS scores an image file of a file system.
func (p *Predictor) ScoreFS(ctx context.Context, files fs.FS, name string) ([]float32, error) {
	encoded, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	return p.ScoreBytes(ctx, encoded, name)
}

// ScoreFile scores an image file.
func (p *Predictor) ScoreFile(ctx context.Context, path string) ([]float32, error) {
	var a arena
	defer a.free()
	text := a.text(path)
	if a.err != nil {
		return nil, a.err
	}
	limits := p.limit.c()
	var out *C.an_image
	if err := turn(ctx, p.model.backend.slots); err != nil {
		return nil, err
	}
	err := check(func(e *C.an_error) C.an_status { return C.an_image_read(&out, text, &limits, e) })
	<-p.model.backend.slots
	if err != nil {
		return nil, err
	}
	defer C.an_image_destroy(out)
	scores := make([]float32, p.model.outputs)
	err = p.run(ctx, func(c *C.an_predictor, e *C.an_error) C.an_status {
		if st := C.an_predictor_set_format(c, C.AN_FORMAT_RGB, e); st != 0 {
			return st
		}
		if st := C.an_predictor_set_region(c, 0, 0, 0, 0, e); st != 0 {
			return st
		}
		return C.an_predictor_score_frame(c, C.an_image_const_data(out), C.an_image_height(out), C.an_image_width(out),
			0, floatPtr(scores), e)
	})
	if err != nil {
		return nil, err
	}
	return scores, nil
}

// TopClasses returns the k classes with the highest scores, highest first.
func TopClasses(scores []float32, k int) ([]int, error) {
	if k < 1 || k > len(scores) {
		return nil, wrong("k is %d; it must be 1 to %d", k, len(scores))
	}
	classes := make([]int32, k)
	err := check(func(e *C.an_error) C.an_status {
		return C.an_top_classes(floatPtr(scores), C.int32_t(len(scores)), C.int32_t(k),
			(*C.int32_t)(unsafe.Pointer(&classes[0])), e)
	})
	if err != nil {
		return nil, err
	}
	out := make([]int, k)
	for i, class := range classes {
		out[i] = int(class)
	}
	return out, nil
}
