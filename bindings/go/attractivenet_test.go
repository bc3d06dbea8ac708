// SPDX-License-Identifier: MIT

package attractivenet

import (
	"bytes"
	"context"
	"embed"
	"errors"
	flags "flag" // the package has a function flag
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
	"unsafe"
)

//go:embed go.mod
var notImages embed.FS

const side = 64

var (
	predictions = flags.Int("predictions", 300, "of TestMemoryIsFlat")
	fits        = flags.Int("fits", 30, "of TestMemoryIsFlat")
	growth      = flags.Int64("growth", 8<<20, "bytes that TestMemoryIsFlat allows; the race detector needs some")
)

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t testing.TB, err error, status Status, part string) {
	t.Helper()
	if !errors.Is(err, status) || !strings.Contains(err.Error(), part) {
		t.Fatalf("got %v, expected %v with %q", err, status, part)
	}
}

func testModel(t testing.TB, alpha float64) *Model {
	t.Helper()
	backend := must(NewBackend(&BackendOptions{Threads: 2}))(t)
	defer backend.Close() // the model keeps it
	options := DefaultMobileNetV2Options()
	options.Height, options.Width, options.Alpha = side, side, alpha
	model := must(NewMobileNetV2(backend, &options))(t)
	t.Cleanup(func() { model.Close() })
	return model
}

// face draws an image that differs from index to index.
func face(index int) *RGB {
	m := NewRGB(side, side)
	for i := range m.Pix {
		m.Pix[i] = uint8(i*(index+3) + index*40)
	}
	return m
}

func encoded(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	ok(t, png.Encode(&b, img))
	return b.Bytes()
}

// testData makes count faces with scores from 1 to 5.
func testData(t testing.TB, count int) *Dataset {
	t.Helper()
	var images []image.Image
	var scores []float64
	for i := 0; i < count; i++ {
		images = append(images, face(i))
		scores = append(scores, 1+float64(i%9)/2)
	}
	options := DefaultDatasetOptions()
	options.Height, options.Width = side, side
	data := must(DatasetFromImages(images, scores, &options))(t)
	t.Cleanup(func() { data.Close() })
	return data
}

func testLoader(t testing.TB, data *Dataset, indices []int64) *Loader {
	t.Helper()
	options := DefaultLoaderOptions()
	options.BatchSize = 4
	loader := must(NewLoader(data, indices, &options))(t)
	t.Cleanup(func() { loader.Close() })
	return loader
}

func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i%251) / 251
	}
	return x
}

func TestVersion(t *testing.T) {
	if len(strings.Split(Version(), ".")) != 3 || HasFeature("telepathy") || ABI() < 0 {
		t.Fatal(Version(), ABI())
	}
}

func TestDevices(t *testing.T) {
	for device, name := range map[string]string{"": "cpu", "cpu": "cpu", "ref": "ref"} {
		backend := must(NewBackend(&BackendOptions{Threads: 1, Device: device}))(t)
		info := must(backend.Describe())(t)
		if backend.Name() != name || info.Device != name || info.Level != backend.Level() || !info.Usable {
			t.Fatalf("%q: %s, %+v", device, backend.Name(), info)
		}
		ok(t, backend.Close())
		if _, err := backend.Describe(); !errors.Is(err, fs.ErrClosed) {
			t.Fatal(err)
		}
	}
	for _, device := range []string{"tpu", "cuda:x", "cpu\x00"} {
		_, err := NewBackend(&BackendOptions{Device: device})
		fails(t, err, ErrArgument, device[:3])
	}
	_, err := NewBackend(&BackendOptions{Threads: -1})
	fails(t, err, ErrArgument, "-1")
	_, err = NewBackend(&BackendOptions{Threads: 1 << 32})
	fails(t, err, ErrArgument, "4294967296")
	devices := must(Devices())(t)
	if len(devices) < 2 || devices[0].Device != "cpu" || !devices[0].Usable || devices[0].MemoryTotal < 1<<20 {
		t.Fatalf("%+v", devices)
	}
	if gpu := devices[1]; !strings.HasPrefix(gpu.Device, "cuda") || gpu.Usable == (gpu.Reason != "") {
		t.Fatalf("%+v", gpu)
	}
}

