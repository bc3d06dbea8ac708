/* SPDX-License-Identifier: MIT
 * Which ranks there are: those of a launcher, known by its environment variables, or those of the
 * program's own MPI; and the library that belongs to it. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "comm/wire.h"
#include "config.h"

static const double deadline_least = 0.001, deadline_most = 1e6;

static an_comm_options default_options(void) {
    return (an_comm_options){.struct_size = sizeof(an_comm_options), .deadline = 60};
}

void an_comm_options_init(an_comm_options *options, uint32_t struct_size) {
    const an_comm_options defaults = default_options();
    ani_options_init(options, struct_size, &defaults, sizeof defaults);
}

static an_status copy_options(an_comm_options *ours, const an_comm_options *options,
                              an_error *err) {
    *ours = default_options();
    an_status st = ani_options_copy(ours, sizeof *ours, options, "an_comm_options", err);
    if (st) return st;
    if (!(ours->deadline >= deadline_least && ours->deadline <= deadline_most))
        return ani_fail(err, AN_ERR_ARG, "deadline is %g; it must be %g to %g seconds",
                        ours->deadline, deadline_least, deadline_most);
    return AN_OK;
}

/* --- the libraries ---------------------------------------------------------------------------- */

enum { OPEN_MPI, MPICH, MPIS, NO_MPI = -1 };

static const struct mpi {
    const char *name; /* in AN_MPI */
    const char *file;
    const char *theirs; /* the MPI's own library */
    ani_companion companion;
} mpis[MPIS] = {{"openmpi",
                 ANI_COMPANION_FILE("openmpi"),
                 "libmpi.so.40",
                 {.words = "the library for Open MPI",
                  .feature = "mpi (Open MPI)",
                  .entry = ANI_WIRE_ENTRY,
                  .layout = ANI_WIRE_LAYOUT,
                  .is_built = AN_HAVE_OPENMPI}},
                {"mpich",
                 ANI_COMPANION_FILE("mpich"),
                 "libmpich.so.12",
                 {.words = "the library for MPICH",
                  .feature = "mpi (MPICH)",
                  .entry = ANI_WIRE_ENTRY,
                  .layout = ANI_WIRE_LAYOUT,
                  .is_built = AN_HAVE_MPICH}}};

static const char *chosen; /* by ani_wire_use() */

void ani_wire_use(const char *file) {
    chosen = file;
}

static an_status load(const ani_wire **out, int32_t mpi, an_error *err) {
    const ani_companion_build *build = NULL;
    const an_status st =
        ani_companion_load(&build, &mpis[mpi].companion, chosen ? chosen : mpis[mpi].file, err);
    *out = (const ani_wire *)build; /* its first member */
    return st;
}

/* What AN_MPI says: an MPI, NO_MPI, or MPIS if it is not set. */
static an_status read_choice(int32_t *choice, an_error *err) {
    const char *text = getenv("AN_MPI");
    *choice = MPIS;
    if (!text || !*text) return AN_OK;
    for (int32_t i = 0; i < MPIS; i++)
        if (!strcmp(text, mpis[i].name)) *choice = i;
    if (!strcmp(text, "none")) *choice = NO_MPI;
    return *choice == MPIS
               ? ani_fail(err, AN_ERR_ARG,
                          "AN_MPI is '%s'; it must be 'openmpi', 'mpich' or 'none'", text)
               : AN_OK;
}

/* --- launchers -------------------------------------------------------------------------------- */

typedef struct launcher {
    const char *name;
    int64_t size;      /* ranks that it has started; 0: it does not say */
    int32_t mpi, next; /* which to load, and what if that is missing; NO_MPI: nothing */
} launcher;

/* A number above 0 in the environment; 0: none. */
static int64_t count_in(const char *variable) {
    const char *text = getenv(variable);
    char *end = NULL;
    const long long count = text ? strtoll(text, &end, 10) : 0;
    return count > 0 && !*end ? count : 0;
}

static launcher find_launcher(void) {
    int64_t size = count_in("OMPI_COMM_WORLD_SIZE");
    if (size) return (launcher){"mpirun of Open MPI", size, OPEN_MPI, NO_MPI};
    const bool is_slurm = getenv("SLURM_JOB_ID") != NULL;
    size = count_in("PMI_SIZE");
    if (size && is_slurm) return (launcher){"srun", size, MPICH, OPEN_MPI};
    if (size) return (launcher){"mpiexec", size, MPICH, NO_MPI};
    if (!getenv("PMIX_RANK")) return (launcher){"", 1, NO_MPI, NO_MPI};
    size = count_in("SLURM_STEP_NUM_TASKS");
    return (launcher){is_slurm ? "srun" : "a launcher with PMIx", size, OPEN_MPI, MPICH};
}

an_status an_comm_join(an_comm **out, const an_comm_options *options, an_error *err) {
    const ani_wire *wire = NULL;
    an_comm_options ours;
    int32_t choice;
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    an_status st = copy_options(&ours, options, err);
    if (!st) st = read_choice(&choice, err);
    if (st) return st;
    launcher found = find_launcher();
    if (found.size == 1 || choice == NO_MPI)
        return ani_comm_local_create(out, 1, ours.deadline, err);
    if (choice != MPIS) {
        found.mpi = choice;
        found.next = NO_MPI;
    }
    an_error why = {0};
    st = load(&wire, found.mpi, &why);
    if (st == AN_ERR_UNSUPPORTED && found.next != NO_MPI) st = load(&wire, found.next, NULL);
    if (st) return ani_fail(err, st, "%s has started several ranks: %s", found.name, why.message);
    st = ani_comm_wire_create(out, wire, NULL, ours.deadline, err);
    if (st || !found.size || (*out)->size == found.size) return st;
    st = ani_fail(err, AN_ERR_UNSUPPORTED,
                  "%s has started %lld ranks, and %s sees %d: does it belong to another MPI?",
                  found.name, (long long)found.size, wire->name, (int)(*out)->size);
    an_comm_destroy(*out);
    *out = NULL;
    return st;
}

/* --- the program's own MPI -------------------------------------------------------------------- */

static bool is_loaded(const char *file) {
    void *handle = dlopen(file, RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
    if (handle) dlclose(handle);
    return handle != NULL;
}

an_status an_comm_create_mpi(an_comm **out, const void *mpi_comm, const an_comm_options *options,
                             an_error *err) {
    const ani_wire *wire = NULL;
    an_comm_options ours;
    int32_t choice, loaded = 0;
    if (!out) return ani_fail(err, AN_ERR_ARG, "out is NULL");
    *out = NULL;
    if (!mpi_comm) return ani_fail(err, AN_ERR_ARG, "mpi_comm is NULL");
    an_status st = copy_options(&ours, options, err);
    if (!st) st = read_choice(&choice, err);
    if (st) return st;
    if (choice == NO_MPI) return ani_fail(err, AN_ERR_ARG, "AN_MPI is 'none'");
    for (int32_t i = 0; choice == MPIS && i < MPIS; i++)
        loaded += is_loaded(mpis[i].theirs);
    if (choice == MPIS && loaded != 1)
        return ani_fail(err, AN_ERR_ARG, "%s is loaded in this process (looked for %s and %s)",
                        loaded ? "more than one MPI" : "no MPI", mpis[OPEN_MPI].theirs,
                        mpis[MPICH].theirs);
    if (choice == MPIS) choice = is_loaded(mpis[OPEN_MPI].theirs) ? OPEN_MPI : MPICH;
    st = load(&wire, choice, err);
    return st ? st : ani_comm_wire_create(out, wire, mpi_comm, ours.deadline, err);
}
