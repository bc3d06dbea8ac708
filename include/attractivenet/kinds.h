/* SPDX-License-Identifier: MIT
 * Constants that several parts of the library use: the layout of pixels and how they become floats,
 * what a model is for, losses, optimizers, number types. The headers that use them include this
 * one. */
#ifndef ATTRACTIVENET_KINDS_H
#define ATTRACTIVENET_KINDS_H

/** How the 8-bit pixels of a frame lie in memory; an_predictor_set_format() chooses. */
enum {
    AN_FORMAT_RGB = 0,  /* three bytes a pixel */
    AN_FORMAT_BGR = 1,  /* as OpenCV has them */
    AN_FORMAT_RGBA = 2, /* four bytes a pixel; the fourth is ignored */
    AN_FORMAT_BGRA = 3,
    AN_FORMAT_GREY = 4, /* one byte a pixel: R, G and B alike */
    AN_FORMAT_NV12 = 5, /* height rows of Y, then height/2 rows of U and V by turns, each for 2x2
                           pixels; height and width are even */
    AN_FORMAT_YUYV = 6  /* Y U Y V for two pixels (also called YUY2); width is even */
};

/** How 8-bit pixels become floats. The mode is stored with the model. */
enum {
    AN_SCALE_AUTO = 0,   /* tf with ImageNet weights, else unit */
    AN_SCALE_UNIT = 1,   /* x/255: 0 to 1, the article's text */
    AN_SCALE_TF = 2,     /* x/127.5-1: -1 to 1, what the ImageNet weights expect */
    AN_SCALE_ARTICLE = 3 /* x/.255: 0 to 1000, the article's code */
};

/** What the outputs of a model are. */
enum { AN_TASK_REGRESSION = 0, AN_TASK_CLASSIFICATION = 1 };

/** Where zeros go around the image in layers of stride 2. */
enum {
    AN_PADDING_AUTO = 0,  /* as the file says; else TUTORIAL */
    AN_PADDING_FIXED = 1, /* as Keras with the input shape given: depends on the size */
    AN_PADDING_TUTORIAL =
        2 /* as Keras without input shape: (0,1) in all stride-2 depthwise layers */
};

/** What training does to the base, the network below the head. */
enum {
    AN_BASE_FROZEN = 0,     /* nothing: weights fixed, batch norm by its moving statistics (Keras 2:
                               trainable = False) */
    AN_BASE_STATISTICS = 1, /* weights fixed, batch norm by batch statistics, moving ones updated */
    AN_BASE_TRAIN = 2,   /* weights trained, batch norm by batch statistics, moving ones updated */
    AN_BASE_FINETUNE = 3 /* weights trained, batch norm by its moving statistics, those fixed
                            (Keras: base(x, training=False)) */
};

/** What training minimises. */
enum {
    AN_LOSS_AUTO = 0, /* by the model's task: MSE for regression; for classification CATEGORICAL,
                         or BINARY with one output */
    AN_LOSS_MSE = 1,  /* mean over outputs, then over the batch */
    AN_LOSS_MAE = 2,
    AN_LOSS_HUBER = 3,       /* delta 1 */
    AN_LOSS_CATEGORICAL = 4, /* softmax cross-entropy from logits; y is one-hot, or soft */
    AN_LOSS_BINARY = 5       /* sigmoid cross-entropy from logits; mean over outputs */
};

/** How an optimizer turns gradients into steps. */
enum { AN_OPTIM_ADAM = 0, AN_OPTIM_SGD = 1, AN_OPTIM_ADAMW = 2 };

/** Number types of a training step. */
enum {
    AN_PRECISION_FP32 = 0,
    /* The activations and their gradients that a training step of the whole network keeps are
     * stored as bfloat16: half the memory, with 8 bits of precision where fp32 has 24. At level
     * avx512bf16 its products round their operands to bfloat16, too. All other arithmetic, sums,
     * batch norm, weights, gradients of weights and the optimizer stay fp32, and so do inference,
     * the head, single layers and all files. */
    AN_PRECISION_MIXED = 1
};

/** How predictions are made; an_model_set_inference() chooses. */
enum {
    AN_INFERENCE_FP32 = 0,
    AN_INFERENCE_INT8 = 1, /* values and weights of 8 bits, scales of each tensor and channel */
    AN_INFERENCE_BF16 = 2  /* products of bfloat16, sums in fp32 */
};

#endif
