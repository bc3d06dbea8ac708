/* SPDX-License-Identifier: MIT
 * Fuzz target: a checkpoint, as it is and with its checksum put right, read and resumed from. */
#include <stdlib.h>
#include <string.h>

#include "corpus.h"
#include "fuzz.h"
#include "train/checkpoint.h"

/* Resume from a file; what it says of the run must then be what a run can be in. */
static void resume(const uint8_t *data, size_t size, int goes_on) {
    static an_trainer *trainer; /* one for all runs: making it is no part of the parser */
    an_checkpoint *checkpoint = NULL;
    an_error err;
    if (!trainer) trainer = corpus_trainer(NULL, 0);
    an_status st = ani_checkpoint_read_file(&checkpoint, fuzz_path(data, size), &err);
    fuzz_check_status(st, &err);
    if (st) {
        REQUIRE(!checkpoint);
        return;
    }
    an_checkpoint_info info = {.struct_size = sizeof info};
    REQUIRE(!an_checkpoint_describe(checkpoint, &info, &err));
    REQUIRE(info.stage >= 1 && info.epoch >= 0 && info.step >= 0 && info.first_epoch >= 0);
    st = an_trainer_resume(trainer, checkpoint, &err);
    an_checkpoint_destroy(checkpoint);
    if (st == AN_ERR_ARG)
        REQUIRE(err.status == st && err.message[0]); /* another setting */
    else
        fuzz_check_status(st, &err);
    if (st || !goes_on) return;
    st = an_trainer_run_epoch(trainer, NULL, &err);
    REQUIRE(st == AN_OK || st == AN_DONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    resume(data, size, 0);
    uint8_t *sealed = malloc(size ? size : 1);
    REQUIRE(sealed);
    if (size) memcpy(sealed, data, size);
    if (corpus_seal(sealed, (int64_t)size)) /* an epoch takes long: now and then */
        resume(sealed, size, data[size - 1] % 64 == 0);
    free(sealed);
    return 0;
}
