// SPDX-License-Identifier: MIT

package attractivenet

/*
#include <stdlib.h>
#include "attractivenet_go.h"
*/
import "C"

import (
	"context"
	"io"
	"math"
	"unsafe"
)

// Why a run ended; events; what a run prints; optimizers; schedules.
const (
	StopNone   = C.AN_STOP_NONE
	StopEpochs = C.AN_STOP_EPOCHS
	StopEarly  = C.AN_STOP_EARLY
	StopNaN    = C.AN_STOP_NAN
	StopAsked  = C.AN_STOP_ASKED

	EventEpochBegin = C.AN_EVENT_EPOCH_BEGIN
	EventStep       = C.AN_EVENT_STEP
	EventEpochEnd   = C.AN_EVENT_EPOCH_END
	EventFeatures   = C.AN_EVENT_FEATURES
	EventValidation = C.AN_EVENT_VALIDATION

	VerboseNone  = C.AN_VERBOSE_NONE
	VerboseBar   = C.AN_VERBOSE_BAR
	VerboseKeras = C.AN_VERBOSE_KERAS

	OptimAdam  = C.AN_OPTIM_ADAM
	OptimSGD   = C.AN_OPTIM_SGD
	OptimAdamW = C.AN_OPTIM_ADAMW

	ScheduleConstant = C.AN_SCHEDULE_CONSTANT
	ScheduleCosine   = C.AN_SCHEDULE_COSINE
)

// EpochReport is the result of a finished epoch: an_epoch_report.
type EpochReport struct {
	Stage, Epoch             int // from 1
	Improved, Saved, Stopped bool
	Reason                   int // StopNone, ...
	Steps                    int64
	Loss, ValLoss            float64 // ValLoss is NaN without validation
	Rate, Seconds            float64
}

func reportOf(c *C.an_epoch_report) EpochReport {
	return EpochReport{Stage: int(c.stage), Epoch: int(c.epoch), Improved: c.improved != 0, Saved: c.saved != 0,
		Stopped: c.stopped != 0, Reason: int(c.reason), Steps: int64(c.steps), Loss: float64(c.loss),
		ValLoss: float64(c.val_loss), Rate: float64(c.rate), Seconds: float64(c.seconds)}
}

// History holds the epochs of a run.
type History struct{ o *object }

func historyPtr(p unsafe.Pointer) *C.an_history { return (*C.an_history)(p) }

func newHistory(fn func(out **C.an_history, e *C.an_error) C.an_status) (*History, error) {
	var out *C.an_history
	if err := check(func(e *C.an_error) C.an_status { return fn(&out, e) }); err != nil {
		return nil, err
	}
	return &History{newObject("history", unsafe.Pointer(out),
		func(p unsafe.Pointer) { C.an_history_destroy(historyPtr(p)) })}, nil
}

// NewHistory makes an empty history.
func NewHistory() (*History, error) {
	return newHistory(func(out **C.an_history, e *C.an_error) C.an_status { return C.an_history_create(out, e) })
}

// ReadHistory reads a log of this library or of Keras' CSVLogger.
func ReadHistory(path string) (h *History, err error) {
	err = withText(path, func(text *C.char) (err error) {
		h, err = newHistory(func(out **C.an_history, e *C.an_error) C.an_status { return C.an_history_read_csv(out, text, e) })
		return err
	})
	return h, err
}

// Close releases the history. Trainers keep it.
func (h *History) Close() error { return h.o.close() }

// Epochs returns the reports of all epochs, across all stages.
func (h *History) Epochs() (epochs []EpochReport, err error) {
	err = with(func(p []unsafe.Pointer) error {
		for i := C.int64_t(0); i < C.an_history_count(historyPtr(p[0])); i++ {
			var c C.an_epoch_report
			C.an_epoch_report_init(&c, C.uint32_t(unsafe.Sizeof(c)))
			err := check(func(e *C.an_error) C.an_status { return C.an_history_copy_epoch(historyPtr(p[0]), i, &c, e) })
			if err != nil {
				return err
			}
			epochs = append(epochs, reportOf(&c))
		}
		return nil
	}, h.o)
	return epochs, err
}

