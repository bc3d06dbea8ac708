/* SPDX-License-Identifier: MIT
 * The making of a CUDA backend. */
#ifndef BACKEND_CUDA_CREATE_H
#define BACKEND_CUDA_CREATE_H

#include "backend/backend.h"

/** Make a backend on GPU number index. */
an_status ani_cuda_create_backend(an_backend **out, int32_t index, an_error *err);

#endif
