// SPDX-License-Identifier: MIT

package scorehttp

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"attractivenet"
)

func handler(t *testing.T) *Handler {
	t.Helper()
	backend, err := attractivenet.NewBackend(&attractivenet.BackendOptions{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	options := attractivenet.DefaultMobileNetV2Options()
	options.Height, options.Width, options.Alpha = 64, 64, 0.35
	model, err := attractivenet.NewMobileNetV2(backend, &options)
	if err != nil {
		t.Fatal(err)
	}
	predictor, err := attractivenet.NewPredictor(model, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		predictor.Close()
		model.Close()
		backend.Close()
	})
	return &Handler{Predictor: predictor, MaxBytes: 100_000, MaxMemory: 1 << 20}
}

func picture(width int) image.Image {
	m := image.NewGray(image.Rect(0, 0, width, 80))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * 7)
	}
	m.SetGray(0, 0, color.Gray{Y: 255})
	return m
}

func encodedPNG(t *testing.T, width int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture(width)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func post(t *testing.T, h http.Handler, kind string, body io.Reader) (int, Answer) {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", body)
	r.Header.Set("Content-Type", kind)
	h.ServeHTTP(w, r)
	var answer Answer
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err, w.Body.String())
	}
	return w.Code, answer
}

func TestUploads(t *testing.T) {
	h := handler(t)
	content := encodedPNG(t, 100)
	img, err := attractivenet.DecodeImage(content, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := h.Predictor.Score(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	code, answer := post(t, h, "image/png", bytes.NewReader(content))
	if code != http.StatusOK || answer.Score == nil || *answer.Score != want[0] || len(answer.Scores) != 1 {
		t.Fatal(code, answer)
	}
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	_ = parts.WriteField("note", "text")
	file, _ := parts.CreateFormFile("image", "a.png")
	_, _ = file.Write(content)
	parts.Close()
	code, answer = post(t, h, parts.FormDataContentType(), &form)
	if code != http.StatusOK || *answer.Score != want[0] {
		t.Fatal(code, answer)
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, picture(100), nil); err != nil {
		t.Fatal(err)
	}
	if code, answer = post(t, h, "", &photo); code != http.StatusOK || answer.Error != "" {
		t.Fatal(code, answer)
	}
}

func TestRefusals(t *testing.T) {
	h := handler(t)
	content := encodedPNG(t, 100)
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	_ = parts.WriteField("note", "text")
	parts.Close()
	for name, one := range map[string]struct {
		kind string
		body io.Reader
		code int
	}{
		"too large":            {"image/png", bytes.NewReader(make([]byte, 100_001)), http.StatusRequestEntityTooLarge},
		"too large, no length": {"image/png", io.MultiReader(bytes.NewReader(make([]byte, 100_001))), http.StatusRequestEntityTooLarge},
		"too many pixels":      {"image/png", bytes.NewReader(encodedPNG(t, 6000)), http.StatusUnsupportedMediaType},
		"damaged":              {"image/png", bytes.NewReader(content[:len(content)/2]), http.StatusUnprocessableEntity},
		"another format":       {"image/gif", strings.NewReader("GIF89a..."), http.StatusUnsupportedMediaType},
		"empty":                {"image/png", strings.NewReader(""), http.StatusUnprocessableEntity},
		"form without a file":  {parts.FormDataContentType(), &form, http.StatusBadRequest},
		"form without an end":  {"multipart/form-data; boundary=x", strings.NewReader("--x\r\n"), http.StatusBadRequest},
	} {
		if code, answer := post(t, h, one.kind, one.body); code != one.code || answer.Error == "" || answer.Score != nil {
			t.Errorf("%s: %d %v, expected %d", name, code, answer, one.code)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
		t.Error(w.Code)
	}
}

// No more uploads are in memory than Uploads says; the next one is told to come again.
func TestBusy(t *testing.T) {
	h := handler(t)
	h.Uploads = 1
	reader, writer := io.Pipe()
	first := make(chan int)
	go func() {
		code, _ := post(t, h, "image/png", reader)
		first <- code
	}()
	content := encodedPNG(t, 100)
	if _, err := writer.Write(content[:10]); err != nil { // the first upload is being read
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(content)))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Error(w.Code)
	}
	_, _ = writer.Write(content[10:])
	writer.Close()
	if code := <-first; code != http.StatusOK {
		t.Error(code)
	}
	if code, _ := post(t, h, "image/png", bytes.NewReader(content)); code != http.StatusOK {
		t.Error(code)
	}
}

func TestAGoneClientIsNotAnswered(t *testing.T) {
	h := handler(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(encodedPNG(t, 100))).WithContext(ctx)
	h.ServeHTTP(w, r)
	if w.Body.Len() != 0 {
		t.Error(w.Body.String())
	}
}