// Append appends an epoch.
func (h *History) Append(report EpochReport) error {
	return with(func(p []unsafe.Pointer) error {
		var c C.an_epoch_report
		C.an_epoch_report_init(&c, C.uint32_t(unsafe.Sizeof(c)))
		c.stage, c.epoch, c.improved = C.int32_t(report.Stage), C.int32_t(report.Epoch), flag(report.Improved)
		c.saved, c.stopped, c.reason = flag(report.Saved), flag(report.Stopped), C.int32_t(report.Reason)
		c.steps, c.loss, c.val_loss = C.int64_t(report.Steps), C.double(report.Loss), C.double(report.ValLoss)
		c.rate, c.seconds = C.double(report.Rate), C.double(report.Seconds)
		return check(func(e *C.an_error) C.an_status { return C.an_history_append(historyPtr(p[0]), &c, e) })
	}, h.o)
}

// Column returns a value per epoch: "loss", "val_loss", "rate", ...
func (h *History) Column(name string) (values []float64, err error) {
	err = withText(name, func(text *C.char) error {
		return with(func(p []unsafe.Pointer) error {
			values = make([]float64, C.an_history_count(historyPtr(p[0]))+1) // one more: there is always a pointer
			err := check(func(e *C.an_error) C.an_status {
				return C.an_history_copy_column(historyPtr(p[0]), text, doublePtr(values), e)
			})
			values = values[:len(values)-1]
			return err
		}, h.o)
	})
	return values, err
}

// WriteCSV writes the history as a table, atomically.
func (h *History) WriteCSV(path string) error {
	return withText(path, func(text *C.char) error {
		return with(func(p []unsafe.Pointer) error {
			return check(func(e *C.an_error) C.an_status { return C.an_history_write_csv(historyPtr(p[0]), text, e) })
		}, h.o)
	})
}

// OptimizerOptions are an_optimizer_options; begin with DefaultOptimizerOptions.
type OptimizerOptions struct {
	Kind                  int // OptimAdam, ...
	Nesterov              bool
	Beta1, Beta2, Epsilon float64
	Momentum, WeightDecay float64
	ClipNorm              float64 // 0 = no clipping
	DecayKernelsOnly      bool    // AdamW: gamma, beta and bias do not decay
	LayerDecay            float64 // factor of the rate from layer to layer; 0 = the same rate
}

// DefaultOptimizerOptions returns Adam with Keras' defaults.
func DefaultOptimizerOptions() OptimizerOptions {
	var c C.an_optimizer_options
	C.an_optimizer_options_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	return OptimizerOptions{Kind: int(c.kind), Nesterov: c.nesterov != 0, Beta1: float64(c.beta1),
		Beta2: float64(c.beta2), Epsilon: float64(c.epsilon), Momentum: float64(c.momentum),
		WeightDecay: float64(c.weight_decay), ClipNorm: float64(c.clip_norm),
		DecayKernelsOnly: c.decay_kernels_only != 0, LayerDecay: float64(c.layer_decay)}
}

func (o *OptimizerOptions) c(a *arena) *C.an_optimizer_options {
	if o == nil {
		return nil
	}
	c := (*C.an_optimizer_options)(a.alloc(unsafe.Sizeof(C.an_optimizer_options{})))
	C.an_optimizer_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	c.kind, c.nesterov = C.int32_t(o.Kind), flag(o.Nesterov)
	c.beta1, c.beta2, c.epsilon = C.double(o.Beta1), C.double(o.Beta2), C.double(o.Epsilon)
	c.momentum, c.weight_decay, c.clip_norm = C.double(o.Momentum), C.double(o.WeightDecay), C.double(o.ClipNorm)
	c.decay_kernels_only, c.layer_decay = flag(o.DecayKernelsOnly), C.double(o.LayerDecay)
	return c
}

// Optimizer updates a model's parameters in loops without a trainer.
type Optimizer struct {
	o     *object
	model *Model
}

// NewOptimizer makes an optimizer with zero moments; nil = Adam with its defaults.
func NewOptimizer(model *Model, options *OptimizerOptions) (*Optimizer, error) {
	if model == nil {
		return nil, wrong("the model is nil")
	}
	var a arena
	defer a.free()
	c := options.c(&a)
	var out *C.an_optimizer
	err := with(func(p []unsafe.Pointer) error {
		return check(func(e *C.an_error) C.an_status { return C.an_optimizer_create(&out, modelPtr(p[0]), c, e) })
	}, model.o)
	if err != nil {
		return nil, err
	}
	return &Optimizer{newObject("optimizer", unsafe.Pointer(out),
		func(p unsafe.Pointer) { C.an_optimizer_destroy((*C.an_optimizer)(p)) }), model}, nil
}

