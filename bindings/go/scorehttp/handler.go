// SPDX-License-Identifier: MIT

// Package scorehttp scores uploaded images over HTTP, with bounded memory.
package scorehttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"

	"attractivenet"
)

// Handler answers a POST of an image, JPEG or PNG, with its scores: {"score":3.42,"scores":[3.42]}. The body is the
// image, or a form (multipart/form-data) whose first file is the image.
//
// No more than Uploads of such requests are read or scored at a time: further ones get 503 at once. An upload holds
// its body, for which a growing buffer needs up to 3 * MaxBytes if its length is not known, and up to MaxMemory to
// decode it and as much for the pixels. So all uploads together use less than Uploads * (3 * MaxBytes + 2 * MaxMemory)
// bytes, and the predictor's buffers. The request's context cancels its prediction. What the limits refuse gets 413,
// what is not an image 415, a damaged one 422.
type Handler struct {
	Predictor *attractivenet.Predictor
	MaxBytes  int64 // of an upload; 0 = 16 MiB
	MaxMemory int64 // bytes that decoding an image may use; 0 = 128 MiB
	Uploads   int   // at a time; 0 = 8

	once  sync.Once
	slots chan struct{}
}

// Answer is the JSON of an answer: Score is the first of Scores. An error has Error alone.
type Answer struct {
	Score  *float32  `json:"score,omitempty"`
	Scores []float32 `json:"scores,omitempty"`
	Error  string    `json:"error,omitempty"`
}

func (h *Handler) limits() {
	if h.MaxBytes == 0 {
		h.MaxBytes = 16 << 20
	}
	if h.MaxMemory == 0 {
		h.MaxMemory = 128 << 20
	}
	if h.Uploads == 0 {
		h.Uploads = 8
	}
	h.slots = make(chan struct{}, h.Uploads)
}

func reply(w http.ResponseWriter, status int, answer Answer) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// ServeHTTP scores one upload.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.limits)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		reply(w, http.StatusMethodNotAllowed, Answer{Error: "send an image with POST"})
		return
	}
	if r.ContentLength > h.MaxBytes {
		reply(w, http.StatusRequestEntityTooLarge, Answer{Error: "the upload is too large"})
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusServiceUnavailable, Answer{Error: "too many uploads at a time"})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, h.MaxBytes)
	encoded, err := read(r, h.MaxBytes)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		reply(w, http.StatusRequestEntityTooLarge, Answer{Error: "the upload is too large"})
		return
	}
	if err != nil {
		reply(w, http.StatusBadRequest, Answer{Error: err.Error()})
		return
	}
	img, err := attractivenet.DecodeImage(encoded, "the upload", &attractivenet.ImageLimits{MaxMemory: h.MaxMemory})
	encoded = nil
	if err != nil {
		reply(w, statusOf(err), Answer{Error: err.Error()})
		return
	}
	scores, err := h.Predictor.Score(r.Context(), img)
	if err != nil {
		if r.Context().Err() != nil {
			return // nobody waits for an answer
		}
		reply(w, http.StatusInternalServerError, Answer{Error: err.Error()})
		return
	}
	reply(w, http.StatusOK, Answer{Score: &scores[0], Scores: scores})
}

// read returns the image of a request. Its size is bounded by that of the body.
func read(r *http.Request, most int64) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return readAll(r.Body, r.ContentLength, most)
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return nil, errors.New("the form has no file")
		}
		if err != nil {
			return nil, err
		}
		if part.FileName() != "" {
			return readAll(part, -1, most)
		}
	}
}

// readAll reads to the end. Where the size is known, nothing is copied while it grows.
func readAll(r io.Reader, size, most int64) ([]byte, error) {
	var to bytes.Buffer
	if size > 0 && size <= most {
		to.Grow(int(size) + bytes.MinRead)
	}
	_, err := to.ReadFrom(r)
	return to.Bytes(), err
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, attractivenet.ErrFormat):
		return http.StatusUnprocessableEntity
	case errors.Is(err, attractivenet.ErrUnsupported):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, attractivenet.ErrNoMemory):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
