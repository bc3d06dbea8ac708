/* SPDX-License-Identifier: MIT
 * Seeds that are texts: label files, model configs, download pages, and safetensors, which begins
 * with one. */
#include "corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/keras_model.h"

typedef struct text_seed {
    const char *name, *text;
    bool is_good;
} text_seed;

static void add_texts(corpus *all, const text_seed *seeds, size_t count) {
    for (size_t i = 0; i < count; i++)
        corpus_add(all, seeds[i].name, seeds[i].text, (int64_t)strlen(seeds[i].text),
                   seeds[i].is_good);
}
#define ADD_TEXTS(all, seeds) add_texts(all, seeds, sizeof(seeds) / sizeof *(seeds))

/* --- labels ----------------------------------------------------------------------------------- */

void corpus_labels(corpus *all) {
    static const text_seed seeds[] = {
        {"lf.txt", "AF1.jpg 3.5\nAF2.jpg 2.733333\nCM3.jpg 1e0\n", true},
        {"crlf.txt",
         "\xEF\xBB\xBF"
         "AF1.jpg 3.5\r\nAF2.jpg\t-2\r\n\r\nAF3.jpg .5",
         true},
        {"cr.txt", "a.jpg 1\rb.jpg 2\r", true},
        {"pairs.txt", "a.jpg 1 2\nb.jpg 3.25 -4e-3\n", true},
        {"utf8.txt", "b\xC3\xA4r.jpg 3\n\xE4\xB8\xAD.jpg 4\n", true},
        {"same.txt", "a.jpg 1\na.jpg 1.0\n", true},
        {"other.txt", "a.jpg 1\na.jpg 2\n", false},
        {"numbers.txt", "a 1e400\nb nan\nc inf\nd 0x10\ne 1_0\nf 1,5\ng 1e\nh -\ni +1\n", false},
        {"shape.txt", "name\nname 1 2 3\n 1\n\n\n", false},
        {"latin1.txt", "b\xE4r.jpg 3\n", false},
        {"digits.txt",
         "a 123456789012345678901234567890.123456789012345678901234567890e-12\nb 1e-400\n", true},
        {"empty.txt", "", false},
        {"classes.txt", "a.jpg cat\nb.jpg dog\nc.jpg\tgrey wolf\nd.jpg 1\n", false},
        {"classes.csv", "name;class\r\na.jpg;cat\r\nb.jpg;\"grey\nwolf\"\r\nc.jpg;dog\r\n", true},
        {"indices.txt", "a.jpg 1\nb.jpg 0\nc.jpg 2\n", true},
        {"table.csv", "name,w,\"sc\"\"ore\"\na.jpg,1,3.5\n\"x/b,c.jpg\",0.5, 2\n", true},
        {"weights.csv", "name;w;score\r\nin/a.jpg;0.5;3.5\r\n\r\nb.jpg;1;1,5\r\n", false},
        {"quotes.csv",
         "\xEF\xBB\xBF\"na\"\"me\",\"cl,ass\"\n\"a\nb.jpg\",\"grey, wolf\"\nb.jpg,\"cat\"\n"
         "c.jpg,\"dog\"x\nd.jpg,do\"g\ne.jpg,\"",
         false},
        {"tabs.csv", "name\ta\tb\na.jpg\t1\t2\nb.jpg\t3\t-4e-3\n", false},
    };
    ADD_TEXTS(all, seeds);
    corpus_add(all, "nul.txt", "a.jpg 1\nb\0.jpg 2\n", 17, false);
}

/* --- histories -------------------------------------------------------------------------------- */

