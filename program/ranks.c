/* SPDX-License-Identifier: MIT
 * Joins the processes that a launcher has started. */
#include "ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"

/* Give each process of a host a GPU of its own, as far as there are as many; further ones share. */
static void choose_gpu(const an_comm *comm, settings *s) {
    static char device[24];
    an_device_list *devices = NULL;
    int32_t before = 0, gpus = 0;
    const int32_t rank = an_comm_rank(comm);
    if (strcmp(s->device, "cuda") != 0 && strcmp(s->device, "auto") != 0) return;
    for (int32_t r = 0; r < rank; r++)
        before += !strcmp(an_comm_host(comm, r), an_comm_host(comm, rank));
    if (an_device_list_create(&devices, NULL)) return;
    for (int64_t i = 0; i < an_device_list_count(devices); i++) {
        an_device_info info;
        an_device_info_init(&info, sizeof info);
        if (!an_device_list_describe(devices, i, &info, NULL))
            gpus += info.is_usable && info.capability_major;
    }
    an_device_list_destroy(devices);
    if (!gpus) return; /* what is missing is said when the device is made */
    snprintf(device, sizeof device, "cuda:%d", (int)(before % gpus));
    s->device = device;
}

int ranks_join(an_comm **comm, settings *s) {
    an_error err;
    an_comm_options options;
    /* By default, large messages over TCP are "put". Open MPI 4.1.4 may then wait for itself for
     * ever when another rank dies: it reports the end of a put while it holds the connection's
     * lock. */
    setenv("OMPI_MCA_btl_tcp_flags", "send,inplace", 0);
    an_comm_options_init(&options, sizeof options);
    options.deadline = s->deadline;
    if (an_comm_join(comm, &options, &err)) return complain(&err);
    if (an_comm_size(*comm) > 1) choose_gpu(*comm, s);
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
