/* SPDX-License-Identifier: MPL-2.0 */
/* merge - the kinds of mergeable answers. Documents come from other nodes: nothing in them is taken on trust. */
#include "merge.h"

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