// Close frees the optimizer.
func (o *Optimizer) Close() error { return o.o.close() }

// Step updates the parameters with the gradients of the last ComputeGradients.
func (o *Optimizer) Step(rate float64) error {
	return o.model.change(func(*C.an_model) error {
		return with(func(p []unsafe.Pointer) error {
			return check(func(e *C.an_error) C.an_status {
				return C.an_optimizer_step((*C.an_optimizer)(p[0]), C.double(rate), e)
			})
		}, o.o)
	})
}

// ScheduleOptions are an_schedule_options; the zero value is a constant rate.
type ScheduleOptions struct {
	Kind          int   // ScheduleConstant, ...
	WarmupSteps   int64 // steps of a linear increase
	DecaySteps    int64 // cosine; 0 = the rest of the stage
	WarmupStart   float64
	FinalFraction float64
}

// Rate returns the learning rate of a step, from 0; NaN if an option is out of range.
func (o *ScheduleOptions) Rate(rate float64, step int64) float64 {
	var a arena
	defer a.free()
	return float64(C.an_schedule_rate(o.c(&a), C.double(rate), C.int64_t(step)))
}

func (o *ScheduleOptions) c(a *arena) *C.an_schedule_options {
	if o == nil {
		return nil
	}
	c := (*C.an_schedule_options)(a.alloc(unsafe.Sizeof(C.an_schedule_options{})))
	C.an_schedule_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	c.kind, c.warmup_steps, c.decay_steps = C.int32_t(o.Kind), C.int64_t(o.WarmupSteps), C.int64_t(o.DecaySteps)
	c.warmup_start, c.final_fraction = C.double(o.WarmupStart), C.double(o.FinalFraction)
	return c
}

// TrainOptions are an_train_options; begin with DefaultTrainOptions. Paths that are "" mean none.
type TrainOptions struct {
	Stage, MaxEpochs, FirstEpoch int
	Base                         int // BaseFrozen, ...
	Loss                         int // LossAuto, ...
	EarlyStopPatience            int // -1 = never
	EarlyStopMinDelta            float64
	RestoreBest                  bool
	SaveBestOnly                 bool
	ReduceRatePatience           int // -1 = off
	ReduceRateCooldown           int
	ReduceRateFactor             float64
	ReduceRateMinDelta           float64
	ReduceRateMin                float64
	TerminateOnNaN               bool
	UpdateBatchNorm              bool
	Precision                    int
	Recompute                    bool
	Accumulate                   int
	Verbose                      int // VerboseNone, ...; all others need Text
	TextIsTerminal               int
	LearningRate                 float64
	CheckpointBest               float64
	ResumeSeconds                float64
	Optimizer                    *OptimizerOptions // nil = Adam
	Schedule                     *ScheduleOptions  // nil = constant
	CheckpointPath               string
	ResumePath                   string
	CSVPath                      string
	TensorBoardDir               string
	LossFn                       func(*LossBatch) error
	OnEvent                      func(*TrainEvent) error
	Text                         func(string) error
	Warn                         func(Warning) error
	FinetuneFrom                 int     // with BaseTrain: from this epoch on as BaseFinetune; 0 = never
	Average                      float64 // decay of an average of the weights; 0 = none
	Replicas                     int     // of the model in this process, which divide each batch; 0 = 1
	SyncBatchNorm                bool    // with replicas, batch norm uses the statistics of the whole batch
}

