/* SPDX-License-Identifier: MIT
 * Calls that Ctrl-C ends. Python's own handler only notes the signal and acts when the interpreter
 * runs again, which would be after the call. So while the main thread is in one of these calls, a
 * handler of our own also sets the flag that cancels it. Part of _core.c. */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static struct sigaction py_previous;       /* Python's handler */
static an_cancel *py_flag;                 /* attached to every model, predictor and loader */
static volatile sig_atomic_t py_installed; /* the main thread is in a call */

static void py_on_interrupt(int number, siginfo_t *info, void *context) {
    if (py_installed) an_cancel_request(py_flag);
    if (py_previous.sa_flags & SA_SIGINFO)
        py_previous.sa_sigaction(number, info, context);
    else
        py_previous.sa_handler(number);
}

/* Return 1 if the caller has to end what this began: not for other threads, for a call within a
 * callback of another, and for a process that ignores SIGINT or ends by it. */
static int py_begin(void) {
    struct sigaction action;
    if (gettid() != getpid() || py_installed || sigaction(SIGINT, NULL, &py_previous)) return 0;
    if (!(py_previous.sa_flags & SA_SIGINFO) &&
        (py_previous.sa_handler == SIG_DFL || py_previous.sa_handler == SIG_IGN))
        return 0;
    action.sa_sigaction = py_on_interrupt;
    action.sa_flags = py_previous.sa_flags | SA_SIGINFO;
    action.sa_mask = py_previous.sa_mask;
    an_cancel_reset(py_flag);
    py_installed = 1;
    if (!sigaction(SIGINT, &action, NULL)) return 1;
    py_installed = 0;
    return 0;
}

static an_status py_end(int began, an_status status) {
    struct sigaction action;
    if (began) {
        /* Unless a callback has installed a handler of its own. */
        if (!sigaction(SIGINT, NULL, &action) && action.sa_sigaction == py_on_interrupt)
            sigaction(SIGINT, &py_previous, NULL);
        py_installed = 0;
        an_cancel_reset(py_flag);
    }
    return status;
}

/* The flag, made once. NULL: out of memory. */
static an_cancel *py_interrupt_flag(void) {
    if (!py_flag) an_cancel_create(&py_flag, NULL);
    return py_flag;
}

/* A call has been cancelled by the flag, and Python's handler did not raise an exception: may it
 * begin again? 0: the main thread is still in the call that is being cancelled. */
static int32_t py_interrupt_is_over(void) {
    if (py_installed && gettid() != getpid()) return 0;
    an_cancel_reset(py_flag);
    return 1;
}

static an_status py_model_predict(an_model *model, const float *x, int64_t n, float *y,
                                  an_error *err) {
    const int began = py_begin();
    return py_end(began, an_model_predict(model, x, n, y, err));
}

static an_status py_model_compute_features(an_model *model, const float *x, int64_t n,
                                           float *features, an_error *err) {
    const int began = py_begin();
    return py_end(began, an_model_compute_features(model, x, n, features, err));
}

static an_status py_model_explain(an_model *model, const float *x, int64_t n,
                                  const an_explain_options *options, float *maps, an_error *err) {
    const int began = py_begin();
    return py_end(began, an_model_explain(model, x, n, options, maps, err));
}

static an_status py_predictor_score_frames(an_predictor *predictor, const uint8_t *frames,
                                           int64_t count, int64_t frame_stride, int64_t height,
                                           int64_t width, int64_t row_stride, float *scores,
                                           an_error *err) {
    const int began = py_begin();
    return py_end(began, an_predictor_score_frames(predictor, frames, count, frame_stride, height,
                                                   width, row_stride, scores, err));
}

static an_status py_predictor_compute_features(an_predictor *predictor, const uint8_t *frames,
                                               int64_t count, int64_t frame_stride, int64_t height,
                                               int64_t width, int64_t row_stride, float *features,
                                               an_error *err) {
    const int began = py_begin();
    return py_end(began, an_predictor_compute_features(predictor, frames, count, frame_stride,
                                                       height, width, row_stride, features, err));
}

static an_status py_predictor_score_file(an_predictor *predictor, const char *path, float *scores,
                                         an_error *err) {
    const int began = py_begin();
    return py_end(began, an_predictor_score_file(predictor, path, scores, err));
}

static an_status py_predictor_score_bytes(an_predictor *predictor, const void *bytes, int64_t size,
                                          const char *name, float *scores, an_error *err) {
    const int began = py_begin();
    return py_end(began, an_predictor_score_bytes(predictor, bytes, size, name, scores, err));
}

static an_status py_predict_loader(an_model *model, an_loader *loader, float *scores,
                                   an_progress_fn progress, void *user, an_error *err) {
    const int began = py_begin();
    return py_end(began, an_predict_loader(model, loader, scores, progress, user, err));
}

static an_status py_compute_features_loader(an_model *model, an_loader *loader, float *features,
                                            an_progress_fn progress, void *user, an_error *err) {
    const int began = py_begin();
    return py_end(began, an_compute_features_loader(model, loader, features, progress, user, err));
}

static an_status py_calibrate_loader(an_model *model, an_loader *loader, int64_t images,
                                     an_progress_fn progress, void *user, an_error *err) {
    const int began = py_begin();
    return py_end(began, an_calibrate_loader(model, loader, images, progress, user, err));
}

static an_status py_loader_next(an_loader *loader, const float **x, const float **y,
                                const int64_t **samples, int64_t *n, an_error *err) {
    const int began = py_begin();
    return py_end(began, an_loader_next(loader, x, y, samples, n, err));
}

static an_status py_model_evaluate(an_model *model, an_loader *loader, const an_loss_options *loss,
                                   double *loss_value, an_progress_fn progress, void *user,
                                   an_error *err) {
    const int began = py_begin();
    return py_end(began, an_model_evaluate(model, loader, loss, loss_value, progress, user, err));
}

static an_status py_trainer_run(an_trainer *trainer, an_error *err) {
    const int began = py_begin();
    return py_end(began, an_trainer_run(trainer, err));
}
