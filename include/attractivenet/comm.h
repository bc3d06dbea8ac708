/* SPDX-License-Identifier: MIT
 * Communicators: several processes that train one model together. */
#ifndef ATTRACTIVENET_COMM_H
#define ATTRACTIVENET_COMM_H

#include <attractivenet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The ranks of a training: processes, on one machine or several, that make the same calls in the
 * same order. Rank 0 writes the files.
 *
 * Failure: a call that waits for other ranks fails with AN_ERR_IO once its deadline has passed, and
 *          names the rank that is missing, and its host. The communicator has then failed on all
 *          ranks that can be reached: each further call returns the same failure, and the processes
 *          should end. Memory that such a call was given may still be written to until the
 *          communicator is destroyed.
 * Threads: one call at a time on all communicators of a process. If the program has started MPI
 *          itself, with less than MPI_THREAD_SERIALIZED: on the thread that started it.
 * fork():  the ranks are those of the parent; in a child, calls return AN_ERR_ARG.
 */
typedef struct an_comm an_comm;

/** Initialise with an_comm_options_init(), then change what you need. */
typedef struct an_comm_options {
    uint32_t struct_size; /* set by init; new fields are only appended */
    int32_t reserved;     /* 0 */
    double deadline;      /* seconds that a call waits for the other ranks, 0.001 to 1e6; longer
                             than the longest time between two steps of a rank; default 60 */
} an_comm_options;

/** Set the defaults. Takes: struct_size: sizeof(an_comm_options), as compiled by the caller. */
AN_API void an_comm_options_init(an_comm_options *options, uint32_t struct_size);

/**
 * Join the ranks that a launcher has started: mpirun or mpiexec of Open MPI or MPICH, or srun with
 * PMIx or PMI2. A process that no launcher has started, or that it has started alone, gets a
 * communicator of one rank.
 *
 * Takes:   options: copied; NULL = defaults. The launcher is known by its environment variables
 *          (OMPI_COMM_WORLD_SIZE; PMI_SIZE; PMIX_RANK, with SLURM_STEP_NUM_TASKS). The environment
 *          variable AN_MPI overrides the choice of the MPI: "openmpi", "mpich", or "none": join
 *          nobody.
 * Owns:    *out is the caller's; free with an_comm_destroy(). It starts MPI, which cannot be
 *          started twice in a process: after the communicator was destroyed, joining fails.
 *          Loads libattractivenet-openmpi.so.0 or libattractivenet-mpich.so.0 of the same build
 *          from the folder of this library, otherwise from where the dynamic loader finds it.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_UNSUPPORTED if a launcher has started several ranks, and the
 *          library for its MPI is missing or of another build, or if ranks are of different
 *          releases; AN_ERR_IO if MPI cannot be started or the ranks do not meet; AN_ERR_NOMEM.
 * Cost:    without a launcher, a look at the environment.
 */
AN_API an_status an_comm_join(an_comm **out, const an_comm_options *options, an_error *err);

/**
 * Make a communicator from one of the program's own MPI communicators. All its ranks make this
 * call.
 *
 * Takes:   mpi_comm: the address of an MPI_Comm; it is copied (MPI_Comm_idup), so that messages
 *          do not mix with the program's own. MPI has been started, and is ended by the program,
 *          after the communicator was destroyed. options: copied; NULL = defaults.
 * Owns:    *out is the caller's; free with an_comm_destroy().
 * Returns: AN_OK; AN_ERR_ARG, also if no MPI, or more than one, is loaded in this process and
 *          AN_MPI does not choose; otherwise as an_comm_join().
 */
AN_API an_status an_comm_create_mpi(an_comm **out, const void *mpi_comm,
                                    const an_comm_options *options, an_error *err);

/** Release a communicator; NULL is allowed. All ranks make this call; it waits for them up to the
 *  deadline, unless the communicator has failed. A rank that ends because of an error calls
 *  an_comm_abort() first. */
AN_API void an_comm_destroy(an_comm *comm);

/** Return this process's rank, from 0. */
AN_API int32_t an_comm_rank(const an_comm *comm);

/** Return the number of ranks; 0 for NULL. */
AN_API int32_t an_comm_size(const an_comm *comm);

/** Return the name of the machine of a rank; borrowed from the communicator. */
AN_API const char *an_comm_host(const an_comm *comm, int32_t rank);

/** Return the kind: "local" for a rank alone, "mpi". The string is constant. */
AN_API const char *an_comm_name(const an_comm *comm);

/** Wait until all ranks have made this call, such as for a file that rank 0 downloads; the deadline
 *  applies. Returns AN_OK; AN_ERR_ARG; AN_ERR_IO or another rank's failure. */
AN_API an_status an_comm_barrier(an_comm *comm, an_error *err);

/**
 * Copy bytes of one rank to the same place on all ranks. All make this call, with the same size and
 * root.
 *
 * Takes:   data: size bytes, read on rank root, written on the others; may be NULL if size is 0.
 *          root: 0 to an_comm_size() - 1.
 * Returns: AN_OK; AN_ERR_ARG; AN_ERR_IO or another rank's failure: data is undefined then.
 */
AN_API an_status an_comm_broadcast(an_comm *comm, void *data, int64_t size, int32_t root,
                                   an_error *err);

/**
 * Stop all ranks because this one has failed: the calls that they make now or next return this
 * failure. Does nothing for NULL, one rank, or after a failure.
 *
 * Takes:   why: status and message for the others; NULL: AN_ERR_CANCELLED.
 * Cost:    up to a second.
 */
AN_API void an_comm_abort(an_comm *comm, const an_error *why);

#ifdef __cplusplus
}
#endif
#endif
