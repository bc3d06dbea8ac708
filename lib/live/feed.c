/* SPDX-License-Identifier: MIT
 * What all kinds of feeds have in common. */
#include "live/feed.h"

bool ani_stop_asked(ani_stop *stop) {
    return atomic_load(&stop->is_closing) || ani_watch_stops(&stop->watch);
}

an_status ani_stop_check(ani_stop *stop, an_error *err) {
    if (!ani_stop_asked(stop)) return AN_OK;
    return ani_fail(err, AN_ERR_CANCELLED, "reading frames was cancelled");
}

an_status ani_feed_damaged(ani_feed *feed, an_status why) {
    atomic_fetch_add(&feed->damaged, 1);
    return ++feed->damaged_in_row < ANI_DAMAGED_MAX ? AN_OK : why;
}