func TestErrorsHaveStatusAndMessage(t *testing.T) {
	backend := must(NewBackend(nil))(t)
	defer backend.Close()
	_, err := LoadModel(backend, "no/such/model", nil)
	fails(t, err, ErrIO, "no/such/model")
	if errors.Is(err, ErrFormat) || ErrIO.Error() != "AN_ERR_IO" {
		t.Fatal(ErrIO.Error())
	}
	var full *Error
	if !errors.As(err, &full) || full.Status != ErrIO {
		t.Fatal(err)
	}
	_, err = LoadModel(backend, "model\x00.txt", nil)
	fails(t, err, ErrArgument, "0 byte")
	_, err = LoadModel(nil, "x", nil)
	fails(t, err, ErrArgument, "nil")
	_, err = DecodeImage([]byte("GIF89a"), "x.gif", nil)
	fails(t, err, ErrUnsupported, "GIF")
	_, err = DecodeImage(encoded(t, face(1))[:100], "half.png", nil)
	fails(t, err, ErrFormat, "half.png")
	_, err = ComputeMetrics([]float64{1}, []float32{1, 2}, nil)
	fails(t, err, ErrArgument, "2 predictions")
}

// The tutorial's steps, and what they give.
func TestSteps(t *testing.T) {
	ctx := context.Background()
	folder := t.TempDir()
	model, data := testModel(t, 0.35), testData(t, 20)
	train, val, test, err := TutorialSplit(int64(data.Count()), 42)
	ok(t, err)
	if len(train) != 14 || len(val) != 4 || len(test) != 2 {
		t.Fatal(train, val, test)
	}
	augment := TutorialAugmentOptions()
	batches := DefaultLoaderOptions()
	batches.BatchSize, batches.Shuffle, batches.Augment = 4, true, &augment
	trainLoader := must(NewLoader(data, train, &batches))(t)
	defer trainLoader.Close()
	valLoader, testLoader := testLoader(t, data, val), testLoader(t, data, test)
	history := must(NewHistory())(t)
	defer history.Close()

	steps := 0
	options := DefaultTrainOptions()
	options.Base, options.MaxEpochs = BaseTrain, 2
	optimizer := DefaultOptimizerOptions()
	optimizer.ClipNorm = 1
	options.Optimizer = &optimizer
	options.CheckpointPath = filepath.Join(folder, "best.safetensors")
	options.CSVPath = filepath.Join(folder, "history.csv")
	options.OnEvent = func(e *TrainEvent) error {
		if e.Kind == EventStep {
			steps++
		}
		if e.Kind == EventEpochEnd && e.Report.Steps != 4 {
			return fmt.Errorf("%d steps", e.Report.Steps)
		}
		return nil
	}
	trainer := must(NewTrainer(model, trainLoader, valLoader, history, &options))(t)
	ok(t, trainer.Run(ctx))
	if _, err := trainer.RunEpoch(ctx); err != io.EOF {
		t.Fatal(err)
	}
	if steps != 8 || trainer.Reason() != StopEpochs {
		t.Fatal(steps, trainer.Reason())
	}
	ok(t, trainer.Close())
	epochs := must(history.Epochs())(t)
	losses := must(history.Column("val_loss"))(t)
	if len(epochs) != 2 || losses[1] != epochs[1].ValLoss || math.IsNaN(losses[1]) {
		t.Fatal(epochs, losses)
	}
	read := must(ReadHistory(options.CSVPath))(t)
	defer read.Close()
	if again := must(read.Column("loss"))(t); again[0] != epochs[0].Loss {
		t.Fatal(again)
	}

	scores := must(model.PredictLoader(ctx, testLoader, nil))(t)
	all := must(data.Scores())(t)
	truth := []float64{all[test[0]], all[test[1]]}
	metrics := must(ComputeMetrics(truth, scores, nil))(t)
	mse := must(model.Evaluate(ctx, testLoader, nil, nil))(t)
	if math.Abs(metrics.MSE-mse) > 1e-6*mse {
		t.Fatal(metrics, mse)
	}
	path := filepath.Join(folder, "model.safetensors")
	ok(t, model.Save(path))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	if HasFeature("plot") {
		ok(t, PlotCurves(filepath.Join(folder, "loss.png"), []Curve{{"loss", losses}}, nil, &PlotOptions{Title: "t"}))
		ok(t, PlotScatter(filepath.Join(folder, "scatter.png"), truth, scores, nil))
	}
}

