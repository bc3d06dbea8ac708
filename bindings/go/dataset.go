// SPDX-License-Identifier: MIT

package attractivenet

/*
#include <stdlib.h>
#include "attractivenet_go.h"
*/
import "C"

import (
	"context"
	"fmt"
	"image"
	"io"
	"io/fs"
	"unsafe"
)

// What to keep of a data set in memory, and what its labels are; codes of warnings.
const (
	CacheNone    = C.AN_CACHE_NONE
	CacheEncoded = C.AN_CACHE_ENCODED
	CachePixels  = C.AN_CACHE_PIXELS

	LabelsNumbers = C.AN_LABELS_NUMBERS
	LabelsClasses = C.AN_LABELS_CLASSES
	LabelsFolders = C.AN_LABELS_FOLDERS

	WarnLabelWithoutImage = C.AN_WARN_LABEL_WITHOUT_IMAGE
	WarnImageSkipped      = C.AN_WARN_IMAGE_SKIPPED
	WarnLabelSkipped      = C.AN_WARN_LABEL_SKIPPED
	WarnMemberSkipped     = C.AN_WARN_MEMBER_SKIPPED
	WarnOldCheckpoint     = C.AN_WARN_OLD_CHECKPOINT
	WarnOther             = C.AN_WARN_OTHER
	WarnWeakFeatures      = C.AN_WARN_WEAK_FEATURES
	WarnImageDamaged      = C.AN_WARN_IMAGE_DAMAGED
)

// DatasetOptions are an_dataset_options; begin with DefaultDatasetOptions.
type DatasetOptions struct {
	Skip          bool // leave damaged or suspicious input out, with a warning, instead of failing
	Height, Width int
	Cache         int // CacheEncoded, ...
	Outputs       int
	LabelFile     string
	Suffix        string // "" = those of JPEG and PNG
	Limits        *ImageLimits
	Archive       *ExtractOptions     // limits and NamesEncoding; nil = defaults
	Warn          func(Warning) error // called by the data set and its loaders; nil = none
	Labels        int                 // LabelsNumbers, ...
	Classes       []string            // nil = those found in the labels
	NameColumn    string              // "" = the first
	ScoreColumns  []string            // nil = all others
	WeightColumn  string              // "" = none
}

// DefaultDatasetOptions returns the defaults: 350x350, one number per label.
func DefaultDatasetOptions() DatasetOptions {
	var c C.an_dataset_options
	C.an_dataset_options_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	return DatasetOptions{Height: int(c.height), Width: int(c.width), Cache: int(c.cache), Outputs: int(c.outputs),
		LabelFile: C.GoString(c.label_file), Labels: int(c.labels)}
}

// Dataset is a list of samples: name, label and location of an image.
type Dataset struct{ o *object }

func (d *Dataset) ptr(p unsafe.Pointer) *C.an_dataset { return (*C.an_dataset)(p) }

