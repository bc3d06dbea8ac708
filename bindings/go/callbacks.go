// SPDX-License-Identifier: MIT

package attractivenet

/*
#include <stdlib.h>
#include "attractivenet_go.h"
*/
import "C"

import (
	"context"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Progress of a long call.
type Progress struct {
	Done, Total int64 // units done, and in all; Total -1 = unknown
	Seconds     float64
	SecondsLeft float64 // -1 = unknown
	What        string  // the unit, such as "bytes"
}

// Warning is something that did not stop a call; Code is one of the Warn constants.
type Warning struct {
	Code    int
	Count   int64 // number of items that the warning is about
	Message string
}

// TrainEvent is an event of a run; Kind is one of the Event constants.
type TrainEvent struct {
	Kind         int
	Stage, Epoch int   // from 1
	Step, Steps  int64 // batches done and in all
	Loss         float64
	SecondsLeft  float64      // -1 = unknown
	Report       *EpochReport // EventEpochEnd only
}

// LossBatch is a batch whose loss a function of the caller computes. The slices are valid during the call.
type LossBatch struct {
	N, Outputs int
	Prediction []float32 // [N,Outputs]; for classification logits
	Target     []float32 // [N,Outputs]
	Weights    []float32 // [N]; nil = 1 each
	Gradient   []float32 // [N,Outputs], to be written; nil = not needed
	Loss       float64   // to be written: the mean over the samples
}

// FillBatch is a batch of samples to be filled in. The slices are valid during the call.
type FillBatch struct {
	Epoch, Step int64
	Samples     []int64   // [n]
	X           []float32 // [n,Height,Width,3]
	Y           []float32 // [n,Outputs]
	Weights     []float32 // [n]; nil unless Source.Weighted
}

// callbacks are the Go functions that a C object or a C call may call. A function that fails ends the C call; what it
// returned, or the value of its panic, waits here for the Go code that made the call.
type callbacks struct {
	ctx      context.Context // ends a call that reports progress; may be nil
	progress func(Progress) error
	warn     func(Warning) error
	event    func(*TrainEvent) error
	text     func(string) error
	loss     func(*LossBatch) error
	fill     func(*FillBatch) error
	release  func()
	first    func() // of a run: to be called before its first callback
	image    int    // floats of an image, for fill
	outputs  int    // numbers per sample, for fill

	refs   int32
	handle cgo.Handle
	user   unsafe.Pointer // C memory that holds the handle: no Go pointer is in C

	mu       sync.Mutex
	err      error
	panicked interface{}
}

func newCallbacks(c *callbacks) *callbacks {
	c.refs = 1
	c.user = C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0))))
	if c.user == nil {
		panic("out of memory")
	}
	c.handle = cgo.NewHandle(c)
	*(*cgo.Handle)(c.user) = c.handle
	return c
}

func (c *callbacks) retain() { atomic.AddInt32(&c.refs, 1) }

func (c *callbacks) drop() {
	if c == nil || atomic.AddInt32(&c.refs, -1) > 0 {
		return
	}
	c.handle.Delete()
	C.free(c.user)
}