func TestSavedModelsGiveTheSameScores(t *testing.T) {
	ctx := context.Background()
	model := testModel(t, 0.35)
	x := ramp(2 * side * side * 3)
	want := must(model.Predict(ctx, x))(t)
	backend := must(NewBackend(nil))(t)
	defer backend.Close()
	path := filepath.Join(t.TempDir(), "model.safetensors")
	ok(t, model.Save(path))
	var content bytes.Buffer
	if n, err := model.WriteTo(&content); err != nil || n != int64(content.Len()) {
		t.Fatal(n, err)
	}
	file := must(os.ReadFile(path))(t)
	if !bytes.Equal(file, content.Bytes()) {
		t.Fatal("WriteTo and Save differ")
	}
	for name, other := range map[string]*Model{
		"LoadModel": must(LoadModel(backend, path, nil))(t),
		"ReadModel": must(ReadModel(backend, &content, nil))(t),
		"Copy":      must(model.Copy(backend, false))(t),
		"shared":    must(model.Copy(backend, true))(t),
	} {
		if got := must(other.Predict(ctx, x))(t); got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%s: %v, expected %v", name, got, want)
		}
		ok(t, other.Close())
	}
	weights := must(model.Weights())(t)
	other := must(model.Copy(backend, false))(t)
	defer other.Close()
	weights[len(weights)-1].Data[0]++ // the bias of the head
	ok(t, other.SetWeights(weights))
	if got := must(other.Predict(ctx, x))(t); math.Abs(float64(got[0]-want[0]-1)) > 1e-5 {
		t.Fatal(got, want)
	}
	fails(t, other.SetWeights(weights[1:]), ErrFormat, "")
}

