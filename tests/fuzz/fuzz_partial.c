/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fuzz_partial - partials of any bytes, decoded and merged into one accumulator as a node does with its children's.
 *
 * The first byte chooses the kind; then come partials, each as two little-endian 16-bit lengths, head and body.
 * Whatever the children say, the accumulator keeps its invariant: names in order, each once, figures that fit
 * into JSON, and an encoding that decodes to an equal one.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/merge.h"
#include "weft/limits.h"
#include "weft/partial.h"

#define PARTIALS_MAX 16

static const struct partial_ops *const KINDS[] = {&merge_sketches, &merge_lists, &merge_sums, &merge_nothing};

struct input {
	const uint8_t *at;
	size_t left;
};

static void require(int holds)
{
	if (!holds)
		abort();
}

static uint16_t take_number(struct input *input)
{
	uint16_t number = (uint16_t)(input->left ? input->at[0] : 0);

	if (input->left > 1)
		number = (uint16_t)(number | input->at[1] << 8);
	input->at += input->left < 2 ? input->left : 2;
	input->left -= input->left < 2 ? input->left : 2;
	return number;
}

/* In a buffer of its own, so that a sanitiser sees one byte too far. */
static uint8_t *take_bytes(struct input *input, size_t *len)
{
	uint8_t *bytes;

	if (*len > input->left)
		*len = input->left;
	bytes = malloc(*len ? *len : 1);
	require(bytes != NULL);
	memcpy(bytes, input->at, *len);
	input->at += *len;
	input->left -= *len;
	return bytes;
}

static void check(const struct partial *partial)
{
	for (size_t i = 0; i < partial->node_count; i++) {
		require(partial->nodes[i][0] && strlen(partial->nodes[i]) <= LIMIT_NAME);
		require(i == 0 || strcmp(partial->nodes[i - 1], partial->nodes[i]) < 0);
		require(partial_names(partial, partial->nodes[i]));
	}
	require(partial->packets_seen <= INT64_MAX && partial->packets_lost <= INT64_MAX);
	require(partial_expected(partial) >= partial->node_count);
}

static void merge_one(struct partial *into, struct input *input, unsigned int number)
{
	size_t head_len = take_number(input), body_len = take_number(input);
	uint8_t *head = take_bytes(input, &head_len), *body = take_bytes(input, &body_len);
	struct partial partial;
	struct error err = {0};
	char id[64], child[16];

	snprintf(child, sizeof(child), "child-%u", number);
	partial_peek(head, head_len, id, sizeof(id), NULL);
	if (partial_decode(&partial, into->ops, head, head_len, body, body_len, &err) == 0) {
		check(&partial);
		require(partial_merge(into, &partial, child, NULL) == 0);
		partial_clear(&partial);
	} else {
		require(err.code != ERROR_NONE && err.text[0]);
	}
	check(into);
	free(head);
	free(body);
}

static void round_trip(const struct partial *partial)
{
	uint8_t *head, *body, *head_again, *body_again;
	size_t head_len, body_len, head_again_len, body_again_len;
	struct partial again;
	struct error err = {0};

	require(partial_encode(partial, "request.1", &head, &head_len, &body, &body_len, NULL) == 0);
	if (partial_decode(&again, partial->ops, head, head_len, body, body_len, &err) < 0) {
		fprintf(stderr, "what was encoded does not decode: %s\n", err.text);
		abort();
	}
	require(partial_encode(&again, "request.1", &head_again, &head_again_len, &body_again, &body_again_len, NULL) ==
		0);
	require(head_len == head_again_len && memcmp(head, head_again, head_len) == 0);
	require(body_len == body_again_len && (body_len == 0 || memcmp(body, body_again, body_len) == 0));
	free(head);
	free(body);
	free(head_again);
	free(body_again);
	partial_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data + 1, size - 1};
	struct partial into;

	if (size == 0)
		return 0;
	partial_init(&into, KINDS[data[0] % 4]);
	require(partial_add_node(&into, "h2", NULL) == 0);
	for (unsigned int i = 0; i < PARTIALS_MAX && input.left; i++)
		merge_one(&into, &input, i);
	round_trip(&into);
	partial_clear(&into);
	return 0;
}
