/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch - one door to the counting algorithms: parameters, header, dispatch.
 *
 * What must hold for every algorithm is checked here and nowhere else: parameters in their limits, equal
 * parameters before a merge, header and last byte of an encoded sketch. A failure leaves the arguments as
 * they were. Used by tasks and epochs on the capture thread and by whoever merges partials.
 */
#include "sketch/sketch.h"

#include <stdlib.h>
#include <string.h>

#include "sketch/sketch_ops.h"
#include "weft/limits.h"

/* The first is the default. */
static const struct sketch_ops *const ALGORITHMS[] = {
	&sketch_count_min_ops,
};

#define ALGORITHM_COUNT (sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]))

#define FORMAT_VERSION 1
static const char MAGIC[3] = { 'W', 'S', 'K' };

static const struct sketch_ops *algorithm_find(const struct sketch_params *params, struct error *err)
{
	size_t size = sizeof(params->algorithm);

	if (params->algorithm[0] == '\0')
		return ALGORITHMS[0];
	for (size_t i = 0; i < ALGORITHM_COUNT; i++)
		if (strncmp(params->algorithm, ALGORITHMS[i]->name, size) == 0)
			return ALGORITHMS[i];
	error_set(err, ERROR_BAD_REQUEST, "algorithm \"%.*s\": unknown (there is: count-min)", (int)size,
		  params->algorithm);
	return NULL;
}

static int params_check(const struct sketch_params *params, struct error *err)
{
	if (params->fields == 0 || params->fields > FLOWKEY_ALL)
		return error_set(err, ERROR_BAD_REQUEST, "key type %u: not a mask of key fields (1 to %u)",
				 params->fields, FLOWKEY_ALL);
	if (params->unit != SKETCH_PACKETS && params->unit != SKETCH_BYTES)
		return error_set(err, ERROR_BAD_REQUEST, "unit %u: neither packets (0) nor bytes (1)", params->unit);
	if (params->memory_bytes < LIMIT_SKETCH_MEMORY_MIN || params->memory_bytes > LIMIT_SKETCH_MEMORY_MAX)
		return error_set(err, ERROR_BAD_REQUEST, "memory %u: not from %u to %u bytes", params->memory_bytes,
				 LIMIT_SKETCH_MEMORY_MIN, LIMIT_SKETCH_MEMORY_MAX);
	return 0;
}

/* The parameters are copied with the algorithm's full name, so that "default" and its name are equal ones. */
struct sketch *sketch_create_merged(const struct sketch_params *params, unsigned int scale, struct error *err)
{
	const struct sketch_ops *ops = algorithm_find(params, err);
	struct sketch_params full = *params;

	if (!ops || params_check(params, err) < 0)
		return NULL;
	if (scale < 1 || scale > SKETCH_SCALE_MAX) {
		error_set(err, ERROR_BAD_REQUEST, "scale %u: not from 1 to %u", scale, SKETCH_SCALE_MAX);
		return NULL;
	}
	memset(full.algorithm, 0, sizeof(full.algorithm));
	memcpy(full.algorithm, ops->name, strlen(ops->name));
	return ops->create(&full, scale, err);
}

struct sketch *sketch_create(const struct sketch_params *params, struct error *err)
{
	return sketch_create_merged(params, 1, err);
}

void sketch_destroy(struct sketch *sketch)
{
	if (sketch)
		sketch->ops->destroy(sketch);
}

const struct sketch_params *sketch_params(const struct sketch *sketch)
{
	return &sketch->params;
}

void sketch_update(struct sketch *sketch, const struct sketch_item *items, size_t count)
{
	sketch->ops->update(sketch, items, count);
}

bool sketch_is_empty(const struct sketch *sketch)
{
	return sketch->ops->is_empty(sketch);
}

/* Refuses by the name of the first parameter that differs. The seed is a secret: its values are not shown. */
static int params_compare(const struct sketch_params *a, const struct sketch_params *b, struct error *err)
{
	char type_a[FLOWKEY_TYPE_MAX], type_b[FLOWKEY_TYPE_MAX];

	if (strncmp(a->algorithm, b->algorithm, sizeof(a->algorithm)) != 0)
		return error_set(err, ERROR_MISMATCH, "merge: algorithm differs: %.16s and %.16s",
				 a->algorithm, b->algorithm);
	if (a->fields != b->fields)
		return error_set(err, ERROR_MISMATCH, "merge: key type differs: %s and %s",
				 flowkey_type_print(a->fields, type_a), flowkey_type_print(b->fields, type_b));
	if (a->unit != b->unit)
		return error_set(err, ERROR_MISMATCH, "merge: unit differs: %s and %s", a->unit ? "bytes" : "packets",
				 b->unit ? "bytes" : "packets");
	if (a->memory_bytes != b->memory_bytes)
		return error_set(err, ERROR_MISMATCH, "merge: memory differs: %u and %u bytes", a->memory_bytes,
				 b->memory_bytes);
	if (a->seed != b->seed)
		return error_set(err, ERROR_MISMATCH, "merge: seed differs (were the counters configured apart?)");
	return 0;
}