func TestWrongSizesAreRefused(t *testing.T) {
	ctx := context.Background()
	model := testModel(t, 0.35)
	_, err := model.Predict(ctx, ramp(side*side*3+1))
	fails(t, err, ErrArgument, "multiple of 12288")
	fails(t, model.PredictInto(ctx, ramp(side*side*3), make([]float32, 2)), ErrArgument, "must have 1")
	_, err = model.Predict(ctx, nil)
	fails(t, err, ErrArgument, "")
	_, err = model.ComputeGradients(ramp(side*side*3), []float32{1, 2}, nil)
	fails(t, err, ErrArgument, "y has 2")
	_, err = model.ComputeGradients(ramp(side*side*3), []float32{1}, &LossOptions{Weights: []float32{1, 2}})
	fails(t, err, ErrArgument, "2 weights")
	predictor := must(NewPredictor(model, nil))(t)
	defer predictor.Close()
	for name, f := range map[string]Frames{
		"short":      {Pix: make([]uint8, 299), Count: 1, Height: 10, Width: 10},
		"rgba":       {Pix: make([]uint8, 399), Count: 1, Height: 10, Width: 10, Format: FormatRGBA},
		"nv12":       {Pix: make([]uint8, 149), Count: 1, Height: 10, Width: 10, Format: FormatNV12},
		"two":        {Pix: make([]uint8, 599), Count: 2, Height: 10, Width: 10},
		"row stride": {Pix: make([]uint8, 309), Count: 1, Height: 10, Width: 10, RowStride: 40},
		"overflow":   {Pix: make([]uint8, 309), Count: 1 << 40, Height: 1 << 15, Width: 1 << 15, FrameStride: 1 << 40},
		"none":       {Pix: nil, Count: 0, Height: 10, Width: 10},
		"region":     {Pix: make([]uint8, 300), Count: 1, Height: 10, Width: 10, Region: image.Rect(5, 5, 11, 9)},
	} {
		if _, err := predictor.ScoreFrames(ctx, f); !errors.Is(err, ErrArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	options := DefaultDatasetOptions()
	options.Height = -1
	_, err = DatasetFromImages([]image.Image{face(1)}, []float64{1}, &options)
	fails(t, err, ErrArgument, "x-1")
	_, err = NewLoader(nil, nil, nil)
	fails(t, err, ErrArgument, "nil")
	if _, err := DatasetFromPixels(make([]uint8, 10), 1, 2, 2, []float64{1}, 1, nil); !errors.Is(err, ErrArgument) {
		t.Error(err)
	}
	if _, err := DatasetFromFiles([]string{"a", "b"}, []float64{1}, nil); !errors.Is(err, ErrArgument) {
		t.Error(err)
	}
	fails(t, WriteArrays(filepath.Join(t.TempDir(), "x"), []Array{{"a", []int64{2, 2}, []float32{1}}}), ErrArgument, "'a'")
	if _, err := TopClasses([]float32{1, 2}, 3); !errors.Is(err, ErrArgument) {
		t.Error(err)
	}
}

// One image through every door gives one score.
func TestImages(t *testing.T) {
	ctx := context.Background()
	model := testModel(t, 0.35)
	predictor := must(NewPredictor(model, nil))(t)
	defer predictor.Close()
	img := face(5)
	content := encoded(t, img)
	path := filepath.Join(t.TempDir(), "a.png")
	ok(t, os.WriteFile(path, content, 0o600))
	want := must(predictor.Score(ctx, img))(t)
	nrgba := image.NewNRGBA(image.Rect(3, 4, side+3, side+4))
	wide := image.NewRGBA64(nrgba.Rect)
	for y := 0; y < side; y++ {
		for x := 0; x < side; x++ {
			c := img.At(x, y).(color.RGBA)
			nrgba.SetNRGBA(x+3, y+4, color.NRGBA{R: c.R, G: c.G, B: c.B, A: 255})
			wide.Set(x+3, y+4, c)
		}
	}
	files := fstest.MapFS{"b/a.png": {Data: content}}
	framed := NewRGB(side+10, side+6)
	for y := 0; y < side; y++ {
		copy(framed.Pix[(y+3)*framed.Stride+15:], img.Pix[y*img.Stride:(y+1)*img.Stride])
	}
	for name, got := range map[string]func() ([]float32, error){
		"ScoreFile":   func() ([]float32, error) { return predictor.ScoreFile(ctx, path) },
		"ScoreBytes":  func() ([]float32, error) { return predictor.ScoreBytes(ctx, content, "a") },
		"ScoreReader": func() ([]float32, error) { return predictor.ScoreReader(ctx, bytes.NewReader(content), "a") },
		"ScoreFS":     func() ([]float32, error) { return predictor.ScoreFS(ctx, files, "b/a.png") },
		"NRGBA":       func() ([]float32, error) { return predictor.Score(ctx, nrgba) },
		"RGBA64":      func() ([]float32, error) { return predictor.Score(ctx, wide) },
		"region": func() ([]float32, error) {
			return predictor.ScoreFrames(ctx, Frames{Pix: framed.Pix, Count: 1, Height: side + 6, Width: side + 10,
				Region: image.Rect(5, 3, side+5, side+3)})
		},
		"RGBA": func() ([]float32, error) {
			return predictor.ScoreFrames(ctx, Frames{Pix: nrgba.Pix, Count: 1, Height: side, Width: side, Format: FormatRGBA})
		},
	} {
		scores, err := got()
		if err != nil || scores[0] != want[0] {
			t.Errorf("%s: %v, %v; expected %v", name, scores, err, want)
		}
	}
	if _, err := predictor.ScoreFS(ctx, notImages, "none.png"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	_, err := predictor.ScoreFS(ctx, notImages, "go.mod")
	if !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	small := must(NewPredictor(model, &ImageLimits{MaxMemory: 1000}))(t)
	defer small.Close()
	_, err = small.ScoreBytes(ctx, content, "a")
	fails(t, err, ErrUnsupported, "")
	_, err = small.ScoreFile(ctx, path)
	fails(t, err, ErrUnsupported, "")
	data := must(DatasetFromFS(files, []string{"b/a.png"}, []float64{3}, nil))(t)
	defer data.Close()
	if pixels := must(data.Pixels(0))(t); data.Name(0) != "b/a.png" || pixels.Rect.Dx() != 350 {
		t.Fatal(data)
	}
}

// Many goroutines, one model, one predictor: the bits of one goroutine.
func TestConcurrentPredictions(t *testing.T) {
	ctx := context.Background()
	model := testModel(t, 0.35)
	predictor := must(NewPredictor(model, nil))(t)
	x := ramp(3 * side * side * 3)
	want := must(model.Predict(ctx, x))(t)
	wantImage := must(predictor.Score(ctx, face(1)))(t)
	var wait sync.WaitGroup
	for g := 0; g < 8; g++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			own, cancel := context.WithCancel(ctx)
			defer cancel()
			for i := 0; i < 10; i++ {
				got, err := model.Predict(own, x)
				if err != nil || got[0] != want[0] || got[2] != want[2] {
					t.Errorf("%v, %v; expected %v", got, err, want)
				}
				if got, err := predictor.Score(own, face(1)); err != nil || got[0] != wantImage[0] {
					t.Errorf("%v, %v; expected %v", got, err, wantImage)
				}
			}
		}()
	}
	wait.Wait()
	if n := len(predictor.idle); n > model.Backend().Threads() {
		t.Errorf("%d predictors of C for %d threads", n, model.Backend().Threads())
	}
	ok(t, predictor.Close())
}

// A context ends a prediction of its own, and none of another goroutine.
func TestContextEndsAPrediction(t *testing.T) {
	model := testModel(t, 1)
	predictor := must(NewPredictor(model, nil))(t)
	defer predictor.Close()
	x := ramp(400 * side * side * 3)
	frames := Frames{Pix: make([]uint8, 400*side*side*3), Count: 400, Height: side, Width: side}
	var wait sync.WaitGroup
	for name, long := range map[string]func(context.Context) error{
		"Predict":     func(ctx context.Context) error { _, err := model.Predict(ctx, x); return err },
		"ScoreFrames": func(ctx context.Context) error { _, err := predictor.ScoreFrames(ctx, frames); return err },
	} {
		name, long := name, long
		wait.Add(1)
		go func() {
			defer wait.Done()
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			started := time.Now()
			err := long(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrCancelled) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("%s: %v", name, took)
			}
			if err := long(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s, done before: %v", name, err)
			}
		}()
	}
	for i := 0; i < 5; i++ {
		if _, err := predictor.Score(context.Background(), face(i)); err != nil {
			t.Error(err)
		}
	}
	wait.Wait()
}

