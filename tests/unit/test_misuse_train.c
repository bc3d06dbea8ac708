/* SPDX-License-Identifier: MIT
 * Arguments that no caller may give, as in test_misuse.c: training, evaluation, predictors. Above
 * all combinations that have a number, and a wrong one: batches of another scale or size, a loss of
 * another task. */
#include "support/losses.h"
#include "support/misuse.h"

#include <math.h>

#include <attractivenet/attractivenet.h>

#include "support/backends.h"
#include "support/folder.h"
#include "support/small_model.h"

enum { COUNT = 2, OUTPUTS = 3 };

/* What the calls are made on; each is in order. */
static an_backend *backend;
static an_model *model, *classes; /* 1 score; 3 classes */
static an_loader *train, *val, *tf, *high, *of_3, *of_numbers, *turned;
static an_history *history;
static an_trainer *trainer;
static an_predictor *predictor;
static char *folder;

/* Where results would go. */
static an_trainer *trainer_out;
static an_predictor *predictor_out;
static an_checkpoint *checkpoint_out;
static an_run_lock *lock_out;
static an_history *history_out;
static double y_column[4];
static float y[COUNT * OUTPUTS];
static double loss;
static int32_t top_out;
static uint8_t rgb[COUNT * 40 * SIDE * 3]; /* the highest images are of 40 rows */
static an_epoch_report report = {.struct_size = sizeof report}, unset_report;
static an_checkpoint_info checkpoint_info = {.struct_size = sizeof checkpoint_info};

WRONG(an_optimizer_options, kind, 3)
WRONG(an_schedule_options, kind, 2)
WRONG(an_head_options, penalty, -1)
WRONG(an_head_options, penalty_by, 7)
WRONG_AS(val, an_head_options, penalty_by, AN_PENALTY_VALIDATION)
WRONG_AS(gcv, an_head_options, penalty_by, AN_PENALTY_GCV)
WRONG(an_recipe, struct_size, 0)
WRONG(an_recipe, kind, 2)
WRONG(an_recipe, stage, 0)
WRONG(an_recipe, pretrained, 2)
WRONG(an_train_options, struct_size, 0)
WRONG(an_train_options, stage, 0)
WRONG(an_train_options, max_epochs, 0)
WRONG(an_train_options, first_epoch, -1)
WRONG(an_train_options, base, 4)
WRONG(an_train_options, loss, 6)
WRONG(an_train_options, early_stop_patience, -2)
WRONG(an_train_options, restore_best, 2)
WRONG(an_train_options, save_best_only, -1)
WRONG(an_train_options, reduce_rate_patience, -2)
WRONG(an_train_options, reduce_rate_cooldown, -1)
WRONG(an_train_options, terminate_on_nan, 2)
WRONG(an_train_options, update_batch_norm, 2)
WRONG(an_train_options, precision, 2)
WRONG(an_train_options, recompute, 2)
WRONG(an_train_options, text_is_terminal, 3)
WRONG(an_train_options, accumulate, -1)
WRONG(an_train_options, learning_rate, INFINITY)
WRONG(an_train_options, finetune_from, 2)
WRONG(an_train_options, average, 1)
WRONG(an_train_options, early_stop_min_delta, NAN)
WRONG(an_train_options, checkpoint_best, NAN)
WRONG(an_train_options, reduce_rate_factor, 1)
WRONG(an_train_options, reduce_rate_min_delta, NAN)
WRONG(an_train_options, reduce_rate_min, -1)
WRONG(an_train_options, resume_seconds, -1)
WRONG(an_train_options, checkpoint_path, "")
WRONG(an_train_options, resume_path, "")
WRONG(an_train_options, csv_path, "")
WRONG(an_train_options, tensorboard_dir, "")
WRONG(an_train_options, verbose, AN_VERBOSE_BAR)
WRONG_AS(verbose_unknown, an_train_options, verbose, 3)
WRONG(an_train_options, optimizer, wrong_an_optimizer_options_kind())
WRONG(an_train_options, schedule, wrong_an_schedule_options_kind())
WRONG_AS(loss_categorical, an_train_options, loss, AN_LOSS_CATEGORICAL)
WRONG_AS(loss_binary, an_train_options, loss, AN_LOSS_BINARY)
WRONG_AS(loss_mse, an_train_options, loss, AN_LOSS_MSE)