void corpus_history(corpus *all) {
    static const text_seed seeds[] = {
        {"ours.csv",
         "stage,epoch,loss,val_loss,rate,seconds\n1,1,3.886329848032731,2.3,0.001,1.235\n"
         "2,1,inf,nan,1e-05,0.000\n",
         true},
        {"keras.csv",
         "epoch;confusion;learning_rate;loss;val_loss\r\n0;\"\"\"[1, 2]\"\"\";0.001;0.7;0.25\r\n"
         "1;\"\"\"[3, 4]\"\"\";1e-05;nan;NA\r\n0;x;;-inf;\r\n",
         true},
        {"quotes.csv", "\xEF\xBB\xBF\"epoch\"\t\"lo\"\"ss\nx\"\tloss\n\n7\t\"a\tb\nc\"\t1", true},
        {"open.csv", "epoch,loss\n0,\"1\n2,3\n", false},
        {"short.csv", "epoch,loss\n0\n", false},
        {"long.csv", "epoch,loss\n0,1,2\n", false},
        {"twice.csv", "epoch,loss,lr,rate\n", false},
        {"no_loss.csv", "epoch,val_loss\n", false},
        {"large.csv", "epoch,loss\n2147483647,1\n", false},
        {"empty.csv", "", false},
    };
    ADD_TEXTS(all, seeds);
    corpus_add(all, "nul.csv", "epoch,loss\n0,1\0\n", 16, false);
}

/* --- configs ---------------------------------------------------------------------------------- */

const char corpus_keras_config[] =
    "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"net\",\"layers\":["
    "{\"class_name\":\"InputLayer\",\"config\":{\"batch_input_shape\":[null,8,8,3],\"name\":\"in\"}"
    "},"
    "{\"class_name\":\"Functional\",\"config\":{\"name\":\"mobilenetv2_0.35_96\",\"layers\":["
    "{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[null,null,null,3],\"name\":"
    "\"input_1\"}},"
    "{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"Conv1\",\"filters\":2,\"kernel_size\":[3,3],"
    "\"strides\":[2,2],\"padding\":\"same\",\"use_bias\":false,\"activation\":\"linear\"}},"
    "{\"class_name\":\"BatchNormalization\",\"config\":{\"name\":\"bn_Conv1\",\"epsilon\":0.001,"
    "\"momentum\":0.999}},"
    "{\"class_name\":\"ReLU\",\"config\":{\"name\":\"Conv1_relu\",\"max_value\":6.0}},"
    "{\"class_name\":\"ZeroPadding2D\",\"config\":{\"name\":\"pad\",\"padding\":[[0,1],[0,1]]}},"
    "{\"class_name\":\"DepthwiseConv2D\",\"config\":{\"name\":\"dw\",\"kernel_size\":3,\"strides\":"
    "1,"
    "\"padding\":\"valid\"}}]}},"
    "{\"class_name\":\"GlobalAveragePooling2D\",\"config\":{\"name\":\"pool\"}},"
    "{\"class_name\":\"Dense\",\"config\":{\"name\":\"dense\",\"units\":1,\"activation\":"
    "\"linear\"}}]}}";