// A cancelled run stays at its last step; with the next call it goes on to the bits of one that was not cancelled.
func TestContextEndsARun(t *testing.T) {
	data := testData(t, 16)
	weights := func(cancelAt int) []float32 {
		model := testModel(t, 0.35)
		loader := testLoader(t, data, nil)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		steps := 0
		options := DefaultTrainOptions()
		options.Base, options.MaxEpochs = BaseTrain, 2
		options.OnEvent = func(e *TrainEvent) error {
			if e.Kind != EventStep {
				return nil
			}
			if steps++; steps == cancelAt {
				cancel()
				// Others' predictions are not cancelled with the run, also not this one.
				_, err := model.Predict(context.Background(), ramp(side*side*3))
				return err
			}
			return nil
		}
		trainer := must(NewTrainer(model, loader, nil, nil, &options))(t)
		defer trainer.Close()
		err := trainer.Run(ctx)
		if cancelAt > 0 {
			if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrCancelled) {
				t.Fatal(err)
			}
			fails(t, trainer.Run(ctx), ErrCancelled, "did not begin")
			err = trainer.Run(context.Background())
		}
		ok(t, err)
		list := must(model.Weights())(t)
		return list[0].Data
	}
	whole, parts := weights(0), weights(3)
	for i := range whole {
		if whole[i] != parts[i] {
			t.Fatalf("weight %d: %v, expected %v", i, parts[i], whole[i])
		}
	}
}

