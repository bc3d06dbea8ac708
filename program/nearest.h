/* SPDX-License-Identifier: MIT
 * The word that somebody probably meant. */
#ifndef PROGRAM_NEAREST_H
#define PROGRAM_NEAREST_H

/** A search. Begin with a word and its length, the rest 0, and offer candidates one after another.
 */
typedef struct nearest {
    const char *word;  /* as it was typed */
    int length;        /* of it that counts */
    int changes;       /* from it to found */
    const char *found; /* the nearest candidate so far, or NULL: none is near */
} nearest;

/** Offer a candidate: it is near if the word begins it, or if at most a third of its letters, and
 *  two at least, are wrong, missing, too many or exchanged with the next one. Kept, not copied. */
void nearest_offer(nearest *search, const char *candidate);

#endif