static const an_head_samples *samples_of(int64_t n, const float *features) {
    static an_head_samples samples;
    an_head_samples_init(&samples, sizeof samples);
    samples.n = n;
    samples.features = features;
    samples.targets = y;
    return &samples;
}

/* --- calls that are refused ------------------------------------------------------------------- */

#define REFUSED(CASE)                                                                              \
    CASE(history_out, an_history_create(NULL, err), "out")                                         \
    CASE(history_epoch_null, an_history_copy_epoch(NULL, 0, &report, err), "history")              \
    CASE(history_epoch_0, an_history_copy_epoch(history, 0, &report, err), "epoch 0")              \
    CASE(history_append_null, an_history_append(NULL, &report, err), "history")                    \
    CASE(history_append_report, an_history_append(history, NULL, err), "report")                   \
    CASE(history_csv_null, an_history_write_csv(NULL, "x", err), "history")                        \
    CASE(history_csv_path, an_history_write_csv(history, NULL, err), "path")                       \
    CASE(history_epoch_unset, an_history_copy_epoch(history, 0, &unset_report, err),               \
         "an_epoch_report: struct_size is 0")                                                      \
    CASE(history_epoch_report, an_history_copy_epoch(history, 0, NULL, err), "report is NULL")     \
    CASE(history_append_unset, an_history_append(history, &unset_report, err), "struct_size is 0") \
    CASE(rate_trainer, an_trainer_set_learning_rate(NULL, 1e-3, err), "trainer")                   \
    CASE(rate_negative, an_trainer_set_learning_rate(trainer, -1, err), "-1")                      \
    CASE(rate_nan, an_trainer_set_learning_rate(trainer, NAN, err), "nan")                         \
    CASE(rate_infinite, an_trainer_set_learning_rate(trainer, INFINITY, err), "inf")               \
    CASE(trainer_out_null, an_trainer_create(NULL, model, train, val, NULL, NULL, err), "out")     \
    CASE(trainer_model, an_trainer_create(&trainer_out, NULL, train, val, NULL, NULL, err),        \
         "model is NULL")                                                                          \
    CASE(trainer_train, an_trainer_create(&trainer_out, model, NULL, val, NULL, NULL, err),        \
         "train is NULL")                                                                          \
    CASE(trainer_scale, an_trainer_create(&trainer_out, model, tf, NULL, NULL, NULL, err),         \
         "training batches have scale 'tf'; the model needs 'unit'")                               \
    CASE(trainer_val_scale, an_trainer_create(&trainer_out, model, train, tf, NULL, NULL, err),    \
         "validation batches have scale 'tf'")                                                     \
    CASE(trainer_image_size, an_trainer_create(&trainer_out, model, high, NULL, NULL, NULL, err),  \
         "training batches are 40 x 32; the model needs 32 x 32")                                  \
    CASE(trainer_outputs, an_trainer_create(&trainer_out, model, of_3, NULL, NULL, NULL, err),     \
         "3 numbers per image; the model has 1 outputs")                                           \
    CASE(trainer_turned, an_trainer_create(&trainer_out, model, train, turned, NULL, NULL, err),   \
         "augmented")                                                                              \
    CASE(trainer_same, an_trainer_create(&trainer_out, model, train, train, NULL, NULL, err),      \
         "the same")                                                                               \
    CASE(trainer_classification,                                                                   \
         an_trainer_create(&trainer_out, classes, of_3, NULL, NULL, wrong_loss_mse(), err),        \
         "AN_LOSS_MSE and the model")                                                              \
    CASE(trainer_numbers,                                                                          \
         an_trainer_create(&trainer_out, classes, of_numbers, NULL, NULL,                          \
                           wrong_loss_categorical(), err),                                         \
         "has the label 2")                                                                        \
    CASE(trainer_val_numbers,                                                                      \
         an_trainer_create(&trainer_out, classes, of_3, of_numbers, NULL,                          \
                           wrong_loss_categorical(), err),                                         \
         "has the label 2")                                                                        \
    CASE(trainer_regression,                                                                       \
         an_trainer_create(&trainer_out, model, train, NULL, NULL, wrong_loss_categorical(), err), \
         "AN_LOSS_CATEGORICAL with 1 output")                                                      \
    CASE(trainer_binary,                                                                           \
         an_trainer_create(&trainer_out, model, train, NULL, NULL, wrong_loss_binary(), err),      \
         "AN_TASK_REGRESSION")                                                                     \
    CASE(trainer_verbose,                                                                          \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_verbose(), err),                                 \
         "verbose is 1 and text is NULL")                                                          \
    CASE(trainer_verbose_unknown,                                                                  \
         an_trainer_create(&trainer_out, model, train, NULL, NULL, wrong_verbose_unknown(), err),  \
         "verbose is 3")                                                                           \
    CASE(trainer_optimizer,                                                                        \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_optimizer(), err),                               \
         "an_optimizer_options: kind is 3")                                                        \
    CASE(trainer_schedule,                                                                         \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_schedule(), err),                                \
         "an_schedule_options: kind is 2")                                                         \
    CASE(trainer_struct_size,                                                                      \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_struct_size(), err),                             \
         "struct_size")                                                                            \
    CASE(trainer_stage,                                                                            \
         an_trainer_create(&trainer_out, model, train, NULL, NULL, wrong_an_train_options_stage(), \
                           err),                                                                   \
         "stage")                                                                                  \
    CASE(trainer_max_epochs,                                                                       \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_max_epochs(), err),                              \
         "max_epochs")                                                                             \
    CASE(trainer_first_epoch,                                                                      \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_first_epoch(), err),                             \
         "first_epoch")                                                                            \
    CASE(trainer_base,                                                                             \
         an_trainer_create(&trainer_out, model, train, NULL, NULL, wrong_an_train_options_base(),  \
                           err),                                                                   \
         "base")                                                                                   \
    CASE(trainer_loss,                                                                             \
         an_trainer_create(&trainer_out, model, train, NULL, NULL, wrong_an_train_options_loss(),  \
                           err),                                                                   \
         "loss")                                                                                   \
    CASE(trainer_early_stop_patience,                                                              \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_early_stop_patience(), err),                     \
         "early_stop_patience")                                                                    \
    CASE(trainer_restore_best,                                                                     \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_restore_best(), err),                            \
         "restore_best")                                                                           \
    CASE(trainer_save_best_only,                                                                   \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_save_best_only(), err),                          \
         "save_best_only")                                                                         \
    CASE(trainer_reduce_rate_patience,                                                             \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_reduce_rate_patience(), err),                    \
         "reduce_rate_patience")                                                                   \
    CASE(trainer_reduce_rate_cooldown,                                                             \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_reduce_rate_cooldown(), err),                    \
         "reduce_rate_cooldown")                                                                   \
    CASE(trainer_terminate_on_nan,                                                                 \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_terminate_on_nan(), err),                        \
         "terminate_on_nan")                                                                       \
    CASE(trainer_finetune_from,                                                                    \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_finetune_from(), err),                           \
         "finetune_from is 2 and base is 0")                                                       \
    CASE(trainer_average,                                                                          \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_average(), err),                                 \
         "average")                                                                                \
    CASE(trainer_precision,                                                                        \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_precision(), err),                               \
         "precision")                                                                              \
    CASE(trainer_recompute,                                                                        \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_recompute(), err),                               \
         "recompute")                                                                              \
    CASE(trainer_update_batch_norm,                                                                \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_update_batch_norm(), err),                       \
         "update_batch_norm")                                                                      \
    CASE(trainer_text_is_terminal,                                                                 \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_text_is_terminal(), err),                        \
         "text_is_terminal")                                                                       \
    CASE(trainer_accumulate,                                                                       \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_accumulate(), err),                              \
         "accumulate is -1")                                                                       \
    CASE(trainer_learning_rate,                                                                    \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_learning_rate(), err),                           \
         "learning_rate")                                                                          \
    CASE(trainer_early_stop_min_delta,                                                             \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_early_stop_min_delta(), err),                    \
         "early_stop_min_delta")                                                                   \
    CASE(trainer_checkpoint_best,                                                                  \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_checkpoint_best(), err),                         \
         "checkpoint_best")                                                                        \
    CASE(trainer_reduce_rate_factor,                                                               \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_reduce_rate_factor(), err),                      \
         "reduce_rate_factor")                                                                     \
    CASE(trainer_reduce_rate_min_delta,                                                            \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_reduce_rate_min_delta(), err),                   \
         "reduce_rate_min_delta")                                                                  \
    CASE(trainer_reduce_rate_min,                                                                  \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_reduce_rate_min(), err),                         \
         "reduce_rate_min")                                                                        \
    CASE(trainer_resume_seconds,                                                                   \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_resume_seconds(), err),                          \
         "resume_seconds")                                                                         \
    CASE(trainer_checkpoint_path,                                                                  \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_checkpoint_path(), err),                         \
         "checkpoint_path")                                                                        \
    CASE(trainer_resume_path,                                                                      \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_resume_path(), err),                             \
         "resume_path")                                                                            \
    CASE(trainer_csv_path,                                                                         \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_csv_path(), err),                                \
         "csv_path")                                                                               \
    CASE(trainer_tensorboard_dir,                                                                  \
         an_trainer_create(&trainer_out, model, train, NULL, NULL,                                 \
                           wrong_an_train_options_tensorboard_dir(), err),                         \
         "tensorboard_dir")                                                                        \
    CASE(epoch_null, an_trainer_run_epoch(NULL, NULL, err), "trainer")                             \
    CASE(epoch_unset, an_trainer_run_epoch(trainer, &unset_report, err),                           \
         "an_epoch_report: struct_size is 0")                                                      \
    CASE(run_null, an_trainer_run(NULL, err), "trainer")                                           \
    CASE(resume_null, an_trainer_resume(NULL, NULL, err), "trainer")                               \
    CASE(resume_checkpoint, an_trainer_resume(trainer, NULL, err), "checkpoint")                   \
    CASE(lock_out_null, an_run_lock_create(NULL, "x", err), "out")                                 \
    CASE(lock_path, an_run_lock_create(&lock_out, NULL, err), "path is NULL")                      \
    CASE(lock_path_empty, an_run_lock_create(&lock_out, "", err), "path is empty")                 \
    CASE(checkpoint_out_null, an_checkpoint_read(NULL, "x", NULL, NULL, err), "out")               \
    CASE(checkpoint_path, an_checkpoint_read(&checkpoint_out, NULL, NULL, NULL, err),              \
         "path is NULL")                                                                           \
    CASE(checkpoint_path_empty, an_checkpoint_read(&checkpoint_out, "", NULL, NULL, err),          \
         "path is empty")                                                                          \
    CASE(checkpoint_describe, an_checkpoint_describe(NULL, &checkpoint_info, err), "checkpoint")   \
    CASE(checkpoint_remove, an_checkpoint_remove(NULL, err), "path is NULL")                       \
    CASE(checkpoint_remove_empty, an_checkpoint_remove("", err), "path is empty")                  \
    CASE(column_history, an_history_copy_column(NULL, "loss", y_column, err), "history is NULL")   \
    CASE(column_name, an_history_copy_column(history, NULL, y_column, err), "name is NULL")        \
    CASE(column_values, an_history_copy_column(history, "loss", NULL, err), "values is NULL")      \
    CASE(column_unknown, an_history_copy_column(history, "Loss", y_column, err),                   \
         "no column 'Loss'")                                                                       \
    CASE(recipe_null, an_recipe_fill(NULL, err), "recipe is NULL")                                 \
    CASE(recipe_struct_size, an_recipe_fill(wrong_an_recipe_struct_size(), err), "struct_size")    \
    CASE(recipe_kind, an_recipe_fill(wrong_an_recipe_kind(), err), "kind")                         \
    CASE(recipe_stage, an_recipe_fill(wrong_an_recipe_stage(), err), "stage")                      \
    CASE(recipe_pretrained, an_recipe_fill(wrong_an_recipe_pretrained(), err), "pretrained")       \
    CASE(csv_out, an_history_read_csv(NULL, "x", err), "out is NULL")                              \
    CASE(csv_path, an_history_read_csv(&history_out, NULL, err), "path is NULL")                   \
    CASE(head_model, an_model_fit_head(NULL, samples_of(2, y), NULL, NULL, NULL, err), "model")    \
    CASE(head_train, an_model_fit_head(model, NULL, NULL, NULL, NULL, err), "train")               \
    CASE(head_none, an_model_fit_head(model, samples_of(0, y), NULL, NULL, NULL, err),             \
         "n is 0; it must be at least 1")                                                          \
    CASE(head_features, an_model_fit_head(model, samples_of(2, NULL), NULL, NULL, NULL, err),      \
         "features is NULL")                                                                       \
    CASE(head_penalty,                                                                             \
         an_model_fit_head(model, samples_of(2, y), NULL, wrong_an_head_options_penalty(), NULL,   \
                           err),                                                                   \
         "penalty is -1")                                                                          \
    CASE(head_by,                                                                                  \
         an_model_fit_head(model, samples_of(2, y), NULL, wrong_an_head_options_penalty_by(),      \
                           NULL, err),                                                             \
         "penalty_by is 7")                                                                        \
    CASE(head_val, an_model_fit_head(model, samples_of(2, y), NULL, wrong_val(), NULL, err),       \
         "there are none")                                                                         \
    CASE(head_by_gcv, an_model_fit_head(classes, samples_of(2, y), NULL, wrong_gcv(), NULL, err),  \
         "for regression")                                                                         \
    CASE(evaluate_model,                                                                           \
         an_model_evaluate(NULL, train, loss_of(AN_LOSS_MSE), &loss, NULL, NULL, err), "model")    \
    CASE(evaluate_batches,                                                                         \
         an_model_evaluate(model, NULL, loss_of(AN_LOSS_MSE), &loss, NULL, NULL, err), "loader")   \
    CASE(evaluate_scale,                                                                           \
         an_model_evaluate(model, tf, loss_of(AN_LOSS_MSE), &loss, NULL, NULL, err),               \
         "batches have scale 'tf'; the model needs 'unit'")                                        \
    CASE(evaluate_size,                                                                            \
         an_model_evaluate(model, high, loss_of(AN_LOSS_MSE), &loss, NULL, NULL, err),             \
         "40 x 32; the model needs 32 x 32")                                                       \
    CASE(evaluate_outputs,                                                                         \
         an_model_evaluate(model, of_3, loss_of(AN_LOSS_MSE), &loss, NULL, NULL, err),             \
         "3 numbers per image; the model has 1 outputs")                                           \
    CASE(evaluate_place,                                                                           \
         an_model_evaluate(model, train, loss_of(AN_LOSS_MSE), NULL, NULL, NULL, err),             \
         "loss_value is NULL")                                                                     \
    CASE(evaluate_kind, an_model_evaluate(model, train, loss_of(-1), &loss, NULL, NULL, err),      \
         "loss is -1")                                                                             \
    CASE(evaluate_task,                                                                            \
         an_model_evaluate(classes, of_3, loss_of(AN_LOSS_MSE), &loss, NULL, NULL, err),           \
         "AN_LOSS_MSE and the model")                                                              \
    CASE(evaluate_regression,                                                                      \
         an_model_evaluate(model, train, loss_of(AN_LOSS_CATEGORICAL), &loss, NULL, NULL, err),    \
         "AN_LOSS_CATEGORICAL with 1 output")                                                      \
    CASE(evaluate_numbers,                                                                         \
         an_model_evaluate(classes, of_numbers, loss_of(AN_LOSS_CATEGORICAL), &loss, NULL, NULL,   \
                           err),                                                                   \
         "has the label 2")                                                                        \
    CASE(predictor_out_null, an_predictor_create(NULL, model, err), "out")                         \
    CASE(predictor_model, an_predictor_create(&predictor_out, NULL, err), "model")                 \
    CASE(set_cancel_null, an_predictor_set_cancel(NULL, NULL, err), "predictor")                   \
    CASE(frame_null, an_predictor_score_frame(NULL, rgb, 2, 2, 6, y, err), "predictor")            \
    CASE(frame_pixels, an_predictor_score_frame(predictor, NULL, 2, 2, 6, y, err),                 \
         "frame is NULL")                                                                          \
    CASE(frame_scores, an_predictor_score_frame(predictor, rgb, 2, 2, 6, NULL, err), "scores")     \
    CASE(frame_height, an_predictor_score_frame(predictor, rgb, 0, 2, 6, y, err), "0 x 2")         \
    CASE(frame_width, an_predictor_score_frame(predictor, rgb, 2, 65536, 6, y, err), "2 x 65536")  \
    CASE(frame_stride, an_predictor_score_frame(predictor, rgb, 2, 2, 5, y, err), "stride is 5")   \
    CASE(frame_stride_below, an_predictor_score_frame(predictor, rgb, 2, 2, -6, y, err),           \
         "stride is -6")                                                                           \
    CASE(frame_stride_endless,                                                                     \
         an_predictor_score_frame(predictor, rgb, 3, 2, INT64_MAX / 2, y, err),                    \
         "3 such rows do not fit")                                                                 \
    CASE(frames_null, an_predictor_score_frames(NULL, rgb, 1, 0, 2, 2, 0, y, err), "predictor")    \
    CASE(frames_pixels, an_predictor_score_frames(predictor, NULL, 1, 0, 2, 2, 0, y, err),         \
         "frames is NULL")                                                                         \
    CASE(frames_scores, an_predictor_score_frames(predictor, rgb, 1, 0, 2, 2, 0, NULL, err),       \
         "scores is NULL")                                                                         \
    CASE(frames_count, an_predictor_score_frames(predictor, rgb, 0, 0, 2, 2, 0, y, err),           \
         "0 frames")                                                                               \
    CASE(frames_apart, an_predictor_score_frames(predictor, rgb, 2, 11, 2, 2, 0, y, err),          \
         "frame_stride is 11")                                                                     \
    CASE(features_of_null, an_predictor_compute_features(NULL, rgb, 1, 0, 2, 2, 0, y, err),        \
         "predictor")                                                                              \
    CASE(features_of_pixels,                                                                       \
         an_predictor_compute_features(predictor, NULL, 1, 0, 2, 2, 0, y, err), "frames is NULL")  \
    CASE(features_of_none,                                                                         \
         an_predictor_compute_features(predictor, rgb, 1, 0, 2, 2, 0, NULL, err),                  \
         "features is NULL")                                                                       \
    CASE(features_of_count, an_predictor_compute_features(predictor, rgb, -1, 0, 2, 2, 0, y, err), \
         "-1 frames")                                                                              \
    CASE(format_null, an_predictor_set_format(NULL, AN_FORMAT_BGR, err), "predictor")              \
    CASE(format_unknown, an_predictor_set_format(predictor, 7, err), "format is 7")                \
    CASE(region_null, an_predictor_set_region(NULL, 0, 0, 1, 1, err), "predictor")                 \
    CASE(region_empty, an_predictor_set_region(predictor, 0, 0, 1, 0, err), "height 0")            \
    CASE(top_null, an_top_classes(NULL, 2, 1, &top_out, err), "scores")                            \
    CASE(top_out_null, an_top_classes(y, 2, 1, NULL, err), "classes")                              \
    CASE(top_outputs, an_top_classes(y, 0, 1, &top_out, err), "outputs is 0")                      \
    CASE(top_many, an_top_classes(y, 2, 3, &top_out, err), "k is 3")                               \
    CASE(file_null, an_predictor_score_file(NULL, "x", y, err), "predictor")                       \
    CASE(file_path, an_predictor_score_file(predictor, NULL, y, err), "path")                      \
    CASE(file_scores, an_predictor_score_file(predictor, "x", NULL, err), "scores")                \
    CASE(bytes_null, an_predictor_score_bytes(NULL, rgb, 9, "n", y, err), "predictor")             \
    CASE(bytes_bytes, an_predictor_score_bytes(predictor, NULL, 9, "n", y, err), "bytes is NULL")  \
    CASE(bytes_size, an_predictor_score_bytes(predictor, rgb, -1, "n", y, err), "size below 0")    \
    CASE(bytes_scores, an_predictor_score_bytes(predictor, rgb, 9, "n", NULL, err), "scores")      \
    CASE(predict_all_model, an_predict_loader(NULL, train, y, NULL, NULL, err), "model")           \
    CASE(predict_all_batches, an_predict_loader(model, NULL, y, NULL, NULL, err), "loader")        \
    CASE(predict_all_scale, an_predict_loader(model, tf, y, NULL, NULL, err),                      \
         "batches have scale 'tf'; the model needs 'unit'")                                        \
    CASE(predict_all_size, an_predict_loader(model, high, y, NULL, NULL, err),                     \
         "40 x 32; the model needs 32 x 32")                                                       \
    CASE(predict_all_outputs, an_predict_loader(model, of_3, y, NULL, NULL, err),                  \
         "3 numbers per image; the model has 1 outputs")                                           \
    CASE(predict_all_scores, an_predict_loader(model, train, NULL, NULL, NULL, err), "scores")     \
    CASE(features_all_model, an_compute_features_loader(NULL, train, y, NULL, NULL, err), "model") \
    CASE(features_all_loader, an_compute_features_loader(model, NULL, y, NULL, NULL, err),         \
         "loader")                                                                                 \
    CASE(features_all_null, an_compute_features_loader(model, train, NULL, NULL, NULL, err),       \
         "features")                                                                               \
    CASE(features_all_scale, an_compute_features_loader(model, tf, y, NULL, NULL, err),            \
         "batches have scale 'tf'; the model needs 'unit'")                                        \
    CASE(features_all_size, an_compute_features_loader(model, high, y, NULL, NULL, err),           \
         "40 x 32; the model needs 32 x 32")                                                       \
    CASE(calibrate_all_model, an_calibrate_loader(NULL, train, 0, NULL, NULL, err), "model")       \
    CASE(calibrate_all_batches, an_calibrate_loader(model, NULL, 0, NULL, NULL, err), "loader")    \
    CASE(calibrate_all_scale, an_calibrate_loader(model, tf, 0, NULL, NULL, err),                  \
         "batches have scale 'tf'; the model needs 'unit'")                                        \
    CASE(calibrate_all_size, an_calibrate_loader(model, high, 0, NULL, NULL, err),                 \
         "40 x 32; the model needs 32 x 32")                                                       \
    CASE(calibrate_all_outputs, an_calibrate_loader(model, of_3, 0, NULL, NULL, err),              \
         "3 numbers per image; the model has 1 outputs")                                           \
    CASE(calibrate_all_below, an_calibrate_loader(model, train, -1, NULL, NULL, err), "-1 ")