func TestCallbacksEndCalls(t *testing.T) {
	ctx := context.Background()
	model, data := testModel(t, 0.35), testData(t, 8)
	loader, val := testLoader(t, data, nil), testLoader(t, data, nil)
	mine := errors.New("mine")
	options := DefaultTrainOptions()
	options.OnEvent = func(e *TrainEvent) error {
		if e.Kind == EventStep {
			return mine
		}
		return nil
	}
	trainer := must(NewTrainer(model, loader, nil, nil, &options))(t)
	defer trainer.Close()
	if err := trainer.Run(ctx); !errors.Is(err, mine) || !errors.Is(err, ErrCancelled) {
		t.Fatal(err)
	}
	_, err := model.PredictLoader(ctx, val, func(Progress) error { return mine })
	if !errors.Is(err, mine) {
		t.Fatal(err)
	}
	loss := &LossOptions{Fn: func(b *LossBatch) error { return mine }}
	if _, err = model.Evaluate(ctx, val, loss, nil); !errors.Is(err, mine) {
		t.Fatal(err)
	}
	// A panic continues where the call was made; nothing stays locked.
	func() {
		defer func() {
			if p := recover(); p != "mine, too" {
				t.Error(p)
			}
		}()
		model.PredictLoader(ctx, val, func(Progress) error { panic("mine, too") })
		t.Error("no panic")
	}()
	if _, err = model.PredictLoader(ctx, val, nil); err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(ctx)
	cancelled := 0
	_, err = model.PredictLoader(done, val, func(Progress) error { cancelled++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || cancelled != 1 {
		t.Fatal(err, cancelled)
	}
	// A second change at the same time, from a callback.
	loss.Fn = func(b *LossBatch) error { return model.SetBase(BaseTrain) }
	_, err = model.ComputeGradients(ramp(side*side*3), []float32{1}, loss)
	fails(t, err, ErrCancelled, "another call is changing the model")
}

func TestOwnLoss(t *testing.T) {
	model := testModel(t, 0.35)
	x, y := ramp(2*side*side*3), []float32{1, 2}
	want := must(model.ComputeGradients(x, y, nil))(t)
	first := must(model.Gradients())(t)
	got := must(model.ComputeGradients(x, y, &LossOptions{Fn: func(b *LossBatch) error {
		for i := range b.Prediction {
			e := float64(b.Prediction[i]) - float64(b.Target[i])
			b.Loss += e * e / float64(b.N)
			if b.Gradient != nil {
				b.Gradient[i] = float32(2 * e / float64(b.N))
			}
		}
		return nil
	}}))(t)
	second := must(model.Gradients())(t)
	if math.Abs(got-want) > 1e-6*want || len(first) != len(second) {
		t.Fatal(got, want)
	}
	optimizer := must(NewOptimizer(model, nil))(t)
	defer optimizer.Close()
	ok(t, optimizer.Step(1e-3))
}

// A loader's function is called by whoever reads the loader, and released once, after the last of them.
func TestSourceLoader(t *testing.T) {
	ctx := context.Background()
	released, filled := 0, 0
	var fail error
	source := Source{Height: side, Width: side, Outputs: 1, Count: 6, Weighted: true,
		Fill: func(b *FillBatch) error {
			if fail != nil {
				return fail
			}
			filled++
			for i, sample := range b.Samples {
				for j := range b.X[i*side*side*3 : (i+1)*side*side*3] {
					b.X[i*side*side*3+j] = float32(sample) / 6
				}
				b.Y[i], b.Weights[i] = float32(sample), 0.5
			}
			return nil
		},
		Release: func() { released++ }}
	options := DefaultLoaderOptions()
	options.BatchSize, options.Threads = 4, 0
	loader := must(NewSourceLoader(source, &options))(t)
	var batch Batch
	ok(t, loader.Next(ctx, &batch))
	if batch.N != 4 || batch.Y[3] != 3 || batch.Weights[0] != 0.5 || batch.X[3*side*side*3] != 0.5 {
		t.Fatal(batch.N, batch.Y, batch.Weights)
	}
	first := &batch.X[0]
	ok(t, loader.Next(ctx, &batch))
	if batch.N != 2 || &batch.X[0] != first {
		t.Fatal("the slices were not used again")
	}
	if err := loader.Next(ctx, &batch); err != io.EOF {
		t.Fatal(err)
	}
	model := testModel(t, 0.35)
	training := DefaultTrainOptions()
	training.MaxEpochs = 1
	trainer := must(NewTrainer(model, loader, nil, nil, &training))(t)
	ok(t, loader.Close())
	if err := loader.Next(ctx, &batch); !errors.Is(err, fs.ErrClosed) {
		t.Fatal(err)
	}
	fail = errors.New("mine")
	if err := trainer.Run(ctx); !errors.Is(err, fail) {
		t.Fatal(err)
	}
	fail = nil
	ok(t, trainer.Run(ctx))
	if released != 0 {
		t.Fatal("released too early")
	}
	ok(t, trainer.Close())
	if released != 1 || filled == 0 {
		t.Fatal(released, filled)
	}
	source.Count = 0
	if _, err := NewSourceLoader(source, nil); !errors.Is(err, ErrArgument) || released != 1 {
		t.Fatal(err, released)
	}
}

// Warnings of a data set come from its loaders, after the data set is closed.
func TestWarnings(t *testing.T) {
	folder := t.TempDir()
	ok(t, face(1).WritePNG(filepath.Join(folder, "a.png")))
	ok(t, os.WriteFile(filepath.Join(folder, "b.png"), []byte("not an image"), 0o600))
	ok(t, os.WriteFile(filepath.Join(folder, "All_labels.txt"), []byte("a.png 1\nb.png 2\n"), 0o600))
	var codes []int
	options := DefaultDatasetOptions()
	options.Skip, options.Height, options.Width = true, side, side
	options.Warn = func(w Warning) error { codes = append(codes, w.Code); return nil }
	data := must(OpenDataset(folder, &options))(t)
	loader := must(NewLoader(data, nil, nil))(t)
	ok(t, data.Close())
	runtime.GC()
	var batch Batch
	ok(t, loader.Next(context.Background(), &batch))
	if batch.N != 1 || len(codes) != 1 || codes[0] != WarnImageSkipped {
		t.Fatal(batch.N, codes)
	}
	ok(t, loader.Close())
	mine := errors.New("mine")
	options.Warn = func(Warning) error { return mine }
	data = must(OpenDataset(folder, &options))(t)
	defer data.Close()
	if err := data.Check(context.Background(), 1, nil); !errors.Is(err, mine) {
		t.Fatal(err)
	}
}

// Close waits for nobody, and a call in progress ends as usual; the finalizer is a net.
func TestClose(t *testing.T) {
	ctx := context.Background()
	model := testModel(t, 0.35)
	predictor := must(NewPredictor(model, nil))(t)
	loader := testLoader(t, testData(t, 8), nil)
	_, err := model.PredictLoader(ctx, loader, func(Progress) error {
		ok(t, predictor.Close())
		ok(t, model.Close())
		ok(t, model.Close())
		return loader.Close()
	})
	ok(t, err)
	if _, err := model.Predict(ctx, ramp(side*side*3)); !errors.Is(err, fs.ErrClosed) || !errors.Is(err, ErrArgument) {
		t.Fatal(err)
	}
	if _, err := predictor.Score(ctx, face(1)); !errors.Is(err, fs.ErrClosed) {
		t.Fatal(err)
	}
	if model.Summary(SummaryKeras) != "" || model.ClassNames() != nil {
		t.Fatal("queries on a closed model return nothing")
	}
	freed := make(chan struct{})
	func() {
		o := newObject("thing", nil, func(unsafe.Pointer) { close(freed) })
		_ = o
	}()
	for i := 0; i < 100; i++ {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("an object that nobody closed was not freed")
}

func TestCheckpoints(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "resume")
	if checkpoint, err := ReadCheckpoint(path, nil); checkpoint != nil || err != nil {
		t.Fatal(checkpoint, err)
	}
	data := testData(t, 8)
	run := func(epochs int, checkpoint *Checkpoint) *History {
		model, history := testModel(t, 0.35), must(NewHistory())(t)
		options := DefaultTrainOptions()
		options.MaxEpochs, options.ResumePath = epochs, path
		trainer := must(NewTrainer(model, testLoader(t, data, nil), nil, history, &options))(t)
		defer trainer.Close()
		if _, err := LockRun(path); !errors.Is(err, ErrIO) {
			t.Error("the trainer holds no lock:", err)
		}
		if checkpoint != nil {
			ok(t, trainer.Resume(checkpoint))
		}
		ok(t, trainer.Run(ctx))
		return history
	}
	run(1, nil).Close()
	checkpoint := must(ReadCheckpoint(path, nil))(t)
	info := must(checkpoint.Info())(t)
	if info.Epoch != 1 || info.Reason != StopEpochs {
		t.Fatal(info)
	}
	resumed := run(2, checkpoint)
	ok(t, checkpoint.Close())
	ok(t, RemoveCheckpoints(path))
	whole := run(2, nil)
	a, b := must(resumed.Column("loss"))(t), must(whole.Column("loss"))(t)
	if len(a) != 2 || a[0] != b[0] || a[1] != b[1] {
		t.Fatal(a, b)
	}
	lock := must(LockRun(path))(t)
	ok(t, lock.Close())
}

func TestClasses(t *testing.T) {
	ctx := context.Background()
	backend := must(NewBackend(nil))(t)
	defer backend.Close()
	options := DefaultMobileNetV2Options()
	options.Height, options.Width, options.Alpha = 32, 32, 0.35
	options.Outputs, options.Task = 3, TaskClassification
	model := must(NewMobileNetV2(backend, &options))(t)
	defer model.Close()
	ok(t, model.SetClassNames([]string{"a", "b", "c"}))
	scores := must(model.Predict(ctx, ramp(32*32*3)))(t)
	top := must(TopClasses(scores, 3))(t)
	if names := model.ClassNames(); len(names) != 3 || scores[top[0]] < scores[top[2]] {
		t.Fatal(names, scores, top)
	}
	data := DefaultDatasetOptions()
	data.Labels, data.Classes, data.Height, data.Width = LabelsClasses, []string{"a", "b", "c"}, 32, 32
	set := must(DatasetFromImages([]image.Image{face(1), face(2)}, []float64{2, 0}, &data))(t)
	defer set.Close()
	if set.Class(0) != 2 || set.Outputs() != 3 || set.Classes()[2] != "c" {
		t.Fatal(set.Class(0), set.Classes())
	}
	ok(t, set.SetWeights([]float64{1, 3}))
	loader := must(NewLoader(set, nil, nil))(t)
	defer loader.Close()
	if set.Weight(1) != 3 || !loader.Info().HasWeights {
		t.Fatal(set.Weight(1))
	}
	ok(t, model.Calibrate(ctx, loader, 0, nil))
	if info := must(model.Info())(t); info.Inference != InferenceINT8 || !info.Calibrated {
		t.Fatal(info)
	}
	ok(t, model.SetInference(InferenceBF16))
	batches := 0
	ok(t, model.UpdateBatchNorm(func() ([]float32, error) {
		if batches++; batches > 2 {
			return nil, io.EOF
		}
		return ramp(2 * 32 * 32 * 3), nil
	}))
	features := must(model.Features(ctx, ramp(32*32*3)))(t)
	if y := must(model.PredictFromFeatures(ctx, features))(t); len(features) != 1280 || len(y) != 3 {
		t.Fatal(len(features), y)
	}
}

// What a service leaves behind, it would run out of: objects, calls and trainings in a row.
func TestMemoryIsFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	ctx := context.Background()
	model, data := testModel(t, 0.35), testData(t, 8)
	predictor := must(NewPredictor(model, nil))(t)
	defer predictor.Close()
	content := encoded(t, face(3))
	round := func(predictions, fits int) {
		for i := 0; i < predictions; i++ {
			own, cancel := context.WithCancel(ctx)
			if _, err := predictor.ScoreBytes(own, content, "a"); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
		for i := 0; i < fits; i++ {
			options := DefaultTrainOptions()
			options.MaxEpochs = 1
			options.OnEvent = func(*TrainEvent) error { return nil }
			loading := DefaultLoaderOptions()
			loader := must(NewLoader(data, nil, &loading))(t)
			trainer := must(NewTrainer(model, loader, nil, nil, &options))(t)
			ok(t, trainer.Run(ctx))
			ok(t, trainer.Close())
			ok(t, loader.Close())
		}
		runtime.GC()
	}
	resident := func() int64 {
		var pages int64
		fmt.Sscanf(string(must(os.ReadFile("/proc/self/statm"))(t)), "%d %d", new(int64), &pages)
		return pages * int64(os.Getpagesize())
	}
	round(50, 5)
	before := resident()
	round(*predictions, *fits)
	grown := resident() - before
	if grown > *growth {
		t.Errorf("%d bytes more", grown)
	}
	t.Logf("%d predictions, %d trainings: %d KB more", *predictions, *fits, grown>>10)
}

// BenchmarkBatch32 measures predictions of 32 images of 350x350 (predict), and the same Go code around a C call that does
// next to nothing, the head alone (around): an upper bound of what Go adds.
func BenchmarkBatch32(b *testing.B) {
	backend := must(NewBackend(nil))(b)
	model := must(NewMobileNetV2(backend, nil))(b)
	defer model.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	x, y := ramp(32*model.image), make([]float32, 32)
	features := ramp(32 * model.features)
	b.Run("around", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			must(model.PredictFromFeatures(ctx, features))(b)
		}
	})
	for name, ctx := range map[string]context.Context{"predict": context.Background(), "predict-with-context": ctx} {
		ctx := ctx
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; i < b.N; i++ {
				ok(b, model.PredictInto(ctx, x, y))
			}
		})
	}
}