int sketch_merge(struct sketch *into, const struct sketch *from, struct error *err)
{
	if (params_compare(&into->params, &from->params, err) < 0)
		return -1;
	return into->ops->merge(into, from, err);
}

int sketch_encode(const struct sketch *sketch, uint8_t **bytes, size_t *len, struct error *err)
{
	const struct sketch_params *params = &sketch->params;
	struct sketch_writer writer = { 0 };

	sketch_put(&writer, MAGIC, sizeof(MAGIC));
	sketch_put_byte(&writer, FORMAT_VERSION);
	sketch_put_fixed(&writer, sketch->ops->number, 4);
	sketch_put_byte(&writer, params->fields);
	sketch_put_byte(&writer, params->unit);
	sketch_put_fixed(&writer, params->memory_bytes, 4);
	sketch_put_fixed(&writer, params->seed, 8);
	if (sketch->ops->encode(sketch, &writer, err) < 0)
		goto fail;
	if (writer.failed) {
		error_set(err, ERROR_INTERNAL, "sketch: encode: out of memory");
		goto fail;
	}
	*bytes = writer.bytes;
	*len = writer.len;
	return 0;

fail:
	free(writer.bytes);
	return -1;
}

/* Reads magic, version and algorithm. Another version may lay out everything behind the version otherwise. */
static const struct sketch_ops *header_read(struct sketch_reader *reader, struct error *err)
{
	char magic[sizeof(MAGIC)];
	unsigned int version, number;

	sketch_get(reader, magic, sizeof(magic));
	version = sketch_get_byte(reader);
	number = (unsigned int)sketch_get_fixed(reader, 4);
	if (reader->failed || memcmp(magic, MAGIC, sizeof(MAGIC)) != 0) {
		error_set(err, ERROR_BAD_REQUEST, "sketch: these bytes are not an encoded sketch");
		return NULL;
	}
	if (version != FORMAT_VERSION) {
		error_set(err, ERROR_MISMATCH, "sketch: format version %u (this node reads %u)", version,
			  FORMAT_VERSION);
		return NULL;
	}
	for (size_t i = 0; i < ALGORITHM_COUNT; i++)
		if (ALGORITHMS[i]->number == number)
			return ALGORITHMS[i];
	error_set(err, ERROR_MISMATCH, "sketch: algorithm number %u (unknown to this node)", number);
	return NULL;
}

struct sketch *sketch_decode(const uint8_t *bytes, size_t len, unsigned int scale, struct error *err)
{
	struct sketch_reader reader = { .at = bytes, .left = len };
	const struct sketch_ops *ops = header_read(&reader, err);
	struct sketch_params params = { 0 };
	struct sketch *sketch;

	if (!ops)
		return NULL;
	memcpy(params.algorithm, ops->name, strlen(ops->name));
	params.fields = sketch_get_byte(&reader);
	params.unit = sketch_get_byte(&reader);
	params.memory_bytes = (uint32_t)sketch_get_fixed(&reader, 4);
	params.seed = sketch_get_fixed(&reader, 8);
	if (reader.failed) {
		error_set(err, ERROR_BAD_REQUEST, "sketch: the bytes end inside the parameters");
		return NULL;
	}
	sketch = sketch_create_merged(&params, scale, err);
	if (!sketch || ops->decode(sketch, &reader, err) < 0)
		goto fail;
	if (reader.left) {
		error_set(err, ERROR_BAD_REQUEST, "sketch: %zu bytes behind its end", reader.left);
		goto fail;
	}
	return sketch;

fail:
	sketch_destroy(sketch);
	return NULL;
}

struct sketch_estimate sketch_estimate(const struct sketch *sketch, const struct flowkey *key)
{
	return sketch->ops->estimate(sketch, key);
}

struct sketch_quality sketch_quality(const struct sketch *sketch)
{
	return sketch->ops->quality(sketch);
}

void sketch_each(const struct sketch *sketch, sketch_each_fn fn, void *context)
{
	sketch->ops->each(sketch, fn, context);
}
