// SPDX-License-Identifier: MIT

package attractivenet

/*
#include <stdlib.h>
#include "attractivenet_go.h"
*/
import "C"

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
	"unsafe"
)

// Where the weights of a new model come from; what training does to the base; losses; number types; tasks; paddings;
// tables.
const (
	WeightsRandom   = C.AN_WEIGHTS_RANDOM
	WeightsImageNet = C.AN_WEIGHTS_IMAGENET
	WeightsFile     = C.AN_WEIGHTS_FILE

	BaseFrozen     = C.AN_BASE_FROZEN
	BaseStatistics = C.AN_BASE_STATISTICS
	BaseTrain      = C.AN_BASE_TRAIN
	BaseFinetune   = C.AN_BASE_FINETUNE

	LossAuto        = C.AN_LOSS_AUTO
	LossMSE         = C.AN_LOSS_MSE
	LossMAE         = C.AN_LOSS_MAE
	LossHuber       = C.AN_LOSS_HUBER
	LossCategorical = C.AN_LOSS_CATEGORICAL
	LossBinary      = C.AN_LOSS_BINARY

	PrecisionFP32  = C.AN_PRECISION_FP32
	PrecisionMixed = C.AN_PRECISION_MIXED

	InferenceFP32 = C.AN_INFERENCE_FP32
	InferenceINT8 = C.AN_INFERENCE_INT8
	InferenceBF16 = C.AN_INFERENCE_BF16

	TaskRegression     = C.AN_TASK_REGRESSION
	TaskClassification = C.AN_TASK_CLASSIFICATION

	PaddingAuto      = C.AN_PADDING_AUTO
	PaddingFixed     = C.AN_PADDING_FIXED
	PaddingTutorial  = C.AN_PADDING_TUTORIAL
	PaddingSymmetric = C.AN_PADDING_SYMMETRIC

	SummaryKeras    = C.AN_SUMMARY_KERAS
	SummaryNotebook = C.AN_SUMMARY_NOTEBOOK
	SummaryLayers   = C.AN_SUMMARY_LAYERS
)

// MobileNetV2Options are an_mobilenetv2_options; begin with DefaultMobileNetV2Options.
type MobileNetV2Options struct {
	Height, Width int // when loading, 0 = as in the file
	Outputs       int
	Task          int // TaskRegression, ...
	Padding       int // PaddingAuto, ...
	Scale         int // ScaleAuto, ...
	Seed          uint32
	Alpha         float64
	Epsilon       float64              // of batch norm; 0: as in the file, else 0.001
	Weights       int                  // WeightsRandom, ...
	WeightsPath   string               // for WeightsFile
	Progress      func(Progress) error // of a download
}

// DefaultMobileNetV2Options returns the defaults: 350x350, alpha 1, random weights.
func DefaultMobileNetV2Options() MobileNetV2Options {
	var c C.an_mobilenetv2_options
	C.an_mobilenetv2_options_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	return MobileNetV2Options{Height: int(c.height), Width: int(c.width), Outputs: int(c.outputs), Task: int(c.task),
		Padding: int(c.padding), Scale: int(c.scale), Seed: uint32(c.seed), Alpha: float64(c.alpha),
		Epsilon: float64(c.epsilon), Weights: int(c.weights_kind)}
}

// c is NULL for nil.
func (o *MobileNetV2Options) c(a *arena) (c *C.an_mobilenetv2_options, back *callbacks) {
	if o == nil {
		return nil, nil
	}
	c = (*C.an_mobilenetv2_options)(a.alloc(unsafe.Sizeof(C.an_mobilenetv2_options{})))
	C.an_mobilenetv2_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	c.height, c.width, c.outputs = C.int32_t(o.Height), C.int32_t(o.Width), C.int32_t(o.Outputs)
	c.task, c.padding, c.scale = C.int32_t(o.Task), C.int32_t(o.Padding), C.int32_t(o.Scale)
	c.seed, c.alpha, c.weights_kind = C.uint32_t(o.Seed), C.double(o.Alpha), C.int32_t(o.Weights)
	c.epsilon = C.double(o.Epsilon)
	c.weights_path = a.optional(o.WeightsPath)
	back = newCallbacks(&callbacks{progress: o.Progress})
	c.progress, c.progress_user = back.progressFn(), back.user
	return c, back
}