func newDataset(options *DatasetOptions, a *arena,
	fn func(out **C.an_dataset, c *C.an_dataset_options, e *C.an_error) C.an_status) (*Dataset, error) {
	defaults := DefaultDatasetOptions()
	if options == nil {
		options = &defaults
	}
	// Nested options are C memory: no Go pointer may be in what C reads.
	c := (*C.an_dataset_options)(a.alloc(unsafe.Sizeof(C.an_dataset_options{})))
	C.an_dataset_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	c.policy = flag(options.Skip)
	c.height, c.width = C.int32_t(options.Height), C.int32_t(options.Width)
	c.cache, c.outputs = C.int32_t(options.Cache), C.int32_t(options.Outputs)
	c.label_file, c.suffix = a.text(options.LabelFile), a.optional(options.Suffix)
	if options.Limits != nil {
		c.limits = (*C.an_image_limits)(a.alloc(unsafe.Sizeof(C.an_image_limits{})))
		*c.limits = options.Limits.c()
	}
	if options.Archive != nil {
		c.archive = (*C.an_extract_options)(a.alloc(unsafe.Sizeof(C.an_extract_options{})))
		options.Archive.fill(c.archive, a)
	}
	c.labels, c.class_count = C.int32_t(options.Labels), C.int32_t(len(options.Classes))
	c.classes, c.score_columns = a.texts(options.Classes), a.texts(options.ScoreColumns)
	c.name_column, c.weight_column = a.optional(options.NameColumn), a.optional(options.WeightColumn)
	columns := 1
	if options.Labels == LabelsNumbers {
		columns = options.Outputs
	}
	if n := len(options.ScoreColumns); n != 0 && n != columns {
		return nil, wrong("there are %d ScoreColumns; there must be %d", n, columns)
	}
	if a.err != nil {
		return nil, a.err
	}
	back := newCallbacks(&callbacks{warn: options.Warn})
	c.warn, c.warn_user = back.warnFn(), back.user
	var out *C.an_dataset
	if err := check(func(e *C.an_error) C.an_status { return fn(&out, c, e) }, back); err != nil {
		back.drop()
		return nil, err
	}
	return &Dataset{newObject("data set", unsafe.Pointer(out),
		func(p unsafe.Pointer) { C.an_dataset_destroy((*C.an_dataset)(p)) }, back)}, nil
}

// OpenDataset opens a folder or a zip archive of images with their labels; nil = default options.
func OpenDataset(path string, options *DatasetOptions) (*Dataset, error) {
	var a arena
	defer a.free()
	text := a.text(path)
	return newDataset(options, &a, func(out **C.an_dataset, c *C.an_dataset_options, e *C.an_error) C.an_status {
		return C.an_dataset_open(out, text, c, e)
	})
}

// scores checks their number: [count,Outputs], or [count] with classes.
func (o *DatasetOptions) scores(scores []float64, count, outputs int) error {
	if o != nil && o.Labels != LabelsNumbers {
		outputs = 1
	}
	if len(scores) != count*outputs {
		return wrong("there are %d scores; there must be %d", len(scores), count*outputs)
	}
	return nil
}

func (o *DatasetOptions) outputs() int {
	if o == nil {
		return 1
	}
	return o.Outputs
}

// DatasetFromFiles makes a data set of image files with their scores [count,Outputs], or [count] with classes.
func DatasetFromFiles(paths []string, scores []float64, options *DatasetOptions) (*Dataset, error) {
	if err := options.scores(scores, len(paths), options.outputs()); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	list := a.texts(paths)
	return newDataset(options, &a, func(out **C.an_dataset, c *C.an_dataset_options, e *C.an_error) C.an_status {
		return C.an_dataset_from_files(out, list, doublePtr(scores), C.int64_t(len(paths)), c, e)
	})
}

// DatasetFromBytes makes a data set of encoded images in memory, which are copied; names: nil, or one for each.
func DatasetFromBytes(images [][]byte, names []string, scores []float64, options *DatasetOptions) (*Dataset, error) {
	if err := options.scores(scores, len(images), options.outputs()); err != nil {
		return nil, err
	}
	if names != nil && len(names) != len(images) {
		return nil, wrong("there are %d names for %d images", len(names), len(images))
	}
	var a arena
	defer a.free()
	list := a.texts(names)
	// A list of pointers: in C memory, and so are the images during the call.
	data := a.alloc(uintptr(len(images)) * unsafe.Sizeof(unsafe.Pointer(nil)))
	sizes := make([]int64, len(images))
	pointers := unsafe.Slice((*unsafe.Pointer)(data), len(images)+1)
	for i, image := range images {
		block := a.alloc(uintptr(len(image)))
		copy(unsafe.Slice((*byte)(block), len(image)), image)
		pointers[i], sizes[i] = block, int64(len(image))
	}
	return newDataset(options, &a, func(out **C.an_dataset, c *C.an_dataset_options, e *C.an_error) C.an_status {
		return C.an_dataset_from_bytes(out, (*unsafe.Pointer)(data), int64Ptr(sizes), list, doublePtr(scores),
			C.int64_t(len(images)), c, e)
	})
}

