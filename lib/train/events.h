/* SPDX-License-Identifier: MIT
 * TensorBoard's event files: scalars by epoch, in the folders that Keras' callback uses. */
#ifndef TRAIN_EVENTS_H
#define TRAIN_EVENTS_H

#include <attractivenet/train.h>

typedef struct ani_events ani_events;

/** Make the folders folder/train and, with validation, folder/validation. The files begin with the
 * first epoch; number distinguishes files of the same second. */
an_status ani_events_create(ani_events **out, const char *folder, int32_t validation,
                            int32_t number, an_error *err);
/** Write epoch_loss and epoch_learning_rate (train) and epoch_loss (validation) of step, from 0. */
an_status ani_events_epoch(ani_events *events, int64_t step, const an_epoch_report *report,
                           an_error *err);
void ani_events_destroy(ani_events *events); /* NULL is allowed */

/** CRC-32C (Castagnoli) of size bytes. */
uint32_t ani_crc32c(const void *bytes, int64_t size);

#endif
