/* SPDX-License-Identifier: MIT
 * Links between GPUs by NCCL. */
#ifndef BACKEND_CUDA_NCCL_H
#define BACKEND_CUDA_NCCL_H

#include "backend/gpu_links.h"

extern const ani_gpu_links ani_nccl_links;

#endif
