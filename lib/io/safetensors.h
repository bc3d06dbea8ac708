/* SPDX-License-Identifier: MIT
 * safetensors: a length, a JSON header, and raw little-endian arrays that tile the rest of the
 * file. */
#ifndef IO_SAFETENSORS_H
#define IO_SAFETENSORS_H

#include <attractivenet/io.h>

#include "base/file.h"

enum { ANI_SAFETENSORS_MAX_HEADER = 100000000 }; /* bytes; the limit of the reference reader */

/** Append all arrays of a file, in the order of its header, as float32, and its metadata. */
an_status ani_safetensors_read(an_arrays *arrays, ani_file *file, an_error *err);

/** Write a list, completely or not at all: header in the list's order, values 8-byte aligned. */
an_status ani_safetensors_write(const an_arrays *arrays, const char *path, an_error *err);

/** The same, to memory. */
an_status ani_safetensors_write_bytes(an_bytes **out, const an_arrays *arrays, an_error *err);

/** Write a list to a file with a checksum over the whole file. It is the first metadata text,
 * "sha256": the SHA-256 of the file with 64 zeros in its place. Other readers see an ordinary
 * text. */
an_status ani_safetensors_write_sealed(const an_arrays *arrays, const char *path, an_error *err);
/** AN_ERR_FORMAT unless a file was written this way and is unchanged. */
an_status ani_safetensors_check_seal(ani_file *file, an_error *err);

#endif
