/* SPDX-License-Identifier: MIT
 * Damage to files, decided by a random number alone: the same number, the same damage. */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stdint.h>

#include "corpus.h"

enum { MUTATE_MAX_SIZE = 256 << 10 };

/** Flip a bit, cut the end off, or join the begin of one good file and the end of another. all has
 * good items. Writes at most MUTATE_MAX_SIZE bytes to out; returns their number. *from is the item
 * that it began with. */
int64_t mutate_once(uint8_t *out, const corpus *all, uint64_t random, int64_t *from);

/** Damage any item one to eight times: bits, bytes, numbers of odd values, blocks moved, doubled,
 *  left out or taken from other items. */
int64_t mutate_deeply(uint8_t *out, const corpus *all, uint64_t random, int64_t *from);

#endif