void corpus_config(corpus *all) {
    static const text_seed seeds[] = {
        {"nested.json", corpus_keras_config, true},
        {"flat.json",
         "{\"class_name\":\"Functional\",\"config\":{\"name\":\"f\",\"layers\":[{\"class_name\":"
         "\"Dense\",\"name\":\"d\",\"config\":{\"units\":3,\"activation\":{\"class_name\":\"x\"}}}]"
         "}}",
         true},
        {"list.json",
         "{\"class_name\":\"Sequential\",\"config\":[{\"class_name\":\"Dense\",\"config\":{"
         "\"name\":"
         "\"d\",\"units\":1}}]}",
         true},
        {"wrong.json",
         "{\"config\":{\"layers\":[{\"class_name\":\"Conv2D\",\"config\":{\"name\":\"c\","
         "\"padding\":\"causal\",\"filters\":-1,\"kernel_size\":[1e400,3]}}]}}",
         false},
        {"code.json",
         "{\"class_name\":\"Lambda\",\"config\":{\"layers\":[{\"class_name\":\"Lambda\",\"config\":"
         "{\"name\":\"l\",\"function\":{\"code\":\"4wEAAAA=\"}}}]}}",
         false},
        {"settings.json",
         "{\"class_name\":\"Model\",\"config\":{\"name\":7,\"layers\":[{\"class_name\":"
         "\"ZeroPadding2D\","
         "\"config\":{\"name\":\"a\",\"padding\":3}},{\"class_name\":\"ZeroPadding2D\",\"config\":{"
         "\"name\":"
         "\"b\",\"padding\":[1,2]}},{\"class_name\":\"BatchNormalizationV1\",\"config\":{\"name\":"
         "\"c\","
         "\"epsilon\":\"x\"}},{\"class_name\":\"ReLU\",\"config\":{\"name\":\"d\",\"max_value\":"
         "null}}]}}",
         true},
        {"wrong_padding.json",
         "{\"config\":{\"layers\":[{\"class_name\":\"ZeroPadding2D\",\"config\":{\"name\":\"a\","
         "\"padding\":"
         "[[0,1],[0]]}}]}}",
         false},
        {"wrong_momentum.json",
         "{\"config\":{\"layers\":[{\"class_name\":\"BatchNormalization\",\"config\":{\"name\":"
         "\"a\","
         "\"epsilon\":1,\"momentum\":[]}}]}}",
         false},
        {"wrong_units.json",
         "{\"config\":{\"layers\":[{\"class_name\":\"Dense\",\"config\":{\"name\":\"a\",\"units\":"
         "1.5,"
         "\"activation\":3}}]}}",
         false},
        {"wrong_shape.json",
         "{\"config\":{\"layers\":[{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"a\","
         "\"batch_shape\":"
         "[null,-8,8,3]}}]}}",
         false},
        {"two_nested.json",
         "{\"config\":{\"layers\":[{\"class_name\":\"Model\",\"config\":{\"layers\":[]}},{\"class_"
         "name\":"
         "\"Model\",\"config\":{\"layers\":[]}}]}}",
         true},
        {"nested_twice.json",
         "{\"config\":{\"layers\":[{\"class_name\":\"Model\",\"config\":{\"layers\":[{\"class_"
         "name\":"
         "\"Model\",\"config\":{\"layers\":[]}}]}}]}}",
         true},
        {"front.json",
         "{\"config\":{\"layers\":[{\"class_name\":\"RandomFlip\",\"config\":{\"name\":\"a\","
         "\"batch_input_shape\":[null,8,8,3]}},{\"class_name\":\"Rescaling\",\"config\":{\"name\":"
         "\"b\",\"scale\":[1,2,3],\"offset\":-1}},{\"class_name\":\"Normalization\",\"config\":{"
         "\"name\":\"c\",\"mean\":[[[[4,5,6]]]],\"variance\":0,\"axis\":null}},{\"class_name\":"
         "\"Conv2D\",\"config\":{\"name\":\"d\",\"dtype\":{\"config\":{\"mode\":\"int8\"}}}}]}}",
         true},
        {"graph.json",
         "{\"class_name\":\"Functional\",\"config\":{\"layers\":[{\"class_name\":\"InputLayer\","
         "\"config\":{\"name\":\"i\"},\"inbound_nodes\":[]},{\"class_name\":\"TFOpLambda\","
         "\"config\":"
         "{\"name\":\"a\",\"function\":\"math.truediv\"},\"inbound_nodes\":[[\"i\",0,0,{\"y\":2,"
         "\"name\":null}]]},{\"class_name\":\"Add\",\"config\":{\"name\":\"b\"},\"inbound_nodes\":["
         "{"
         "\"args\":[[{\"config\":{\"keras_history\":[\"i\",0,0]}},{\"config\":{\"keras_history\":["
         "\"a\",0,0]}}]],\"kwargs\":{\"training\":true}}]}],\"output_layers\":[[\"b\",0,0]]}}",
         true},
        {"no_names.json", "{\"config\":{\"layers\":[{},{\"class_name\":\"Dense\"},7,null]}}",
         false},
        {"deep.json", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", false},
        {"empty.json", "", false},
    };
    ADD_TEXTS(all, seeds);
    /* The whole network, so that the walk along it goes far. */
    json_t *const models[] = {keras_model(KERAS_2), keras_model_flat(KERAS_3)};
    for (size_t k = 0; k < 2; k++) {
        char *text = json_dumps(models[k], JSON_COMPACT);
        corpus_need(text, "memory");
        corpus_add(all, k ? "flat_net.json" : "net.json", text, (int64_t)strlen(text), true);
        json_decref(models[k]);
        free(text);
    }
}

/* --- pages ------------------------------------------------------------------------------------ */

void corpus_page(corpus *all) {
    static const text_seed seeds[] = {
        {"confirm.html",
         "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>"
         "<form id=\"download-form\" action=\"https://drive.usercontent.google.com/download\" "
         "method=\"get\"><input type=\"submit\" value=\"Download anyway\"/><input type=\"hidden\" "
         "name=\"id\" value=\"1w0TorBfTIqbquQVd6k3h_77ypnrvfGwf\"><input type=\"hidden\" "
         "name=\"export\" value=\"download\"><input type=\"hidden\" name=\"confirm\" value=\"t\">"
         "<input type=\"hidden\" name=\"uuid\" value=\"ab&amp;12\"></form></body></html>",
         true},
        {"link.html",
         "<a id=\"uc-download-link\" class=\"goog-inline-block\" "
         "href=\"/uc?export=download&amp;confirm=AbC1&amp;id=1w0Tor\">Download anyway</a>",
         true},
        {"quota.html",
         "<html><head><title>Google Drive - Quota exceeded</title></head><body><p class=\"uc-error-"
         "caption\">Sorry, you can't view or download this file at this time.</p></body></html>",
         true},
        {"login.html",
         "<html><head><title>Sign in - Google Accounts</title></head><body><form "
         "action=\"https://accounts.google.com/signin/v1/lookup\"></form></body></html>",
         true},
        {"other.html", "<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD><BODY>no</BODY></HTML>",
         true},
        {"odd.html", "<form <input name= value='&#x26;&#38;&bogus;' <<>>\"<a href=", false},
        {"empty.html", "", false},
    };
    ADD_TEXTS(all, seeds);
}

/* --- safetensors ------------------------------------------------------------------------------ */

static void add_safetensors(corpus *all, const char *name, const char *header, int64_t data,
                            bool is_good) {
    const int64_t length = (int64_t)strlen(header), size = 8 + length + data;
    uint8_t *bytes = malloc((size_t)size);
    if (!bytes) exit(2);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)length >> (8 * i));
    memcpy(bytes + 8, header, (size_t)length);
    for (int64_t i = 0; i < data; i++)
        bytes[8 + length + i] = (uint8_t)(i * 29);
    corpus_add(all, name, bytes, size, is_good);
    free(bytes);
}

