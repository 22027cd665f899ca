/* Which element of an array was which before. */
#ifndef PP_DELTA_ALIGN_H
#define PP_DELTA_ALIGN_H

#include <stdbool.h>
#include <stdint.h>

struct pp_value;

#define PP_ALIGN_NEW UINT32_MAX

/* Differences that are looked for at most; beyond, elements are taken to be what they were at their place. */
#define PP_ALIGN_MAX_D 512

/* For each of the `m` elements of `b` writes to `from` which of the `n` of `a` it was, in rising order, or
 * PP_ALIGN_NEW. Elements that both have are found by a longest common subsequence (Myers, 1986); maps that have a
 * string or number under "id" are the same where that is, all else where it is equal. Between those, elements are
 * paired in order. It is a guess that makes deltas short: nothing relies on it. */
void pp_align(const struct pp_value *a, uint32_t n, const struct pp_value *b, uint32_t m, uint32_t *from);

/* The longest common subsequence of two lists of numbers, as above but without pairing: true; or false where more than
 * `max_d` elements are in one of them only. */
bool pp_align_numbers(const uint64_t *a, uint32_t n, const uint64_t *b, uint32_t m, uint32_t max_d, uint32_t *from);

#endif
