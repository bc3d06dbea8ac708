// SPDX-License-Identifier: MIT

// Package attractivenet trains and uses MobileNetV2 image regressors: libattractivenet from Go.
//
// The package is thin: names, ranges, defaults and further errors are those of the C function or struct that a comment
// names. It needs the installed library (pkg-config attractivenet) and cgo.
//
// Objects: each has a Close method, which may be called at any time, more than once, and in any order: what still needs
// the object keeps it in C. Calls in progress end as usual, later ones fail with fs.ErrClosed. An object that nobody
// closes is freed by a finalizer, some time after the last reference to it is gone; do not rely on it.
//
// Errors: every error of the library is an *Error, and matches one of ErrArgument, ErrIO, ... under errors.Is. If a
// callback returned an error, or the context of the call is done, it matches that, too. A panic in a callback ends the C
// call and continues in the goroutine that made the call.
//
// Goroutines: methods may be called from any number of goroutines, unless a comment says otherwise. A prediction runs on
// the thread that makes it, so no more than Backend.Threads of them run at a time; further ones wait in Go.
// With predictions shorter than a millisecond and more goroutines than processors, set GOMAXPROCS to twice the number of
// processors: goroutines that return from C then do not wait for one another.
//
// Contexts: Trainer.Run and RunEpoch, and the calls of a Predictor, end within about a fifth of a second at 350x350
// after the context is done; Model.Predict ends after at most 16 more images, calls that read a Loader after at most
// one more batch.
//
// Memory: C keeps no pointer to Go memory; what it keeps is copied.
package attractivenet