void corpus_safetensors(corpus *all) {
    static const char *const types[] = {"F64", "F32", "F16", "BF16", "I64", "U64", "I32",
                                        "U32", "I16", "U16", "I8",   "U8",  "BOOL"};
    static const int sizes[] = {8, 4, 2, 2, 8, 8, 4, 4, 2, 2, 1, 1, 1};
    char header[2048] = "{\"__metadata__\":{\"format\":\"pt\",\"k\":\"\\u00e4\\n\"}";
    size_t end = strlen(header);
    int place = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        end +=
            (size_t)snprintf(header + end, sizeof header - end,
                             ",\"t%zu\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[%d,%d]}",
                             i, types[i], place, place + 3 * sizes[i]);
        place += 3 * sizes[i];
    }
    snprintf(header + end, sizeof header - end, "}");
    add_safetensors(all, "types.safetensors", header, place, true);
    add_safetensors(all, "plain.safetensors",
                    "{\"dense/kernel\":{\"dtype\":\"F32\",\"shape\":[4,1],\"data_offsets\":[4,20]},"
                    "\"dense/bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}   ",
                    20, true);
    add_safetensors(all, "scalar.safetensors",
                    "{\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                    "\"e\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[4,4]}}",
                    4, true);
    add_safetensors(all, "none.safetensors", "{}", 0, true);
    add_safetensors(all, "twice.safetensors",
                    "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                    "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
                    2, false);
    add_safetensors(all, "overlap.safetensors",
                    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                    "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}",
                    6, false);
    add_safetensors(all, "overflow.safetensors",
                    "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],"
                    "\"data_offsets\":[0,0]}}",
                    0, false);
    add_safetensors(
        all, "axes.safetensors",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
        false);
    add_safetensors(all, "behind.safetensors",
                    "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 5, false);
    corpus_add(all, "length.safetensors", "\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10, false);
    corpus_add(all, "empty.safetensors", "", 0, false);
}
