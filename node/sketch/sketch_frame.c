/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sketch_frame - a sketch as bytes: header with all parameters, the algorithm's state, then distinct count and sample.
 *
 * The last two travel only once the sketch is not exact; until then they follow from its keys. A reader believes
 * nothing: parameters are checked as a user's are before memory is taken, and no byte may be left at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "sketch_parts.h"

#define FORMAT_VERSION 2
static const char MAGIC[3] = {'W', 'S', 'K'};

static void type_put(struct sketch_writer *writer, const struct flowkey_type *type)
{
	sketch_put_byte(writer, type->fields);
	sketch_put_byte(writer, type->src4);
	sketch_put_byte(writer, type->dst4);
	sketch_put_byte(writer, type->src6);
	sketch_put_byte(writer, type->dst6);
}

static void type_get(struct sketch_reader *reader, struct flowkey_type *type)
{
	type->fields = sketch_get_byte(reader);
	type->src4 = sketch_get_byte(reader);
	type->dst4 = sketch_get_byte(reader);
	type->src6 = sketch_get_byte(reader);
	type->dst6 = sketch_get_byte(reader);
}

static void params_put(struct sketch_writer *writer, const struct sketch_params *params)
{
	type_put(writer, &params->key);
	type_put(writer, &params->distinct);
	sketch_put_byte(writer, params->unit);
	sketch_put_byte(writer, params->units);
	sketch_put_byte(writer, params->rows);
	sketch_put_byte(writer, params->is_conservative);
	sketch_put_fixed(writer, params->memory_bytes, 4);
	sketch_put_fixed(writer, params->seed, 8);
}

static int params_get(struct sketch_reader *reader, struct sketch_params *params, struct error *err)
{
	uint8_t conservative;

	type_get(reader, &params->key);
	type_get(reader, &params->distinct);
	params->unit = sketch_get_byte(reader);
	params->units = sketch_get_byte(reader);
	params->rows = sketch_get_byte(reader);
	conservative = sketch_get_byte(reader);
	params->is_conservative = conservative;
	params->memory_bytes = (uint32_t)sketch_get_fixed(reader, 4);
	params->seed = sketch_get_fixed(reader, 8);
	if (reader->failed)
		return error_set(err, ERROR_BAD_REQUEST, "sketch: the bytes end inside the parameters");
	if (conservative > 1)
		return error_set(err, ERROR_BAD_REQUEST, "sketch: conservative update %u: neither 0 nor 1",
				 conservative);
	return 0;
}

int sketch_encode(const struct sketch *sketch, uint8_t **bytes, size_t *len, struct error *err)
{
	struct sketch_writer writer = {0};

	sketch_put(&writer, MAGIC, sizeof(MAGIC));
	sketch_put_byte(&writer, FORMAT_VERSION);
	sketch_put_fixed(&writer, sketch->ops->number, 4);
	params_put(&writer, &sketch->params);
	if (sketch->ops->encode(sketch, &writer, err) < 0)
		goto fail;
	if (sketch->ops->has_keys && !sketch_quality(sketch).exact) {
		hyperloglog_encode(sketch->distinct, &writer);
		flow_sample_encode(sketch->sample, &writer);
	}
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
	const struct sketch_ops *ops;
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
	ops = sketch_ops_numbered(number);
	if (!ops)
		error_set(err, ERROR_MISMATCH, "sketch: algorithm number %u (unknown to this node)", number);
	return ops;
}

static int state_read(struct sketch *sketch, struct sketch_reader *reader, struct error *err)
{
	if (sketch->ops->decode(sketch, reader, err) < 0)
		return -1;
	if (!sketch->ops->has_keys)
		return 0;
	if (sketch_quality(sketch).exact) {
		sketch_add_parts(sketch, sketch);
		return 0;
	}
	return hyperloglog_decode(sketch->distinct, reader, err) < 0 ||
			       flow_sample_decode(sketch->sample, reader, err) < 0 ?
		       -1 :
		       0;
}

struct sketch *sketch_decode(const uint8_t *bytes, size_t len, unsigned int scale, struct error *err)
{
	struct sketch_reader reader = {.at = bytes, .left = len};
	const struct sketch_ops *ops = header_read(&reader, err);
	struct sketch_params params = {0};
	struct sketch *sketch;

	if (!ops)
		return NULL;
	memcpy(params.algorithm, ops->name, strlen(ops->name));
	if (params_get(&reader, &params, err) < 0)
		return NULL;
	sketch = sketch_create_merged(&params, scale, err);
	if (!sketch || state_read(sketch, &reader, err) < 0)
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