/*
#cgo pkg-config: attractivenet
#include <stdlib.h>
#include <attractivenet/attractivenet.h>
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// Status is the reason of an error. It is itself an error, for errors.Is.
type Status int

// The reasons of errors: AN_ERR_ARG and so on.
const (
	ErrArgument    Status = C.AN_ERR_ARG         // an invalid argument or option
	ErrNoMemory    Status = C.AN_ERR_NOMEM       // out of memory
	ErrIO          Status = C.AN_ERR_IO          // a file or the network could not be read or written
	ErrFormat      Status = C.AN_ERR_FORMAT      // the content is damaged or not what was expected
	ErrUnsupported Status = C.AN_ERR_UNSUPPORTED // well formed, but not supported
	ErrDevice      Status = C.AN_ERR_DEVICE      // the device is absent or has failed
	ErrCancelled   Status = C.AN_ERR_CANCELLED   // a callback or a context ended the call
	ErrInternal    Status = C.AN_ERR_INTERNAL    // a bug in the library
)

// Error returns the name of the status, such as "AN_ERR_IO".
func (s Status) Error() string { return C.GoString(C.an_status_name(C.an_status(s))) }

// Error says why a call failed.
type Error struct {
	Status  Status
	Message string
	cause   error
}

func (e *Error) Error() string {
	if e.cause != nil && e.Status == ErrCancelled {
		return fmt.Sprintf("%s: %v", e.Message, e.cause)
	}
	return e.Message
}

// Is reports whether target is the status of the error.
func (e *Error) Is(target error) bool { return target == e.Status }

// Unwrap returns the error of a callback or of a context, fs.ErrClosed, or nil.
func (e *Error) Unwrap() error { return e.cause }

func wrong(format string, values ...interface{}) error {
	return &Error{Status: ErrArgument, Message: fmt.Sprintf(format, values...)}
}

// call makes a C call; it reports AN_DONE as true. If one of the callbacks failed, the error has it as its cause.
func call(fn func(*C.an_error) C.an_status, owners ...*callbacks) (done bool, err error) {
	var e C.an_error
	status := fn(&e)
	var cause error
	for _, owner := range owners {
		if owner == nil {
			continue
		}
		panicked, left := owner.take()
		if panicked != nil {
			panic(panicked)
		}
		if cause == nil {
			cause = left
		}
	}
	if status >= 0 {
		return status == C.AN_DONE, nil
	}
	failed := &Error{Status: Status(status), Message: C.GoString(&e.message[0])}
	if failed.Status == ErrCancelled {
		failed.cause = cause
	}
	return false, failed
}

func check(fn func(*C.an_error) C.an_status, owners ...*callbacks) error {
	_, err := call(fn, owners...)
	return err
}

// fromContext makes err the error of a call whose context is done.
func fromContext(ctx context.Context, err error) error {
	var failed *Error
	if ctx.Err() != nil && errors.As(err, &failed) && failed.Status == ErrCancelled && failed.cause == nil {
		failed.cause = ctx.Err()
	}
	return err
}

func begun(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &Error{Status: ErrCancelled, Message: "the call did not begin", cause: err}
	}
	return nil
}

// An object of C: freed when it is closed and no call uses it any more.
type object struct {
	what string
	free func(unsafe.Pointer)
	owns []*callbacks // what C may call as long as the object lives

	mu     sync.Mutex
	ptr    unsafe.Pointer
	users  int
	closed bool
}

func newObject(what string, ptr unsafe.Pointer, free func(unsafe.Pointer), owns ...*callbacks) *object {
	o := &object{what: what, ptr: ptr, free: free}
	for _, c := range owns {
		if c != nil {
			o.owns = append(o.owns, c)
		}
	}
	runtime.SetFinalizer(o, (*object).close)
	return o
}

// use returns the C object for one call; the caller calls done.
func (o *object) use() (unsafe.Pointer, error) {
	if o == nil {
		return nil, wrong("the object is nil")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, &Error{Status: ErrArgument, Message: "the " + o.what + " is closed", cause: fs.ErrClosed}
	}
	o.users++
	return o.ptr, nil
}

func (o *object) done() {
	o.mu.Lock()
	o.users--
	last := o.closed && o.users == 0
	o.mu.Unlock()
	if last {
		o.destroy()
	}
}

func (o *object) close() error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	first := !o.closed
	o.closed = true
	last := first && o.users == 0
	o.mu.Unlock()
	if last {
		o.destroy()
	}
	return nil
}

func (o *object) destroy() {
	runtime.SetFinalizer(o, nil)
	ptr := o.ptr
	o.ptr = nil
	o.free(ptr)
	for _, c := range o.owns {
		c.drop()
	}
}

// kept returns the callbacks of the object, with a reference each for an object that will hold it.
func (o *object) kept() []*callbacks {
	for _, c := range o.owns {
		c.retain()
	}
	return o.owns
}

// with runs fn with the C objects of several objects, which stay alive meanwhile.
func with(fn func(p []unsafe.Pointer) error, objects ...*object) error {
	p := make([]unsafe.Pointer, len(objects))
	for i, o := range objects {
		ptr, err := o.use()
		if err != nil {
			return err
		}
		defer o.done()
		p[i] = ptr
	}
	return fn(p)
}

// query runs a call that cannot fail; on a closed object it leaves the results as they are.
func (o *object) query(fn func(unsafe.Pointer)) {
	if ptr, err := o.use(); err == nil {
		defer o.done()
		fn(ptr)
	}
}

// C memory for the arguments of one call.
type arena struct {
	blocks []unsafe.Pointer
	err    error
}

func (a *arena) free() {
	for _, block := range a.blocks {
		C.free(block)
	}
}

func (a *arena) alloc(size uintptr) unsafe.Pointer {
	block := C.calloc(1, C.size_t(size+1)) // never 0 bytes; cgo panics if there is no memory
	a.blocks = append(a.blocks, block)
	return block
}

func (a *arena) text(s string) *C.char {
	if strings.IndexByte(s, 0) >= 0 && a.err == nil {
		a.err = wrong("the text %q has a 0 byte", s)
	}
	block := unsafe.Pointer(C.CString(s))
	a.blocks = append(a.blocks, block)
	return (*C.char)(block)
}

// withText runs fn with a text as C has it.
func withText(s string, fn func(text *C.char) error) error {
	var a arena
	defer a.free()
	text := a.text(s)
	if a.err != nil {
		return a.err
	}
	return fn(text)
}

// optional is NULL for "".
func (a *arena) optional(s string) *C.char {
	if s == "" {
		return nil
	}
	return a.text(s)
}

func (a *arena) texts(list []string) **C.char {
	if len(list) == 0 {
		return nil
	}
	block := a.alloc(uintptr(len(list)) * unsafe.Sizeof((*C.char)(nil)))
	out := unsafe.Slice((**C.char)(block), len(list))
	for i, s := range list {
		out[i] = a.text(s)
	}
	return (**C.char)(block)
}

func (a *arena) doubles(list []float64) *C.double {
	if len(list) == 0 {
		return nil
	}
	block := a.alloc(uintptr(len(list)) * 8)
	copy(unsafe.Slice((*float64)(block), len(list)), list)
	return (*C.double)(block)
}

func flag(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

// Pointers to the first element, for the time of a call; nil for an empty slice.

func floatPtr(x []float32) *C.float {
	if len(x) == 0 {
		return nil
	}
	return (*C.float)(unsafe.Pointer(&x[0]))
}

func doublePtr(x []float64) *C.double {
	if len(x) == 0 {
		return nil
	}
	return (*C.double)(unsafe.Pointer(&x[0]))
}

func int64Ptr(x []int64) *C.int64_t {
	if len(x) == 0 {
		return nil
	}
	return (*C.int64_t)(unsafe.Pointer(&x[0]))
}

func bytePtr(x []byte) *C.uint8_t {
	if len(x) == 0 {
		return nil
	}
	return (*C.uint8_t)(unsafe.Pointer(&x[0]))
}

// Version returns the release of the library, such as "0.1.0".
func Version() string { return C.GoString(C.an_version()) }

// ABI returns the number in the library's SONAME.
func ABI() int { return int(C.an_abi()) }

// HasFeature reports whether the library was built with "curl", "plot", "cuda", ...
func HasFeature(name string) bool {
	var a arena
	defer a.free()
	text := a.text(name)
	return a.err == nil && C.an_has_feature(text) != 0
}

// BackendOptions are an_backend_options; the zero value holds the defaults.
type BackendOptions struct {
	Threads int    // 0 = as many as the process may use
	Device  string // "" = "cpu"; "cuda", "cuda:1", "auto", "ref"
}

// Backend is one device with its worker threads.
type Backend struct {
	o     *object
	slots chan struct{} // predictions at a time: each runs on its caller's thread
}

// NewBackend makes a backend; nil = the defaults.
func NewBackend(options *BackendOptions) (*Backend, error) {
	var c C.an_backend_options
	C.an_backend_options_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	var a arena
	defer a.free()
	if options != nil {
		if options.Threads < 0 || options.Threads > math.MaxInt32 {
			return nil, wrong("there are %d threads; there must be 1 to 1024, or 0", options.Threads)
		}
		c.threads, c.device = C.int32_t(options.Threads), a.optional(options.Device)
	}
	if a.err != nil {
		return nil, a.err
	}
	var out *C.an_backend
	if err := check(func(e *C.an_error) C.an_status { return C.an_backend_create(&out, &c, e) }); err != nil {
		return nil, err
	}
	return &Backend{
		o:     newObject("backend", unsafe.Pointer(out), func(p unsafe.Pointer) { C.an_backend_destroy((*C.an_backend)(p)) }),
		slots: make(chan struct{}, int(C.an_backend_threads(out))),
	}, nil
}

// Close releases the backend. Models that were made on it keep it.
func (b *Backend) Close() error { return b.o.close() }

// Name returns "cpu", "ref" or "cuda".
func (b *Backend) Name() (name string) {
	b.o.query(func(p unsafe.Pointer) { name = C.GoString(C.an_backend_name((*C.an_backend)(p))) })
	return name
}

// Level returns the ISA level in use, such as "avx2".
func (b *Backend) Level() (level string) {
	b.o.query(func(p unsafe.Pointer) { level = C.GoString(C.an_backend_level((*C.an_backend)(p))) })
	return level
}

// DeviceInfo describes a device: an_device_info.
type DeviceInfo struct {
	Device                  string // as in BackendOptions
	Name                    string // of the processor or card; "" = unknown
	Level                   string // as Backend.Level
	Usable                  bool
	Reason                  string // why it is not usable, or why "auto" did not take a GPU
	Capability              [2]int // of a GPU, such as 9 and 0
	MemoryTotal, MemoryFree int64  // bytes; 0 = unknown
}

func describeDevice(fn func(c *C.an_device_info, e *C.an_error) C.an_status) (DeviceInfo, error) {
	var c C.an_device_info
	C.an_device_info_init(&c, C.uint32_t(unsafe.Sizeof(c)))
	if err := check(func(e *C.an_error) C.an_status { return fn(&c, e) }); err != nil {
		return DeviceInfo{}, err
	}
	return DeviceInfo{Device: C.GoString(c.device), Name: C.GoString(c.name), Level: C.GoString(c.level),
		Usable: c.is_usable != 0, Reason: C.GoString(c.reason),
		Capability:  [2]int{int(c.capability_major), int(c.capability_minor)},
		MemoryTotal: int64(c.memory_total), MemoryFree: int64(c.memory_free)}, nil
}

// Describe describes the device that the backend runs on.
func (b *Backend) Describe() (info DeviceInfo, err error) {
	err = with(func(p []unsafe.Pointer) (err error) {
		info, err = describeDevice(func(c *C.an_device_info, e *C.an_error) C.an_status {
			return C.an_backend_describe((*C.an_backend)(p[0]), c, e)
		})
		return err
	}, b.o)
	return info, err
}

// Devices lists the devices of this machine, the CPU first. If no GPU can be used, the second entry says why.
func Devices() ([]DeviceInfo, error) {
	var list *C.an_device_list
	if err := check(func(e *C.an_error) C.an_status { return C.an_device_list_create(&list, e) }); err != nil {
		return nil, err
	}
	defer C.an_device_list_destroy(list)
	devices := make([]DeviceInfo, int(C.an_device_list_count(list)))
	for i := range devices {
		var err error
		devices[i], err = describeDevice(func(c *C.an_device_info, e *C.an_error) C.an_status {
			return C.an_device_list_describe(list, C.int64_t(i), c, e)
		})
		if err != nil {
			return nil, err
		}
	}
	return devices, nil
}

// Threads returns the number of compute threads.
func (b *Backend) Threads() int { return cap(b.slots) }

// A turn waits for one of the slots; the caller gives it back with <-slots.
func turn(ctx context.Context, slots chan struct{}) error {
	if err := begun(ctx); err != nil {
		return err
	}
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return begun(ctx)
	}
}

// watch requests cancel when the context is done. stop ends that and withdraws the request.
func watch(ctx context.Context, cancel *C.an_cancel) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-ctx.Done():
			C.an_cancel_request(cancel)
		case <-ended:
		}
	}()
	return func() {
		close(ended)
		<-gone
		C.an_cancel_reset(cancel)
	}
}

func newCancel() (*C.an_cancel, error) {
	var out *C.an_cancel
	err := check(func(e *C.an_error) C.an_status { return C.an_cancel_create(&out, e) })
	return out, err
}