REFUSED(MISUSE_DEFINE)
static const misuse_call refused[] = {REFUSED(MISUSE_LIST)};

static void wrong_arguments_are_refused(void **state) {
    (void)state;
    const misuse_out outs[] = {{"&trainer_out", &trainer_out},
                               {"&predictor_out", &predictor_out},
                               {"&checkpoint_out", &checkpoint_out},
                               {"&lock_out", &lock_out},
                               {"&history_out", &history_out}};
    misuse_refused(refused, sizeof refused / sizeof *refused, outs, sizeof outs / sizeof *outs);
    assert_int_equal(an_history_count(history), 0);
}

/* What is right beside the calls above. */
static void classes_are_trained(void **state) {
    (void)state;
    an_error err;
    an_train_options options;
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 1;
    if (an_model_evaluate(classes, of_3, loss_of(AN_LOSS_CATEGORICAL), &loss, NULL, NULL, &err) ||
        an_predict_loader(classes, of_3, y, NULL, NULL, &err) ||
        an_trainer_create(&trainer_out, classes, of_3, NULL, NULL, &options, &err) ||
        an_trainer_run(trainer_out, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_trainer_reason(trainer_out), AN_STOP_EPOCHS);
    an_trainer_destroy(trainer_out);
    trainer_out = NULL;
}

static void a_checkpoint_without_a_size_is_refused(void **state) {
    (void)state;
    an_error err;
    an_train_options options;
    an_checkpoint_info unset = {0};
    an_train_options_init(&options, sizeof options);
    options.max_epochs = 1;
    options.resume_path = folder_path(folder, "run");
    if (an_trainer_create(&trainer_out, model, train, NULL, NULL, &options, &err) ||
        an_trainer_run(trainer_out, &err) ||
        an_checkpoint_read(&checkpoint_out, folder_path(folder, "run"), NULL, NULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(an_checkpoint_describe(checkpoint_out, &unset, &err), AN_ERR_ARG);
    assert_non_null(strstr(err.message, "an_checkpoint_info: struct_size is 0"));
    assert_int_equal(an_checkpoint_describe(checkpoint_out, NULL, &err), AN_ERR_ARG);
    assert_int_equal(an_checkpoint_describe(checkpoint_out, &checkpoint_info, &err), AN_OK);
    an_checkpoint_destroy(checkpoint_out);
    an_trainer_destroy(trainer_out);
    checkpoint_out = NULL;
    trainer_out = NULL;
}

static void nothing_has_empty_answers(void **state) {
    (void)state;
    an_recipe_init(NULL, sizeof(an_recipe));
    an_early_stopping_init(NULL, sizeof(an_early_stopping), 0, 1);
    an_best_checkpoint_init(NULL, sizeof(an_best_checkpoint), 1);
    an_reduce_rate_init(NULL, sizeof(an_reduce_rate), 0.1, 1);
    assert_int_equal(an_early_stopping_update(NULL, 0, 1), 0);
    assert_int_equal(an_best_checkpoint_update(NULL, 1), 0);
    assert_true(isnan(an_reduce_rate_update(NULL, 1, 0.1)));
    assert_int_equal(an_history_count(NULL), 0);
    an_trainer_stop(NULL);
    an_trainer_pause(NULL);
    assert_int_equal(an_trainer_reason(NULL), AN_STOP_NONE);
    assert_true(isnan(an_trainer_learning_rate(NULL)));
    assert_true(isinf(an_trainer_best(NULL)) && isinf(an_trainer_checkpoint_best(NULL)));
    MISUSE_INIT(an_train_options, an_train_options_init);
    MISUSE_INIT(an_head_options, an_head_options_init);
    MISUSE_INIT(an_head_samples, an_head_samples_init);
    MISUSE_INIT(an_head_report, an_head_report_init);
    an_history_destroy(NULL);
    an_trainer_destroy(NULL);
    an_checkpoint_destroy(NULL);
    an_run_lock_destroy(NULL);
    an_predictor_destroy(NULL);
}

/* --- what all is done on ---------------------------------------------------------------------- */

static an_loader *make_batches(const double *labels, int32_t outputs, int32_t height, int32_t scale,
                               int32_t augment) {
    an_dataset *dataset = NULL;
    an_loader *made = NULL;
    an_error err;
    an_augment_options how;
    an_loader_options options;
    an_augment_options_tutorial(&how, sizeof how);
    an_loader_options_init(&options, sizeof options);
    options.scale = scale;
    if (augment) options.augment = &how;
    if (an_dataset_from_pixels(&dataset, rgb, COUNT, height, SIDE, labels, outputs, NULL, &err) ||
        an_loader_create(&made, dataset, NULL, 0, &options, &err))
        fail_msg("%s", err.message);
    an_dataset_destroy(dataset);
    return made;
}

static int make_objects(void **state) {
    (void)state;
    static const double scores[COUNT] = {0, 1}, one_hot[COUNT * OUTPUTS] = {0, 1, 0, 1, 0, 0};
    static const double numbers[COUNT * OUTPUTS] = {2, 0, 0, 3, 0, 0};
    folder = folder_make();
    backend = test_backend_make("cpu", NULL, 1);
    model = small_model(backend, 1, AN_TASK_REGRESSION);
    classes = small_model(backend, OUTPUTS, AN_TASK_CLASSIFICATION);
    train = make_batches(scores, 1, SIDE, AN_SCALE_UNIT, 0);
    val = make_batches(scores, 1, SIDE, AN_SCALE_UNIT, 0);
    tf = make_batches(scores, 1, SIDE, AN_SCALE_TF, 0);
    turned = make_batches(scores, 1, SIDE, AN_SCALE_UNIT, 1);
    high = make_batches(scores, 1, 40, AN_SCALE_UNIT, 0);
    of_3 = make_batches(one_hot, OUTPUTS, SIDE, AN_SCALE_UNIT, 0);
    of_numbers = make_batches(numbers, OUTPUTS, SIDE, AN_SCALE_UNIT, 0);
    return an_history_create(&history, NULL) || an_predictor_create(&predictor, model, NULL) ||
           an_trainer_create(&trainer, model, train, val, NULL, NULL, NULL);
}

/* Parents first: whoever needs them holds them. */
static int drop_objects(void **state) {
    (void)state;
    an_loader *const loader[] = {train, val, tf, high, of_3, of_numbers, turned};
    an_backend_destroy(backend);
    an_model_destroy(model);
    an_model_destroy(classes);
    for (size_t i = 0; i < sizeof loader / sizeof *loader; i++)
        an_loader_destroy(loader[i]);
    an_history_destroy(history);
    an_predictor_destroy(predictor);
    an_trainer_destroy(trainer);
    folder_remove(folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(classes_are_trained),
        cmocka_unit_test(a_checkpoint_without_a_size_is_refused),
        cmocka_unit_test(nothing_has_empty_answers),
    };
    return cmocka_run_group_tests_name("misuse_train", tests, make_objects, drop_objects);
}
