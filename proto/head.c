/* SPDX-License-Identifier: MPL-2.0 */
/*
 * head - JSON values to msgpack and back, by msgpack-c. The only file that knows it.
 *
 * What msgpack can say and JSON cannot (binary, extensions, keys that are no text, numbers beyond 63 bits) is refused.
 */
#include "head.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "head_scan.h"

#define HEAD_DEPTH 16

static void head_pack_json(msgpack_packer *packer, const json_t *value);

static void head_pack_text(msgpack_packer *packer, const char *text, size_t len)
{
	msgpack_pack_str(packer, len);
	msgpack_pack_str_body(packer, text, len);
}

static void head_pack_object(msgpack_packer *packer, const json_t *object)
{
	const char *key;
	json_t *value;

	msgpack_pack_map(packer, json_object_size(object));
	json_object_foreach((json_t *)object, key, value)
	{
		head_pack_text(packer, key, strlen(key));
		head_pack_json(packer, value);
	}
}

static void head_pack_json(msgpack_packer *packer, const json_t *value)
{
	size_t i;
	json_t *element;

	if (json_is_object(value)) {
		head_pack_object(packer, value);
	} else if (json_is_array(value)) {
		msgpack_pack_array(packer, json_array_size(value));
		json_array_foreach(value, i, element) head_pack_json(packer, element);
	} else if (json_is_string(value)) {
		head_pack_text(packer, json_string_value(value), json_string_length(value));
	} else if (json_is_integer(value)) {
		msgpack_pack_int64(packer, json_integer_value(value));
	} else if (json_is_real(value)) {
		msgpack_pack_double(packer, json_real_value(value));
	} else if (json_is_boolean(value)) {
		json_is_true(value) ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
	} else {
		msgpack_pack_nil(packer);
	}
}

static json_t *head_read_json(const msgpack_object *object, int depth);

static json_t *head_read_map(const msgpack_object_map *map, int depth)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < map->size; i++) {
		const msgpack_object *key = &map->ptr[i].key;
		json_t *value = key->type == MSGPACK_OBJECT_STR ? head_read_json(&map->ptr[i].val, depth + 1) : NULL;
		char *name = value ? strndup(key->via.str.size ? key->via.str.ptr : "", key->via.str.size) : NULL;
		int failed = !name || json_object_set_new(object, name, value) < 0;

		if (!name)
			json_decref(value);
		free(name);
		if (failed) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *head_read_array(const msgpack_object_array *array, int depth)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < array->size; i++) {
		if (json_array_append_new(list, head_read_json(&array->ptr[i], depth + 1)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* NULL for what JSON has no word for, bad UTF-8, or too deep nesting. */
static json_t *head_read_json(const msgpack_object *object, int depth)
{
	if (depth > HEAD_DEPTH)
		return NULL;
	switch (object->type) {
	case MSGPACK_OBJECT_NIL:
		return json_null();
	case MSGPACK_OBJECT_BOOLEAN:
		return json_boolean(object->via.boolean);
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		return object->via.u64 > INT64_MAX ? NULL : json_integer((json_int_t)object->via.u64);
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return json_integer(object->via.i64);
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return json_real(object->via.f64);
	case MSGPACK_OBJECT_STR:
		return json_stringn(object->via.str.ptr, object->via.str.size);
	case MSGPACK_OBJECT_ARRAY:
		return head_read_array(&object->via.array, depth);
	case MSGPACK_OBJECT_MAP:
		return head_read_map(&object->via.map, depth);
	default:
		return NULL;
	}
}

int head_encode(const json_t *fields, uint8_t **bytes, size_t *len, struct error *err)
{
	msgpack_sbuffer buffer;
	msgpack_packer packer;

	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	head_pack_json(&packer, fields);
	if (!buffer.data)
		return error_set(err, ERROR_INTERNAL, "partial: out of memory");
	*bytes = (uint8_t *)buffer.data;
	*len = buffer.size;
	return 0;
}

json_t *head_decode(const uint8_t *head, size_t head_len, struct error *err)
{
	msgpack_unpacked unpacked;
	json_t *fields = NULL;
	size_t used = 0;

	msgpack_unpacked_init(&unpacked);
	if (head_scan(head, head_len, HEAD_DEPTH) &&
	    msgpack_unpack_next(&unpacked, (const char *)head, head_len, &used) == MSGPACK_UNPACK_SUCCESS &&
	    used == head_len && unpacked.data.type == MSGPACK_OBJECT_MAP)
		fields = head_read_json(&unpacked.data, 0);
	msgpack_unpacked_destroy(&unpacked);
	if (!fields)
		error_set(err, ERROR_BAD_REQUEST, "partial: its head is not one msgpack map (%zu bytes)", head_len);
	return fields;
}
