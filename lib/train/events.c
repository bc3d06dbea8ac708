/* SPDX-License-Identifier: MIT
 * Event files, written by hand: TFRecord frames around protocol buffers with a few fields.
 *
 * Frame: uint64 length, masked CRC-32C of these 8 bytes, the bytes, their masked CRC-32C.
 * Event: 1 wall_time (double), 2 step (varint), 3 file_version (string), 5 summary (message).
 * Summary: 1 value (message, repeated). Value: 1 tag (string), 2 simple_value (float), 9 metadata.
 * Source: tensorflow/core/util/event.proto, framework/summary.proto, lib/io/record_writer.cc. */
#include "train/events.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

struct ani_events {
    char *folders[2]; /* train, validation; NULL = none */
    ani_appender *files[2];
    int32_t number;
};

/* --- bytes ------------------------------------------------------------------------------------ */

uint32_t ani_crc32c(const void *bytes, int64_t size) {
    const uint8_t *at = bytes;
    uint32_t crc = ~0u;
    for (int64_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static void add_varint(ani_text *out, uint64_t value) {
    do {
        const uint8_t byte = (uint8_t)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        ani_text_add(out, (const char *)&byte, 1);
        value >>= 7;
    } while (value);
}

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void add_key(ani_text *out, int field, int wire) {
    add_varint(out, (uint64_t)(field << 3 | wire));
}

static void add_bytes(ani_text *out, int field, const char *bytes, int64_t size) {
    add_key(out, field, WIRE_BYTES);
    add_varint(out, (uint64_t)size);
    ani_text_add(out, bytes, size);
}

/** Machines are little-endian (meson.build ensures that), and so are the file's numbers. */
static void add_double(ani_text *out, int field, double value) {
    add_key(out, field, WIRE_64);
    ani_text_add(out, (const char *)&value, sizeof value);
}

static void add_float(ani_text *out, int field, float value) {
    add_key(out, field, WIRE_32);
    ani_text_add(out, (const char *)&value, sizeof value);
}

static double wall_time(void) {
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint32_t masked_crc(const void *bytes, int64_t size) {
    const uint32_t crc = ani_crc32c(bytes, size);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/** Write one event as one frame, in one call: a concurrent reader sees all of it or nothing. */
static an_status write_frame(ani_appender *file, const ani_text *event, an_error *err) {
    ani_text frame = {0};
    an_status st = AN_OK;
    const uint64_t length = (uint64_t)event->size;
    uint32_t crc = masked_crc(&length, sizeof length);
    ani_text_add(&frame, (const char *)&length, sizeof length);
    ani_text_add(&frame, (const char *)&crc, sizeof crc);
    ani_text_add(&frame, event->bytes, event->size);
    crc = masked_crc(event->bytes, event->size);
    ani_text_add(&frame, (const char *)&crc, sizeof crc);
    if (frame.failed || event->failed)
        st = ani_fail_memory(err, event->size + 16, "an event");
    else
        st = ani_appender_write(file, frame.bytes, frame.size, err);
    ani_text_clear(&frame);
    return st;
}

/* --- files ------------------------------------------------------------------------------------ */

an_status ani_events_create(ani_events **out, const char *folder, int32_t validation,
                            int32_t number, an_error *err) {
    static const char *const names[] = {"train", "validation"};
    *out = NULL;
    an_status st = AN_OK;
    ani_events *events = ani_alloc_zero(1, sizeof *events);
    if (!events) return ani_fail_memory(err, sizeof *events, "event files");
    events->number = number;
    for (int i = 0; i < (validation ? 2 : 1); i++) {
        events->folders[i] = ani_path_join(folder, names[i]);
        if (!events->folders[i]) {
            st = ani_fail_memory(err, (int64_t)strlen(folder), "a path");
            goto done;
        }
        st = ani_folder_make(events->folders[i], err);
        if (st) goto done;
    }
    *out = events;
    events = NULL;
done:
    ani_events_destroy(events);
    return st;
}

/** Begin a file: its name has time, host and process, like TensorFlow's; its first event has the
 * version. */
static an_status begin_file(ani_events *events, int which, an_error *err) {
    char host[64] = "", name[192];
    char *path = NULL;
    ani_text event = {0};
    an_status st = AN_OK;
    if (gethostname(host, sizeof host - 1)) snprintf(host, sizeof host, "localhost");
    for (char *at = host; *at; at++)
        if (*at == '/') *at = '-';
    const double now = wall_time();
    snprintf(name, sizeof name, "events.out.tfevents.%010lld.%s.%ld.%d.v2", (long long)now, host,
             (long)getpid(), (int)events->number);
    path = ani_path_join(events->folders[which], name);
    if (!path) {
        st = ani_fail_memory(err, sizeof name, "a path");
        goto done;
    }
    st = ani_appender_open(&events->files[which], path, false, err);
    if (st) goto done;
    static const char version[] = "brain.Event:2";
    add_double(&event, 1, now);
    add_bytes(&event, 3, version, sizeof version - 1);
    st = write_frame(events->files[which], &event, err);
done:
    ani_text_clear(&event);
    ani_free(path);
    return st;
}

/** Write one scalar; the first one begins the file. */
static an_status write_scalar(ani_events *events, int which, int64_t step, const char *tag,
                              double value, an_error *err) {
    ani_text event = {0}, summary = {0}, item = {0}, metadata = {0}, plugin = {0};
    an_status st = AN_OK;
    if (!events->files[which]) {
        st = begin_file(events, which, err);
        if (st) goto done;
    }
    add_bytes(&plugin, 1, "scalars", 7);                /* plugin_name */
    add_bytes(&metadata, 1, plugin.bytes, plugin.size); /* plugin_data */
    add_key(&metadata, 4, WIRE_VARINT);                 /* data_class */
    add_varint(&metadata, 1);                           /* DATA_CLASS_SCALAR */
    add_bytes(&item, 1, tag, (int64_t)strlen(tag));
    add_float(&item, 2, (float)value);
    add_bytes(&item, 9, metadata.bytes, metadata.size);
    add_bytes(&summary, 1, item.bytes, item.size);
    add_double(&event, 1, wall_time());
    add_key(&event, 2, WIRE_VARINT);
    add_varint(&event, (uint64_t)step);
    add_bytes(&event, 5, summary.bytes, summary.size);
    if (summary.failed || item.failed || metadata.failed || plugin.failed)
        st = ani_fail_memory(err, summary.size, "an event");
    else
        st = write_frame(events->files[which], &event, err);
done:
    ani_text_clear(&plugin);
    ani_text_clear(&metadata);
    ani_text_clear(&item);
    ani_text_clear(&summary);
    ani_text_clear(&event);
    return st;
}

an_status ani_events_epoch(ani_events *events, int64_t step, const an_epoch_report *report,
                           an_error *err) {
    an_status st = write_scalar(events, 0, step, "epoch_loss", report->loss, err);
    if (!st) st = write_scalar(events, 0, step, "epoch_learning_rate", report->rate, err);
    if (!st && events->folders[1])
        st = write_scalar(events, 1, step, "epoch_loss", report->val_loss, err);
    return st;
}

void ani_events_destroy(ani_events *events) {
    if (!events) return;
    for (int i = 0; i < 2; i++) {
        ani_appender_close(events->files[i], false, NULL);
        ani_free(events->folders[i]);
    }
    ani_free(events);
}
