// SPDX-License-Identifier: MIT

package attractivenet

/*
#include <stdlib.h>
#include <string.h>
#include <attractivenet/attractivenet.h>
*/
import "C"

import (
	"context"
	"image"
	"image/color"
	"io"
	"unsafe"
)

// RGB is an 8-bit image as the library sees it. It is an image.Image.
type RGB struct {
	Pix    []uint8 // rows of R, G, B
	Stride int     // bytes between rows
	Rect   image.Rectangle
}

// NewRGB returns a black image.
func NewRGB(width, height int) *RGB {
	return &RGB{make([]uint8, 3*width*height), 3 * width, image.Rect(0, 0, width, height)}
}

// ColorModel is that of 8-bit colours without transparency.
func (m *RGB) ColorModel() color.Model { return color.RGBAModel }

// Bounds returns the rectangle of the image.
func (m *RGB) Bounds() image.Rectangle { return m.Rect }

// At returns the colour of a pixel.
func (m *RGB) At(x, y int) color.Color {
	if !(image.Point{X: x, Y: y}).In(m.Rect) {
		return color.RGBA{}
	}
	at := (y-m.Rect.Min.Y)*m.Stride + (x-m.Rect.Min.X)*3
	return color.RGBA{R: m.Pix[at], G: m.Pix[at+1], B: m.Pix[at+2], A: 255}
}

// ToRGB converts any image. Transparency is ignored, as OpenCV ignores it: the colour of a pixel is the one that is
// stored, not one blended with black.
func ToRGB(img image.Image) *RGB {
	if m, ok := img.(*RGB); ok {
		return m
	}
	b := img.Bounds()
	out := NewRGB(b.Dx(), b.Dy())
	at := 0
	put := func(r, g, b uint8) {
		out.Pix[at], out.Pix[at+1], out.Pix[at+2] = r, g, b
		at += 3
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		switch m := img.(type) {
		case *image.NRGBA:
			row := m.Pix[m.PixOffset(b.Min.X, y):]
			for x := 0; x < b.Dx(); x++ {
				put(row[4*x], row[4*x+1], row[4*x+2])
			}
		case *image.Gray:
			row := m.Pix[m.PixOffset(b.Min.X, y):]
			for x := 0; x < b.Dx(); x++ {
				put(row[x], row[x], row[x])
			}
		case *image.YCbCr:
			for x := b.Min.X; x < b.Max.X; x++ {
				i, j := m.YOffset(x, y), m.COffset(x, y)
				put(color.YCbCrToRGB(m.Y[i], m.Cb[j], m.Cr[j]))
			}
		default:
			for x := b.Min.X; x < b.Max.X; x++ {
				c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
				put(c.R, c.G, c.B)
			}
		}
	}
	return out
}

// ImageLimits are an_image_limits. A field that is 0 has its default.
type ImageLimits struct {
	MaxScans  int   // of a progressive JPEG
	MaxPixels int64 // width times height
	MaxMemory int64 // bytes that decoding one image may use
}

func (l *ImageLimits) c() C.an_image_limits {
	var c C.an_image_limits
	C.an_image_limits_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	if l == nil {
		return c
	}
	if l.MaxScans != 0 {
		c.max_scans = C.int32_t(l.MaxScans)
	}
	if l.MaxPixels != 0 {
		c.max_pixels = C.int64_t(l.MaxPixels)
	}
	if l.MaxMemory != 0 {
		c.max_memory = C.int64_t(l.MaxMemory)
	}
	return c
}

