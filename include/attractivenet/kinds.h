/* SPDX-License-Identifier: MIT
 * Constants shared by several parts of the library: pixel layouts and scaling, tasks, losses,
 * optimizers, number types. The headers that use them include this one. */
#ifndef ATTRACTIVENET_KINDS_H
#define ATTRACTIVENET_KINDS_H

/** How the 8-bit pixels of a frame are laid out in memory; see an_predictor_set_format(). */
enum {
    AN_FORMAT_RGB = 0,  /* three bytes per pixel */
    AN_FORMAT_BGR = 1,  /* as in OpenCV */
    AN_FORMAT_RGBA = 2, /* four bytes per pixel; the fourth is ignored */
    AN_FORMAT_BGRA = 3,
    AN_FORMAT_GREY = 4, /* one byte per pixel: R = G = B */
    AN_FORMAT_NV12 = 5, /* height rows of Y, then height/2 rows of interleaved U and V, each pair
                           for 2x2 pixels; height and width are even */
    AN_FORMAT_YUYV = 6  /* Y U Y V for two pixels (also called YUY2); width is even */
};

/** How 8-bit pixels are scaled to floats. The mode is stored with the model. */
enum {
    AN_SCALE_AUTO = 0, /* tf with Keras' ImageNet weights, torch with PyTorch's, otherwise unit */
    AN_SCALE_UNIT = 1, /* x/255: 0 to 1, as in the article's text */
    AN_SCALE_TF = 2,   /* x/127.5-1: -1 to 1, as Keras' ImageNet weights expect */
    AN_SCALE_ARTICLE = 3, /* x/.255: 0 to 1000, as in the article's code */
    AN_SCALE_TORCH = 4    /* (x/255 - mean) / deviation of ImageNet's channels, as the weights of
                             torchvision and timm expect: about -2.1 to 2.6 */
};

/** What the outputs of a model mean. */
enum { AN_TASK_REGRESSION = 0, AN_TASK_CLASSIFICATION = 1 };

/** How layers with stride 2 pad the image with zeros. */
enum {
    AN_PADDING_AUTO = 0,  /* as stored in the file; otherwise TUTORIAL */
    AN_PADDING_FIXED = 1, /* as Keras with a given input shape: depends on the size */
    AN_PADDING_TUTORIAL =
        2, /* as Keras without an input shape: (0,1) in all stride-2 depthwise layers */
    AN_PADDING_SYMMETRIC = 3 /* as PyTorch: (1,1) in all layers */
};

/** What training does to the base, the network below the head. */
enum {
    AN_BASE_FROZEN = 0,     /* nothing: weights fixed, batch norm uses its moving statistics (Keras
                               2: trainable = False) */
    AN_BASE_STATISTICS = 1, /* weights fixed, batch norm uses batch statistics and updates the
                               moving ones */
    AN_BASE_TRAIN = 2,   /* weights trained, batch norm uses batch statistics and updates the moving
                            ones */
    AN_BASE_FINETUNE = 3 /* weights trained, batch norm uses its moving statistics, which stay fixed
                            (Keras: base(x, training=False)) */
};

/** What training minimises. */
enum {
    AN_LOSS_AUTO = 0, /* chosen by the model's task: MSE for regression; for classification
                         CATEGORICAL, or BINARY with one output */
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
    /* The activations that a training step of the whole network keeps, and their gradients, are
     * stored as bfloat16: half the memory, with 8 bits of precision where fp32 has 24. At level
     * avx512bf16, matrix products also round their operands to bfloat16. All other arithmetic,
     * sums, batch norm, weights, weight gradients and the optimizer stay in fp32, and so do
     * inference, the head, single layers and all files. */
    AN_PRECISION_MIXED = 1
};

/** Number types of inference; see an_model_set_inference(). */
enum {
    AN_INFERENCE_FP32 = 0,
    AN_INFERENCE_INT8 = 1, /* 8-bit values and weights, with a scale per tensor and per channel */
    AN_INFERENCE_BF16 = 2  /* bfloat16 operands, fp32 sums */
};

#endif
