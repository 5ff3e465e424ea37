/* SPDX-License-Identifier: MPL-2.0 */
/*
 * rules_regular - which packets the kernel's matches can read without dropping one: a program for its bpf match.
 *
 * Regular is a packet whose transport header can be found and is there as far as the matches for ports and TCP flags
 * read it, or that has none to read. All others are odd.
 */
#ifndef CAPTURE_RULES_REGULAR_H
#define CAPTURE_RULES_REGULAR_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RULES_REGULAR_MAX 64 /* instructions that the kernel's match takes */

/* The program for packets of this family (4 or 6) that begin with their IP header; other than 0: regular. Returns the
 * number of its instructions. */
size_t rules_regular_program(uint8_t family, struct sock_filter code[RULES_REGULAR_MAX]);

/* " -m bpf --bytecode ..." */
void rules_regular_print(uint8_t family, FILE *out);

#endif
