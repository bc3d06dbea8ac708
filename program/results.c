/* SPDX-License-Identifier: MIT
 * metrics.json. */
#include "results.h"

#include "json_file.h"

int write_metrics(const settings *s, const an_metrics *metrics, double deviation, int64_t n_train,
                  int64_t n_val, int64_t n_test) {
    json_file json;
    if (json_begin(&json, s->out, "metrics.json")) return 1;
    json_number(&json, "rmse", metrics->rmse);
    json_number(&json, "mae", metrics->mae);
    json_number(&json, "r2", metrics->r2);
    json_number(&json, "pearson", metrics->pearson);
    json_number(&json, "deviation", deviation);
    json_count(&json, "n_train", n_train);
    json_count(&json, "n_val", n_val);
    json_count(&json, "n_test", n_test);
    if (json_end(&json)) return 1;
    say(s->quiet, "metrics written to %s\n", json.path);
    return 0;
}
