/* SPDX-License-Identifier: MIT
 * libattractivenet: train and use MobileNetV2 image regressors from C. This header includes all
 * others, in the order of the data flow. */
#ifndef ATTRACTIVENET_ATTRACTIVENET_H
#define ATTRACTIVENET_ATTRACTIVENET_H

#include <attractivenet/status.h>
#include <attractivenet/version.h>
#include <attractivenet/kinds.h>
#include <attractivenet/backend.h>
#include <attractivenet/comm.h>
#include <attractivenet/tensor.h>
#include <attractivenet/io.h>
#include <attractivenet/dataset.h>
#include <attractivenet/augment.h>
#include <attractivenet/layers.h>
#include <attractivenet/mobilenetv2.h>
#include <attractivenet/optim.h>
#include <attractivenet/train.h>
#include <attractivenet/metrics.h>
#include <attractivenet/predict.h>
#include <attractivenet/live.h>

#endif