// DatasetFromFS makes a data set of image files of a file system, such as an embed.FS: they are read now and kept in
// memory, encoded.
func DatasetFromFS(files fs.FS, names []string, scores []float64, options *DatasetOptions) (*Dataset, error) {
	images := make([][]byte, len(names))
	for i, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		images[i] = data
	}
	return DatasetFromBytes(images, names, scores, options)
}

// DatasetFromPixels makes a data set of a copy of pixels rgb [count,height,width,3].
func DatasetFromPixels(rgb []uint8, count, height, width int, scores []float64, outputs int,
	options *DatasetOptions) (*Dataset, error) {
	if count < 0 || height < 0 || width < 0 || len(rgb) != 3*count*height*width {
		return nil, wrong("there are %d bytes; %d images of %dx%d have %d", len(rgb), count, width, height,
			3*count*height*width)
	}
	if err := options.scores(scores, count, outputs); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	return newDataset(options, &a, func(out **C.an_dataset, c *C.an_dataset_options, e *C.an_error) C.an_status {
		return C.an_dataset_from_pixels(out, bytePtr(rgb), C.int64_t(count), C.int32_t(height), C.int32_t(width),
			doublePtr(scores), C.int32_t(outputs), c, e)
	})
}

// DatasetFromImages makes a data set of images, resized to Height x Width of the options.
func DatasetFromImages(images []image.Image, scores []float64, options *DatasetOptions) (*Dataset, error) {
	defaults := DefaultDatasetOptions()
	if options == nil {
		options = &defaults
	}
	var rgb []uint8
	for _, img := range images {
		small, err := ToRGB(img).Resize(options.Width, options.Height)
		if err != nil {
			return nil, err
		}
		if rgb == nil {
			rgb = make([]uint8, 0, len(images)*len(small.Pix))
		}
		rgb = append(rgb, small.Pix...)
	}
	return DatasetFromPixels(rgb, len(images), options.Height, options.Width, scores, options.Outputs, options)
}

// Close releases the data set. Loaders keep it.
func (d *Dataset) Close() error { return d.o.close() }

// Count returns the number of samples.
func (d *Dataset) Count() (n int) {
	d.o.query(func(p unsafe.Pointer) { n = int(C.an_dataset_count(d.ptr(p))) })
	return n
}

// Size returns height and width of the images that the data set gives.
func (d *Dataset) Size() (height, width int) {
	d.o.query(func(p unsafe.Pointer) {
		height, width = int(C.an_dataset_height(d.ptr(p))), int(C.an_dataset_width(d.ptr(p)))
	})
	return height, width
}

// Outputs returns the numbers per label.
func (d *Dataset) Outputs() (n int) {
	d.o.query(func(p unsafe.Pointer) { n = int(C.an_dataset_outputs(d.ptr(p))) })
	return n
}

// Name returns the name of a sample; "" if there is no such sample.
func (d *Dataset) Name(index int64) (name string) {
	d.o.query(func(p unsafe.Pointer) { name = C.GoString(C.an_dataset_name(d.ptr(p), C.int64_t(index))) })
	return name
}

// Scores returns all labels [count,outputs].
func (d *Dataset) Scores() (scores []float64, err error) {
	err = with(func(p []unsafe.Pointer) error {
		c := d.ptr(p[0])
		scores = make([]float64, int(C.an_dataset_count(c))*int(C.an_dataset_outputs(c)))
		return check(func(e *C.an_error) C.an_status { return C.an_dataset_copy_scores(c, doublePtr(scores), e) })
	}, d.o)
	return scores, err
}