// BenchmarkGoroutines measures frames on one model from 1, 2, 4 and 8 goroutines: 64x64 at alpha 0.35, 350x350 at 1.
func BenchmarkGoroutines(b *testing.B) {
	backend := must(NewBackend(nil))(b)
	for name, model := range map[string]*Model{"64": testModel(b, 0.35), "350": must(NewMobileNetV2(backend, nil))(b)} {
		model := model
		b.Run(name, func(b *testing.B) { benchmarkGoroutines(b, model) })
	}
}

func benchmarkGoroutines(b *testing.B, model *Model) {
	predictor := must(NewPredictor(model, nil))(b)
	defer predictor.Close()
	info := must(model.Info())(b)
	frame := Frames{Pix: make([]uint8, 3*info.Height*info.Width), Count: 1, Height: info.Height, Width: info.Width}
	for _, goroutines := range []int{1, 2, 4, 8} {
		goroutines := goroutines
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			var wait sync.WaitGroup
			for g := 0; g < goroutines; g++ {
				calls := b.N / goroutines
				if g < b.N%goroutines {
					calls++
				}
				wait.Add(1)
				go func() {
					defer wait.Done()
					for i := 0; i < calls; i++ {
						if _, err := predictor.ScoreFrames(context.Background(), frame); err != nil {
							b.Error(err)
						}
					}
				}()
			}
			wait.Wait()
		})
	}
}