// DefaultTrainOptions returns the tutorial's: 30 epochs of the head, early stopping after 7.
func DefaultTrainOptions() TrainOptions {
	var c C.an_train_options
	C.an_train_options_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	return TrainOptions{Stage: int(c.stage), MaxEpochs: int(c.max_epochs), FirstEpoch: int(c.first_epoch),
		Base: int(c.base), Loss: int(c.loss), EarlyStopPatience: int(c.early_stop_patience),
		EarlyStopMinDelta: float64(c.early_stop_min_delta), RestoreBest: c.restore_best != 0,
		SaveBestOnly: c.save_best_only != 0, ReduceRatePatience: int(c.reduce_rate_patience),
		ReduceRateCooldown: int(c.reduce_rate_cooldown), ReduceRateFactor: float64(c.reduce_rate_factor),
		ReduceRateMinDelta: float64(c.reduce_rate_min_delta), ReduceRateMin: float64(c.reduce_rate_min),
		TerminateOnNaN: c.terminate_on_nan != 0, UpdateBatchNorm: c.update_batch_norm != 0, Precision: int(c.precision),
		Recompute: c.recompute != 0, Accumulate: int(c.accumulate), Verbose: int(c.verbose),
		TextIsTerminal: int(c.text_is_terminal), LearningRate: float64(c.learning_rate),
		CheckpointBest: float64(c.checkpoint_best), ResumeSeconds: float64(c.resume_seconds),
		FinetuneFrom: int(c.finetune_from), Average: float64(c.average), Replicas: int(c.replicas),
		SyncBatchNorm: c.sync_batch_norm != 0}
}

func (o *TrainOptions) c(a *arena, back *callbacks) *C.an_train_options {
	c := (*C.an_train_options)(a.alloc(unsafe.Sizeof(C.an_train_options{})))
	C.an_train_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	c.on_event, c.event_user = C.an_train_fn(C.an_go_event), back.user // always: see Trainer.run
	if o == nil {
		return c
	}
	c.stage, c.max_epochs, c.first_epoch = C.int32_t(o.Stage), C.int32_t(o.MaxEpochs), C.int32_t(o.FirstEpoch)
	c.base, c.loss = C.int32_t(o.Base), C.int32_t(o.Loss)
	c.early_stop_patience, c.early_stop_min_delta = C.int32_t(o.EarlyStopPatience), C.double(o.EarlyStopMinDelta)
	c.restore_best, c.save_best_only = flag(o.RestoreBest), flag(o.SaveBestOnly)
	c.reduce_rate_patience, c.reduce_rate_cooldown = C.int32_t(o.ReduceRatePatience), C.int32_t(o.ReduceRateCooldown)
	c.reduce_rate_factor, c.reduce_rate_min = C.double(o.ReduceRateFactor), C.double(o.ReduceRateMin)
	c.reduce_rate_min_delta = C.double(o.ReduceRateMinDelta)
	c.terminate_on_nan, c.update_batch_norm = flag(o.TerminateOnNaN), flag(o.UpdateBatchNorm)
	c.precision, c.recompute, c.accumulate = C.int32_t(o.Precision), flag(o.Recompute), C.int32_t(o.Accumulate)
	c.verbose, c.text_is_terminal = C.int32_t(o.Verbose), C.int32_t(o.TextIsTerminal)
	c.learning_rate, c.checkpoint_best = C.double(o.LearningRate), C.double(o.CheckpointBest)
	c.resume_seconds = C.double(o.ResumeSeconds)
	c.optimizer, c.schedule = o.Optimizer.c(a), o.Schedule.c(a)
	c.checkpoint_path, c.resume_path = a.optional(o.CheckpointPath), a.optional(o.ResumePath)
	c.csv_path, c.tensorboard_dir = a.optional(o.CSVPath), a.optional(o.TensorBoardDir)
	c.finetune_from, c.average = C.int32_t(o.FinetuneFrom), C.double(o.Average)
	c.replicas, c.sync_batch_norm = C.int32_t(o.Replicas), flag(o.SyncBatchNorm)
	back.loss, back.event, back.text, back.warn = o.LossFn, o.OnEvent, o.Text, o.Warn
	c.loss_fn, c.loss_user = back.lossFn(), back.user
	c.text, c.text_user = back.textFn(), back.user
	c.warn, c.warn_user = back.warnFn(), back.user
	return c
}

// Trainer is one stage of training. One call at a time, except Stop and Pause.
type Trainer struct {
	o     *object
	model *Model
	back  *callbacks
}

func trainerPtr(p unsafe.Pointer) *C.an_trainer { return (*C.an_trainer)(p) }