// Classes returns the names of the classes; nil if labels are numbers.
func (d *Dataset) Classes() (names []string) {
	d.o.query(func(p unsafe.Pointer) {
		for i := C.int32_t(0); i < C.an_dataset_class_count(d.ptr(p)); i++ {
			names = append(names, C.GoString(C.an_dataset_class_name(d.ptr(p), i)))
		}
	})
	return names
}

// Class returns the class of a sample; -1 if there is none.
func (d *Dataset) Class(index int64) (class int) {
	class = -1
	d.o.query(func(p unsafe.Pointer) { class = int(C.an_dataset_class(d.ptr(p), C.int64_t(index))) })
	return class
}

// SetWeights sets the weight of each sample; nil: each counts as 1. No loader may hold the data set.
func (d *Dataset) SetWeights(weights []float64) error {
	return with(func(p []unsafe.Pointer) error {
		return check(func(e *C.an_error) C.an_status {
			return C.an_dataset_set_weights(d.ptr(p[0]), doublePtr(weights), C.int64_t(len(weights)), e)
		})
	}, d.o)
}

// Weight returns the weight of a sample: 1 if there are none.
func (d *Dataset) Weight(index int64) (weight float64) {
	d.o.query(func(p unsafe.Pointer) { weight = float64(C.an_dataset_weight(d.ptr(p), C.int64_t(index))) })
	return weight
}

// HasWeights reports whether the samples have weights.
func (d *Dataset) HasWeights() (has bool) {
	d.o.query(func(p unsafe.Pointer) { has = C.an_dataset_has_weights(d.ptr(p)) != 0 })
	return has
}

// LabelsWithoutImage returns how many labels had no image.
func (d *Dataset) LabelsWithoutImage() (n int64) {
	d.o.query(func(p unsafe.Pointer) { n = int64(C.an_dataset_labels_without_image(d.ptr(p))) })
	return n
}

// Skipped returns how many labels, files and images have been left out so far.
func (d *Dataset) Skipped() (n int64) {
	d.o.query(func(p unsafe.Pointer) { n = int64(C.an_dataset_skipped(d.ptr(p))) })
	return n
}

