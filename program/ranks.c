/* SPDX-License-Identifier: MIT
 * Joins the processes that a launcher has started. */
#include "ranks.h"

#include <stdio.h>
#include <string.h>

#include "console.h"

int ranks_join(an_comm **comm, settings *s) {
    an_error err;
    an_comm_options options;
    an_comm_options_init(&options, sizeof options);
    options.deadline = s->deadline;
    if (an_comm_join(comm, &options, &err)) return complain(&err);
    if (!ranks_lead(*comm)) {
        s->quiet = 1;
        hide_warnings();
    } else if (an_comm_size(*comm) > 1) {
        say(s->quiet, "%d processes, the last one on '%s'\n", (int)an_comm_size(*comm),
            an_comm_host(*comm, an_comm_size(*comm) - 1));
    }
    return 0;
}

int ranks_lead(const an_comm *comm) {
    return an_comm_rank(comm) == 0;
}

int ranks_check(const an_comm *comm, const settings *s) {
    if (an_comm_size(comm) <= 1) return 0;
    if (strstr(s->data, "://"))
        return complain_of("--data is an address, and there are %d processes: download it first; "
                           "each process reads a file or folder of its machine",
                           (int)an_comm_size(comm));
    if (s->extract)
        return complain_of("--extract is for one process, and there are %d: unpack the archive "
                           "first, and pass the folder",
                           (int)an_comm_size(comm));
    if (s->folds || s->fold_files)
        return complain_of("--%s is for one process, and there are %d: start a run for each fold",
                           s->folds ? "folds" : "fold-files", (int)an_comm_size(comm));
    if (s->devices)
        return complain_of("--devices is for one process, and there are %d: start a process for "
                           "each device",
                           (int)an_comm_size(comm));
    return 0;
}

int ranks_share(an_comm *comm, void *data, int64_t size) {
    an_error err;
    return an_comm_broadcast(comm, data, size, 0, &err) ? complain(&err) : 0;
}

void ranks_leave(an_comm **comm, int has_failed) {
    if (has_failed && *comm) {
        an_error why = {.status = AN_ERR_CANCELLED};
        const int rank = (int)an_comm_rank(*comm);
        snprintf(why.message, sizeof why.message, "rank %d on '%.100s' has ended: it says why",
                 rank, an_comm_host(*comm, rank));
        an_comm_abort(*comm, &why);
    }
    an_comm_destroy(*comm);
    *comm = NULL;
}