// NewTrainer makes a trainer; val and history may be nil, options nil = the defaults. Callbacks run on the goroutine
// that runs the trainer.
func NewTrainer(model *Model, train, val *Loader, history *History, options *TrainOptions) (*Trainer, error) {
	if model == nil || train == nil {
		return nil, wrong("the model or the training loader is nil")
	}
	var a arena
	defer a.free()
	back := newCallbacks(&callbacks{})
	c := options.c(&a, back)
	if a.err != nil {
		back.drop()
		return nil, a.err
	}
	objects := []*object{model.o, train.o}
	owns := []*callbacks{back}
	if val != nil {
		objects = append(objects, val.o)
	}
	if history != nil {
		objects = append(objects, history.o)
	}
	var out *C.an_trainer
	err := with(func(p []unsafe.Pointer) error {
		var v *C.an_loader
		var h *C.an_history
		if val != nil {
			v = loaderPtr(p[2])
		}
		if history != nil {
			h = historyPtr(p[len(p)-1])
		}
		return check(func(e *C.an_error) C.an_status {
			return C.an_trainer_create(&out, modelPtr(p[0]), loaderPtr(p[1]), v, h, c, e)
		}, back)
	}, objects...)
	if err != nil {
		back.drop()
		return nil, err
	}
	owns = append(owns, train.o.kept()...)
	if val != nil {
		owns = append(owns, val.o.kept()...)
	}
	return &Trainer{newObject("trainer", unsafe.Pointer(out),
		func(p unsafe.Pointer) { C.an_trainer_destroy(trainerPtr(p)) }, owns...), model, back}, nil
}

// Close frees the trainer, and unlocks its files.
func (t *Trainer) Close() error { return t.o.close() }

// run makes a call that trains. The context ends it through the model's flag, in the middle of a step; nothing of that
// step stays. The run has noted the flag when it calls back first: from then on the model has none, so that other calls
// on it, also those of the callbacks, are not cancelled with the run.
func (t *Trainer) run(ctx context.Context, fn func(c *C.an_trainer, e *C.an_error) C.an_status) (done bool, err error) {
	if err := begun(ctx); err != nil {
		return false, err
	}
	err = t.model.change(func(m *C.an_model) error {
		return with(func(p []unsafe.Pointer) error {
			if ctx.Done() != nil {
				err := check(func(e *C.an_error) C.an_status { return C.an_model_set_cancel(m, t.model.cancel, e) })
				if err != nil {
					return err
				}
				detach := func() {
					t.back.first = nil
					C.an_model_set_cancel(m, nil, nil)
				}
				t.back.first = detach
				defer detach()
				defer watch(ctx, t.model.cancel)()
			}
			var err error
			done, err = call(func(e *C.an_error) C.an_status { return fn(trainerPtr(p[0]), e) }, t.o.owns...)
			return fromContext(ctx, err)
		}, t.o)
	})
	return done, err
}

// Run runs epochs until the end of the run. After an error that matches ErrCancelled a further call continues: with the
// next step if the context ended it, with the epoch if a callback did.
func (t *Trainer) Run(ctx context.Context) error {
	_, err := t.run(ctx, func(c *C.an_trainer, e *C.an_error) C.an_status { return C.an_trainer_run(c, e) })
	return err
}

// RunEpoch runs one epoch; io.EOF if the run has ended before.
func (t *Trainer) RunEpoch(ctx context.Context) (EpochReport, error) {
	var r C.an_epoch_report
	C.an_epoch_report_init(&r, C.uint32_t(unsafe.Sizeof(r)))
	done, err := t.run(ctx, func(c *C.an_trainer, e *C.an_error) C.an_status { return C.an_trainer_run_epoch(c, &r, e) })
	if err == nil && done {
		err = io.EOF
	}
	return reportOf(&r), err
}

// Stop asks the run to end after the current epoch. From any goroutine.
func (t *Trainer) Stop() { t.o.query(func(p unsafe.Pointer) { C.an_trainer_stop(trainerPtr(p)) }) }

// Pause asks the run to write its checkpoint after the current step and to return ErrCancelled. From any goroutine.
func (t *Trainer) Pause() { t.o.query(func(p unsafe.Pointer) { C.an_trainer_pause(trainerPtr(p)) }) }

// LearningRate returns the rate of the next step, before the schedule is applied.
func (t *Trainer) LearningRate() float64 {
	rate := math.NaN()
	t.o.query(func(p unsafe.Pointer) { rate = float64(C.an_trainer_learning_rate(trainerPtr(p))) })
	return rate
}

// SetLearningRate sets the rate, in a callback or between two calls.
func (t *Trainer) SetLearningRate(rate float64) error {
	return with(func(p []unsafe.Pointer) error {
		return check(func(e *C.an_error) C.an_status {
			return C.an_trainer_set_learning_rate(trainerPtr(p[0]), C.double(rate), e)
		})
	}, t.o)
}

