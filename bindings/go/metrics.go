// SPDX-License-Identifier: MIT

package attractivenet

/*
#include <stdlib.h>
#include <attractivenet/attractivenet.h>
*/
import "C"

import "unsafe"

// Metrics of predictions against true values: an_metrics.
type Metrics struct {
	Count                       int64
	MSE, RMSE, MAE, R2, Pearson float64
}

func metricsOf(c *C.an_metrics) Metrics {
	return Metrics{int64(c.count), float64(c.mse), float64(c.rmse), float64(c.mae), float64(c.r2), float64(c.pearson)}
}

// ComputeMetrics computes the metrics of pairs; weights nil = 1 each.
func ComputeMetrics(truth []float64, prediction []float32, weights []float64) (Metrics, error) {
	if len(prediction) != len(truth) || weights != nil && len(weights) != len(truth) {
		return Metrics{}, wrong("there are %d true values, %d predictions and %d weights", len(truth), len(prediction), len(weights))
	}
	var c C.an_metrics
	C.an_metrics_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	err := check(func(e *C.an_error) C.an_status {
		return C.an_metrics_compute(doublePtr(truth), floatPtr(prediction), doublePtr(weights), C.int64_t(len(truth)), &c, e)
	})
	return metricsOf(&c), err
}

// PlotOptions are an_plot_options. A zero field has its default; a label that is "-" is left out.
type PlotOptions struct {
	Width, Height         int
	LogY                  bool
	Title, XLabel, YLabel string
}

func (o *PlotOptions) c(a *arena) *C.an_plot_options {
	c := (*C.an_plot_options)(a.alloc(unsafe.Sizeof(C.an_plot_options{})))
	C.an_plot_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	if o == nil {
		return c
	}
	label := func(s string) *C.char {
		if s == "-" {
			return a.text("")
		}
		return a.optional(s)
	}
	c.width, c.height, c.log_y = C.int32_t(o.Width), C.int32_t(o.Height), flag(o.LogY)
	c.title, c.x_label, c.y_label = label(o.Title), label(o.XLabel), label(o.YLabel)
	return c
}

// Curve is one line of a plot.
type Curve struct {
	Name   string
	Values []float64
}

// PlotCurves plots curves over epochs to a PNG file; marks are the epochs where a stage begins.
func PlotCurves(path string, curves []Curve, marks []int64, options *PlotOptions) error {
	var a arena
	defer a.free()
	text, c := a.text(path), options.c(&a)
	list := a.alloc(uintptr(len(curves)) * unsafe.Sizeof(C.an_curve{}))
	lines := unsafe.Slice((*C.an_curve)(list), len(curves))
	for i := range lines {
		line := &lines[i]
		C.an_curve_init(line, C.uint32_t(unsafe.Sizeof(*line)))
		line.name, line.values = a.text(curves[i].Name), a.doubles(curves[i].Values)
		line.count = C.int64_t(len(curves[i].Values))
	}
	if a.err != nil {
		return a.err
	}
	return check(func(e *C.an_error) C.an_status {
		return C.an_plot_curves(text, (*C.an_curve)(list), C.int32_t(len(curves)), int64Ptr(marks), C.int32_t(len(marks)), c, e)
	})
}

// PlotScatter plots predicted against true scores to a PNG file.
func PlotScatter(path string, truth []float64, prediction []float32, options *PlotOptions) error {
	if len(prediction) != len(truth) {
		return wrong("there are %d true values and %d predictions", len(truth), len(prediction))
	}
	var a arena
	defer a.free()
	text, c := a.text(path), options.c(&a)
	if a.err != nil {
		return a.err
	}
	return check(func(e *C.an_error) C.an_status {
		return C.an_plot_scatter(text, doublePtr(truth), floatPtr(prediction), C.int64_t(len(truth)), c, e)
	})
}