// Pixels reads, decodes and resizes a sample.
func (d *Dataset) Pixels(index int64) (m *RGB, err error) {
	err = with(func(p []unsafe.Pointer) error {
		m = NewRGB(int(C.an_dataset_width(d.ptr(p[0]))), int(C.an_dataset_height(d.ptr(p[0]))))
		return check(func(e *C.an_error) C.an_status {
			return C.an_dataset_read_pixels(d.ptr(p[0]), C.int64_t(index), bytePtr(m.Pix), e)
		})
	}, d.o)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Check decodes every image once; threads 0 = one per processor, progress may be nil.
func (d *Dataset) Check(ctx context.Context, threads int, progress func(Progress) error) error {
	if err := begun(ctx); err != nil {
		return err
	}
	back := newCallbacks(&callbacks{ctx: ctx, progress: progress})
	defer back.drop()
	return with(func(p []unsafe.Pointer) error {
		return check(func(e *C.an_error) C.an_status {
			return C.an_dataset_check(d.ptr(p[0]), C.int32_t(threads), back.progressFn(), back.user, e)
		}, append([]*callbacks{back}, d.o.owns...)...)
	}, d.o)
}

// SplitOptions are sizes as scikit-learn has them: at most one of fraction and count for each part.
type SplitOptions struct {
	NoShuffle                   bool
	TestFraction, TrainFraction float64 // 0 = not given
	TestCount, TrainCount       int64   // 0 = not given
	Seed                        uint32
}

// TrainTestSplit splits the numbers 0 to count-1 as scikit-learn's train_test_split does. Nil: seed 42, a quarter for
// the test.
func TrainTestSplit(count int64, options *SplitOptions) (train, test []int64, err error) {
	var c C.an_split_options
	C.an_split_options_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	if o := options; o != nil {
		c.shuffle, c.seed = flag(!o.NoShuffle), C.uint32_t(o.Seed)
		for _, part := range []struct {
			kind     *C.int32_t
			fraction float64
			count    int64
			to       *C.double
			toCount  *C.int64_t
		}{{&c.test_kind, o.TestFraction, o.TestCount, &c.test_fraction, &c.test_count},
			{&c.train_kind, o.TrainFraction, o.TrainCount, &c.train_fraction, &c.train_count}} {
			switch {
			case part.fraction != 0 && part.count != 0:
				return nil, nil, wrong("a part has both a fraction, %v, and a count, %d", part.fraction, part.count)
			case part.fraction != 0:
				*part.kind, *part.to = C.AN_SIZE_FRACTION, C.double(part.fraction)
			case part.count != 0:
				*part.kind, *part.toCount = C.AN_SIZE_COUNT, C.int64_t(part.count)
			}
		}
	}
	var nTrain, nTest C.int64_t
	err = check(func(e *C.an_error) C.an_status {
		return C.an_split_compute_sizes(C.int64_t(count), &c, &nTrain, &nTest, e)
	})
	if err != nil {
		return nil, nil, err
	}
	train, test = make([]int64, nTrain), make([]int64, nTest)
	err = check(func(e *C.an_error) C.an_status {
		return C.an_train_test_split(C.int64_t(count), &c, int64Ptr(train), int64Ptr(test), e)
	})
	if err != nil {
		return nil, nil, err
	}
	return train, test, nil
}

// TutorialSplit splits as the tutorial does.
func TutorialSplit(count int64, seed uint32) (train, val, test []int64, err error) {
	if count < 0 {
		count = 0
	}
	all := make([]int64, count)
	var nTrain, nVal, nTest C.int64_t
	err = check(func(e *C.an_error) C.an_status {
		return C.an_tutorial_split(C.int64_t(count), C.uint32_t(seed), int64Ptr(all), &nTrain, &nVal, &nTest, e)
	})
	if err != nil {
		return nil, nil, nil, err
	}
	return all[:nTrain:nTrain], all[nTrain : nTrain+nVal : nTrain+nVal], all[nTrain+nVal:], nil
}

// Kinds of augmentation, of filling, and of pixel scales.
const (
	AugmentNone   = C.AN_AUGMENT_NONE
	AugmentFast   = C.AN_AUGMENT_FAST
	AugmentKeras  = C.AN_AUGMENT_KERAS
	AugmentLegacy = C.AN_AUGMENT_LEGACY

	FillNearest  = C.AN_FILL_NEAREST
	FillConstant = C.AN_FILL_CONSTANT
	FillReflect  = C.AN_FILL_REFLECT
	FillWrap     = C.AN_FILL_WRAP

	ScaleAuto    = C.AN_SCALE_AUTO
	ScaleUnit    = C.AN_SCALE_UNIT
	ScaleTF      = C.AN_SCALE_TF
	ScaleArticle = C.AN_SCALE_ARTICLE
	ScaleTorch   = C.AN_SCALE_TORCH

	IteratorNext = C.AN_ITERATOR_NEXT
	IteratorItem = C.AN_ITERATOR_ITEM
)

// AugmentOptions are an_augment_options; begin with DefaultAugmentOptions or TutorialAugmentOptions.
type AugmentOptions struct {
	Mode                         int // AugmentFast, ...
	HorizontalFlip, VerticalFlip bool
	Fill                         int // FillNearest, ...
	Rotation                     float64
	WidthShift, HeightShift      float64
	Shear                        float64
	ZoomLow, ZoomHigh            float64
	ChannelShift                 float64
	BrightnessLow                float64
	BrightnessHigh               float64
	FillValue                    float64
	WidthShifts, HeightShifts    []float64 // used instead of WidthShift and HeightShift; nil = none
	Contrast, Saturation         float64   // factors are drawn from 1-c to 1+c
	Erase                        float64   // probability of an erased rectangle
}

func augmentOf(c *C.an_augment_options) AugmentOptions {
	return AugmentOptions{Mode: int(c.mode), HorizontalFlip: c.horizontal_flip != 0, VerticalFlip: c.vertical_flip != 0,
		Fill: int(c.fill), Rotation: float64(c.rotation), WidthShift: float64(c.width_shift),
		HeightShift: float64(c.height_shift), Shear: float64(c.shear), ZoomLow: float64(c.zoom_low),
		ZoomHigh: float64(c.zoom_high), ChannelShift: float64(c.channel_shift), BrightnessLow: float64(c.brightness_low),
		BrightnessHigh: float64(c.brightness_high), FillValue: float64(c.fill_value),
		Contrast: float64(c.contrast), Saturation: float64(c.saturation), Erase: float64(c.erase)}
}

// DefaultAugmentOptions returns no augmentation.
func DefaultAugmentOptions() AugmentOptions {
	var c C.an_augment_options
	C.an_augment_options_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	return augmentOf(&c)
}

// TutorialAugmentOptions returns the tutorial's augmentation.
func TutorialAugmentOptions() AugmentOptions {
	var c C.an_augment_options
	C.an_augment_options_tutorial(&c, C.uint32_t(unsafe.Sizeof(c)))
	return augmentOf(&c)
}

// LoaderOptions are an_loader_options; begin with DefaultLoaderOptions.
type LoaderOptions struct {
	BatchSize int
	Shuffle   bool
	DropLast  bool
	Scale     int // ScaleUnit, ScaleTF or ScaleArticle
	Threads   int
	Prefetch  int
	Seed      uint32
	Iterator  int // IteratorNext, ...
	Augment   *AugmentOptions
	Mixup     float64 // alpha of C-Mixup; 0 = none

	MixupBandwidth float64 // how close the labels of a pair are, in standard deviations of all; 0 = any pair
}

// DefaultLoaderOptions returns the defaults: batches of 32, in order, not augmented.
func DefaultLoaderOptions() LoaderOptions {
	var c C.an_loader_options
	C.an_loader_options_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	return LoaderOptions{BatchSize: int(c.batch_size), Shuffle: c.shuffle != 0, DropLast: c.drop_last != 0,
		Scale: int(c.scale), Threads: int(c.threads), Prefetch: int(c.prefetch), Seed: uint32(c.seed),
		Iterator: int(c.iterator), Mixup: float64(c.mixup), MixupBandwidth: float64(c.mixup_bandwidth)}
}

func (o *LoaderOptions) c(a *arena) *C.an_loader_options {
	if o == nil {
		return nil
	}
	c := (*C.an_loader_options)(a.alloc(unsafe.Sizeof(C.an_loader_options{})))
	C.an_loader_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	c.batch_size, c.shuffle, c.drop_last = C.int32_t(o.BatchSize), flag(o.Shuffle), flag(o.DropLast)
	c.scale, c.threads, c.prefetch = C.int32_t(o.Scale), C.int32_t(o.Threads), C.int32_t(o.Prefetch)
	c.seed, c.iterator = C.uint32_t(o.Seed), C.int32_t(o.Iterator)
	c.mixup, c.mixup_bandwidth = C.double(o.Mixup), C.double(o.MixupBandwidth)
	if o.Augment != nil {
		c.augment = o.Augment.c(a)
	}
	return c
}

func (o *AugmentOptions) c(a *arena) *C.an_augment_options {
	c := (*C.an_augment_options)(a.alloc(unsafe.Sizeof(C.an_augment_options{})))
	C.an_augment_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	c.mode, c.fill = C.int32_t(o.Mode), C.int32_t(o.Fill)
	c.horizontal_flip, c.vertical_flip = flag(o.HorizontalFlip), flag(o.VerticalFlip)
	c.rotation, c.shear, c.channel_shift = C.double(o.Rotation), C.double(o.Shear), C.double(o.ChannelShift)
	c.width_shift, c.height_shift = C.double(o.WidthShift), C.double(o.HeightShift)
	c.zoom_low, c.zoom_high = C.double(o.ZoomLow), C.double(o.ZoomHigh)
	c.brightness_low, c.brightness_high = C.double(o.BrightnessLow), C.double(o.BrightnessHigh)
	c.fill_value = C.double(o.FillValue)
	c.contrast, c.saturation, c.erase = C.double(o.Contrast), C.double(o.Saturation), C.double(o.Erase)
	c.width_shifts, c.width_shift_count = a.doubles(o.WidthShifts), C.int64_t(len(o.WidthShifts))
	c.height_shifts, c.height_shift_count = a.doubles(o.HeightShifts), C.int64_t(len(o.HeightShifts))
	return c
}

// Loader gives batches of samples, epoch after epoch. One call at a time.
type Loader struct {
	o      *object
	cancel *C.an_cancel
}

func loaderPtr(p unsafe.Pointer) *C.an_loader { return (*C.an_loader)(p) }

func newLoader(out *C.an_loader, owns ...*callbacks) (*Loader, error) {
	cancel, err := newCancel()
	if err == nil {
		err = check(func(e *C.an_error) C.an_status { return C.an_loader_set_cancel(out, cancel, e) })
	}
	l := &Loader{newObject("loader", unsafe.Pointer(out), func(p unsafe.Pointer) {
		C.an_loader_destroy(loaderPtr(p))
		C.an_cancel_destroy(cancel)
	}, owns...), cancel}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// NewLoader makes a loader of some samples of a data set; indices nil = all, in order; options nil = the defaults.
func NewLoader(dataset *Dataset, indices []int64, options *LoaderOptions) (*Loader, error) {
	if dataset == nil {
		return nil, wrong("the data set is nil")
	}
	if indices != nil && len(indices) == 0 {
		return nil, wrong("indices is empty; it must name at least one sample")
	}
	var a arena
	defer a.free()
	c := options.c(&a)
	var l *Loader
	err := with(func(p []unsafe.Pointer) error {
		var out *C.an_loader
		err := check(func(e *C.an_error) C.an_status {
			return C.an_loader_create(&out, (*C.an_dataset)(p[0]), int64Ptr(indices), C.int64_t(len(indices)), c, e)
		})
		if err != nil {
			return err
		}
		l, err = newLoader(out, dataset.o.kept()...)
		return err
	}, dataset.o)
	return l, err
}

// Source describes samples that a function fills in: an_loader_source.
type Source struct {
	Height, Width int
	Outputs       int // numbers per sample in Y
	Count         int64
	Varies        bool // samples differ from epoch to epoch
	Weighted      bool // each sample has a weight
	AnyRange      bool // values of X need not lie on the loader's scale
	Identity      string
	Fill          func(*FillBatch) error
	Release       func() // called when Fill will not be called again; may be nil
}

// NewSourceLoader makes a loader whose batches source.Fill fills in.
func NewSourceLoader(source Source, options *LoaderOptions) (*Loader, error) {
	if source.Fill == nil {
		return nil, wrong("Fill is nil")
	}
	var a arena
	defer a.free()
	c := (*C.an_loader_source)(a.alloc(unsafe.Sizeof(C.an_loader_source{})))
	C.an_loader_source_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	c.height, c.width, c.outputs = C.int32_t(source.Height), C.int32_t(source.Width), C.int32_t(source.Outputs)
	c.count = C.int64_t(source.Count)
	c.varies, c.weighted, c.any_range = flag(source.Varies), flag(source.Weighted), flag(source.AnyRange)
	c.identity = a.optional(source.Identity)
	loading := options.c(&a)
	if a.err != nil {
		return nil, a.err
	}
	back := newCallbacks(&callbacks{fill: source.Fill, release: source.Release,
		image: source.Height * source.Width * 3, outputs: source.Outputs})
	c.fill, c.user, c.release = C.an_fill_fn(C.an_go_fill), back.user, C.an_release_fn(C.an_go_release)
	var out *C.an_loader
	err := check(func(e *C.an_error) C.an_status { return C.an_loader_create_from_callback(&out, c, loading, e) })
	if err != nil {
		back.drop()
		return nil, err
	}
	back.retain() // one reference is C's, until it calls release; one is the loader's
	return newLoader(out, back)
}

// Close releases the loader.
func (l *Loader) Close() error { return l.o.close() }

// Begin begins an epoch, from 0, at batch first.
func (l *Loader) Begin(epoch, first int64) error {
	return with(func(p []unsafe.Pointer) error {
		return check(func(e *C.an_error) C.an_status {
			return C.an_loader_begin(loaderPtr(p[0]), C.int64_t(epoch), C.int64_t(first), e)
		})
	}, l.o)
}

// Batch is a copy of a batch. Next uses its slices again if they are large enough.
type Batch struct {
	N       int
	X       []float32 // [N,height,width,3], scaled
	Y       []float32 // [N,outputs]
	Weights []float32 // [N]; nil = 1 each
	Samples []int64   // [N]
}

// Next copies the next batch of the epoch to batch; io.EOF at the end of the epoch.
func (l *Loader) Next(ctx context.Context, batch *Batch) error {
	if err := begun(ctx); err != nil {
		return err
	}
	return with(func(p []unsafe.Pointer) error {
		c := loaderPtr(p[0])
		defer watch(ctx, l.cancel)()
		var x, y *C.float
		var samples *C.int64_t
		var n C.int64_t
		end, err := call(func(e *C.an_error) C.an_status { return C.an_loader_next(c, &x, &y, &samples, &n, e) },
			l.o.owns...)
		if err != nil {
			return fromContext(ctx, err)
		}
		if end {
			return io.EOF
		}
		count := int(n)
		image := int(C.an_loader_height(c)) * int(C.an_loader_width(c)) * 3
		batch.N = count
		batch.X = append(batch.X[:0], floats(x, count*image)...)
		batch.Y = append(batch.Y[:0], floats(y, count*int(C.an_loader_outputs(c)))...)
		batch.Samples = append(batch.Samples[:0], unsafe.Slice((*int64)(unsafe.Pointer(samples)), count)...)
		if weights := C.an_loader_batch_weights(c); weights != nil {
			batch.Weights = append(batch.Weights[:0], floats(weights, count)...)
		} else {
			batch.Weights = nil
		}
		return nil
	}, l.o)
}

// LoaderInfo describes a loader.
type LoaderInfo struct {
	Steps, Samples         int64 // batches per epoch, samples
	BatchSize              int
	Height, Width, Outputs int
	Scale                  int
	HasWeights             bool
	Plain                  bool // the same pixels in every epoch
}

// Info describes the loader.
func (l *Loader) Info() (info LoaderInfo) {
	l.o.query(func(p unsafe.Pointer) {
		c := loaderPtr(p)
		info = LoaderInfo{Steps: int64(C.an_loader_steps(c)), Samples: int64(C.an_loader_samples(c)),
			BatchSize: int(C.an_loader_batch_size(c)), Height: int(C.an_loader_height(c)),
			Width: int(C.an_loader_width(c)), Outputs: int(C.an_loader_outputs(c)), Scale: int(C.an_loader_scale(c)),
			HasWeights: C.an_loader_has_weights(c) != 0, Plain: C.an_loader_is_plain(c) != 0}
	})
	return info
}

// String describes the data set, as "40 images of 64x64".
func (d *Dataset) String() string {
	height, width := d.Size()
	return fmt.Sprintf("%d images of %dx%d", d.Count(), width, height)
}