// Reason returns why the run ended: StopNone if it has not.
func (t *Trainer) Reason() (reason int) {
	t.o.query(func(p unsafe.Pointer) { reason = int(C.an_trainer_reason(trainerPtr(p))) })
	return reason
}

// Best returns the lowest val_loss so far.
func (t *Trainer) Best() float64 {
	best := math.NaN()
	t.o.query(func(p unsafe.Pointer) { best = float64(C.an_trainer_best(trainerPtr(p))) })
	return best
}

// CheckpointBest returns the CheckpointBest of the next stage.
func (t *Trainer) CheckpointBest() float64 {
	best := math.NaN()
	t.o.query(func(p unsafe.Pointer) { best = float64(C.an_trainer_checkpoint_best(trainerPtr(p))) })
	return best
}

// Resume restores the trainer, its model and its history to the state of a checkpoint.
func (t *Trainer) Resume(checkpoint *Checkpoint) error {
	if checkpoint == nil {
		return wrong("the checkpoint is nil")
	}
	return t.model.change(func(*C.an_model) error {
		return with(func(p []unsafe.Pointer) error {
			return check(func(e *C.an_error) C.an_status {
				return C.an_trainer_resume(trainerPtr(p[0]), (*C.an_checkpoint)(p[1]), e)
			}, t.o.owns...)
		}, t.o, checkpoint.o)
	})
}

// Checkpoint is the state of a run, read from its files.
type Checkpoint struct{ o *object }

// CheckpointInfo describes a checkpoint: an_checkpoint_info.
type CheckpointInfo struct {
	Stage, FirstEpoch, Epoch, Reason, MaxEpochs int
	Step                                        int64
}

// ReadCheckpoint reads the newest checkpoint of a run's ResumePath; nil if there is none. warn may be nil.
func ReadCheckpoint(path string, warn func(Warning) error) (*Checkpoint, error) {
	back := newCallbacks(&callbacks{warn: warn})
	defer back.drop()
	var out *C.an_checkpoint
	err := withText(path, func(text *C.char) error {
		return check(func(e *C.an_error) C.an_status {
			return C.an_checkpoint_read(&out, text, back.warnFn(), back.user, e)
		}, back)
	})
	if err != nil || out == nil {
		return nil, err
	}
	return &Checkpoint{newObject("checkpoint", unsafe.Pointer(out),
		func(p unsafe.Pointer) { C.an_checkpoint_destroy((*C.an_checkpoint)(p)) })}, nil
}

// Close frees the checkpoint.
func (c *Checkpoint) Close() error { return c.o.close() }

// Info describes the checkpoint.
func (c *Checkpoint) Info() (info CheckpointInfo, err error) {
	err = with(func(p []unsafe.Pointer) error {
		var r C.an_checkpoint_info
		C.an_checkpoint_info_init(&r, C.uint32_t(unsafe.Sizeof(r)))
		err := check(func(e *C.an_error) C.an_status {
			return C.an_checkpoint_describe((*C.an_checkpoint)(p[0]), &r, e)
		})
		info = CheckpointInfo{int(r.stage), int(r.first_epoch), int(r.epoch), int(r.reason), int(r.max_epochs), int64(r.step)}
		return err
	}, c.o)
	return info, err
}

// RemoveCheckpoints removes the checkpoints of a run's ResumePath.
func RemoveCheckpoints(path string) error {
	return withText(path, func(text *C.char) error {
		return check(func(e *C.an_error) C.an_status { return C.an_checkpoint_remove(text, e) })
	})
}

// RunLock is a lock on the files of a run.
type RunLock struct{ o *object }

// LockRun locks the files of a ResumePath or CheckpointPath.
func LockRun(path string) (*RunLock, error) {
	var out *C.an_run_lock
	err := withText(path, func(text *C.char) error {
		return check(func(e *C.an_error) C.an_status { return C.an_run_lock_create(&out, text, e) })
	})
	if err != nil {
		return nil, err
	}
	return &RunLock{newObject("lock", unsafe.Pointer(out),
		func(p unsafe.Pointer) { C.an_run_lock_destroy((*C.an_run_lock)(p)) })}, nil
}

// Close releases the lock.
func (l *RunLock) Close() error { return l.o.close() }
