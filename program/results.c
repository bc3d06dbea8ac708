/* SPDX-License-Identifier: MIT
 * metrics.json. */
#include "results.h"

#include "json_file.h"

#include <math.h>

int write_metrics(const settings *s, const an_metrics *metrics, double deviation,
                  const interval_result *interval, int64_t n_train, int64_t n_val, int64_t n_test) {
    json_file json;
    if (json_begin(&json, s->out, "metrics.json")) return 1;
    json_number(&json, "rmse", metrics->rmse);
    json_number(&json, "mae", metrics->mae);
    json_number(&json, "r2", metrics->r2);
    json_number(&json, "pearson", metrics->pearson);
    json_number(&json, "deviation", deviation);
    if (interval && !isnan(interval->half_width)) {
        json_open(&json, "interval", '{');
        json_number(&json, "level", interval->level);
        json_number(&json, "half_width", interval->half_width);
        json_number(&json, "coverage", interval->coverage);
        json_close(&json);
    }
    json_count(&json, "n_train", n_train);
    json_count(&json, "n_val", n_val);
    json_count(&json, "n_test", n_test);
    if (json_end(&json)) return 1;
    say(s->quiet, "metrics written to %s\n", json.to.path);
    return 0;
}