// Model is a network with its weights.
//
// Any number of goroutines may predict, evaluate, save and copy at the same time, also while one of them changes the
// model by training or a setter; a second change at the same time fails with ErrArgument.
type Model struct {
	o        *object
	backend  *Backend
	cancel   *C.an_cancel // ends a run; attached to the model only while one begins
	mu       sync.Mutex
	changing bool
	image    int // floats of an image
	outputs  int
	features int
}

func modelPtr(p unsafe.Pointer) *C.an_model { return (*C.an_model)(p) }

func newModel(backend *Backend, out *C.an_model) (*Model, error) {
	cancel, err := newCancel()
	m := &Model{backend: backend, cancel: cancel}
	m.o = newObject("model", unsafe.Pointer(out), func(p unsafe.Pointer) {
		C.an_model_destroy(modelPtr(p))
		C.an_cancel_destroy(cancel)
	})
	var info ModelInfo
	if err == nil {
		info, err = m.Info()
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	m.image, m.outputs, m.features = 3*info.Height*info.Width, info.Outputs, info.Features
	return m, nil
}

func makeModel(backend *Backend, options *MobileNetV2Options, a *arena,
	fn func(out **C.an_model, b *C.an_backend, c *C.an_mobilenetv2_options, e *C.an_error) C.an_status) (m *Model, err error) {
	if backend == nil {
		return nil, wrong("the backend is nil")
	}
	c, back := options.c(a)
	defer back.drop()
	if a.err != nil {
		return nil, a.err
	}
	err = with(func(p []unsafe.Pointer) error {
		var out *C.an_model
		err := check(func(e *C.an_error) C.an_status { return fn(&out, (*C.an_backend)(p[0]), c, e) }, back)
		if err != nil {
			return err
		}
		m, err = newModel(backend, out)
		return err
	}, backend.o)
	return m, err
}

// NewMobileNetV2 builds a model; nil = the defaults.
func NewMobileNetV2(backend *Backend, options *MobileNetV2Options) (*Model, error) {
	var a arena
	defer a.free()
	return makeModel(backend, options, &a,
		func(out **C.an_model, b *C.an_backend, c *C.an_mobilenetv2_options, e *C.an_error) C.an_status {
			return C.an_mobilenetv2_create(out, b, c, e)
		})
}

// LoadModel loads a model file; options nil = everything as in the file.
func LoadModel(backend *Backend, path string, options *MobileNetV2Options) (*Model, error) {
	var a arena
	defer a.free()
	text := a.text(path)
	return makeModel(backend, options, &a,
		func(out **C.an_model, b *C.an_backend, c *C.an_mobilenetv2_options, e *C.an_error) C.an_status {
			return C.an_model_load(out, b, text, c, e)
		})
}

// ReadModel loads a model from what r holds until its end; options nil = everything as in the file.
func ReadModel(backend *Backend, r io.Reader, options *MobileNetV2Options) (*Model, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	return makeModel(backend, options, &a,
		func(out **C.an_model, b *C.an_backend, c *C.an_mobilenetv2_options, e *C.an_error) C.an_status {
			return C.an_model_load_bytes(out, b, unsafe.Pointer(bytePtr(content)), C.int64_t(len(content)), nil, c, e)
		})
}

// Close releases the model. Trainers and predictors keep it.
func (m *Model) Close() error { return m.o.close() }

// Backend returns the backend that the model was made on.
func (m *Model) Backend() *Backend { return m.backend }

// ModelInfo describes a model: an_model_info.
type ModelInfo struct {
	Height, Width, Outputs int
	Task, Scale, Padding   int
	Base                   int
	Features               int
	Alpha, Epsilon         float64
	Parameters, Trainable  int64
	Calibrated             bool
	Inference, Precision   int
	Recompute              bool
}

// Info describes the model.
func (m *Model) Info() (info ModelInfo, err error) {
	err = with(func(p []unsafe.Pointer) error {
		var c C.an_model_info
		C.an_model_info_init(&c, C.uint32_t(unsafe.Sizeof(c)))
		err := check(func(e *C.an_error) C.an_status { return C.an_model_describe(modelPtr(p[0]), &c, e) })
		info = ModelInfo{Height: int(c.height), Width: int(c.width), Outputs: int(c.outputs), Task: int(c.task),
			Scale: int(c.scale), Padding: int(c.padding), Base: int(c.base), Features: int(c.features),
			Alpha: float64(c.alpha), Epsilon: float64(c.epsilon), Parameters: int64(c.parameters), Trainable: int64(c.trainable),
			Calibrated: c.calibrated != 0, Inference: int(c.inference), Precision: int(c.precision),
			Recompute: c.recompute != 0}
		return err
	}, m.o)
	return info, err
}

// Summary returns the table of layers; style is SummaryKeras, ...
func (m *Model) Summary(style int) (text string) {
	m.o.query(func(p unsafe.Pointer) {
		size := C.an_model_summary(modelPtr(p), C.int32_t(style), nil, 0)
		if size > 0 {
			content := make([]byte, size)
			C.an_model_summary(modelPtr(p), C.int32_t(style), (*C.char)(unsafe.Pointer(&content[0])), size)
			text = string(content[:size-1])
		}
	})
	return text
}

// How long a call that reads the model is made again.
const readAgain = time.Second

// read makes a call that reads the model. C's flag belongs to a whole model: a call that begins in the same moment as a
// run (see Trainer.run) may end with it, though nobody has cancelled it. It is then made again.
func (m *Model) read(ctx context.Context, fn func() error) error {
	var until time.Time
	for {
		err := fn()
		var failed *Error
		if err == nil || !errors.As(err, &failed) || failed.Status != ErrCancelled || failed.cause != nil {
			return err
		}
		if ctx.Err() != nil {
			return fromContext(ctx, err)
		}
		if until.IsZero() {
			until = time.Now().Add(readAgain)
		} else if time.Now().After(until) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// Images that Predict computes between two looks at its context.
const predictImages = 16

// Predict predicts x [n,H,W,3], scaled with the model's scale: [n,outputs]. Use a Predictor for 8-bit images.
func (m *Model) Predict(ctx context.Context, x []float32) ([]float32, error) {
	if m.image == 0 || len(x)%m.image != 0 {
		return nil, wrong("x has %d numbers; it must have a multiple of %d", len(x), m.image)
	}
	y := make([]float32, len(x)/m.image*m.outputs)
	if err := m.PredictInto(ctx, x, y); err != nil {
		return nil, err
	}
	return y, nil
}

// PredictInto predicts x [n,H,W,3] into y [n,outputs].
func (m *Model) PredictInto(ctx context.Context, x, y []float32) error {
	return m.apply(ctx, x, m.image, y, m.outputs,
		func(c *C.an_model, x *C.float, n C.int64_t, y *C.float, e *C.an_error) C.an_status {
			return C.an_model_predict(c, x, n, y, e)
		})
}

// Features computes the head's input for x [n,H,W,3]: [n,Features].
func (m *Model) Features(ctx context.Context, x []float32) ([]float32, error) {
	if m.image == 0 || len(x)%m.image != 0 {
		return nil, wrong("x has %d numbers; it must have a multiple of %d", len(x), m.image)
	}
	out := make([]float32, len(x)/m.image*m.features)
	err := m.apply(ctx, x, m.image, out, m.features,
		func(c *C.an_model, x *C.float, n C.int64_t, y *C.float, e *C.an_error) C.an_status {
			return C.an_model_compute_features(c, x, n, y, e)
		})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// PredictFromFeatures predicts with the head alone, from features [n,Features].
func (m *Model) PredictFromFeatures(ctx context.Context, features []float32) ([]float32, error) {
	if len(features)%m.features != 0 {
		return nil, wrong("features has %d numbers; it must have a multiple of %d", len(features), m.features)
	}
	out := make([]float32, len(features)/m.features*m.outputs)
	err := m.apply(ctx, features, m.features, out, m.outputs,
		func(c *C.an_model, x *C.float, n C.int64_t, y *C.float, e *C.an_error) C.an_status {
			return C.an_model_predict_from_features(c, x, n, y, e)
		})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (m *Model) apply(ctx context.Context, x []float32, width int, y []float32, to int,
	fn func(c *C.an_model, x *C.float, n C.int64_t, y *C.float, e *C.an_error) C.an_status) error {
	if len(x) == 0 || len(x)%width != 0 {
		return wrong("there are %d numbers; there must be a multiple of %d, and not 0", len(x), width)
	}
	n := len(x) / width
	if len(y) != n*to {
		return wrong("the result has %d numbers; it must have %d", len(y), n*to)
	}
	if err := turn(ctx, m.backend.slots); err != nil {
		return err
	}
	defer func() { <-m.backend.slots }()
	return with(func(p []unsafe.Pointer) error {
		part := n
		if ctx.Done() != nil && part > predictImages {
			part = predictImages
		}
		for at := 0; at < n; at += part {
			if at > 0 {
				if err := ctx.Err(); err != nil {
					return &Error{Status: ErrCancelled, Message: "the prediction was cancelled", cause: err}
				}
			}
			if part > n-at {
				part = n - at
			}
			from, into := x[at*width:(at+part)*width], y[at*to:(at+part)*to]
			err := m.read(ctx, func() error {
				return check(func(e *C.an_error) C.an_status {
					return fn(modelPtr(p[0]), floatPtr(from), C.int64_t(part), floatPtr(into), e)
				})
			})
			if err != nil {
				return err
			}
		}
		return nil
	}, m.o)
}

// over makes a call that reads the model and a loader, and reports progress.
func (m *Model) over(ctx context.Context, l *Loader, back *callbacks,
	fn func(c *C.an_model, l *C.an_loader, e *C.an_error) C.an_status) error {
	if err := begun(ctx); err != nil {
		return err
	}
	if l == nil {
		return wrong("the loader is nil")
	}
	return with(func(p []unsafe.Pointer) error {
		return m.read(ctx, func() error {
			return check(func(e *C.an_error) C.an_status { return fn(modelPtr(p[0]), loaderPtr(p[1]), e) },
				append([]*callbacks{back}, l.o.owns...)...)
		})
	}, m.o, l.o)
}

// PredictLoader scores all samples of a loader: [samples,outputs]; NaN for images that were left out. progress may be
// nil.
func (m *Model) PredictLoader(ctx context.Context, l *Loader, progress func(Progress) error) ([]float32, error) {
	back := newCallbacks(&callbacks{ctx: ctx, progress: progress})
	defer back.drop()
	var scores []float32
	err := m.over(ctx, l, back, func(c *C.an_model, l *C.an_loader, e *C.an_error) C.an_status {
		scores = make([]float32, int(C.an_loader_samples(l))*m.outputs)
		return C.an_predict_loader(c, l, floatPtr(scores), back.progressFn(), back.user, e)
	})
	if err != nil {
		return nil, err
	}
	return scores, nil
}

// FeaturesLoader computes the features of all samples of a loader: [samples,Features]. progress may be nil.
func (m *Model) FeaturesLoader(ctx context.Context, l *Loader, progress func(Progress) error) ([]float32, error) {
	back := newCallbacks(&callbacks{ctx: ctx, progress: progress})
	defer back.drop()
	var features []float32
	err := m.over(ctx, l, back, func(c *C.an_model, l *C.an_loader, e *C.an_error) C.an_status {
		features = make([]float32, int(C.an_loader_samples(l))*m.features)
		return C.an_compute_features_loader(c, l, floatPtr(features), back.progressFn(), back.user, e)
	})
	if err != nil {
		return nil, err
	}
	return features, nil
}

// LossOptions say which loss: an_loss_options. The zero value is that of the model's task.
type LossOptions struct {
	Kind       int                    // LossAuto, ...
	Accumulate bool                   // for ComputeGradients
	Fn         func(*LossBatch) error // a custom loss function, with Kind LossAuto; nil = none
	Weights    []float32              // [n], for ComputeGradients; nil = 1 each
}

func (o *LossOptions) c(a *arena, back *callbacks) *C.an_loss_options {
	c := (*C.an_loss_options)(a.alloc(unsafe.Sizeof(C.an_loss_options{})))
	C.an_loss_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	if o == nil {
		return c
	}
	c.kind, c.accumulate = C.int32_t(o.Kind), flag(o.Accumulate)
	back.loss = o.Fn
	c.fn, c.user = back.lossFn(), back.user
	if len(o.Weights) > 0 {
		block := a.alloc(uintptr(len(o.Weights)) * 4)
		copy(unsafe.Slice((*float32)(block), len(o.Weights)), o.Weights)
		c.weights = (*C.float)(block)
	}
	return c
}

// Evaluate computes the mean loss over a loader; loss nil = that of the model's task, progress may be nil.
func (m *Model) Evaluate(ctx context.Context, l *Loader, loss *LossOptions, progress func(Progress) error) (float64, error) {
	var a arena
	defer a.free()
	back := newCallbacks(&callbacks{ctx: ctx, progress: progress})
	defer back.drop()
	options := loss.c(&a, back)
	var value C.double
	err := m.over(ctx, l, back, func(c *C.an_model, l *C.an_loader, e *C.an_error) C.an_status {
		return C.an_model_evaluate(c, l, options, &value, back.progressFn(), back.user, e)
	})
	return float64(value), err
}

// ComputeGradients computes the loss of a batch x [n,H,W,3], y [n,outputs]; the gradients stay in the model.
func (m *Model) ComputeGradients(x, y []float32, loss *LossOptions) (float64, error) {
	return m.gradients(x, m.image, y, loss,
		func(c *C.an_model, x, y *C.float, n C.int64_t, o *C.an_loss_options, v *C.double, e *C.an_error) C.an_status {
			return C.an_model_compute_gradients(c, x, y, n, o, v, e)
		})
}

// ComputeHeadGradients does so for the head alone, from features [n,Features].
func (m *Model) ComputeHeadGradients(features, y []float32, loss *LossOptions) (float64, error) {
	return m.gradients(features, m.features, y, loss,
		func(c *C.an_model, x, y *C.float, n C.int64_t, o *C.an_loss_options, v *C.double, e *C.an_error) C.an_status {
			return C.an_model_compute_head_gradients(c, x, y, n, o, v, e)
		})
}

func (m *Model) gradients(x []float32, width int, y []float32, loss *LossOptions,
	fn func(c *C.an_model, x, y *C.float, n C.int64_t, o *C.an_loss_options, v *C.double, e *C.an_error) C.an_status) (float64, error) {
	n := len(x) / width
	if len(x)%width != 0 {
		return 0, wrong("x has %d numbers; it must have a multiple of %d", len(x), width)
	}
	if len(y) != n*m.outputs {
		return 0, wrong("y has %d numbers; it must have %d", len(y), n*m.outputs)
	}
	if loss != nil && loss.Weights != nil && len(loss.Weights) != n {
		return 0, wrong("there are %d weights; there must be %d", len(loss.Weights), n)
	}
	var a arena
	defer a.free()
	back := newCallbacks(&callbacks{})
	defer back.drop()
	options := loss.c(&a, back)
	var value C.double
	err := m.change(func(c *C.an_model) error {
		return check(func(e *C.an_error) C.an_status {
			return fn(c, floatPtr(x), floatPtr(y), C.int64_t(n), options, &value, e)
		}, back)
	})
	return float64(value), err
}

// change makes a call that changes the model. C refuses a second one at the same time, and so does this: a run must not
// be ended by the context of another one that is refused.
func (m *Model) change(fn func(c *C.an_model) error) error {
	m.mu.Lock()
	busy := m.changing
	m.changing = true
	m.mu.Unlock()
	if busy {
		return wrong("another call is changing the model")
	}
	defer func() {
		m.mu.Lock()
		m.changing = false
		m.mu.Unlock()
	}()
	return with(func(p []unsafe.Pointer) error { return fn(modelPtr(p[0])) }, m.o)
}

func (m *Model) set(fn func(c *C.an_model, e *C.an_error) C.an_status) error {
	return m.change(func(c *C.an_model) error {
		return check(func(e *C.an_error) C.an_status { return fn(c, e) })
	})
}

// SetBase chooses what training does to the base: BaseFrozen, ...
func (m *Model) SetBase(base int) error {
	return m.set(func(c *C.an_model, e *C.an_error) C.an_status { return C.an_model_set_base(c, C.int32_t(base), e) })
}

// SetTraining chooses what training steps without a trainer keep in memory.
func (m *Model) SetTraining(precision int, recompute bool) error {
	return m.set(func(c *C.an_model, e *C.an_error) C.an_status {
		return C.an_model_set_training(c, C.int32_t(precision), flag(recompute), e)
	})
}

// SetMomentum sets the momentum of the moving statistics.
func (m *Model) SetMomentum(momentum float64) error {
	return m.set(func(c *C.an_model, e *C.an_error) C.an_status {
		return C.an_model_set_momentum(c, C.double(momentum), e)
	})
}

// SetInference chooses the number type of predictions: InferenceFP32, ...
func (m *Model) SetInference(inference int) error {
	return m.set(func(c *C.an_model, e *C.an_error) C.an_status {
		return C.an_model_set_inference(c, C.int32_t(inference), e)
	})
}

// ResetHead initialises the head again.
func (m *Model) ResetHead(seed uint32) error {
	return m.set(func(c *C.an_model, e *C.an_error) C.an_status { return C.an_model_reset_head(c, C.uint32_t(seed), e) })
}

// Calibrate calibrates int8 inference with the first images of a loader; 0 = all. progress may be nil.
func (m *Model) Calibrate(ctx context.Context, l *Loader, images int64, progress func(Progress) error) error {
	if err := begun(ctx); err != nil {
		return err
	}
	if l == nil {
		return wrong("the loader is nil")
	}
	back := newCallbacks(&callbacks{ctx: ctx, progress: progress})
	defer back.drop()
	return m.change(func(c *C.an_model) error {
		return with(func(p []unsafe.Pointer) error {
			return check(func(e *C.an_error) C.an_status {
				return C.an_calibrate_loader(c, loaderPtr(p[0]), C.int64_t(images), back.progressFn(), back.user, e)
			}, append([]*callbacks{back}, l.o.owns...)...)
		}, l.o)
	})
}

// UpdateBatchNorm recomputes the moving statistics as the mean over the batches that next returns, x [n,H,W,3], until
// it returns io.EOF.
func (m *Model) UpdateBatchNorm(next func() (x []float32, err error)) error {
	return m.change(func(c *C.an_model) error {
		err := check(func(e *C.an_error) C.an_status { return C.an_model_update_batch_norm_begin(c, e) })
		for err == nil {
			x, last := next()
			if last == io.EOF {
				return check(func(e *C.an_error) C.an_status { return C.an_model_update_batch_norm_end(c, e) })
			}
			switch {
			case last != nil:
				err = last
			case len(x)%m.image != 0:
				err = wrong("x has %d numbers; it must have a multiple of %d", len(x), m.image)
			default:
				err = check(func(e *C.an_error) C.an_status {
					return C.an_model_update_batch_norm_add(c, floatPtr(x), C.int64_t(len(x)/m.image), e)
				})
			}
		}
		return err
	})
}

// SetClassNames names the classes, in the order of the outputs; nil = no names.
func (m *Model) SetClassNames(names []string) error {
	var a arena
	defer a.free()
	list := a.texts(names)
	if a.err != nil {
		return a.err
	}
	return m.set(func(c *C.an_model, e *C.an_error) C.an_status {
		return C.an_model_set_class_names(c, list, C.int32_t(len(names)), e)
	})
}

// ClassNames returns the names of the classes; nil if there are none.
func (m *Model) ClassNames() (names []string) {
	m.o.query(func(p unsafe.Pointer) {
		for i := C.int32_t(0); i < C.an_model_class_count(modelPtr(p)); i++ {
			names = append(names, C.GoString(C.an_model_class_name(modelPtr(p), i)))
		}
	})
	return names
}

// Copy copies the model to a backend, nil = its own. With share both use one set of weights until one of them changes.
func (m *Model) Copy(backend *Backend, share bool) (copied *Model, err error) {
	if backend == nil {
		backend = m.backend
	}
	weights := C.int32_t(C.AN_COPY_WEIGHTS)
	if share {
		weights = C.AN_SHARE_WEIGHTS
	}
	err = with(func(p []unsafe.Pointer) error {
		var b *C.an_backend
		if backend != m.backend {
			ptr, err := backend.o.use()
			if err != nil {
				return err
			}
			defer backend.o.done()
			b = (*C.an_backend)(ptr)
		}
		var out *C.an_model
		err := check(func(e *C.an_error) C.an_status { return C.an_model_copy(&out, modelPtr(p[0]), b, weights, e) })
		if err != nil {
			return err
		}
		copied, err = newModel(backend, out)
		return err
	}, m.o)
	return copied, err
}

// Save writes the model to a file, atomically.
func (m *Model) Save(path string) error {
	return withText(path, func(text *C.char) error {
		return with(func(p []unsafe.Pointer) error {
			return check(func(e *C.an_error) C.an_status { return C.an_model_save(modelPtr(p[0]), text, e) })
		}, m.o)
	})
}

// WriteTo writes the bytes of the file that Save writes.
func (m *Model) WriteTo(w io.Writer) (n int64, err error) {
	err = with(func(p []unsafe.Pointer) error {
		var out *C.an_bytes
		err := check(func(e *C.an_error) C.an_status { return C.an_model_save_bytes(&out, modelPtr(p[0]), e) })
		if err != nil {
			return err
		}
		defer C.an_bytes_destroy(out)
		// A copy: what w does with the slice is not known.
		content := C.GoBytes(unsafe.Pointer(C.an_bytes_data(out)), C.int(C.an_bytes_size(out)))
		written, err := w.Write(content)
		n = int64(written)
		return err
	}, m.o)
	return n, err
}

// Array is a named array, such as "dense/kernel".
type Array struct {
	Name  string
	Shape []int64
	Data  []float32
}

func arraysOf(c *C.an_arrays) []Array {
	list := make([]Array, C.an_arrays_count(c))
	for i := range list {
		at := C.int64_t(i)
		size := 1
		for axis := C.int32_t(0); axis < C.an_arrays_rank(c, at); axis++ {
			length := int64(C.an_arrays_length(c, at, axis))
			list[i].Shape = append(list[i].Shape, length)
			size *= int(length)
		}
		list[i].Name = C.GoString(C.an_arrays_name(c, at))
		list[i].Data = append([]float32(nil), floats(C.an_arrays_data(c, at), size)...)
	}
	return list
}

func (m *Model) arrays(fn func(out **C.an_arrays, c *C.an_model, e *C.an_error) C.an_status) (list []Array, err error) {
	err = with(func(p []unsafe.Pointer) error {
		var out *C.an_arrays
		if err := check(func(e *C.an_error) C.an_status { return fn(&out, modelPtr(p[0]), e) }); err != nil {
			return err
		}
		defer C.an_arrays_destroy(out)
		list = arraysOf(out)
		return nil
	}, m.o)
	return list, err
}

// Weights returns copies of all weights, with Keras' names, in layer order.
func (m *Model) Weights() ([]Array, error) {
	return m.arrays(func(out **C.an_arrays, c *C.an_model, e *C.an_error) C.an_status {
		return C.an_model_copy_weights(out, c, e)
	})
}

// Gradients returns copies of the gradients of the last ComputeGradients.
func (m *Model) Gradients() ([]Array, error) {
	return m.arrays(func(out **C.an_arrays, c *C.an_model, e *C.an_error) C.an_status {
		return C.an_model_copy_gradients(out, c, e)
	})
}

// ReadArrays reads a weight or model file of any format that the library reads.
func ReadArrays(path string) (list []Array, err error) {
	err = withText(path, func(text *C.char) error {
		var out *C.an_arrays
		if err := check(func(e *C.an_error) C.an_status { return C.an_arrays_read(&out, text, e) }); err != nil {
			return err
		}
		defer C.an_arrays_destroy(out)
		list = arraysOf(out)
		return nil
	})
	return list, err
}

func withArrays(list []Array, fn func(c *C.an_arrays) error) error {
	var a arena
	defer a.free()
	var c *C.an_arrays
	if err := check(func(e *C.an_error) C.an_status { return C.an_arrays_create(&c, e) }); err != nil {
		return err
	}
	defer C.an_arrays_destroy(c)
	for i := range list {
		size := int64(1)
		for _, length := range list[i].Shape {
			if length < 0 {
				return wrong("array '%s' has a length of %d", list[i].Name, length)
			}
			size *= length
		}
		if size != int64(len(list[i].Data)) {
			return wrong("array '%s' has %d numbers; its shape %v has %d", list[i].Name, len(list[i].Data), list[i].Shape, size)
		}
		name := a.text(list[i].Name)
		if a.err != nil {
			return a.err
		}
		err := check(func(e *C.an_error) C.an_status {
			return C.an_arrays_add(c, name, floatPtr(list[i].Data), int64Ptr(list[i].Shape), C.int32_t(len(list[i].Shape)), e)
		})
		if err != nil {
			return err
		}
	}
	return fn(c)
}

// WriteArrays writes arrays as a safetensors file, atomically.
func WriteArrays(path string, list []Array) error {
	return withText(path, func(text *C.char) error {
		return withArrays(list, func(c *C.an_arrays) error {
			return check(func(e *C.an_error) C.an_status { return C.an_arrays_write(c, text, e) })
		})
	})
}

// SetWeights sets the weights by name; the list must contain every array of the model.
func (m *Model) SetWeights(list []Array) error {
	return withArrays(list, func(arrays *C.an_arrays) error {
		return m.set(func(c *C.an_model, e *C.an_error) C.an_status { return C.an_model_set_weights(c, arrays, e) })
	})
}
