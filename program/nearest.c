/* SPDX-License-Identifier: MIT
 * Words within a few edits of another: optimal string alignment distance. */
#include "nearest.h"

#include <string.h>

enum { LONGEST = 32, FAR = 1000 };

static int smaller(int a, int b) {
    return a < b ? a : b;
}

static int count_changes(const char *a, int a_length, const char *b, int b_length) {
    int cost[LONGEST + 1][LONGEST + 1];
    if (a_length > LONGEST || b_length > LONGEST) return FAR;
    for (int i = 0; i <= a_length; i++) {
        for (int k = 0; k <= b_length; k++) {
            if (!i || !k) {
                cost[i][k] = i + k;
                continue;
            }
            const int differs = a[i - 1] != b[k - 1];
            cost[i][k] =
                smaller(cost[i - 1][k - 1] + differs, 1 + smaller(cost[i - 1][k], cost[i][k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                cost[i][k] = smaller(cost[i][k], cost[i - 2][k - 2] + 1);
        }
    }
    return cost[a_length][b_length];
}

void nearest_offer(nearest *search, const char *candidate) {
    const int length = (int)strlen(candidate), allowed = length < 9 ? 2 : length / 3;
    const int begins = search->length > 1 && search->length < length &&
                       !strncmp(candidate, search->word, (size_t)search->length);
    const int changes = begins ? 0 : count_changes(search->word, search->length, candidate, length);
    if (changes > allowed || changes >= length) return;
    if (search->found && changes >= search->changes) return;
    search->found = candidate;
    search->changes = changes;
}
