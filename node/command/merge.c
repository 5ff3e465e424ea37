/* SPDX-License-Identifier: MPL-2.0 */
/* merge - the kinds of mergeable answers. Documents come from other nodes: nothing in them is taken on trust. */
#include "merge.h"

#include <stdlib.h>
#include <string.h>

#include "measure/epoch.h"
#include "sketch/sketch.h"

/* Both at least 0; the sum stays at the largest number. */
static json_int_t merge_add_counts(json_int_t a, json_int_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* The accumulator's document, which the verb began, says what names there are and of which type. */
static int merge_add(json_t *into, const char *name, const json_t *theirs, struct error *err)
{
	const json_t *mine = json_object_get(into, name);

	if (json_is_boolean(mine) && json_is_boolean(theirs))
		return json_object_set_new(into, name, json_boolean(json_is_true(mine) && json_is_true(theirs)));
	if (!json_is_integer(mine) || !json_is_integer(theirs) || json_integer_value(theirs) < 0)
		return error_set(err, ERROR_BAD_REQUEST, "partial: \"%.40s\" is not a %s", name,
				 json_is_integer(mine) ? "count" :
				 json_is_boolean(mine) ? "flag" :
							 "part of this answer");
	return json_object_set_new(
		into, name, json_integer(merge_add_counts(json_integer_value(mine), json_integer_value(theirs))));
}

static int merge_sum_documents(json_t *into, const json_t *from, struct error *err)
{
	const char *name;
	json_t *theirs;

	json_object_foreach((json_t *)from, name, theirs)
	{
		if (merge_add(into, name, theirs, err) < 0)
			return -1;
	}
	return 0;
}

static int merge_list_documents(json_t *into, const json_t *from, struct error *err)
{
	const char *name;
	json_t *theirs;

	json_object_foreach((json_t *)from, name, theirs)
	{
		json_t *mine = json_object_get(into, name);

		if (!json_is_array(theirs) || (mine && !json_is_array(mine)))
			return error_set(err, ERROR_BAD_REQUEST, "partial: \"%s\" is not a list", name);
		if (mine)
			json_array_extend(mine, theirs);
		else
			json_object_set(into, name, theirs);
	}
	return 0;
}

static int merge_encode_sketch(const void *state, uint8_t **bytes, size_t *len, struct error *err)
{
	return sketch_encode(state, bytes, len, err);
}

static void *merge_decode_sketch(const uint8_t *bytes, size_t len, struct error *err)
{
	return sketch_decode(bytes, len, EPOCH_SCALE, err);
}

static int merge_sketch(void *into, const void *from, struct error *err)
{
	return sketch_merge(into, from, err);
}

static void merge_destroy_sketch(void *state)
{
	sketch_destroy(state);
}

struct merge_pair *merge_pair_create(const struct sketch_params *params, struct error *err)
{
	struct merge_pair *pair = calloc(1, sizeof *pair);

	if (!pair) {
		error_set(err, ERROR_INTERNAL, "pair: out of memory");
		return NULL;
	}
	pair->before = sketch_create_merged(params, EPOCH_SCALE, err);
	pair->after = pair->before ? sketch_create_merged(params, EPOCH_SCALE, err) : NULL;
	if (pair->after)
		return pair;
	merge_pair_destroy(pair);
	return NULL;
}

void merge_pair_destroy(struct merge_pair *pair)
{
	if (!pair)
		return;
	sketch_destroy(pair->before);
	sketch_destroy(pair->after);
	free(pair);
}

#define MERGE_PAIR_HEAD 4 /* bytes: the first frame's length, little-endian; the second frame is the rest */

static int merge_encode_pair(const void *state, uint8_t **bytes, size_t *len, struct error *err)
{
	const struct merge_pair *pair = state;
	uint8_t *before = NULL, *after = NULL;
	size_t before_len, after_len;
	int result = -1;

	if (sketch_encode(pair->before, &before, &before_len, err) < 0 ||
	    sketch_encode(pair->after, &after, &after_len, err) < 0)
		goto out;
	*len = MERGE_PAIR_HEAD + before_len + after_len;
	*bytes = malloc(*len);
	if (!*bytes) {
		error_set(err, ERROR_INTERNAL, "pair: out of memory");
		goto out;
	}
	for (int i = 0; i < MERGE_PAIR_HEAD; i++)
		(*bytes)[i] = (uint8_t)(before_len >> (8 * i));
	memcpy(*bytes + MERGE_PAIR_HEAD, before, before_len);
	memcpy(*bytes + MERGE_PAIR_HEAD + before_len, after, after_len);
	result = 0;
out:
	free(before);
	free(after);
	return result;
}

static void *merge_decode_pair(const uint8_t *bytes, size_t len, struct error *err)
{
	struct merge_pair *pair;
	size_t first = 0;

	for (size_t i = 0; i < MERGE_PAIR_HEAD && i < len; i++)
		first |= (size_t)bytes[i] << (8 * i);
	if (len < MERGE_PAIR_HEAD || first > len - MERGE_PAIR_HEAD) {
		error_set(err, ERROR_BAD_REQUEST, "pair: the bytes end inside its first sketch");
		return NULL;
	}
	pair = calloc(1, sizeof *pair);
	if (!pair) {
		error_set(err, ERROR_INTERNAL, "pair: out of memory");
		return NULL;
	}
	bytes += MERGE_PAIR_HEAD;
	pair->before = sketch_decode(bytes, first, EPOCH_SCALE, err);
	pair->after = pair->before ? sketch_decode(bytes + first, len - MERGE_PAIR_HEAD - first, EPOCH_SCALE, err) :
				     NULL;
	if (pair->after)
		return pair;
	merge_pair_destroy(pair);
	return NULL;
}

/* Both or none: whether the second's parameters fit is known from the first's, for a pair has one counter's. */
static int merge_pair(void *into, const void *from, struct error *err)
{
	struct merge_pair *pair = into;
	const struct merge_pair *other = from;

	if (sketch_compare(pair->after, other->after, err) < 0)
		return -1;
	return sketch_merge(pair->before, other->before, err) < 0 ? -1 : sketch_merge(pair->after, other->after, err);
}

static void merge_destroy_pair(void *state)
{
	merge_pair_destroy(state);
}

const struct partial_ops merge_nothing = {.kind = "none"};
const struct partial_ops merge_sums = {.kind = "sums", .merge_document = merge_sum_documents};
const struct partial_ops merge_lists = {.kind = "lists", .merge_document = merge_list_documents};
const struct partial_ops merge_sketches = {
	.kind = "sketch",
	.encode = merge_encode_sketch,
	.decode = merge_decode_sketch,
	.merge = merge_sketch,
	.merge_document = merge_sum_documents,
	.destroy = merge_destroy_sketch,
};
const struct partial_ops merge_pairs = {
	.kind = "sketch pair",
	.encode = merge_encode_pair,
	.decode = merge_decode_pair,
	.merge = merge_pair,
	.merge_document = merge_sum_documents,
	.destroy = merge_destroy_pair,
};
