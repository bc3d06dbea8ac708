/* SPDX-License-Identifier: MIT
 * Spelling suggestions. */
#ifndef PROGRAM_NEAREST_H
#define PROGRAM_NEAREST_H

/** A search. Initialise with a word and its length, the rest 0, then offer candidates one by one.
 */
typedef struct nearest {
    const char *word;  /* as typed */
    int length;        /* number of characters to compare */
    int changes;       /* number of edits from word to found */
    const char *found; /* the nearest candidate so far, or NULL if none is near */
} nearest;

/** Offer a candidate: it is near if the word is a prefix of it, or if it can be reached by a few
 *  edits (insertion, deletion, substitution, swap of neighbours): at most a third of its letters,
 *  but always two. Kept, not copied. */
void nearest_offer(nearest *search, const char *candidate);

#endif