// take removes what a callback left.
func (c *callbacks) take() (panicked interface{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	err, panicked = c.err, c.panicked
	c.err, c.panicked = nil, nil
	return panicked, err
}

func callbacksOf(user unsafe.Pointer) *callbacks {
	return (*(*cgo.Handle)(user)).Value().(*callbacks)
}

// guarded runs a callback for C: 0, or 1 if it failed. A panic does not cross C.
func (c *callbacks) guarded(fn func() error) (stop C.int32_t) {
	finished := false
	var err error
	defer func() {
		if finished && err == nil {
			return
		}
		stop = 1
		c.mu.Lock()
		defer c.mu.Unlock()
		if finished {
			if c.err == nil {
				c.err = err
			}
		} else if p := recover(); p != nil && c.panicked == nil {
			c.panicked = p
		}
	}()
	if c.first != nil {
		c.first()
	}
	err = fn()
	finished = true
	return 0
}

//export goProgress
func goProgress(user unsafe.Pointer, p *C.an_progress) C.int32_t {
	c := callbacksOf(user)
	return c.guarded(func() error {
		if c.ctx != nil {
			if err := c.ctx.Err(); err != nil {
				return err
			}
		}
		if c.progress == nil {
			return nil
		}
		return c.progress(Progress{int64(p.done), int64(p.total), float64(p.seconds), float64(p.seconds_left),
			C.GoString(p.what)})
	})
}

//export goWarn
func goWarn(user unsafe.Pointer, w *C.an_warning) C.int32_t {
	c := callbacksOf(user)
	return c.guarded(func() error {
		return c.warn(Warning{int(w.code), int64(w.count), C.GoString(w.message)})
	})
}

//export goEvent
func goEvent(user unsafe.Pointer, e *C.an_train_event) C.int32_t {
	c := callbacksOf(user)
	return c.guarded(func() error {
		if c.event == nil {
			return nil
		}
		event := &TrainEvent{Kind: int(e.kind), Stage: int(e.stage), Epoch: int(e.epoch), Step: int64(e.step),
			Steps: int64(e.steps), Loss: float64(e.loss), SecondsLeft: float64(e.seconds_left)}
		if e.report != nil {
			report := reportOf(e.report)
			event.Report = &report
		}
		return c.event(event)
	})
}

//export goText
func goText(user unsafe.Pointer, text *C.char) C.int32_t {
	c := callbacksOf(user)
	return c.guarded(func() error { return c.text(C.GoString(text)) })
}

//export goLoss
func goLoss(user unsafe.Pointer, b *C.an_loss_batch) C.int32_t {
	c := callbacksOf(user)
	return c.guarded(func() error {
		n := int(b.n)
		size := n * int(b.outputs)
		batch := &LossBatch{N: n, Outputs: int(b.outputs), Prediction: floats(b.prediction, size),
			Target: floats(b.target, size), Weights: floats(b.weights, n), Gradient: floats(b.gradient, size)}
		if err := c.loss(batch); err != nil {
			return err
		}
		*b.loss = C.double(batch.Loss)
		return nil
	})
}

//export goFill
func goFill(user unsafe.Pointer, b *C.an_fill_batch) C.int32_t {
	c := callbacksOf(user)
	return c.guarded(func() error {
		n := int(b.n)
		return c.fill(&FillBatch{Epoch: int64(b.epoch), Step: int64(b.step),
			Samples: unsafe.Slice((*int64)(unsafe.Pointer(b.samples)), n), X: floats(b.x, n*c.image),
			Y: floats(b.y, n*c.outputs), Weights: floats(b.weights, n)})
	})
}

//export goRelease
func goRelease(user unsafe.Pointer) {
	c := callbacksOf(user)
	if c.release != nil {
		c.release()
	}
	c.drop()
}

// floats is C memory as a slice; nil for NULL.
func floats(p *C.float, n int) []float32 {
	if p == nil {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(p)), n)
}

// C's functions, or NULL for callbacks that are not set.

func (c *callbacks) progressFn() C.an_progress_fn {
	if c.progress == nil && c.ctx == nil {
		return nil
	}
	return C.an_progress_fn(C.an_go_progress)
}

func (c *callbacks) warnFn() C.an_warning_fn {
	if c.warn == nil {
		return nil
	}
	return C.an_warning_fn(C.an_go_warn)
}

func (c *callbacks) textFn() C.an_text_fn {
	if c.text == nil {
		return nil
	}
	return C.an_text_fn(C.an_go_text)
}

func (c *callbacks) lossFn() C.an_loss_fn {
	if c.loss == nil {
		return nil
	}
	return C.an_loss_fn(C.an_go_loss)
}