// DecodeImage decodes a JPEG or PNG as OpenCV does, with its EXIF orientation applied; name is for messages. Unlike
// image.Decode, it gives the pixels that the tutorial trains on.
func DecodeImage(encoded []byte, name string, limits *ImageLimits) (*RGB, error) {
	c := limits.c()
	var out *C.an_image
	err := withText(name, func(text *C.char) error {
		return check(func(e *C.an_error) C.an_status {
			return C.an_image_decode(&out, unsafe.Pointer(bytePtr(encoded)), C.int64_t(len(encoded)), text, &c, e)
		})
	})
	if err != nil {
		return nil, err
	}
	defer C.an_image_destroy(out)
	m := NewRGB(int(C.an_image_width(out)), int(C.an_image_height(out)))
	C.memcpy(unsafe.Pointer(&m.Pix[0]), unsafe.Pointer(C.an_image_const_data(out)), C.size_t(len(m.Pix)))
	return m, nil
}

// ReadImage reads r to its end and decodes what it read.
func ReadImage(r io.Reader, name string, limits *ImageLimits) (*RGB, error) {
	encoded, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return DecodeImage(encoded, name, limits)
}

// Resize resizes as OpenCV's INTER_LINEAR does: an_resize_u8.
func (m *RGB) Resize(width, height int) (*RGB, error) {
	if width < 1 || width > 65535 || height < 1 || height > 65535 {
		return nil, wrong("the size is %dx%d; each side must be 1 to 65535", width, height)
	}
	from := m.dense()
	out := NewRGB(width, height)
	err := check(func(e *C.an_error) C.an_status {
		return C.an_resize_u8(bytePtr(from.Pix), C.int64_t(from.Rect.Dy()), C.int64_t(from.Rect.Dx()), 3,
			bytePtr(out.Pix), C.int64_t(height), C.int64_t(width), e)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// dense is the image without gaps between rows, of exactly its size.
func (m *RGB) dense() *RGB {
	row := 3 * m.Rect.Dx()
	if m.Stride == row && len(m.Pix) == row*m.Rect.Dy() {
		return m
	}
	out := NewRGB(m.Rect.Dx(), m.Rect.Dy())
	for y := 0; y < m.Rect.Dy(); y++ {
		copy(out.Pix[y*row:(y+1)*row], m.Pix[y*m.Stride:y*m.Stride+row])
	}
	return out
}

// WritePNG writes the image to a file, atomically.
func (m *RGB) WritePNG(path string) error {
	return m.write(path, func(c *C.an_image, text *C.char, e *C.an_error) C.an_status {
		return C.an_image_write_png(c, text, e)
	})
}

// WriteJPEG writes the image to a file, atomically; quality 1 to 100.
func (m *RGB) WriteJPEG(path string, quality int) error {
	return m.write(path, func(c *C.an_image, text *C.char, e *C.an_error) C.an_status {
		return C.an_image_write_jpeg(c, text, C.int32_t(quality), e)
	})
}

func (m *RGB) write(path string, fn func(*C.an_image, *C.char, *C.an_error) C.an_status) error {
	from := m.dense()
	var c *C.an_image
	err := check(func(e *C.an_error) C.an_status {
		return C.an_image_create(&c, bytePtr(from.Pix), C.int64_t(from.Rect.Dy()), C.int64_t(from.Rect.Dx()), e)
	})
	if err != nil {
		return err
	}
	defer C.an_image_destroy(c)
	return withText(path, func(text *C.char) error {
		return check(func(e *C.an_error) C.an_status { return fn(c, text, e) })
	})
}

// DownloadOptions are an_download_options. A field that is its zero value has its default.
type DownloadOptions struct {
	MaxBytes     int64
	SHA256       string // expected hash
	ExpectedType string // "zip", "hdf5" or "any"
	Progress     func(Progress) error
	Warn         func(Warning) error
}

// Download downloads url to path, unless the file is already there.
func Download(ctx context.Context, url, path string, options *DownloadOptions) error {
	if err := begun(ctx); err != nil {
		return err
	}
	var a arena
	defer a.free()
	if options == nil {
		options = &DownloadOptions{}
	}
	var c C.an_download_options
	C.an_download_options_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	if options.MaxBytes != 0 {
		c.max_bytes = C.int64_t(options.MaxBytes)
	}
	c.sha256 = a.optional(options.SHA256)
	if options.ExpectedType != "" {
		c.expected_type = a.text(options.ExpectedType)
	}
	back := newCallbacks(&callbacks{ctx: ctx, progress: options.Progress, warn: options.Warn})
	defer back.drop()
	c.progress, c.progress_user = back.progressFn(), back.user
	c.warn, c.warn_user = back.warnFn(), back.user
	from, to := a.text(url), a.text(path)
	if a.err != nil {
		return a.err
	}
	return check(func(e *C.an_error) C.an_status { return C.an_download(from, to, &c, e) }, back)
}

// VerifyFile checks a file against a SHA-256, 64 hexadecimal digits.
func VerifyFile(ctx context.Context, path, sha256 string) error {
	if err := begun(ctx); err != nil {
		return err
	}
	var a arena
	defer a.free()
	file, hash := a.text(path), a.text(sha256)
	if a.err != nil {
		return a.err
	}
	back := newCallbacks(&callbacks{ctx: ctx})
	defer back.drop()
	return check(func(e *C.an_error) C.an_status {
		return C.an_file_verify(file, hash, back.progressFn(), back.user, e)
	}, back)
}

// ExtractOptions are an_extract_options. A field that is its zero value has its default.
type ExtractOptions struct {
	Skip           bool   // leave refused members out instead of failing
	LabelFile      string // default "All_labels.txt"
	Suffix         string
	NamesEncoding  string
	MaxMembers     int64
	MaxMemberBytes int64
	MaxTotalBytes  int64
	MaxRatio       int
	Exact          bool
	Progress       func(Progress) error
	Warn           func(Warning) error
}

// fill sets the fields of c; its texts are in a.
func (o *ExtractOptions) fill(c *C.an_extract_options, a *arena) {
	C.an_extract_options_init(c, C.uint32_t(unsafe.Sizeof(*c)))
	c.policy, c.exact = flag(o.Skip), flag(o.Exact)
	if o.LabelFile != "" {
		c.label_file = a.text(o.LabelFile)
	}
	c.suffix, c.names_encoding = a.optional(o.Suffix), a.optional(o.NamesEncoding)
	if o.MaxMembers != 0 {
		c.max_members = C.int64_t(o.MaxMembers)
	}
	if o.MaxMemberBytes != 0 {
		c.max_member_bytes = C.int64_t(o.MaxMemberBytes)
	}
	if o.MaxTotalBytes != 0 {
		c.max_total_bytes = C.int64_t(o.MaxTotalBytes)
	}
	if o.MaxRatio != 0 {
		c.max_ratio = C.int32_t(o.MaxRatio)
	}
}

// ExtractReport is the result of an extraction.
type ExtractReport struct {
	Written, Present, Skipped, Ignored, Bytes int64
}

// ExtractArchive extracts what a data set needs into a folder. The report is filled in after a failure, too.
func ExtractArchive(ctx context.Context, archive, folder string, options *ExtractOptions) (ExtractReport, error) {
	if err := begun(ctx); err != nil {
		return ExtractReport{}, err
	}
	var a arena
	defer a.free()
	if options == nil {
		options = &ExtractOptions{}
	}
	var c C.an_extract_options
	options.fill(&c, &a)
	back := newCallbacks(&callbacks{ctx: ctx, progress: options.Progress, warn: options.Warn})
	defer back.drop()
	c.progress, c.progress_user = back.progressFn(), back.user
	c.warn, c.warn_user = back.warnFn(), back.user
	from, to := a.text(archive), a.text(folder)
	if a.err != nil {
		return ExtractReport{}, a.err
	}
	var r C.an_extract_report
	C.an_extract_report_init(&r, C.uint32_t(unsafe.Sizeof(r)))
	err := check(func(e *C.an_error) C.an_status { return C.an_archive_extract(from, to, &c, &r, e) }, back)
	return ExtractReport{int64(r.written), int64(r.present), int64(r.skipped), int64(r.ignored), int64(r.bytes)}, err
}
